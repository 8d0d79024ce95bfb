"""Processes beside the one that runs tests: several that write one baseline, and the one that logs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_pitcheval.results.baselines import Measurement, Measurements
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.storage import baseline_documents, baseline_files
from pytest_pitcheval.tracking.process import TrackingProcess


@pytest.mark.parametrize("on_path", [False, True], ids=["", "on PYTHONPATH"])
def test_the_one_that_logs_runs_no_module_of_the_users_folder(
    tmp_path: Path, on_path: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if on_path:
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name in ("queue", "mlflow", "filelock", "json", "platform", "sitecustomize", "alembic", "pytest_pitcheval"):
        (tmp_path / f"{name}.py").write_text(f"open('run-{name}', 'w')\nraise SystemExit(3)\n", encoding="utf-8")
    target = {"uri": "sqlite:///own.db", "experiment": "e"}
    process = TrackingProcess(target, tmp_path)
    try:
        answer = process.ask({"prepare": True}, time.monotonic() + 120)
    finally:
        process.close()
    assert answer == {}
    assert not list(tmp_path.glob("run-*"))
    assert (tmp_path / "own.db").exists()


KEY = Key("t.py::test", "none")
PROCESSES, UPDATES = 4, 5

WRITER = """
import sys
from pathlib import Path
from pytest_pitcheval.storage.baseline_files import update
from pytest_pitcheval.results.baselines import Measurement, Measurements
from pytest_pitcheval.results.keys import Key

path, locks, process, updates = sys.argv[1:]
for number in range(int(updates)):
    group = Measurements({f"e{process}-{number}": Measurement((0.5,))})
    update(Path(path), Path(locks), {Key("t.py::test", "none"): group}, lambda key, name: False)
"""


def test_several_processes_lose_nothing_and_readers_never_see_a_part(tmp_path: Path) -> None:
    path, locks = tmp_path / "baselines" / "b.json", tmp_path / "locks"
    arguments = [sys.executable, "-c", WRITER, str(path), str(locks)]
    writers = [subprocess.Popen([*arguments, str(number), str(UPDATES)]) for number in range(PROCESSES)]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            now = len(baseline_files.read(path)[KEY].examples)
            assert now >= seen
            seen = now
        time.sleep(0.002)
    assert [writer.returncode for writer in writers] == [0] * PROCESSES
    names = [f"e{process}-{number}" for process in range(PROCESSES) for number in range(UPDATES)]
    every = Measurements({name: Measurement((0.5,)) for name in names})
    assert baseline_files.read(path) == {KEY: every}
    assert path.read_text(encoding="utf-8") == baseline_documents.to_text(baseline_files.read(path))
