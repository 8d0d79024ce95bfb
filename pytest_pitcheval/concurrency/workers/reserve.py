"""Workers that xdist does not start until there are tests for them.

A worker imports pytest when it starts and DSPy when it collects: most of what a short session costs on few cores.
"""

from __future__ import annotations

from typing import Any

from pytest_pitcheval.concurrency.workers.workload import Workload, cores


class Reserve:
    """The workers that gain nothing by what ``workload`` says of the last session; ``xdist`` is its ``DSession``."""

    def __init__(self, xdist: Any, workload: Workload, concurrency: int) -> None:
        self._xdist = xdist
        self._workload = workload
        self._concurrency = concurrency
        self._specs: list[Any] = []
        self.most = 0
        """How many workers were asked for."""

    def __len__(self) -> int:
        return len(self._specs)

    def keep_back(self, specs: list[Any]) -> None:
        """Take from ``specs``, which xdist is going to start, what stays behind."""
        self.most = len(specs)
        needed = self._workload.workers(self.most, self._concurrency, cores())
        self._specs = specs[needed:]
        del specs[needed:]

    def start_for(self, ahead: int, others: int) -> None:
        """Start as many as gain, now that it is known what has been collected."""
        known = self._workload
        found = Workload(ahead, others, known.start, known.test, known.body)
        started = self.most - len(self._specs)
        for _ in range(started, found.workers(self.most, self._concurrency, cores())):
            node = self._xdist.nodemanager.setup_node(self._specs.pop(0), self._xdist.queue.put)
            self._xdist._active_nodes.add(node)  # as xdist does with the worker that replaces a crashed one
