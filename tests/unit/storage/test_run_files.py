"""Run files and journals: found, and read again."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.strategies import ODD_JSON, damaged, places, records

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.collected import Requirements
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record, Usage
from pytest_pitcheval.storage import run_files
from pytest_pitcheval.storage.run_info import RunInfo
from pytest_pitcheval.timestamps import is_run_id

FIRST, SECOND, THIRD = (f"2026112{day}T000000.000000Z" for day in (2, 3, 4))
RUN: dict[str, Any] = {
    "schema_version": 1,
    "run": {"id": FIRST, "timestamp": FIRST},
    "tests": [],
    "summary": [],
    "missing": [],
    "gates": [],
}
few = settings(max_examples=30, deadline=None, database=None)
fuzz = settings(
    max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


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
    assert is_run_id(reference) is is_one


def test_reads_a_run(tmp_path: Path) -> None:
    found = run_files.read(write(tmp_path / "run.json", json.dumps(RUN)))
    assert (found.run, found.finished) == (RunInfo(**RUN["run"]), True)
    assert (found.outcome.collected, found.outcome.records) == ([], {})


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "schema_version None; expected 1, 2, 3 or 4"),
        ({}, "schema_version None; expected 1, 2, 3 or 4"),
        ({**RUN, "schema_version": 5}, "schema_version 5; expected 1, 2, 3 or 4; a newer pytest-pitcheval wrote it"),
        ({**RUN, "schema_version": "1"}, "schema_version '1'; expected 1, 2, 3 or 4"),
        ({**RUN, "schema_version": True}, "schema_version True; expected 1, 2, 3 or 4"),
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


def document(
    *tests: Record | dict[str, Any], missing: list[dict[str, Any]] | None = None, **group: Any
) -> dict[str, Any]:
    summary = {"test": "t.py::test", "optimization": "none", "gates": {}, "not_run": [], "mean": 0.5, **group}
    return {
        **RUN,
        "tests": [one.to_dict() if isinstance(one, Record) else one for one in tests],
        "summary": [summary],
        "missing": missing or [],
        "gates": [],
    }


RECORD = Record(
    "t.py::test[e0]",
    "t.py::test",
    "e0",
    "none",
    "passed",
    score=0.5,
    samples=(0.25, 0.75),
    generator=Usage(fresh=2, cost=None),
    fingerprints={"example": "0" * 12, "metric": "1" * 12},
    inputs={"question": "caf\u00e9?", "parts": [1, {"a": None}]},
    prediction={"answer": "42"},
)
LOST = {
    "nodeid": "t.py::test[e1]",
    "reason": "worker gw1 crashed while it ran",
    "test": "t.py::test",
    "example_id": "e1",
    "optimization": "none",
}


def test_what_a_run_left_is_known_again(tmp_path: Path) -> None:
    found = document(RECORD, missing=[LOST], gates={"min_mean": 0.5}, not_run=["e2"])
    outcome = run_files.read(write(tmp_path / "run.json", json.dumps(found))).outcome
    assert [(one.nodeid, one.example_id, one.asked.gates) for one in outcome.collected] == [
        ("t.py::test[e0]", "e0", {"min_mean": {"score": 0.5}}),
        ("t.py::test[e1]", "e1", {"min_mean": {"score": 0.5}}),
    ]
    assert outcome.records == {RECORD.nodeid: RECORD}
    assert outcome.missing["t.py::test[e1]"].reason == "worker gw1 crashed while it ran"
    assert outcome.not_run == {Key("t.py::test", "none"): ["e2"]}


def test_the_first_version_has_one_number_for_each_metric_and_limits_of_scores() -> None:
    old = {**RECORD.to_dict(), "metrics": {"words": 3.5}}
    old.pop("labels")
    outcome = run_files.from_document(document(old, gates={"min_mean": 0.5}), Path("run.json")).outcome
    assert outcome.records[RECORD.nodeid].metrics == {"words": (3.5,)}
    assert outcome.collected[0].asked == Requirements({"min_mean": {"score": 0.5}})


def test_what_a_marker_asks_for_is_known_again() -> None:
    asked = Requirements({"min_mean": {"words": 2.0}}, ("words",), {"topic": {"min_mean": {"score": 0.6}}}, "critical")
    found = json.loads(json.dumps(document(RECORD, asked=asked.to_dict())))
    assert run_files.from_document(found, Path("run.json")).outcome.collected[0].asked == asked


@few
@given(st.lists(records, max_size=3, unique_by=lambda record: record.nodeid))
def test_records_are_read_as_they_were(tests: list[Record]) -> None:
    outcome = run_files.from_document(json.loads(json.dumps(document(*tests))), Path("run.json")).outcome
    assert list(outcome.records.values()) == tests


def test_a_node_id_that_is_there_twice_is_one_test() -> None:
    outcome = run_files.from_document(
        document(RECORD, RECORD, missing=[{**LOST, "nodeid": RECORD.nodeid}]), Path("a")
    ).outcome
    assert len(outcome.collected) == len(outcome.records) == 1
    assert not outcome.missing


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"nodeid": None}, "tests.0.nodeid: Input should be a valid string"),
        ({"status": "good"}, "tests.0.status: Input should be 'passed', 'failed', 'error' or 'skipped'"),
        ({"score": "0.5"}, "tests.0.score: Input should be a valid number"),
        ({"score": True}, "tests.0.score: Input should be a valid number"),
        ({"score": 10**400}, "tests.0.score: Input should be a finite number"),
        ({"samples": ["0.5"]}, "tests.0.samples.0: Input should be a valid number"),
        ({"samples": None}, "tests.0: not a record: 'NoneType' object is not iterable"),
        ({"generator": 3}, "tests.0: not a record: 'int' object is not subscriptable"),
        ({"metrics": {"a\nb": "x"}}, "tests.0.metrics.a b.0: Input should be a valid number"),
    ],
)
def test_a_record_that_is_none(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(PitchevalError) as raised:
        run_files.from_document(document({**RECORD.to_dict(), **change}), Path("run.json"))
    assert str(raised.value) == f"run.json: {reason}"


def test_a_record_that_lacks_something() -> None:
    with pytest.raises(PitchevalError, match=r"^run.json: tests.0: expected 'nodeid' in it$"):
        run_files.from_document(document({}), Path("run.json"))


def complaint_of(path: Path) -> str | None:
    """What reading ``path`` raises; None where it can be read."""
    try:
        run_files.read(path)
    except PitchevalError as error:
        return str(error)
    return None


WHOLE = document(RECORD, missing=[LOST], gates={"min_mean": 0.5}, not_run=["e2"])


@fuzz
@given(damaged(WHOLE))
def test_a_damaged_run_file_is_read_or_told_of_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    complaint = complaint_of(path)
    assert complaint is None or len(complaint.splitlines()) == 1
    assert complaint is None or complaint.startswith(str(path))


@pytest.mark.parametrize("raw", ODD_JSON, ids=lambda raw: raw[:9])
def test_what_python_would_not_write_is_read_or_told_of_wherever_it_is(tmp_path: Path, raw: str) -> None:
    path = tmp_path / "run.json"
    for number in range(len(list(places(WHOLE)))):
        changed = copy.deepcopy(WHOLE)
        place, key = list(places(changed))[number]
        place[key] = "here"
        path.write_text(json.dumps(changed).replace('"here"', raw), encoding="utf-8")
        complaint = complaint_of(path)
        assert complaint is None or len(complaint.splitlines()) == 1


@fuzz
@given(st.binary(max_size=30))
def test_a_file_of_anything_is_told_of_in_one_line(tmp_path: Path, data: bytes) -> None:
    for name in ("run.json", "run.jsonl"):
        path = tmp_path / name
        path.write_bytes(data)
        complaint = complaint_of(path)
        assert complaint is not None
        assert len(complaint.splitlines()) == 1
