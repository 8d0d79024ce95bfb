"""The process that logs sees nothing of the user's folder but the store that may be there."""

from __future__ import annotations

import time
from pathlib import Path

from pytest_pitcheval.tracking.process import TrackingProcess


def test_modules_of_the_users_folder_are_not_run(tmp_path: Path) -> None:
    for name in ("queue", "mlflow", "filelock", "json", "pytest_pitcheval"):
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
