"""Workers that wait before they import anything, until the controller has tests for them or the session is over.

A worker that collects imports DSPy, which is most of what a short session costs on few cores.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_pitcheval.concurrency.workers.workload import Workload, cores

VARIABLE = "PITCHEVAL_HELD"
"""What execnet sets in the environment of a worker that is held: the path of a file that is there as long as it is."""

_OVER = "over"
_TICK = 0.02


def wait(early_config: pytest.Config) -> bool:
    """In a worker that has not imported the suite: wait for as long as it is held.

    Returns whether the session is over by then; the worker will load no conftest.py.
    """
    is_over = _wait(os.environ.pop(VARIABLE))
    if is_over:
        early_config.known_args_namespace.noconftest = True
    return is_over


def _wait(path: str) -> bool:
    parent = os.getppid()
    while os.path.exists(path) and os.getppid() == parent:
        time.sleep(_TICK)
    folder = os.path.dirname(path)
    return os.getppid() != parent or not os.path.exists(folder) or os.path.exists(os.path.join(folder, _OVER))


class HeldWorkers:
    """The workers that the controller holds, in files of ``folder``, by what ``workload`` says of the last session."""

    def __init__(self, folder: Path, workload: Workload, concurrency: int) -> None:
        self._folder = folder
        self._workload = workload
        self._concurrency = concurrency
        self._paths: list[Path] = []
        self._most = 0

    def __len__(self) -> int:
        return len(self._paths)

    def hold(self, specs: Sequence[Any]) -> None:
        """Hold those of the workers with these execnet ``specs`` that would gain nothing.

        Raises:
            OSError: the folder cannot be written; nobody is held then.
        """
        self._most = len(specs)
        needed = self._workload.workers(self._most, self._concurrency, cores())
        paths = [self._folder / f"{number}.held" for number in range(needed, self._most)]
        for path in paths:
            path.touch()
        self._paths = paths
        for spec, path in zip(specs[needed:], paths, strict=True):
            spec.env[VARIABLE] = str(path)

    def release_for(self, ahead: int, others: int) -> None:
        """Release as many as gain, now that it is known what has been collected."""
        found = Workload(ahead, others, self._workload.start, self._workload.test, self._workload.body)
        started = self._most - len(self._paths)
        self._release(found.workers(self._most, self._concurrency, cores()) - started)

    def release_all(self) -> None:
        """Release all of them: a worker has crashed."""
        self._release(len(self._paths))

    def end(self) -> None:
        """Let them end without importing anything."""
        if self._paths:
            with contextlib.suppress(OSError):  # where there is no room they import, and end all the same
                (self._folder / _OVER).touch()
            self.release_all()

    def _release(self, count: int) -> None:
        for _ in range(max(count, 0)):
            if self._paths:
                self._paths.pop(0).unlink(missing_ok=True)
