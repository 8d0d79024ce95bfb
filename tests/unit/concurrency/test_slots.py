from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest

from pytest_pitcheval.concurrency.shared_slots import SharedSlots
from pytest_pitcheval.concurrency.slots import LocalSlots, Slots, once


@pytest.fixture(params=["local", "shared"])
def slots(request: pytest.FixtureRequest, tmp_path: Path) -> Slots:
    return LocalSlots(3) if request.param == "local" else SharedSlots(3, tmp_path)


def test_no_more_than_there_are(slots: Slots) -> None:
    taken = [slots.take() for _ in range(4)]
    assert [release is not None for release in taken] == [True, True, True, False]
    assert taken[1] is not None
    taken[1]()
    taken[1]()
    again = [slots.take(), slots.take()]
    assert [release is not None for release in again] == [True, False]


def test_given_back_in_another_thread(slots: Slots) -> None:
    for _ in range(10):
        release = slots.take()
        assert release is not None
        thread = threading.Thread(target=release)
        thread.start()
        thread.join()


def test_processes_share_them_and_each_can_have_all(tmp_path: Path) -> None:
    workers = [SharedSlots(5, tmp_path, process=number, processes=2) for number in range(2)]
    first = [workers[0].take() for _ in range(5)]
    assert all(first)
    assert workers[1].take() is None
    assert first[0] is not None
    first[0]()
    assert workers[1].take() is not None


def test_fewer_than_processes(tmp_path: Path) -> None:
    workers = [SharedSlots(1, tmp_path, process=number, processes=4) for number in range(4)]
    taken = [worker.take() for worker in workers]
    assert [release is not None for release in taken] == [True, False, False, False]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EMFILE, errno.ENOSPC, errno.EROFS, errno.EIO])
def test_without_locks_each_process_keeps_to_its_part(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    workers = [SharedSlots(4, tmp_path, process=process, processes=2, note=notes.append) for process in range(2)]
    before = workers[0].take()
    assert before is not None

    def fails(self: object, **arguments: object) -> None:
        raise OSError(number, os.strerror(number), "slots")

    monkeypatch.setattr(filelock.FileLock, "acquire", fails)
    before()
    for worker in workers:
        taken = [worker.take() for _ in range(4)]
        again = [worker.take() for _ in range(4)]
        got = [release for release in (*taken, *again) if release is not None]
        assert len(got) == 2
        got[0]()
        assert worker.take() is not None
    assert len(notes) == 2
    assert os.strerror(number) in notes[0]


def test_a_folder_that_cannot_be_made_is_no_reason_to_stop(tmp_path: Path) -> None:
    notes: list[str] = []
    (tmp_path / "file").touch()
    worker = SharedSlots(4, tmp_path / "file" / "slots", processes=2, note=notes.append)
    assert [worker.take() is not None for _ in range(3)] == [True, True, False]
    assert len(notes) == 1


HOLDS = """
import sys, time
from pathlib import Path
from pytest_pitcheval.concurrency.shared_slots import SharedSlots
slots = SharedSlots(2, Path(sys.argv[1]))
held = slots.take(), slots.take()
print("taken", flush=True)
time.sleep(600)
"""


def test_a_killed_process_gives_its_slots_back(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        slots = SharedSlots(2, tmp_path)
        assert slots.take() is None
        process.kill()
        process.wait()
        assert slots.take() is not None


def test_once() -> None:
    calls: list[int] = []
    release = once(lambda: calls.append(1))
    release()
    release()
    assert calls == [1]


def test_none_is_lost_where_many_threads_take_and_give_back(slots: Slots) -> None:
    def take_and_give_back() -> None:
        for _ in range(300):
            if release := slots.take():
                release()

    threads = [threading.Thread(target=take_and_give_back) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(slots.take() for _ in range(3))


def test_more_places_than_anybody_has_threads_for_take_no_room(tmp_path: Path) -> None:
    slots = SharedSlots(10**20, tmp_path, process=1, processes=2)
    assert slots.take() is not None
