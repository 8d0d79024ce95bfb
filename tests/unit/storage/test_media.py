"""Media of records: what stands for them, and their bytes once."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import dspy
import pytest

from pytest_pitcheval.results.plain import plain
from pytest_pitcheval.storage.media import MediaFolder, file_name, has_media, is_medium

CONTENT = bytes(range(256)) * 8
TEXT = base64.b64encode(CONTENT).decode()
URL = f"data:image/png;base64,{TEXT}"
TOTAL = hashlib.sha256(CONTENT).hexdigest()
MEDIUM = {"media": "image/png", "bytes": len(CONTENT), "sha256": TOTAL}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (URL, MEDIUM),
        (dspy.Image(url=URL), MEDIUM),
        ([dspy.Image(url=URL), "text"], [MEDIUM, "text"]),
        ({"a": {"b": URL}}, {"a": {"b": MEDIUM}}),
        (dspy.History(messages=[{"picture": dspy.Image(url=URL)}]), {"messages": [{"picture": MEDIUM}]}),
        (dspy.Audio(data=TEXT, audio_format="wav"), {**MEDIUM, "media": "audio/wav"}),
        (
            dspy.File(file_data=URL.replace("image/png", "application/pdf"), filename="a.pdf"),
            {**MEDIUM, "media": "application/pdf", "name": "a.pdf"},
        ),
        (dspy.File(file_id="file-1"), {"file_id": "file-1"}),
        (dspy.Image(url="https://host/a.png"), "https://host/a.png"),
        (f"see {URL} there", f"see [image/png, 2,048 bytes, {TOTAL[:12]}] there"),
        (CONTENT * 5, {"media": "application/octet-stream", "bytes": 10_240}),
    ],
)
def test_what_stands_for_media(value: Any, expected: Any, tmp_path: Path) -> None:
    found = plain(value, keep=MediaFolder(tmp_path).kept)
    if isinstance(value, bytes):
        found.pop("sha256")
    assert found == expected


@pytest.mark.parametrize(
    "value",
    [
        "text",
        "",
        "data:,",
        "data:image/png;base64,***",
        "a;base64,b",
        b"few",
        "<<CUSTOM-TYPE-START-IDENTIFIER>>",
        3,
        None,
    ],
)
def test_what_is_none_stays_what_it_is(value: Any, tmp_path: Path) -> None:
    assert plain(value, keep=MediaFolder(tmp_path).kept) == plain(value)
    assert not (tmp_path / "media").exists()


def test_the_bytes_are_there_once(tmp_path: Path) -> None:
    folder = MediaFolder(tmp_path / "new")
    assert folder.kept(URL) == folder.kept(URL) == MEDIUM
    [path] = (tmp_path / "new" / "media").iterdir()
    assert (path.name, path.read_bytes()) == (file_name(MEDIUM), CONTENT)


def test_a_folder_that_cannot_be_made_costs_no_record(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert MediaFolder(tmp_path / "file").kept(URL) == MEDIUM


@pytest.mark.parametrize("change", [{"sha256": "../../etc/passwd"}, {"media": "../x"}, {"media": 3}])
def test_what_a_file_says_names_no_other_file(change: dict[str, Any]) -> None:
    assert is_medium(MEDIUM)
    assert has_media([{"a": MEDIUM}])
    assert not is_medium({**MEDIUM, **change})
