"""Which process of a session this is, and what its processes share."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_pitcheval.concurrency.process import KEY, Process, Worker, are_apart
from pytest_pitcheval.settings.settings import Settings, read_settings

RUN_ID = "20261126T010203.000004Z"


@pytest.fixture
def settings(pytester: pytest.Pytester) -> Settings:
    return read_settings(pytester.parseconfig("--eval-concurrency=8"))


def worker_of(first: Process, settings: Settings, name: str = "gw1", *transports: str) -> Process:
    """The process of an xdist worker that was told of ``first``."""
    told = first.told_to_workers(planned=True, transports=transports)
    workerinput = {"workerid": name, "workercount": 4, KEY: told}
    worker = Process.of_worker(settings, cast(Any, SimpleNamespace(workerinput=workerinput)))
    assert worker is not None
    return worker


@pytest.mark.parametrize(
    ("transports", "apart"),
    [
        ([], False),
        (["popen", "popen"], False),
        (["3*popen"], False),
        (["2*popen//python=/opt/ssh=x/python"], False),
        (["ssh=far"], True),
        (["popen", "2*ssh=me@far//python=python3"], True),
        (["socket=192.168.1.102:8888"], True),
    ],
)
def test_workers_are_apart_unless_they_are_processes_of_this_machine(transports: list[str], apart: bool) -> None:
    assert are_apart(transports) is apart


def test_the_first_process_is_no_worker_and_owns_a_folder_that_is_not_there_yet(settings: Settings) -> None:
    first = Process.first(settings, RUN_ID, RUN_ID)
    assert first.worker is None
    assert first.owns_folder
    assert not first.runtime_dir.exists()
    assert first.runtime_dir != Process.first(settings, RUN_ID, RUN_ID).runtime_dir


def test_a_worker_shares_the_run_and_the_folder(settings: Settings) -> None:
    first = Process.first(settings, RUN_ID, "20261125T010203.000004Z")
    worker = worker_of(first, settings)
    assert worker.worker == Worker("gw1", 1, 4, planned=True, apart=False)
    assert (worker.run_id, worker.timestamp) == (first.run_id, first.timestamp)
    assert (worker.runtime_dir, worker.owner_pid) == (first.runtime_dir, os.getpid())
    assert worker.settings.concurrency == 8


def test_workers_on_several_machines_have_folders_of_their_own_and_a_share_of_the_limits(settings: Settings) -> None:
    first = Process.first(settings, RUN_ID, RUN_ID)
    workers = [worker_of(first, settings, name, "ssh=host") for name in ("gw0", "gw1")]
    assert len({first.runtime_dir, *(worker.runtime_dir for worker in workers)}) == 3
    assert [worker.settings.concurrency for worker in workers] == [2, 2]
    assert all(worker.owns_folder for worker in workers)


def test_a_process_that_was_told_nothing_is_no_worker(settings: Settings) -> None:
    assert Process.of_worker(settings, cast(Any, SimpleNamespace())) is None


def test_the_folder_is_for_this_user_only(settings: Settings, tmp_path: Path) -> None:
    process = Process(settings, RUN_ID, RUN_ID, os.getpid(), tmp_path / "shared")
    assert stat.S_IMODE(process.make_runtime_dir().stat().st_mode) == 0o700
    assert process.make_runtime_dir() == process.runtime_dir


def test_what_workers_have_collected_comes_back(settings: Settings, tmp_path: Path) -> None:
    process = Process(settings, RUN_ID, RUN_ID, os.getpid(), tmp_path / "shared")
    assert not process.has_collected
    assert process.read_collected() == {"tests": [], "datasets": {}}
    told = {"tests": [{"nodeid": "test_qa.py::test_qa[caf\u00e9]"}], "datasets": {"test_qa.py::test_qa": ["caf\u00e9"]}}
    process.put_collected(told)
    assert process.has_collected
    assert process.read_collected() == told
