"""The end of the process: a session that is over is over, whatever is still in flight.

Before an interpreter ends, it waits for threads without a limit; those that are daemons it stops wherever they stand,
with the lock of an import held, say, so that whatever is imported afterwards waits for ever. Where an LM call is still
in flight, or a thread of a program, the process therefore ends without all that: everything that a session leaves has
been written by then. What others have registered with `atexit` is still called (coverage saves its data there).
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

GRACE = 1.0
"""Seconds that threads in flight have, once the main thread has ended."""

HANDLERS = 5.0
"""Seconds that handlers of `atexit` have, where threads are in flight: one of them may wait for those for ever."""

_TICK = 0.25
"""Seconds between two looks whether it has."""
_OWN = ("pitcheval-rollout", "pitcheval-call", "pitcheval-cache")
"""What the names of the plugin's own threads begin with, where they do other people's work."""


class Ending:
    """Ends this process with the exit code that ``status`` says, once it has nothing to do but wait for threads.

    ``threads`` are those that rollouts have started, besides the plugin's own.
    """

    def __init__(self, status: Callable[[], int], threads: Callable[[], Iterable[threading.Thread]]) -> None:
        self._status = status
        self._threads = threads
        self._is_ending = threading.Event()
        self._is_leaving = threading.Event()
        self._leaving = threading.RLock()
        """Held by the thread that ends the process: another does not call the handlers a second time."""

    def prepare(self) -> None:
        """Be the first to be called when the interpreter ends, and watch whether it comes to that."""
        atexit.register(self._at_exit)
        for target in (self._watch, self.keep_deadline):  # an interpreter that ends begins no thread
            threading.Thread(target=target, name="pitcheval-ending", daemon=True).start()

    @property
    def in_flight(self) -> list[threading.Thread]:
        """The threads that would be waited for, or stopped wherever they stand."""
        own = (thread for thread in threading.enumerate() if thread.name.startswith(_OWN))
        return [*own, *(thread for thread in self._threads() if thread.is_alive())]

    def _watch(self) -> None:
        """While the interpreter waits for threads that are no daemons."""
        while not self._is_ending.wait(_TICK):
            if not _goes_on():
                if not self._is_ending.wait(GRACE):
                    self._leave_if_in_flight()
                return

    def _at_exit(self) -> None:
        self._is_ending.set()
        with self._leaving:
            if self._is_leaving.is_set():  # called by `_leave_if_in_flight`, as all handlers are
                return
            deadline = time.monotonic() + GRACE
            for thread in self.in_flight:
                thread.join(max(0.0, deadline - time.monotonic()))
            self._leave_if_in_flight()

    def _leave_if_in_flight(self) -> None:
        with self._leaving:
            if self.in_flight:
                self.leave()

    def leave(self) -> None:
        """End the process now, with what others have registered for that."""
        self._is_leaving.set()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(self._status())

    def keep_deadline(self) -> None:
        """End it where those do not come to an end."""
        self._is_leaving.wait()
        time.sleep(HANDLERS)
        os._exit(self._status())


def end_without_controller() -> None:
    """Let this worker end where the process that has started it is gone, also if it hears no interrupt.

    execnet sends one after five seconds, and ends the worker ten seconds later. A background job of a shell script is
    deaf to interrupts, and so are its workers: until then they would go on with what they ask.
    """
    if os.name == "posix" and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        target = threading.Thread(target=_watch_parent, args=(os.getppid(),), name="pitcheval-ending", daemon=True)
        target.start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_TICK)
    time.sleep(GRACE)  # one that has nothing to do ends by itself
    ending = Ending(lambda: pytest.ExitCode.INTERRUPTED, lambda: ())
    threading.Thread(target=ending.keep_deadline, name="pitcheval-ending", daemon=True).start()
    ending.leave()


def _goes_on() -> bool:
    """Whether the interpreter has not begun to end: from then on thread pools take no work."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="pitcheval-ending")
    try:
        pool.submit(int)
    except RuntimeError:
        return False
    finally:
        pool.shutdown(wait=False)
    return threading.main_thread().is_alive()


def is_pytests_own() -> bool:
    """Whether this process ends with this session: the ``pytest`` command, or one of xdist's workers.

    It does not where a program calls ``pytest.main``, or a test runs pytest within pytest. Called by the session.
    """
    callers = [frame.f_code for frame, _ in traceback.walk_stack(None)]
    main = getattr(pytest, "console_main", None)  # which called pytest.main before pytest 9.1
    command = getattr(main, "__code__", None)
    return callers.count(pytest.main.__code__) == (command in callers)
