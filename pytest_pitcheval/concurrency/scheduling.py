"""How xdist hands out evaluation tests: all at once, so that a worker can look ahead over those that are its own."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScheduling

from pytest_pitcheval import files
from pytest_pitcheval.concurrency.flight_log import log_path, read_log
from pytest_pitcheval.concurrency.process import Process
from pytest_pitcheval.concurrency.upcoming import plan_path
from pytest_pitcheval.concurrency.workers.reserve import Reserve
from pytest_pitcheval.names import RERUN

_FIRST = 2
"""Tests that a worker must have to run the first of them, as it looks for the next one."""


class AtOnceScheduling(LoadScheduling):
    """``--dist=load``, but each worker gets its part of the evaluation tests at the start; other tests as usual.

    A plan in the session's folder tells each worker which tests are its own. With ``--eval-stop`` the workers take
    turns through the tests, so that the first examples of each test are all done first.
    """

    maxschedchunk: int | None

    def __init__(self, config: pytest.Config, log: Any, process: Process, reserve: Reserve | None = None) -> None:
        super().__init__(config, log)
        self._reserve = reserve
        self.numnodes -= len(reserve or ())
        self._started_late = 0
        self._process = process
        self._plans: dict[Any, dict[int, None]] = {}

    def schedule(self) -> None:
        if self.collection is None:
            self._start_further()
            self._begin()
            self._share_out()
        else:
            self._share_out()
            super().schedule()

    def _start_further(self) -> None:
        """Start workers of the reserve if the tests that have been collected are more than were known of."""
        if self._reserve:
            kept = len(self._reserve)
            told = self._process.read_collected()
            ahead = len(told.get("ahead", ()))
            self._reserve.start_for(ahead, len(next(iter(self.node2collection.values()))) - ahead)
            self._started_late = kept - len(self._reserve)

    @property
    def _awaited(self) -> int:
        """How many workers that were started late have not collected yet."""
        return max(0, int(self.numnodes) + self._started_late - len(self.node2collection))

    def _share_out(self) -> None:
        """Give each worker its part of the evaluation tests; those that are awaited get theirs when they are there."""
        if self.collection is None or not self._process.has_collected:
            return
        known = {test["nodeid"] for test in self._process.read_collected()["tests"]}
        ours = [index for index in self.pending if self.collection[index] in known]
        nodes = [node for node in self.nodes if not ours or not node.shutting_down]
        if self._started_late:
            nodes = [node for node in nodes if node not in self._plans] or nodes
        if not nodes:
            return
        shared_out = turns if self._takes_turns else parts
        for node, part in zip(nodes, shared_out(ours, len(nodes) + self._awaited), strict=False):
            given = set(part)
            self.pending[:] = [index for index in self.pending if index not in given]
            self.node2pending[node].extend(part)
            self._plan(node)
            if part:
                node.send_runtest_some(part)

    @property
    def _takes_turns(self) -> bool:
        return self._process.settings.stop

    def _begin(self) -> None:
        """xdist gives each worker its first tests: two where they take turns, else as many as it likes."""
        most = self.maxschedchunk
        if self._takes_turns:
            self.maxschedchunk = _FIRST
        super().schedule()
        if self._takes_turns:
            self.maxschedchunk = len(self.collection or ()) if most is None else most

    def check_schedule(self, node: Any, duration: float = 0) -> None:
        if self._awaited:
            return  # what is pending is theirs, too
        before = len(self.node2pending[node])
        super().check_schedule(node, duration)
        if len(self.node2pending[node]) > before and self._process.has_collected:
            self._plan(node)

    def _plan(self, node: Any) -> None:
        """Tell ``node`` which tests it has been given; the order of those before stays."""
        plan = self._plans.setdefault(node, {})
        plan.update(dict.fromkeys(self.node2pending[node]))
        with self._process.noting("the workers look no further ahead than one test"):
            files.write_json(plan_path(self._process.runtime_dir, node.gateway.id), list(plan), indent=None)


def examine_crash(folder: Path, nodeid: str, report: pytest.TestReport, scheduler: Any) -> None:
    """Queue the test ``nodeid`` again if the worker that crashed with it had others in flight; ``report`` says so."""
    flown = read_log(log_path(folder, report.node.gateway.id))  # xdist's
    if flown.alone == nodeid or not flown.in_flight - {nodeid}:
        return
    with contextlib.suppress(NotImplementedError):  # as some of xdist's other schedulers have it
        scheduler.mark_test_pending(nodeid)
        report.outcome = RERUN  # type: ignore[assignment]


def turns(whole: Sequence[int], count: int) -> list[list[int]]:
    """``whole`` in ``count`` parts: each has every so many'th."""
    return [list(whole[start::count]) for start in range(count)]


def parts(whole: Sequence[int], count: int) -> list[list[int]]:
    """``whole`` in ``count`` consecutive parts whose sizes differ by one at most."""
    bounds = [number * len(whole) // count for number in range(count + 1)]
    return [list(whole[start:end]) for start, end in itertools.pairwise(bounds)]
