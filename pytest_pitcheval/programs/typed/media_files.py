"""Pictures, sound and documents of rows: from a path relative to the dataset, a URL, or bytes in a Parquet file."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import dspy

from pytest_pitcheval.programs.typed.annotations import is_union, unwrapped

_IMAGE: Any
_AUDIO: Any
_FILE: Any
_IMAGE, _AUDIO, _FILE = MEDIA = tuple(getattr(dspy, name, None) for name in ("Image", "Audio", "File"))
"""DSPy's types of media; older releases lack some."""
_URLS = ("http://", "https://", "gs://")
_LONGEST_PATH = 1_000
"""Characters; a longer text is no path."""
_FORMATS = {"mpeg": "mp3", "x-wav": "wav", "vnd.wave": "wav", "x-flac": "flac", "x-m4a": "m4a", "mp4": "m4a"}
"""What providers call kinds of sound that mimetypes calls otherwise."""
_BEGINNINGS = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
    b"fLaC": "audio/flac",
    b"OggS": "audio/ogg",
    b"%PDF": "application/pdf",
}
"""What kinds of files begin with."""


class Unfit(ValueError):
    """A value that is no medium; the message says what it is."""


class Content(NamedTuple):
    """Bytes, or where they are, and what the file that they are of is called; empty where that is not known."""

    data: bytes | Path
    name: str

    def read(self) -> bytes:
        return self.data.read_bytes() if isinstance(self.data, Path) else self.data

    @property
    def mime_type(self) -> str:
        """By its name, else by what it begins with."""
        return mimetypes.guess_type(self.name)[0] or _by_beginning(self._beginning) or "application/octet-stream"

    @property
    def _beginning(self) -> bytes:
        if isinstance(self.data, bytes):
            return self.data[:16]
        with self.data.open("rb") as file:
            return file.read(16)

    @property
    def is_empty(self) -> bool:
        return not self._beginning


def _by_beginning(beginning: bytes) -> str | None:
    if beginning.startswith(b"RIFF"):
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(beginning[8:12])
    return next((kind for begins, kind in _BEGINNINGS.items() if beginning.startswith(begins)), None)


def with_media(value: Any, annotation: Any, folder: Path, only_look: bool = False) -> Any:
    """``value`` with an object of DSPy's for each text, bytes or dict in it that stands for a picture, sound or file.

    With ``only_look`` those are empty, and no file is read whole.

    Raises:
        Unfit: one is not there, or is no medium.
    """
    annotation = unwrapped(annotation)
    if any(annotation is kind for kind in MEDIA if kind is not None):
        return (
            value if value is None or isinstance(value, annotation) else _medium(value, annotation, folder, only_look)
        )
    kinds: tuple[Any, ...] = getattr(annotation, "__args__", ())
    if is_union(annotation):
        if value is None or (isinstance(value, str) and str in kinds):
            return value
        kind = next((kind for kind in kinds if _may_hold_media(kind)), None)
        return value if kind is None else with_media(value, kind, folder, only_look)
    if isinstance(value, (list, tuple)) and kinds:
        return [with_media(item, kinds[0], folder, only_look) for item in value]
    if not isinstance(value, Mapping):
        return value
    if len(kinds) == 2:
        return {name: with_media(item, kinds[1], folder, only_look) for name, item in value.items()}
    fields = getattr(annotation, "model_fields", None) or {}
    inner = {
        name: with_media(value[name], field.annotation, folder, only_look)
        for name, field in fields.items()
        if name in value
    }
    return {**value, **inner} if inner else value


def _may_hold_media(annotation: Any) -> bool:
    annotation = unwrapped(annotation)
    known = any(annotation is kind for kind in MEDIA) or hasattr(annotation, "model_fields")
    return known or any(map(_may_hold_media, getattr(annotation, "__args__", ())))


def _medium(value: Any, kind: Any, folder: Path, only_look: bool) -> Any:
    """The object of DSPy's for one value."""
    if isinstance(value, Mapping) and set(value) <= {"bytes", "path"} and value:  # as Hugging Face's datasets have it
        value, name = value.get("bytes") or value.get("path"), str(value.get("path") or "")
        if value is None:
            raise Unfit("it has neither bytes nor a path")
        return (
            _medium(value, kind, folder, only_look)
            if isinstance(value, str)
            else _made(Content(value, name), kind, only_look)
        )
    if isinstance(value, Mapping) and kind is _IMAGE and set(value) == {"url"}:
        value = value["url"]
    if isinstance(value, str):
        return _from_text(value, kind, folder, only_look)
    if isinstance(value, (bytes, bytearray)):
        return _made(Content(bytes(value), ""), kind, only_look)
    return value  # for DSPy's own validation


def _from_text(text: str, kind: Any, folder: Path, only_look: bool) -> Any:
    if text.startswith("data:"):
        return _from_data_url(text, kind)
    if text.startswith(_URLS):
        if kind is _AUDIO:
            raise Unfit(f"{text!r}: dspy.Audio takes no URL, as it holds the sound itself")
        return kind(file_id=text) if kind is _FILE else kind(url=text)
    path = folder / text
    if len(text) > _LONGEST_PATH or "\0" in text or not path.is_file():
        raise Unfit(f"{text[:100]!r}: no such file (a path is relative to the dataset)")
    return _made(Content(path, path.name), kind, only_look)


def _from_data_url(text: str, kind: Any) -> Any:
    if kind is _AUDIO:
        header, _, data = text.partition(",")
        return kind(data=data, audio_format=_format_of(header.removeprefix("data:").partition(";")[0]))
    return kind(file_data=text) if kind is _FILE else kind(url=text)


def _made(content: Content, kind: Any, only_look: bool) -> Any:
    mime_type = content.mime_type
    wanted = {_IMAGE: "image/", _AUDIO: "audio/"}.get(kind, "")
    if content.is_empty or not mime_type.startswith(wanted):
        what = "is empty" if content.is_empty else f"is {mime_type}"
        raise Unfit(f"{content.name!r} {what}" if content.name else f"a value of {len(content.read())} bytes {what}")
    data = "" if only_look else base64.b64encode(content.read()).decode("ascii")
    if kind is _AUDIO:
        return kind(data=data, audio_format=_format_of(mime_type))
    url = f"data:{mime_type};base64,{data}"
    return kind(file_data=url, filename=content.name or None) if kind is _FILE else kind(url=url)


def _format_of(mime_type: str) -> str:
    """What providers call a kind of sound: ``mp3`` of ``audio/mpeg``."""
    kind = mime_type.partition("/")[2]
    return _FORMATS.get(kind, kind)
