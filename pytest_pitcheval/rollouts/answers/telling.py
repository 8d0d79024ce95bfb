"""What the processes of a session tell of recorded answers: which nobody took, and how many were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.concurrency.process import KEY, Process
from pytest_pitcheval.storage.answers.journals import FOLDER

if TYPE_CHECKING:
    from pytest_pitcheval.rollouts.answers.book import AnswerBook

ANSWERS = f"{KEY}_answers"
"""Where xdist's ``workeroutput`` has what a worker tells."""


def told_by(book: AnswerBook | None, process: Process) -> dict[str, Any] | None:
    """What the ``process`` of ``book`` tells, as execnet can send it; None without one.

    A worker on another machine tells what it has kept as well.
    """
    if book is None:
        return None
    told: dict[str, Any] = {"unused": book.unused(), "asked": sum(book.fresh.values())}
    if process.worker and process.worker.apart:
        told["kept"] = {path.name: path.read_text("utf-8") for path in (process.runtime_dir / FOLDER).glob("*.jsonl")}
    return told


class Heard:
    """Of all processes."""

    def __init__(self) -> None:
        self._unused: dict[str, set[int]] = {}
        self.asked = 0
        """How many answers were asked for, because they were not recorded."""

    def hear(self, told: Mapping[str, Any], runtime_dir: Path) -> None:
        """One of them has ended."""
        self.asked += told["asked"]
        for test, positions in told["unused"].items():
            self._unused[test] = self._unused.get(test, set(positions)) & set(positions)
        for name, text in told.get("kept", {}).items():
            (runtime_dir / FOLDER).mkdir(parents=True, exist_ok=True)
            (runtime_dir / FOLDER / name).write_text(text, encoding="utf-8")

    def unused(self, counts: Mapping[str, int], tests: Sequence[str]) -> Iterator[tuple[str, int]]:
        """How many answers of ``tests`` nobody took, of as many as ``counts`` has."""
        for test in tests:
            left = len(self._unused[test]) if test in self._unused else counts.get(test, 0)
            if left:
                yield test, left
