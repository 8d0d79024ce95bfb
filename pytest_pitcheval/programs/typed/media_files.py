"""Pictures, sound and documents of rows: from a path relative to the dataset, a URL, or bytes in a Parquet file."""

from __future__ import annotations

import base64
import mimetypes
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import dspy

from pytest_pitcheval.results.media import type_by_beginning

_IMAGE: Any
_AUDIO: Any
_FILE: Any
_IMAGE, _AUDIO, _FILE = MEDIA = tuple(getattr(dspy, name, None) for name in ("Image", "Audio", "File"))
"""DSPy's types of media; older releases lack some."""
_WANTED = {_IMAGE: "image/", _AUDIO: "audio/"}
"""What the type of their files begins with."""
_URLS = ("http://", "https://", "gs://")
_LONGEST_PATH = 1_000
"""Characters; a longer text is no path."""
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16}")
"""What base64 alone begins with."""
_FORMATS = {"mpeg": "mp3", "x-wav": "wav", "vnd.wave": "wav", "x-flac": "flac", "x-m4a": "m4a", "mp4": "m4a"}
"""What providers call kinds of sound that mimetypes calls otherwise."""


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
        return mimetypes.guess_type(self.name)[0] or type_by_beginning(self._beginning) or "application/octet-stream"

    @property
    def _beginning(self) -> bytes:
        if isinstance(self.data, bytes):
            return self.data[:16]
        with self.data.open("rb") as file:
            return file.read(16)

    @property
    def is_empty(self) -> bool:
        return not self._beginning


def medium_of(value: Any, kind: Any, folder: Path, only_look: bool) -> Any:
    """The object of DSPy's type ``kind`` for one value; with ``only_look`` it is empty, and no file is read whole.

    Raises:
        Unfit: it is not there, or is no medium.
    """
    if isinstance(value, Mapping) and set(value) <= {"bytes", "path"} and value:  # as Hugging Face's datasets have it
        value, name = value.get("bytes") or value.get("path"), str(value.get("path") or "")
        if value is None:
            raise Unfit("it has neither bytes nor a path")
        return (
            medium_of(value, kind, folder, only_look)
            if isinstance(value, str)
            else _made(Content(value, name), kind, only_look)
        )
    if isinstance(value, Mapping) and kind is _IMAGE and set(value) == {"url"}:
        value = value["url"]
    if isinstance(value, str):
        return _from_text(value, kind, folder, only_look)
    if isinstance(value, (bytes, bytearray)):
        return _made(Content(bytes(value), ""), kind, only_look)
    if kind is _IMAGE and type(value).__module__.startswith("PIL."):
        return kind(url="data:image/png;base64," if only_look else value)
    return value  # for DSPy's own validation


def _from_text(text: str, kind: Any, folder: Path, only_look: bool) -> Any:
    if text.startswith("data:"):
        return _from_data_url(text, kind)
    if text.startswith(_URLS):
        if kind is _AUDIO:
            raise Unfit(f"{text!r}: dspy.Audio takes no URL, as it holds the sound itself")
        return kind(file_id=text) if kind is _FILE else kind(url=text)
    if len(text) <= _LONGEST_PATH and "\0" not in text and (path := folder / text).is_file():
        return _made(Content(path, path.name), kind, only_look)
    if (data := _from_base64(text)) is not None:
        return _made(Content(data, ""), kind, only_look)
    raise Unfit(_why_none(text, folder))


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return False
    return bool(text)


def _from_base64(text: str) -> bytes | None:
    """What a text says in base64, if that is a medium by its beginning."""
    if not _BASE64.match(text):
        return None
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return None
    return data if type_by_beginning(data[:16]) else None


def _why_none(text: str, folder: Path) -> str:
    """Why there is no file to be read at ``text``."""
    if len(text) > _LONGEST_PATH or "\0" in text:
        return f"{text[:100]!r}: no such file (a path is relative to the dataset)"
    try:
        mode = (folder / text).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"{text[:100]!r}: no such file (a path is relative to the dataset)"
    except OSError as error:  # links in a circle
        return f"{text[:100]!r}: {error.strerror or error}"
    return f"{text[:100]!r} is a folder" if stat.S_ISDIR(mode) else f"{text[:100]!r} is no file"


def _from_data_url(text: str, kind: Any) -> Any:
    header, _, data = text.partition(",")
    mime_type = header.removeprefix("data:").partition(";")[0]
    if not mime_type.startswith(_WANTED.get(kind, "")):
        raise Unfit(f"{text[:60]!r} is {mime_type or 'text/plain'}")
    if header.endswith(";base64") and not _is_base64(data):
        raise Unfit(f"{text[:60]!r} is no base64")
    if kind is _AUDIO:
        return kind(data=data, audio_format=_format_of(mime_type))
    return kind(file_data=text) if kind is _FILE else kind(url=text)


def _made(content: Content, kind: Any, only_look: bool) -> Any:
    mime_type = content.mime_type
    wanted = _WANTED.get(kind, "")
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
