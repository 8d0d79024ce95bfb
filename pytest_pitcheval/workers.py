"""What the processes of one session tell each other by files in its shared folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_pitcheval import storage


class Worker(NamedTuple):
    """One xdist worker: its name, its number from 0 and how many there are of them."""

    name: str
    number: int
    total: int

    @classmethod
    def of(cls, config: pytest.Config) -> Worker | None:
        """The worker that this process is, or None."""
        told: dict[str, Any] = getattr(config, "workerinput", {})
        if "workerid" not in told:
            return None
        count = int(told.get("workercount", 1))
        digits = "".join(filter(str.isdigit, told["workerid"]))
        return cls(told["workerid"], int(digits or 0) % count, count)


def stop_path(folder: Path) -> Path:
    """The file whose presence says that the session is being ended: nothing more is to begin."""
    return folder / "stop"


def crash_path(folder: Path, worker: str) -> Path:
    """The file whose presence says that ``worker`` has crashed."""
    return folder / f"crashed-{worker}"


class BegunTests:
    """The tests that a worker runs ahead, so that another one knows what a crash has left paid for."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._folder = folder
        self._own = _begun_path(folder, worker)
        self._by_dead: dict[str, frozenset[str]] = {}

    def add(self, nodeid: str) -> None:
        """LM calls are made for ``nodeid`` by this process."""
        with self._own.open("a", encoding="utf-8") as file:
            file.write(json.dumps(nodeid) + "\n")

    def by_the_dead(self, nodeid: str) -> bool:
        """Whether a worker that has crashed had begun with ``nodeid``."""
        for path in self._folder.glob(crash_path(Path(), "*").name):
            worker = path.name.partition("-")[2]
            if worker not in self._by_dead:
                self._by_dead[worker] = self._read(_begun_path(self._folder, worker))
        return any(nodeid in begun for begun in self._by_dead.values())

    @staticmethod
    def _read(path: Path) -> frozenset[str]:
        if not path.exists():
            return frozenset()
        lines = storage.read_text(path, whole_lines=True).splitlines()
        return frozenset(map(json.loads, lines))


def _begun_path(folder: Path, worker: str) -> Path:
    return folder / f"begun-{worker}.jsonl"
