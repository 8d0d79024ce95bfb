"""Outputs that users name and that are no regular files, such as pipes and devices: written to, not replaced."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import selectors
import sys
import time
from pathlib import Path

PATIENCE = 10.0
"""Seconds that a named pipe's reader may take to come, and then to take each part."""

_POLL = 0.05
_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")


def is_special(path: Path) -> bool:
    """Whether ``path`` is there and is no regular file, or is one of this process's open files."""
    return descriptor(path) is not None or (os.path.exists(path) and not os.path.isfile(path))


def descriptor(path: Path) -> int | None:
    """The open file of this process that ``path`` stands for, as ``/dev/stdout`` does for 1; None for other paths."""
    text = os.path.abspath(path)
    if text in _STREAMS:
        return _STREAMS[text]
    named = _DESCRIPTOR.fullmatch(text)
    return int(named[1]) if named else None


def write(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to what `is_special`.

    Raises:
        OSError: it cannot be written, or nobody reads the pipe for `PATIENCE` seconds.
    """
    number = descriptor(path)
    if number is not None:
        _write_to_open_file(number, text)
    elif Path(path).is_fifo():
        _write_to_pipe(path, text.encode("utf-8"))
    else:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def _write_to_open_file(number: int, text: str) -> None:
    """After what was written before: opened anew, a file that a shell made would be written over from its start."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError):  # it is closed
            stream.flush()
    with os.fdopen(os.dup(number), "w", encoding="utf-8") as file:
        file.write(text)


def _write_to_pipe(path: Path, data: bytes) -> None:
    # not select.select, which knows files up to number 1,023 only
    with os.fdopen(_open_pipe(path), "wb", buffering=0) as pipe, selectors.DefaultSelector() as readers:
        rest = memoryview(data)
        readers.register(pipe, selectors.EVENT_WRITE)
        while rest:
            if not readers.select(PATIENCE):
                raise TimeoutError(errno.ETIMEDOUT, f"nobody reads it for {PATIENCE:g} s", str(path))
            rest = rest[pipe.write(rest) or 0 :]


def _open_pipe(path: Path) -> int:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, f"nobody opens it for {PATIENCE:g} s", str(path)) from None
        time.sleep(_POLL)
