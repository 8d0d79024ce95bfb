"""Media of records: what stands for them, and their bytes once."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import dspy
import PIL.Image
import pytest

from pytest_pitcheval.results.media import file_name, has_media, is_medium
from pytest_pitcheval.results.plain import plain
from pytest_pitcheval.storage.media import MediaFolder, bring_along, finder

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
        (b"GIF89a" + CONTENT, {"media": "image/gif", "bytes": 2_054}),
        (base64.b64encode(b"GIF89a" + CONTENT).decode(), {"media": "image/gif", "bytes": 2_054}),
        (PIL.Image.new("L", (2, 2)), {"media": "image/png"}),
    ],
)
def test_what_stands_for_media(value: Any, expected: Any, tmp_path: Path) -> None:
    found = plain(value, keep=MediaFolder(tmp_path).kept)
    if isinstance(expected, dict) and "media" in expected:
        assert expected.items() <= found.items()
    else:
        assert found == expected


@pytest.mark.parametrize(
    "value",
    [
        "text",
        "",
        "data:,",
        "data:image/png;base64,***",
        "a;base64,b",
        "A" * 5_000,
        base64.b64encode(b"no picture, but a long text, " * 50).decode(),
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


@pytest.mark.parametrize("place", ["project/.pitcheval/media", "project/media", "elsewhere/media"])
def test_the_media_of_a_run_file_of_another_machine_are_found_and_brought_along(place: str, tmp_path: Path) -> None:
    run_file = tmp_path / "project" / "shard.json"
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / file_name(MEDIUM)).write_bytes(CONTENT)
    find = finder(run_file, tmp_path / "elsewhere")
    assert find(MEDIUM) == tmp_path / place / file_name(MEDIUM)
    assert find({**MEDIUM, "sha256": "0" * 64}) is None
    bring_along([{"inputs": {"a": [MEDIUM, MEDIUM]}}], find, tmp_path)
    assert (tmp_path / "media" / file_name(MEDIUM)).read_bytes() == CONTENT


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "private").write_bytes(CONTENT)
    (tmp_path / "media" / file_name(MEDIUM)).symlink_to(tmp_path / "private")
    assert finder(tmp_path / "run.json")(MEDIUM) is None


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("image/webp", ".webp"), ("audio/wav", ".wav"), ("image/jpeg", ".jpg"), ("x/unheard-of", ".bin")],
)
def test_a_file_has_the_same_name_on_all_machines(kind: str, ending: str) -> None:
    assert file_name({**MEDIUM, "media": kind}) == TOTAL + ending
