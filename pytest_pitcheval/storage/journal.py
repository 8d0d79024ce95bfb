"""The journal: each record on disk as soon as the controller has it, so that a kill loses none.

What a session's records have of texts is kept nowhere else, and read back from it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.storage.run_files import JOURNAL, SCHEMA_VERSION, folder


class Journal:
    """The journal of one session: there before its first LM call, so that what is paid for can be resumed."""

    def __init__(self, directory: Path, run_id: str, timestamp: str) -> None:
        self._directory = directory
        self._run = {"id": run_id, "timestamp": timestamp}
        self._file: IO[bytes] | None = None
        self._reader: IO[bytes] | None = None
        self._end = 0
        self.is_empty = True
        self.problem: str | None = None
        """Why it could not be written or read, if it could not."""
        self.is_lost = False
        """Whether texts that were in it could not be read back."""

    @property
    def path(self) -> Path:
        """Where it is."""
        return folder(self._directory) / f"{self._run['id']}{JOURNAL}"

    def begin(self) -> None:
        """Make its file, if it is not there yet.

        Raises:
            PitchevalError: another session has the same ID.
        """
        if self._file is None and self.problem is None:
            with self._noting():
                self._open()

    def append(self, record: Mapping[str, Any]) -> int | None:
        """Add a record (plain values); returns its place.

        None where it cannot be written, which is a `problem`, not an exception: tests go on.
        """
        self.begin()
        if self.problem is not None:
            return None
        with self._noting():
            place = self._write(record)
            self.is_empty = False
            return place
        return None

    def read(self, place: int) -> Mapping[str, Any] | None:
        """The record at ``place``, until the journal is closed; None where it cannot be read, which is a `problem`."""
        with self._noting("read"):
            if self._reader is None:
                self._reader = self.path.open("rb")
            self._reader.seek(place)
            record: Mapping[str, Any] = json.loads(self._reader.readline())
            return record
        return None

    def rewrite(self, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> dict[int, int]:
        """Let each record be as ``change`` gives it; returns the new place of each by its old one."""
        moved: dict[int, int] = {}
        if self._file is None or self.problem is not None:
            return moved
        with self._noting():
            files.write_atomically(self.path, self._changed(change, moved))
            self._close_files()
            self._file = self.path.open("ab")
            self._end = self.path.stat().st_size
            return moved
        return {}

    def _changed(
        self, change: Callable[[Mapping[str, Any]], Mapping[str, Any]], moved: dict[int, int]
    ) -> Iterator[str]:
        with self.path.open("rb") as file:
            head = file.readline()
            yield head.decode("utf-8")
            old = new = len(head)
            for line in file:
                changed = _line(change(json.loads(line)))
                moved[old] = new
                old, new = old + len(line), new + len(changed)
                yield changed.decode("utf-8")

    @contextlib.contextmanager
    def _noting(self, what: str = "written") -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            self.problem = self.problem or f"the journal could not be {what}: {error}"
            self.is_lost = self.is_lost or what == "read"

    def _open(self) -> None:
        files.make_directory(self._directory)
        self.path.parent.mkdir(exist_ok=True)
        try:
            self._file = self.path.open("xb")
        except FileExistsError:
            raise PitchevalError(f"{self.path}: another session has begun in the same microsecond") from None
        self._write({"schema_version": SCHEMA_VERSION, "run": self._run})

    def _write(self, value: Mapping[str, Any]) -> int:
        """To the operating system: that survives the end of the process."""
        assert self._file is not None
        line = _line(value)
        self._file.write(line)
        self._file.flush()
        self._end += len(line)
        return self._end - len(line)

    def close(self, remove: bool) -> None:
        """``remove`` it, once the run file has all of it."""
        if self._file is None:
            return
        self._close_files()
        if remove:
            with self._noting():
                self.path.unlink(missing_ok=True)

    def _close_files(self) -> None:
        for file in filter(None, (self._reader, self._file)):
            with self._noting():
                file.close()  # which writes what a full disk did not take
        self._reader = self._file = None


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"
