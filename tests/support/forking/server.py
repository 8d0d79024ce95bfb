"""Forks a process for each ``python -u -c CODE`` that it is asked for, by which time it has imported what is slow.

Started by `support.forking.workers`: ``python -u server.py ADDRESS MODULE...``; it ends when its standard input does.
Whoever connects sends the three standard streams, then a line of JSON (`Start`), and is told the exit code.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import time
import types
from typing import NamedTuple

LONGEST = 100
"""Bytes of an address; sockets have some room for it and no more."""


class Start(NamedTuple):
    """What a new process is to be."""

    code: str
    folder: str
    environment: dict[str, str]
    bytecode: bool
    """Whether it keeps what it compiles."""


def main(address: str, *modules: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        print("listening", flush=True)
        for name in modules:
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(name)
        gc.collect()
        gc.freeze()  # what all processes share is not written to
        connection = next_connection(listener)
    start = begin(connection)
    program = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(start.code, vars(program))


def next_connection(listener: socket.socket) -> socket.socket:
    """Returns in a process of its own for each connection; what asked for the server ends it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for these processes
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return connection
        connection.close()


def begin(connection: socket.socket) -> Start:
    """Returns in the process that was asked for; the one that calls this stays, to say how that has ended."""
    with connection:
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        with connection.makefile(encoding="utf-8") as lines:
            start = Start(*json.loads(lines.readline()))
        if child := os.fork():
            for stream in streams:
                os.close(stream)
            tell_the_end(child, connection)
    become(start, streams)
    return start


def tell_the_end(child: int, connection: socket.socket) -> None:
    """Wait for the process; kill it if whoever asked for it is killed."""
    ready, _, _ = select.select([os.pidfd_open(child), connection.fileno()], [], [])
    if connection.fileno() in ready:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def become(start: Start, streams: list[int]) -> None:
    """Be as if this process had been started anew, but for what is imported."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(start.folder)
    os.environ.clear()
    os.environ.update(start.environment)
    time.tzset()
    sys.argv, sys.path[0] = ["-c"], ""
    sys.dont_write_bytecode = not start.bytecode
    tempfile.tempdir = None
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    dspy = sys.modules.get("dspy")
    if dspy and "cache" in vars(dspy):  # by old releases it is made when they are imported
        dspy.configure_cache(disk_cache_dir=start.environment["DSPY_CACHEDIR"])


if __name__ == "__main__":
    main(*sys.argv[1:])
