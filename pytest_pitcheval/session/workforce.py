"""The workers of a session as its controller sees them: which are started, and what their tests take."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from pytest_pitcheval.concurrency.process import KEY, Process
from pytest_pitcheval.concurrency.workers import workload
from pytest_pitcheval.concurrency.workers.reserve import Reserve
from pytest_pitcheval.concurrency.workers.workload import Meter, Workload

METER = f"{KEY}_meter"
"""Where xdist's ``workeroutput`` has what a worker's `Meter` reads."""

SPENT = f"{KEY}_spent"
"""Where it has what the worker has spent and the controller cannot read."""


class Workforce:
    """Keeps workers back by what is known of the last session, and writes down what is known of this one."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._meters: list[tuple[float, float, int]] = []
        self._body = 0.0
        self.reserve: Reserve | None = None
        self.work: tuple[int, int] | None = None
        """How many tests of this process have rollouts that are made ahead, and how many have not."""

    @functools.cached_property
    def _before(self) -> Workload | None:
        return workload.read(self._process.settings.directory)

    def keep_back(self, xdist: Any, specs: list[Any]) -> int:
        """Take from the execnet ``specs`` the workers that would gain nothing, if that is known; says how many.

        ``xdist`` is its ``DSession``, which starts them if they are needed after all.
        """
        if self._before is None or not all(spec.popen for spec in specs):
            return 0
        self.reserve = Reserve(xdist, self._before, self._process.settings.concurrency)
        self.reserve.keep_back(specs)
        return len(self.reserve)

    def worker_ended(self, told: Mapping[str, Any]) -> None:
        """A worker has crashed, or has nothing more to do."""
        if METER in told:
            self._meters.append(tuple(told[METER]))
        if any(told.get(SPENT, ())):
            self._process.budget.hear(told[SPENT])

    def hear(self, seconds: float) -> None:
        """A test has taken so long, besides its rollouts."""
        self._body += seconds

    def write(self, meter: Meter | None) -> None:
        """Write down what this session's tests took; ``meter`` is that of this process, if it runs tests."""
        told = self._process.read_collected()
        ahead, others = self.work or (len(told.get("ahead", ())), told.get("others", 0))
        own = meter.read() if meter else None
        meters = [*self._meters, *([own] if own else [])]
        found = workload.sum_up(ahead, others, self._body, meters, self._before)
        if found is not None:
            with self._process.noting("the next session does not know how many workers gain"):
                workload.write(self._process.settings.directory, found)
