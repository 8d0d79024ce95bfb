"""Pictures, sound and documents of records: their bytes once in a folder, what they are in the records.

DSPy writes such a value as a JSON list between two markers, with all its bytes as base64.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.results.media import FOLDER, file_name, media_in, type_by_beginning

Find = Callable[[Mapping[str, Any]], Path | None]
"""Where the bytes of a medium of a record are; None where they are not known."""

_BEGIN, _END = "<<CUSTOM-TYPE-START-IDENTIFIER>>", "<<CUSTOM-TYPE-END-IDENTIFIER>>"
_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[^,;]{0,100})*;base64,([A-Za-z0-9+/=\s]*)")
_LONG_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[^,;]{0,100})*;base64,([A-Za-z0-9+/=]{1000,})")
"""One within a text; a short one is left there."""
_BARE = re.compile(r"[A-Za-z0-9+/]{10000,}={0,2}")
"""Base64 alone, as sounds are sent; or a text like it."""
_ALL_BASE64 = re.compile(r"[A-Za-z0-9+/\s]*={0,2}\s*")
_LONG_TEXT, _SHORT = 1_000, 64
"""Characters of base64 alone that may be a medium, and bytes of what begins as one."""
_LONG = 10_000
"""Bytes that are no text and stand for themselves are kept as a medium from so many on."""


class MediaFolder:
    """``media/`` below the ``--eval-dir``: a file for each medium, named by its content.

    Without a ``directory`` media are named, and kept nowhere; then base64 alone is one as well.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def kept(self, value: str | bytes) -> Any:
        """What stands for ``value`` in a record, as `is_medium` knows it; None where no medium is in it."""
        if isinstance(value, bytes):
            kind = type_by_beginning(value[:16]) if len(value) >= _SHORT else None
            return self._medium(kind or "application/octet-stream", value) if kind or len(value) >= _LONG else None
        if value.startswith(_BEGIN) and value.endswith(_END) and value.count(_BEGIN) == 1:
            return self._of_dspy(value)
        if ";base64," not in value:
            return self._bare(value) if len(value) >= _LONG_TEXT else None
        if (whole := _URL.fullmatch(value)) is not None:
            return self._decoded(whole[1], whole[2])
        replaced = _LONG_URL.sub(lambda found: self._told(found[1], found[2]) or found[0], value)
        return None if replaced == value else replaced

    def _bare(self, text: str) -> Any:
        """Of base64 alone, as models that draw answer with; without a folder all that may be some counts."""
        if self._directory is None:
            return self._decoded("application/octet-stream", text) if _BARE.fullmatch(text) else None
        kind = type_by_beginning(_beginning(text))
        return self._decoded(kind, text) if kind and _ALL_BASE64.fullmatch(text) else None

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
        path = self._directory / FOLDER / file_name(medium)
        if not path.exists():
            # A full disk costs the picture on the page, and no test.
            with contextlib.suppress(OSError):
                files.make_directory(self._directory)
                with files.drafted(path) as draft:
                    draft.write_bytes(content)
        return medium


def _beginning(text: str) -> bytes:
    """The first bytes of what ``text`` may be in base64."""
    try:
        return base64.b64decode(text[:24], validate=True)
    except ValueError:
        return b""


def finder(run_file: Path, *directories: Path) -> Find:
    """What finds the media of a run file: in the ``--eval-dir`` that it is in, or one of ``directories``.

    A file that was written elsewhere, or came from another machine, may have them beside it.
    """
    beside = run_file.parent
    folders = [one / FOLDER for one in dict.fromkeys([beside.parent, *directories, beside, beside / ".pitcheval"])]

    def find(medium: Mapping[str, Any]) -> Path | None:
        name = file_name(medium)
        return next((folder / name for folder in folders if files.is_within(folder / name, folder)), None)

    return find


def bring_along(values: Iterable[Any], find: Find, directory: Path) -> None:
    """Copy the media in plain ``values`` into an ``--eval-dir``, as far as they are found."""
    for name, medium in {file_name(medium): medium for value in values for medium in media_in(value)}.items():
        path = directory / FOLDER / name
        if not path.exists() and (source := find(medium)) is not None:
            with contextlib.suppress(OSError), files.drafted(path) as draft:  # as in a session
                draft.write_bytes(source.read_bytes())
