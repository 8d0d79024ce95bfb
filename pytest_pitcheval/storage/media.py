"""Pictures, sound and documents of records: their bytes once in a folder, what they are in the records.

DSPy writes such a value as a JSON list between two markers, with all its bytes as base64.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import mimetypes
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_pitcheval import files

_BEGIN, _END = "<<CUSTOM-TYPE-START-IDENTIFIER>>", "<<CUSTOM-TYPE-END-IDENTIFIER>>"
_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[^,;]{0,100})*;base64,([A-Za-z0-9+/=\s]*)")
_LONG_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[^,;]{0,100})*;base64,([A-Za-z0-9+/=]{1000,})")
"""One within a text; a short one is left there."""
_BARE = re.compile(r"[A-Za-z0-9+/]{10000,}={0,2}")
"""Base64 alone, as sounds are sent; or a text like it."""
_LONG = 10_000
"""Bytes that are no text and stand for themselves are kept as a medium from so many on."""
_TYPE, _SUM = re.compile(r"\w[\w.+-]*/\w[\w.+-]*"), re.compile(r"[0-9a-f]{64}")


class MediaFolder:
    """``media/`` below the ``--eval-dir``: a file for each medium, named by its content.

    Without a ``directory`` media are named, and kept nowhere; then base64 alone is one as well.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def kept(self, value: str | bytes) -> Any:
        """What stands for ``value`` in a record, as `is_medium` knows it; None where no medium is in it."""
        if isinstance(value, bytes):
            return self._medium("application/octet-stream", value) if len(value) >= _LONG else None
        if value.startswith(_BEGIN) and value.endswith(_END) and value.count(_BEGIN) == 1:
            return self._of_dspy(value)
        if ";base64," not in value:
            named = self._directory is None and _BARE.fullmatch(value)
            return self._decoded("application/octet-stream", value) if named else None
        if (whole := _URL.fullmatch(value)) is not None:
            return self._decoded(whole[1], whole[2])
        replaced = _LONG_URL.sub(lambda found: self._told(found[1], found[2]) or found[0], value)
        return None if replaced == value else replaced

    def _of_dspy(self, text: str) -> Any:
        try:
            parts = json.loads(text[len(_BEGIN) : -len(_END)])
        except ValueError:
            return None
        kept = [self._part(part) for part in parts] if isinstance(parts, list) else []
        return kept[0] if len(kept) == 1 else kept or None

    def _part(self, part: Any) -> Any:
        """One part of a message, as OpenAI has them: ``{"type": "image_url", "image_url": {"url": ...}}``."""
        content = part.get(part.get("type")) if isinstance(part, dict) else None
        if not isinstance(content, dict):
            return part
        if isinstance(sound := content.get("data"), str):
            return self._decoded(f"audio/{content.get('format') or 'wav'}", sound) or part
        url = content.get("url") or content.get("file_data")
        if not isinstance(url, str):
            return content
        whole = _URL.fullmatch(url)
        medium = self._decoded(whole[1], whole[2]) if whole else None
        if medium is None:
            return url if "url" in content else part
        name = content.get("filename")
        return {**medium, "name": name} if isinstance(name, str) else medium

    def _told(self, mime_type: str, text: str) -> str | None:
        medium = self._decoded(mime_type, text)
        return f"[{mime_type}, {medium['bytes']:,} bytes, {medium['sha256'][:12]}]" if medium else None

    def _decoded(self, mime_type: str, text: str) -> dict[str, Any] | None:
        try:
            return self._medium(mime_type, base64.b64decode(text))
        except (binascii.Error, ValueError):
            return None

    def _medium(self, mime_type: str, content: bytes) -> dict[str, Any]:
        medium = {"media": mime_type, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        if self._directory is None:
            return medium
        path = self._directory / "media" / file_name(medium)
        if not path.exists():
            # A full disk costs the picture on the page, and no test.
            with contextlib.suppress(OSError):
                files.make_directory(self._directory)
                _write(path, content)
        return medium


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    draft = path.parent / f".{os.getpid()}-{os.urandom(6).hex()}.tmp"
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def is_medium(value: Any) -> bool:
    """Whether ``value`` of a record stands for a medium: its type, its size in bytes, and the SHA-256 of them.

    It may come from a file that anybody has written: a type and a sum are of the characters that they are made of.
    """
    if not isinstance(value, Mapping) or not {"media", "bytes", "sha256"} <= set(value):
        return False
    kind, total = value["media"], value["sha256"]
    return isinstance(kind, str) and isinstance(total, str) and bool(_TYPE.fullmatch(kind) and _SUM.fullmatch(total))


def file_name(medium: Mapping[str, Any]) -> str:
    """The name of its file in ``media/``."""
    return f"{medium['sha256']}{mimetypes.guess_extension(medium['media']) or '.bin'}"


def has_media(value: Any) -> bool:
    """Whether a medium stands somewhere in ``value``, plain values."""
    if isinstance(value, Mapping):
        return is_medium(value) or any(map(has_media, value.values()))
    return isinstance(value, list) and any(map(has_media, value))
