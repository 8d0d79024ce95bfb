"""Sums that several processes add to: each has a place of its own in one file, and reads those of all."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from pathlib import Path
from typing import NamedTuple

_PLACE = struct.Struct("<5d")


class Spent(NamedTuple):
    """What LM calls took.

    Attributes:
        cost: US dollars, as far as prices are known.
        tokens: of prompts and answers.
        cost_beside, tokens_beside: the part of both that belongs to no rollout: compiling, fixtures of a session.
        refused: how many calls were not sent, as all had been spent.
    """

    cost: float = 0.0
    tokens: float = 0.0
    cost_beside: float = 0.0
    tokens_beside: float = 0.0
    refused: float = 0.0

    def plus(self, other: Spent) -> Spent:
        return Spent(*(one + two for one, two in zip(self, other, strict=True)))


NOTHING = Spent()


class Ledger:
    """The sums of a session; thread-safe.

    Every process writes to its own place only, so nobody waits for a lock: adding and reading take microseconds. What
    a process that was killed has added stays there.

    ``path`` is the file that the processes share, and ``writes`` says whether this one adds to it. Else what it adds is
    known to itself alone, beside what the file has, if there is one.
    """

    def __init__(self, path: Path, writes: bool) -> None:
        self._path = path
        self._writes = writes
        self._mutex = threading.Lock()
        self._file: int | None = None
        self._place = 0
        self._pid = os.getpid()
        self.own = self._told = NOTHING
        """What this process has added, and how much of it the others can read."""

    def add(self, spent: Spent) -> None:
        """Add ``spent`` to the sums.

        Raises:
            OSError: the others cannot be told: a full disk, say.
        """
        with self._mutex:
            if self._writes and self._pid != os.getpid():  # it was forked: its parent goes on in the place of both
                self._pid, self._file = os.getpid(), None
                self.own = self._told = NOTHING
            self.own = self.own.plus(spent)
            if self._writes:
                if self._file is None:
                    self._open()
                assert self._file is not None
                os.pwrite(self._file, _PLACE.pack(*self.own), self._place)
                self._told = self.own

    @property
    def untold(self) -> Spent:
        """What this process has added and the others cannot read."""
        with self._mutex:
            return Spent(*(own - told for own, told in zip(self.own, self._told, strict=True)))

    def total(self) -> Spent:
        """The sums over all processes.

        Raises:
            OSError: they cannot be read.
        """
        with contextlib.suppress(FileNotFoundError):
            data = self._path.read_bytes()
            whole = data[: len(data) // _PLACE.size * _PLACE.size]
            if whole:
                return Spent(*map(sum, zip(*_PLACE.iter_unpack(whole), strict=True))).plus(self.untold)
        return self.own

    def _open(self) -> None:
        """Take the next free place: a write that appends is one that no other process comes between."""
        appending = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(appending, _PLACE.pack(*NOTHING))
            self._place = os.lseek(appending, 0, os.SEEK_CUR) - _PLACE.size
        finally:
            os.close(appending)
        self._file = os.open(self._path, os.O_WRONLY)
