"""What stands for a picture, a sound or a document in a record: its type, its size, and the SHA-256 of its bytes."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

FOLDER = "media"
"""The folder of their bytes, below the ``--eval-dir``."""

_TYPE, _SUM = re.compile(r"\w[\w.+-]*/\w[\w.+-]*"), re.compile(r"[0-9a-f]{64}")
_ENDINGS = mimetypes.MimeTypes(filenames=())
"""Python's own, and not those of the machine: runs are merged and shown on others."""
_KNOWN = {
    "audio/flac": ".flac",
    "audio/m4a": ".m4a",
    "audio/mp3": ".mp3",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "image/heic": ".heic",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/webp": ".webp",
}
"""What some releases of Python know no ending of, or another one."""

_BEGINNINGS = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
    b"fLaC": "audio/flac",
    b"OggS": "audio/ogg",
    b"%PDF": "application/pdf",
}
"""What kinds of files begin with."""


def type_by_beginning(content: bytes) -> str | None:
    """The kind of a picture, sound or document by its first 16 bytes; None of what is none of those that are known."""
    if content.startswith(b"RIFF"):
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(content[8:12])
    if content.startswith(b"BM"):  # as texts may do as well
        return "image/bmp" if content[6:10] == b"\0\0\0\0" else None
    return next((kind for begins, kind in _BEGINNINGS.items() if content.startswith(begins)), None)


def is_medium(value: Any) -> bool:
    """Whether ``value`` of a record stands for a medium.

    It may come from a file that anybody has written: a type and a sum are of the characters that they are made of.
    """
    if not isinstance(value, Mapping) or not {"media", "bytes", "sha256"} <= set(value):
        return False
    kind, size, total = value["media"], value["bytes"], value["sha256"]
    if not isinstance(kind, str) or type(size) is not int or not isinstance(total, str):
        return False
    return bool(_TYPE.fullmatch(kind) and _SUM.fullmatch(total))


def file_name(medium: Mapping[str, Any]) -> str:
    """The name of its file in ``media/``, the same on all machines."""
    kind = medium["media"]
    return f"{medium['sha256']}{_KNOWN.get(kind) or _ENDINGS.guess_extension(kind) or '.bin'}"


def media_in(value: Any) -> Iterator[Mapping[str, Any]]:
    """The media in plain values, each as often as it stands there."""
    if isinstance(value, Mapping):
        if is_medium(value):
            yield value
        else:
            for item in value.values():
                yield from media_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from media_in(item)


def has_media(value: Any) -> bool:
    """Whether a medium stands somewhere in ``value``, plain values."""
    return next(media_in(value), None) is not None


def replaced(value: Any, by: Callable[[Mapping[str, Any]], Any]) -> Any:
    """Plain values, with what ``by`` says in place of each medium in them."""
    if is_medium(value):
        return by(value)
    if isinstance(value, Mapping):
        return {name: replaced(part, by) for name, part in value.items()}
    return [replaced(part, by) for part in value] if isinstance(value, (list, tuple)) else value


def with_notes(value: Any, paths: bool = False) -> Any:
    """Plain values with a text in place of each medium in them: its type and size, and with ``paths`` where it is."""

    def note(medium: Mapping[str, Any]) -> str:
        place = f": {FOLDER}/{file_name(medium)}" if paths else ""
        return f"[{medium['media']}, {medium['bytes']:,} bytes{place}]"

    return replaced(value, note)
