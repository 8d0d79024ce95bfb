"""Files: whole or not at all, and errors of one line."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from pytest_pitcheval import storage
from pytest_pitcheval.errors import PitchevalError

RUN = {"schema_version": 1, "run": {"timestamp": "20261122T234903.123456Z"}, "tests": []}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_writes_into_folders_that_are_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    storage.write_atomically(path, "caf\u00e9\n")
    assert path.read_bytes() == b"caf\xc3\xa9\n"


def test_replaces_a_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "old and longer")
    storage.write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_text_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        storage.write_atomically(path, "new \ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_value_that_is_not_json_leaves_the_old_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", "{}")
    with pytest.raises(ValueError, match="JSON"):
        storage.write_json(path, {"mean": float("nan")})
    assert path.read_text(encoding="utf-8") == "{}"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        storage.write_atomically(tmp_path / "a.txt", "")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_json_can_be_read_back_and_in_a_diff(tmp_path: Path) -> None:
    document = {"name": "caf\u00e9", "scores": [0.1, None]}
    path = tmp_path / "a.json"
    storage.write_json(path, document)
    assert storage.read_json(path) == document
    text = path.read_text(encoding="utf-8")
    assert "caf\u00e9" in text
    assert text.endswith("}\n")
    assert len(text.splitlines()) == 7


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON: Expecting value"),
        ("{", "not JSON: Expecting property name"),
        ("[" * 100_000, "not JSON: "),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, text: str | None, reason: str) -> None:
    path = tmp_path / "a.json"
    if text is not None:
        write(path, text)
    with pytest.raises(PitchevalError, match=reason) as raised:
        storage.read_json(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert len(str(raised.value).splitlines()) == 1


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'"\xff"')
    with pytest.raises(PitchevalError, match="not JSON: 'utf-8' codec can't decode"):
        storage.read_json(tmp_path / "a.json")


def test_git_ignores_a_folder_of_ours(tmp_path: Path) -> None:
    folder = storage.make_directory(tmp_path / "a" / ".pitcheval")
    assert "*" in (folder / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_a_users_own_gitignore_is_kept(tmp_path: Path) -> None:
    write(tmp_path / ".gitignore", "runs/\n")
    storage.make_directory(tmp_path)
    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "runs/\n"


class TestFindRun:
    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        for name in ("20261123T000000.000000Z", "20261122T000000.000000Z"):
            write(tmp_path / ".pitcheval" / "runs" / f"{name}.json", "{}")
        write(tmp_path / "mine.json", "{}")
        return tmp_path / ".pitcheval"

    def test_the_last_one_is_the_newest(self, directory: Path) -> None:
        assert storage.find_run(directory, "last").stem == "20261123T000000.000000Z"

    def test_by_its_id(self, directory: Path) -> None:
        run_id = "20261122T000000.000000Z"
        assert storage.find_run(directory, run_id) == storage.run_path(directory, run_id)

    def test_by_its_path(self, directory: Path) -> None:
        path = directory.parent / "mine.json"
        assert storage.find_run(directory, str(path)) == path

    @pytest.mark.parametrize("reference", ["20261121T000000.000000Z", "", "nothing.json", "."])
    def test_there_is_none(self, directory: Path, reference: str) -> None:
        with pytest.raises(PitchevalError, match=r"^expected a run ID of .*, a run file or 'last'$"):
            storage.find_run(directory, reference)

    def test_there_is_no_run_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(PitchevalError, match=r"^no run in .* yet$"):
            storage.find_run(tmp_path, "last")


def test_reads_a_run(tmp_path: Path) -> None:
    path = write(tmp_path / "run.json", json.dumps(RUN))
    assert storage.read_run(path) == RUN


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "schema_version None; expected 1"),
        ({}, "schema_version None; expected 1"),
        ({**RUN, "schema_version": 2}, "schema_version 2; expected 1"),
        ({**RUN, "schema_version": "1"}, "schema_version '1'; expected 1"),
        ({**RUN, "run": None}, "not a run file: expected run.timestamp and tests in it"),
        ({**RUN, "run": {"timestamp": 3}}, "not a run file: expected run.timestamp and tests in it"),
        ({"schema_version": 1, "run": RUN["run"]}, "not a run file: expected run.timestamp and tests in it"),
    ],
)
def test_a_file_that_is_no_run(tmp_path: Path, document: Any, reason: str) -> None:
    path = write(tmp_path / "run.json", json.dumps(document))
    with pytest.raises(PitchevalError) as raised:
        storage.read_run(path)
    assert str(raised.value) == f"{path}: {reason}"
