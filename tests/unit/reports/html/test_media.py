"""Pictures and sounds in the page: small ones, up to a total."""

from __future__ import annotations

import base64
import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pytest_pitcheval.reports.html import media
from pytest_pitcheval.results.media import file_name
from pytest_pitcheval.storage.media import Find, finder


def put(folder: Path, content: bytes, kind: str = "image/png") -> dict[str, Any]:
    found = {"media": kind, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "media").mkdir(exist_ok=True)
    (folder / "media" / file_name(found)).write_bytes(content)
    return found


def kept_in(folder: Path) -> Find:
    return finder(folder / "runs" / "run.json")


def picture(side: int, colour: int = 0) -> bytes:
    made = io.BytesIO()
    Image.effect_noise((side, side), 50 + colour).save(made, "PNG")
    return made.getvalue()


def test_large_pictures_are_made_small_and_small_ones_stay(tmp_path: Path) -> None:
    large, small = put(tmp_path, picture(900)), put(tmp_path, picture(16))
    found = media.embedded([{"inputs": {"a": large, "b": [small]}}, {"inputs": {"a": large}}], kept_in(tmp_path))
    kind, _, text = found[large["sha256"]].partition(";base64,")
    assert kind == "data:image/jpeg"
    assert max(Image.open(io.BytesIO(base64.b64decode(text))).size) == 480
    assert found[small["sha256"]].startswith("data:image/png")


def test_no_more_is_embedded_than_the_page_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [put(tmp_path, picture(200, colour)) for colour in range(9)]
    monkeypatch.setattr(media, "MOST", 200_000)
    found = media.embedded(rows, kept_in(tmp_path))
    assert 0 < sum(map(len, found.values())) <= 200_000
    assert len(found) < len(rows)


def test_what_is_not_there_or_no_picture_is_left_out(tmp_path: Path) -> None:
    gone = put(tmp_path, b"gone")
    (tmp_path / "media" / file_name(gone)).unlink()
    rows = [gone, put(tmp_path, b"%PDF", "application/pdf"), put(tmp_path, b"x" * 200_000, "audio/wav"), {"media": "x"}]
    sound = put(tmp_path, b"RIFF", "audio/wav")
    assert list(media.embedded([*rows, sound], kept_in(tmp_path))) == [sound["sha256"]]
