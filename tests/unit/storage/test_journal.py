"""The journal: what a killed run leaves behind."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.strategies import damaged_text, records

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.records import Record
from pytest_pitcheval.storage import run_files
from pytest_pitcheval.storage.journal import Journal
from pytest_pitcheval.storage.run_info import RunInfo

RUN_ID = "20261122T234903.123456Z"
RECORD = Record("t.py::test[e0]", "t.py::test", "e0", "none", "passed", score=0.5, samples=(0.5,), feedback="caf\u00e9")
FAILED = dataclasses.replace(RECORD, nodeid="t.py::test[e1]", example_id="e1", status="failed", score=0.25)

in_a_folder = [HealthCheck.function_scoped_fixture]
few = settings(max_examples=30, deadline=None, database=None, suppress_health_check=in_a_folder)
fuzz = settings(max_examples=150, deadline=None, database=None, suppress_health_check=in_a_folder)


def written(directory: Path, *tests: Record) -> Path:
    journal = Journal(directory, RUN_ID, RUN_ID)
    journal.path.unlink(missing_ok=True)  # of another example of the same test
    for record in tests:
        journal.append(record.to_dict())
    journal.close(remove=False)
    assert journal.problem is None
    return journal.path


def test_there_is_none_before_the_first_record(tmp_path: Path) -> None:
    journal = Journal(tmp_path / ".pitcheval", RUN_ID, RUN_ID)
    journal.close(remove=True)
    assert os.listdir(tmp_path) == []


def test_a_record_is_on_disk_at_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path, RUN_ID, "20261121T000000.000000Z")
    journal.append(RECORD.to_dict())
    found = run_files.read(journal.path)
    journal.close(remove=True)
    assert found.run == RunInfo(RUN_ID, "20261121T000000.000000Z")
    assert found.outcome.records == {RECORD.nodeid: RECORD}
    assert not found.finished


def test_the_run_file_takes_its_place(tmp_path: Path) -> None:
    journal = Journal(tmp_path, RUN_ID, RUN_ID)
    journal.append(RECORD.to_dict())
    journal.close(remove=True)
    assert not journal.path.exists()


@few
@given(st.lists(records, min_size=1, max_size=4, unique_by=lambda record: record.nodeid))
def test_records_are_read_as_they_were(tmp_path: Path, tests: list[Record]) -> None:
    outcome = run_files.read(written(tmp_path, *tests)).outcome
    assert list(outcome.records.values()) == tests
    assert [one.nodeid for one in outcome.collected] == [record.nodeid for record in tests]


def test_of_a_test_that_was_run_again_the_last_record_counts(tmp_path: Path) -> None:
    again = dataclasses.replace(RECORD, status="failed", score=0.125)
    outcome = run_files.read(written(tmp_path, RECORD, FAILED, again)).outcome
    assert outcome.records == {RECORD.nodeid: again, FAILED.nodeid: FAILED}
    assert len(outcome.collected) == 2


def test_wherever_it_was_cut_off_the_whole_lines_are_read(tmp_path: Path) -> None:
    """In the middle of a character too: what is written is bytes."""
    path = written(tmp_path, RECORD, FAILED)
    data = path.read_bytes()
    ends = [position for position, byte in enumerate(data) if byte == ord("\n")]
    places = {*range(0, len(data), 17), *ends, *(end + 1 for end in ends)}
    places |= {position for position, byte in enumerate(data) if byte > 127}
    for length in (place for place in sorted(places) if ends[0] < place < len(data)):
        path.write_bytes(data[:length])
        assert len(run_files.read(path).outcome.records) == (length > ends[1])


def test_a_run_that_was_killed_before_its_first_line_was_whole(tmp_path: Path) -> None:
    path = written(tmp_path, RECORD)
    path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(PitchevalError, match="not a journal: nothing in it"):
        run_files.read(path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON: Expecting property name"),
        ("", "not JSON: Expecting value"),
        ("[]", "expected a record"),
        ("{}", "expected 'nodeid' in it"),
        (json.dumps({**RECORD.to_dict(), "status": "good"}), "status: Input should be 'passed', 'failed'"),
    ],
)
def test_a_corrupt_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = written(tmp_path, RECORD, FAILED)
    head, first, second, _ = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join([head, first, line, second, ""]), encoding="utf-8")
    with pytest.raises(PitchevalError) as raised:
        run_files.read(path)
    assert str(raised.value).startswith(f"{path}:3")
    assert reason in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@fuzz
@given(st.data())
def test_a_damaged_one_is_read_or_told_of_in_one_line(tmp_path: Path, data: st.DataObject) -> None:
    path = written(tmp_path, RECORD, FAILED)
    text = data.draw(damaged_text(path.read_text(encoding="utf-8")))
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        run_files.read(path)
    except PitchevalError as error:
        complaint = str(error)
    else:
        complaint = ""
    assert len(complaint.splitlines()) <= 1


def test_what_cannot_be_written_stops_no_test(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be", encoding="utf-8")
    journal = Journal(tmp_path, RUN_ID, RUN_ID)
    for _ in range(2):
        journal.append(RECORD.to_dict())
    journal.close(remove=True)
    assert journal.problem is not None
    assert journal.problem.startswith("the journal could not be written: ")


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX processes")
def test_a_disk_that_takes_no_more_stops_no_test(tmp_path: Path) -> None:
    import resource

    journal = Journal(tmp_path, RUN_ID, RUN_ID)
    journal.begin()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        for _ in range(2):
            journal.append(RECORD.to_dict())
        journal.close(remove=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.problem is not None
    assert "File too large" in journal.problem


def test_it_is_there_before_the_first_record(tmp_path: Path) -> None:
    journal = Journal(tmp_path, RUN_ID, RUN_ID)
    journal.begin()
    journal.begin()
    found = run_files.read(journal.path)
    assert (found.run.id, found.outcome.records, found.finished) == (RUN_ID, {}, False)
    journal.append(RECORD.to_dict())
    assert len(run_files.read(journal.path).outcome.records) == 1
    journal.close(remove=True)


def test_two_sessions_do_not_share_one(tmp_path: Path) -> None:
    first, second = Journal(tmp_path, RUN_ID, RUN_ID), Journal(tmp_path, RUN_ID, RUN_ID)
    first.append(RECORD.to_dict())
    with pytest.raises(PitchevalError, match="another session has begun in the same microsecond"):
        second.begin()
    first.close(remove=False)
    assert len(run_files.read(first.path).outcome.records) == 1


def test_a_record_is_read_back_from_its_place(tmp_path: Path) -> None:
    journal = Journal(tmp_path, RUN_ID, RUN_ID)
    places = [journal.append(record.to_dict()) for record in (RECORD, FAILED)]
    assert places[1] is not None
    assert journal.read(places[1]) == FAILED.to_dict()
    journal.close(remove=True)
    assert journal.problem is None


def test_a_journal_that_cannot_be_read_back_is_told_of(tmp_path: Path) -> None:
    journal = Journal(tmp_path, RUN_ID, RUN_ID)
    place = journal.append(RECORD.to_dict())
    journal.path.unlink()
    assert place is not None
    assert journal.read(place) is None
    journal.close(remove=True)
    assert journal.is_lost
    assert journal.problem is not None
    assert journal.problem.startswith("the journal could not be read: ")


def test_a_journal_that_is_rewritten_is_read_and_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path, RUN_ID, RUN_ID)
    places = [journal.append({**RECORD.to_dict(), "feedback": text}) for text in ("sk-caf\u00e9-1", "fine")]
    assert journal.read(places[0] or 0)
    hidden = {"sk-caf\u00e9-1": "***"}
    moved = journal.rewrite(lambda record: {**record, "feedback": hidden.get(record["feedback"], "fine")})
    last = journal.append({**FAILED.to_dict(), "feedback": "later"})
    found = [journal.read(place) for place in (*(moved[place or 0] for place in places), last or 0)]
    assert [record and record["feedback"] for record in found] == ["***", "fine", "later"]
    assert "sk-" not in journal.path.read_text(encoding="utf-8")
    assert run_files.read(journal.path).outcome.records[FAILED.nodeid].feedback == "later"
    assert journal.problem is None
    journal.close(remove=True)
