"""Files of labels: rows are added and taken back whole, whoever else writes, and what is none is one line."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.storage.labels import label_files

ROW = {"id": "a-1", "answer": "Über \u2028 \x1b[31m", "good": 1, "labelled": {"by": "Ana"}}
OTHER = {"id": "b-1", "answer": "no", "good": 0, "labelled": {"by": "Ben", "kind": "person"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "judge.jsonl"


def values(path: Path) -> list[Any]:
    return [row.values for row in label_files.read(path)]


def test_rows_are_added_and_read(path: Path) -> None:
    assert label_files.read(path) == []
    label_files.append(path, ROW)
    label_files.append(path, OTHER)
    assert values(path) == [ROW, OTHER]
    assert [row.labelled.by for row in label_files.read(path) if row.labelled] == ["Ana", "Ben"]
    assert len(path.read_text(encoding="utf-8").split("\n")) == 3
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("before", ["", '{"good": 1}\n', '{"good": 1}', '\ufeff{"good": 1}\n\n', '{"good": 1}\r\n'])
def test_what_was_there_stays_as_it_was(path: Path, before: str) -> None:
    path.parent.mkdir()
    path.write_bytes(before.encode())
    label_files.append(path, ROW)
    assert path.read_bytes().startswith(before.encode())
    assert values(path)[-1] == ROW
    label_files.take_back(path, ROW)
    assert path.read_bytes().decode() == (before if not before or before.endswith("\n") else before + "\n")


def test_a_row_is_taken_back_from_between_those_of_others(path: Path) -> None:
    for row in (ROW, OTHER, ROW, OTHER):
        label_files.append(path, row)
    label_files.take_back(path, ROW)
    assert values(path) == [ROW, OTHER, OTHER]
    label_files.take_back(path, {**ROW, "good": 0})
    assert len(values(path)) == 3


def test_a_file_that_is_a_link_stays_one(path: Path) -> None:
    path.parent.mkdir()
    target = path.parent / "elsewhere.jsonl"
    path.symlink_to(target)
    label_files.append(path, ROW)
    label_files.append(path, OTHER)
    label_files.take_back(path, OTHER)
    assert path.is_symlink()
    assert values(target) == [ROW]


def test_many_writers_lose_nothing(path: Path) -> None:
    """Some of whose rows are taken back again."""

    def write(name: int) -> None:
        for number in range(20):
            row = {"id": f"{name}-{number}", "answer": "x" * 5000}
            label_files.append(path, row)
            if number % 4 == 0:
                label_files.take_back(path, row)

    writers = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    expected = {f"{name}-{number}" for name in range(4) for number in range(20) if number % 4}
    assert sorted(row["id"] for row in values(path)) == sorted(expected)


def test_a_look_whether_it_can_be_written_leaves_nothing_behind(path: Path) -> None:
    label_files.prepare(path)
    assert not path.exists()
    label_files.append(path, ROW)
    label_files.prepare(path)
    assert values(path) == [ROW]


WRONG = {
    "nonsense\n": "{path}:1: not JSON: ",
    '{"good": 1}\n[1]\n': "{path}:2: expected a row of labels, an object, not a list",
    '{"good": 1}\n{"good"': "{path}:2: cut off in the middle: expected a whole row",
    '{"good": 1}\n{"good": 1, "labelled": "Ana"}\n': "{path}:2: labelled: 'Ana': expected an object such as",
    '{"labelled": {"by": " "}}\n': "{path}:1: labelled.by: ' ': expected the name of who labelled",
    '{"labelled": {"kind": "person"}}\n': "{path}:1: labelled.by: Field required",
    '{"labelled": {"by": "Ana", "kind": "robot"}}\n': "{path}:1: labelled.kind: Input should be 'person' or 'model'",
    '{"good": NaN}\n': "{path}:1: not JSON: ",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_row_is_one_line(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PitchevalError) as caught:
        label_files.read(path)
    assert str(caught.value).startswith(WRONG[text].format(path=path))
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_one_line(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\xff\xff\x00")
    with pytest.raises(PitchevalError, match="not UTF-8"):
        label_files.read(path)


def test_no_row_is_added_to_a_file_in_utf_16(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"good": 1}\n', encoding="utf-16")
    before = path.read_bytes()
    assert values(path) == [{"good": 1}]
    with pytest.raises(PitchevalError, match="UTF-16; expected UTF-8, as rows are added to it"):
        label_files.prepare(path)
    with pytest.raises(PitchevalError, match="UTF-16; expected UTF-8, as rows are added to it"):
        label_files.append(path, ROW)
    assert path.read_bytes() == before


def test_a_line_is_json_that_others_read(path: Path) -> None:
    """One that no reader takes for two, and that turns no text around it."""
    row = {**ROW, "answer": "\u2028 \u2029 \x85 \u202e \x7f \U000e0041 日本"}
    label_files.append(path, row)
    [line] = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == row
    assert line.isprintable()
    label_files.take_back(path, row)
    assert path.read_text(encoding="utf-8") == ""
