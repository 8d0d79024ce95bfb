"""The pictures and sounds of a page: small ones in it, by their content; the bytes themselves stay where they are."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pytest_pitcheval.results.media import media_in
from pytest_pitcheval.storage.media import Find

MOST = 6_000_000
"""Characters of all that is embedded in one page."""
_SMALL = 100_000
"""Bytes of what is embedded as it is."""
_LEAST = 2_000
"""Characters of room in which no picture has a place."""
_BATCH, _THREADS = 16, 4
_FEW = 60
_SIDES = (480, 160)
"""Pixels of the longer side of a picture on the page: where there are few, and where there are many."""


def embedded(rows: Any, find: Find, sides: tuple[int, int] = _SIDES) -> dict[str, str]:
    """``data:`` URLs by SHA-256 of the media that ``rows`` name, as far as ``find`` finds them, up to `MOST`.

    ``sides`` are the pixels of a picture's longer side, where there are few pictures and where there are many.
    """
    media = {medium["sha256"]: medium for medium in media_in(rows)}
    side, left, found = sides[len(media) > _FEW], MOST, dict[str, str]()
    for total, url in _urls(media, find, side):
        if url is not None and len(url) <= left:
            found[total] = url
            left -= len(url)
        if left < _LEAST:  # there may be thousands more
            break
    return found


def _urls(media: Mapping[str, Mapping[str, Any]], find: Find, side: int) -> Iterator[tuple[str, str | None]]:
    """The URL of each, some at a time: Pillow reads them beside each other."""

    def url_of(medium: Mapping[str, Any]) -> str | None:
        return _url(str(medium["media"]), find(medium), side)

    waiting = iter(media.items())
    with ThreadPoolExecutor(_THREADS) as threads:
        while batch := list(itertools.islice(waiting, _BATCH)):
            urls = threads.map(url_of, [medium for _, medium in batch])
            yield from zip((total for total, _ in batch), urls, strict=True)


def _url(kind: str, path: Path | None, side: int) -> str | None:
    if path is None or not kind.startswith(("image/", "audio/")):
        return None
    if kind.startswith("audio/") and path.stat().st_size > _SMALL:
        return None
    content = path.read_bytes()
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
