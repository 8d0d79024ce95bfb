from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pitcheval.concurrency.flight_log import (
    FlightLog,
    Flown,
    log_path,
    note_crash,
    read_flying,
    read_log,
    write_flying,
)


def test_a_flight_log_tells_what_was_in_flight(tmp_path: Path) -> None:
    log = FlightLog(tmp_path, "gw0")
    for what, nodeid in [("begun", "a"), ("begun", "b"), ("landed", "a"), ("begun", "a"), ("alone", "c")]:
        log.add(what, nodeid)
    assert read_log(log_path(tmp_path, "gw0")) == Flown(frozenset("ab"), frozenset("ab"), "c")
    log.add("landed", "a")
    assert read_log(log_path(tmp_path, "gw0")).in_flight == frozenset("b")
    log.close()
    log.add("begun", "d")
    assert "d" not in read_log(log_path(tmp_path, "gw0")).begun


def test_a_line_that_a_kill_has_cut_off_is_not_there(tmp_path: Path) -> None:
    log_path(tmp_path, "gw0").write_text('["begun", "a"]\n["begun", "b', encoding="utf-8")
    assert read_log(log_path(tmp_path, "gw0")).begun == frozenset("a")


def test_only_workers_that_have_crashed_count(tmp_path: Path) -> None:
    dead, alive = FlightLog(tmp_path, "gw0"), FlightLog(tmp_path, "gw1")
    dead.add("begun", "a")
    dead.add("begun", "b")
    dead.add("landed", "b")
    alive.add("begun", "c")
    assert not alive.was_begun("a")
    note_crash(tmp_path, "gw0")
    assert [alive.was_begun(nodeid) for nodeid in "abc"] == [True, True, False]
    assert [alive.is_suspect(nodeid) for nodeid in "abc"] == [True, False, False]
    dead.close()
    alive.close()


def test_a_worker_that_crashed_before_its_first_flight(tmp_path: Path) -> None:
    log = FlightLog(tmp_path, "gw1")
    note_crash(tmp_path, "gw0")
    assert not log.was_begun("a")
    log.close()


def test_what_is_in_flight_in_sum(tmp_path: Path) -> None:
    assert read_flying(tmp_path) == (0, 0)
    write_flying(tmp_path, "gw0", 3, 1)
    write_flying(tmp_path, "gw1", 4, 0)
    assert read_flying(tmp_path) == (7, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_a_log_that_cannot_be_written_is_given_up(tmp_path: Path) -> None:
    notes: list[str] = []
    log_path(tmp_path, "gw0").symlink_to("/dev/full")
    for folder in (tmp_path, tmp_path / "not there"):
        log = FlightLog(folder, "gw0", notes.append)
        log.add("begun", "a")
        log.add("landed", "a")
        log.close()
    assert len(notes) == 2
    assert "No space left" in notes[0]


@pytest.mark.parametrize("line", ["[", "{}", "[1]", "null", '["begun", "a", "b"]', "[[]]"])
def test_a_line_that_is_none_is_not_there(tmp_path: Path, line: str) -> None:
    log_path(tmp_path, "gw0").write_text(f'["begun", "a"]\n{line}\n["begun", "b"]\n', encoding="utf-8")
    assert read_log(log_path(tmp_path, "gw0")).begun == frozenset("ab")
