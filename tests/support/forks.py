"""A piece of work in a process that is forked from the one of the tests."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from support.background import PATIENCE


def is_true_in_a_fork(work: Callable[[], object]) -> bool:
    """Whether ``work`` returns something true there.

    The process ends with it, whatever it raises: else all further tests would run in it as well, and it would end what
    this process has started. One that hangs, as threads are gone that held a lock, is killed.
    """
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if work() else 1
        finally:
            os._exit(code)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise TimeoutError("the forked process did not end")
