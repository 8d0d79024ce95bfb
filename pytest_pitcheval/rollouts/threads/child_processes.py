"""LM calls of child processes, which have DSPy's own cache: they get no answer of an earlier session either."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from typing import Any

from pytest_pitcheval.concurrency import leftovers
from pytest_pitcheval.rollouts.threads.child_start import Afresh
from pytest_pitcheval.rollouts.threads.replacing import replaced


@contextlib.contextmanager
def without_old_answers() -> Iterator[None]:
    """Within it, processes that are started find DSPy's disk cache empty, and it keeps nothing.

    By environment variables, which DSPy reads when it makes its cache; the one of this process must be there already.
    """
    folder = os.path.join(tempfile.gettempdir(), leftovers.name(os.getpid()))  # so that it goes, also after a kill
    os.mkdir(folder, 0o700)
    ours = {"DSPY_CACHEDIR": folder, "DSPY_CACHE_LIMIT": "0"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if os.environ.get(name) != ours[name]:
                continue  # somebody else has set it meanwhile
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def without_memory(current: Callable[[], object | None]) -> Iterator[None]:
    """Within it, processes of `multiprocessing` that a rollout starts anew keep no answers for the next one.

    ``current`` gives the scope of the calling thread, None where it has none. A process that is forked has this
    process's cache, which knows that it is another one.
    """
    start = BaseProcess.start

    def started(self: Any) -> None:
        if current() is not None and self._target is not None and getattr(self, "_start_method", None) != "fork":
            self._target = Afresh(self._target)
        start(self)

    with replaced(BaseProcess, "start", started):
        yield
