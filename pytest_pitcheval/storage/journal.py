"""The journal: each record on disk as soon as the controller has it, so that a kill loses none."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
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
        self._file: IO[str] | None = None
        self.is_empty = True
        self.problem: str | None = None
        """Why it could not be written, if it could not."""

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

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record (plain values). What cannot be written is a `problem`, not an exception: tests go on."""
        self.begin()
        if self.problem is None:
            with self._noting():
                self._write(record)
                self.is_empty = False

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.problem = self.problem or f"the journal could not be written: {error}"

    def _open(self) -> None:
        files.make_directory(self._directory)
        self.path.parent.mkdir(exist_ok=True)
        try:
            self._file = self.path.open("x", encoding="utf-8")
        except FileExistsError:
            raise PitchevalError(f"{self.path}: another session has begun in the same microsecond") from None
        self._write({"schema_version": SCHEMA_VERSION, "run": self._run})

    def _write(self, value: Mapping[str, Any]) -> None:
        """To the operating system: that survives the end of the process."""
        assert self._file is not None
        self._file.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()

    def close(self, remove: bool) -> None:
        """``remove`` it, once the run file has all of it."""
        if self._file is None:
            return
        with self._noting():
            self._file.close()  # which writes what a full disk did not take
        self._file = None
        if remove:
            with self._noting():
                self.path.unlink(missing_ok=True)
