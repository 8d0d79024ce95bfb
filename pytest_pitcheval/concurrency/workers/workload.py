"""What the last session of a suite came to, by which the next one knows how many workers gain."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.records import FINITE

IN_FLIGHT = 64
"""Rollouts that one process keeps in flight without losing time."""

_FILE = "workload.json"
_FEWEST = 5
"""Tests that tell what one of them takes."""


@dataclasses.dataclass(frozen=True)
class Workload:
    """The tests of a session, and what they took.

    Attributes:
        ahead: how many tests had rollouts that are made before the test runs.
        others: how many other tests there were.
        start: CPU seconds until a worker has imported and collected.
        test: CPU seconds that one more of the ``ahead`` tests takes.
        body: seconds that it takes pytest itself, one test after the other, once its rollouts are there.
    """

    __pydantic_config__ = FINITE

    ahead: int
    others: int
    start: float
    test: float
    body: float

    def workers(self, most: int, concurrency: int, cores: int) -> int:
        """How many of ``most`` workers gain: a further one takes over more work than its imports cost.

        There are at least as many as keep ``concurrency`` rollouts in flight. CPU work gains by at most ``cores``.
        """
        if self.others:
            return most
        start = max(self.start, 0.1)
        by_cpu = min(math.floor(self.ahead * self.test / start), cores)
        by_body = math.floor(self.ahead * self.body / start)
        return min(max(by_cpu, by_body, math.ceil(concurrency / IN_FLIGHT), 1), most)


def read(folder: Path) -> Workload | None:
    """What `write` left in the ``--eval-dir``; None where there is nothing that can be read."""
    try:
        return files.validated(Workload, files.read_json(folder / _FILE), _FILE)
    except (OSError, PitchevalError):
        return None


def write(folder: Path, workload: Workload) -> None:
    """Keep it for the next session.

    Raises:
        OSError: it cannot be written.
    """
    files.write_json(folder / _FILE, dataclasses.asdict(workload), indent=None)


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Meter:
    """CPU seconds of this process, which runs tests."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._last = 0.0
        self._tests = 0

    def test_ended(self) -> None:
        """One more test has run; by the first one, all that is imported late has been."""
        self._last = time.process_time()
        self._tests += 1
        if self._first is None:
            self._first = self._last

    def read(self) -> tuple[float, float, int] | None:
        """Seconds until the first test had run, seconds for the later ones, and how many these are."""
        return None if self._first is None else (self._first, self._last - self._first, self._tests - 1)


def sum_up(
    ahead: int, others: int, body: float, meters: Sequence[tuple[float, float, int]], before: Workload | None
) -> Workload | None:
    """The workload of a session whose processes have these ``meters``, and whose tests took ``body`` seconds together.

    What too few tests tell is taken from the session ``before``; None where nothing is known.
    """
    tests = sum(count for *_, count in meters)
    if tests < _FEWEST:
        return before and Workload(ahead, others, before.start, before.test, before.body)
    start = max(first for first, *_ in meters)
    return Workload(ahead, others, start, sum(spent for _, spent, _ in meters) / tests, body / (tests + len(meters)))
