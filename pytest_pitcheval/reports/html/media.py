"""The pictures and sounds of a page: small ones in it, by their content; the bytes themselves stay where they are."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_pitcheval.storage.media import file_name, is_medium

MOST = 6_000_000
"""Characters of all that is embedded in one page."""
_SMALL = 100_000
"""Bytes of what is embedded as it is."""
_FEW = 60
_SIDES = (480, 160)
"""Pixels of the longer side of a picture on the page: where there are few, and where there are many."""


def embedded(rows: Any, folder: Path, sides: tuple[int, int] = _SIDES) -> dict[str, str]:
    """``data:`` URLs by SHA-256 of the media that ``rows`` name, as far as ``folder`` has them, up to `MOST`.

    ``sides`` are the pixels of a picture's longer side, where there are few pictures and where there are many.
    """
    media = {medium["sha256"]: medium for medium in _media(rows)}
    side, left, found = sides[len(media) > _FEW], MOST, {}
    for total, medium in media.items():
        url = _url(medium, folder / file_name(medium), side)
        if url is not None and len(url) <= left:
            found[total] = url
            left -= len(url)
    return found


def _media(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if is_medium(value):
            yield value
        else:
            for item in value.values():
                yield from _media(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _media(item)


def _url(medium: Mapping[str, Any], path: Path, side: int) -> str | None:
    kind = str(medium["media"])
    if not path.is_file() or not kind.startswith(("image/", "audio/")):
        return None
    content, kind = path.read_bytes(), kind
    if kind.startswith("image/") and (small := _thumbnail(content, side)) is not None:
        content, kind = small, "image/jpeg"
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}" if len(content) <= _SMALL else None


def _thumbnail(content: bytes, side: int) -> bytes | None:
    """A smaller picture as JPEG; None without Pillow, of a small picture, and of what Pillow cannot read."""
    try:
        from PIL import Image
    except ImportError:  # MLflow brings it along, as a rule
        return None
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if max(picture.size) <= side and len(content) <= _SMALL:
                return None
            picture.draft("RGB", (side, side))
            picture.thumbnail((side, side))
            made = io.BytesIO()
            picture.convert("RGB").save(made, "JPEG", quality=70)
            return made.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
