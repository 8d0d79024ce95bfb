"""Run files and journals: found, and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_pitcheval import run_files
from pytest_pitcheval.errors import PitchevalError

FIRST, SECOND, THIRD = (f"2026112{day}T000000.000000Z" for day in (2, 3, 4))
RUN: dict[str, Any] = {
    "schema_version": 1,
    "run": {"id": FIRST, "timestamp": FIRST},
    "tests": [],
    "summary": [],
    "missing": [],
}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


class TestFind:
    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        """With two runs that ended, and a newer one that was killed."""
        for name in (f"{SECOND}.json", f"{FIRST}.json", f"{THIRD}.jsonl"):
            write(tmp_path / ".pitcheval" / "runs" / name, "{}")
        write(tmp_path / "mine.json", "{}")
        return tmp_path / ".pitcheval"

    def test_the_last_one_is_the_newest_that_ended(self, directory: Path) -> None:
        assert run_files.find(directory, "last").name == f"{SECOND}.json"

    def test_a_killed_one_is_found_where_that_is_asked_for(self, directory: Path) -> None:
        assert run_files.find(directory, "last", unfinished=True).name == f"{THIRD}.jsonl"
        assert run_files.find(directory, THIRD, unfinished=True).name == f"{THIRD}.jsonl"
        with pytest.raises(PitchevalError):
            run_files.find(directory, THIRD)

    def test_the_run_file_is_what_counts_where_its_journal_was_left(self, directory: Path) -> None:
        write(run_files.folder(directory) / f"{FIRST}.jsonl", "")
        assert run_files.find(directory, FIRST, unfinished=True).name == f"{FIRST}.json"
        assert [path.name for path in run_files.all_runs(directory, unfinished=True)] == [
            f"{FIRST}.json",
            f"{SECOND}.json",
            f"{THIRD}.jsonl",
        ]

    def test_by_its_id(self, directory: Path) -> None:
        assert run_files.find(directory, FIRST) == run_files.run_path(directory, FIRST)

    def test_by_its_path(self, directory: Path) -> None:
        path = directory.parent / "mine.json"
        assert run_files.find(directory, str(path)) == path

    @pytest.mark.parametrize(
        "reference", ["20261121T000000.000000Z", "", "nothing.json", ".", "a\0b", pytest.param("x" * 5000, id="long")]
    )
    def test_there_is_none(self, directory: Path, reference: str) -> None:
        with pytest.raises(PitchevalError, match=r"^expected a run ID of .*, a run file or 'last'$"):
            run_files.find(directory, reference)

    def test_there_is_no_run_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(PitchevalError, match=r"^no run in .* yet$"):
            run_files.find(tmp_path, "last")


@pytest.mark.parametrize(
    ("reference", "is_one"),
    [(FIRST, True), ("last", False), (f"{FIRST}.json", False), (f"{FIRST}\n", False), ("baseline.json", False)],
)
def test_run_ids_are_told_from_paths(reference: str, is_one: bool) -> None:
    assert run_files.is_run_id(reference) is is_one


def test_reads_a_run(tmp_path: Path) -> None:
    found = run_files.read(write(tmp_path / "run.json", json.dumps(RUN)))
    assert (found.run, found.finished) == (RUN["run"], True)
    assert (found.outcome.collected, found.outcome.records) == ([], {})


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "schema_version None; expected 1"),
        ({}, "schema_version None; expected 1"),
        ({**RUN, "schema_version": 2}, "schema_version 2; expected 1; a newer pytest-pitcheval wrote it"),
        ({**RUN, "schema_version": "1"}, "schema_version '1'; expected 1"),
        ({**RUN, "schema_version": True}, "schema_version True; expected 1"),
        ({**RUN, "run": None}, "not a run file: expected run.id and run.timestamp in it"),
        ({**RUN, "run": {"id": FIRST, "timestamp": 3}}, "not a run file: expected run.id and run.timestamp in it"),
        ({"schema_version": 1, "run": RUN["run"]}, "tests: Input should be a valid array"),
    ],
)
def test_a_file_that_is_no_run(tmp_path: Path, document: Any, reason: str) -> None:
    path = write(tmp_path / "run.json", json.dumps(document))
    with pytest.raises(PitchevalError) as raised:
        run_files.read(path)
    assert str(raised.value) == f"{path}: {reason}"
