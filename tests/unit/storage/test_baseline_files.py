"""Baseline files: what an update writes, keeps and leaves alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.baselines import Baseline, Measurement, Measurements
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.storage import baseline_files

KEY = Key("t.py::test", "none")


def measured(*names: str, score: float = 0.5) -> Baseline:
    return {KEY: Measurements({name: Measurement((score,)) for name in names})}


def nothing_gone(key: Key, name: str) -> bool:
    return False


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "baselines" / "b.json"


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    return tmp_path / ".pitcheval" / "locks"


def test_the_first_one_makes_the_file_and_nothing_beside_it(path: Path, locks: Path) -> None:
    done = baseline_files.update(path, locks, measured("e0", "e1"), nothing_gone)
    assert (done.path, done.written, done.kept, done.removed) == (path, 2, 0, 0)
    assert baseline_files.read(path) == measured("e0", "e1")
    assert os.listdir(path.parent) == ["b.json"]


def test_counts_what_was_written_kept_and_removed(path: Path, locks: Path) -> None:
    other = {Key("u.py::test", "none"): Measurements({"": Measurement((1.0,))})}
    baseline_files.update(path, locks, {**measured("e0", "e1", "e2"), **other}, nothing_gone)
    done = baseline_files.update(path, locks, measured("e1", "e3"), lambda key, name: name == "e2")
    assert (done.written, done.kept, done.removed) == (2, 2, 1)
    assert baseline_files.read(path) == {**measured("e0", "e1", "e3"), **other}


def test_the_same_again_leaves_the_same_bytes(path: Path, locks: Path) -> None:
    baseline_files.update(path, locks, measured("e1", "e0"), nothing_gone)
    before = path.read_bytes()
    baseline_files.update(path, locks, measured("e0"), nothing_gone)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        "[]",
        '{"schema_version": 5, "tests": {}}',
        '{"schema_version": 1, "tests": []}',
        "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> main\n",
    ],
)
def test_a_file_that_is_not_understood_stays_as_it_is(path: Path, locks: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PitchevalError) as raised:
        baseline_files.update(path, locks, measured("e0"), nothing_gone)
    assert str(raised.value).startswith(f"{path}: ")
    assert len(str(raised.value).splitlines()) == 1
    assert path.read_text(encoding="utf-8") == text


def test_a_link_stays_one_and_what_it_names_is_written(path: Path, locks: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    link = tmp_path / "link.json"
    link.symlink_to(path)
    baseline_files.update(link, locks, measured("e0"), nothing_gone)
    baseline_files.update(path, locks, measured("e1"), nothing_gone)
    assert link.is_symlink()
    assert baseline_files.read(link) == baseline_files.read(path) == measured("e0", "e1")
