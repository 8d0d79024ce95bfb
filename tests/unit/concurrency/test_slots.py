from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

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
