"""Files of labels, a row of JSON a line: read, added to by several people at once, and what was added taken back."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.exams.labels import Labelled, labelled
from pytest_pitcheval.results.printable import INVISIBLE

_EXPECTED = "expected a row of labels, an object"


class LabelRow(NamedTuple):
    """One line.

    Attributes:
        values: its columns.
        labelled: who labelled it, and which answer it is; None where it does not say, as of a row written by hand.
    """

    values: Mapping[str, Any]
    labelled: Labelled | None


def read(path: Path) -> list[LabelRow]:
    """The rows of the file ``path``; none where it is not there.

    Raises:
        PitchevalError: one line: it cannot be read, or which line is no row.
    """
    if not os.path.lexists(path):
        return []
    lines = files.read_text(path).split("\n")
    return [
        _row(line, f"{path}:{number}", number == len(lines)) for number, line in enumerate(lines, 1) if line.strip()
    ]


def _row(line: str, name: str, is_last: bool) -> LabelRow:
    """One without a line feed behind it is the last, and may have been cut off."""
    try:
        values = files.parse_json(line, name)
    except PitchevalError as error:
        raise PitchevalError(
            f"{name}: cut off in the middle: expected a whole row" if is_last else str(error)
        ) from None
    if not isinstance(values, dict):
        raise files.complaint(name, f"{_EXPECTED}, not a {type(values).__name__}")
    return LabelRow(values, labelled(values, name))


def line_of(row: Mapping[str, Any]) -> str:
    """A row as it stands in a file, without the line feed; what cannot be seen, or ends a line for some, is escaped."""
    text = json.dumps(row, ensure_ascii=False, allow_nan=False)
    return INVISIBLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def prepare(path: Path) -> None:
    """See that the file can be written to; it stays as it is, and away where it was not there."""
    is_new = not os.path.lexists(path)
    with _opened(path) as file:
        if is_new and not os.fstat(file).st_size:
            os.unlink(path)


def append(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row at the end, whole or not at all, whoever else is doing so; OSErrors are the caller's to tell."""
    with _opened(path) as file:
        end = os.lseek(file, 0, os.SEEK_END)
        separator = "" if end == 0 or os.pread(file, 1, end - 1) == b"\n" else "\n"
        content = f"{separator}{line_of(row)}\n".encode()
        written = os.write(file, content)
        if written < len(content):  # the disk is full
            os.ftruncate(file, end)
            raise OSError(f"only {written} of {len(content)} bytes could be written")
        os.fsync(file)


def take_back(path: Path, row: Mapping[str, Any]) -> None:
    """Take out the last line that is ``row``, and leave all others as they are."""
    with _opened(path) as file:
        mark = "\ufeff" if _begins_with(file, codecs.BOM_UTF8) else ""
        before, line, after = files.read_text(path).rpartition(f"{line_of(row)}\n")
        if line:
            files.write_output(path, mark + before + after)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The file, made if need be, while no other process of ours writes to it.

    Raises:
        PitchevalError: it is UTF-16, to which no row in UTF-8 can be added.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            _lock(file)
            if not _is_at(file, path):  # whoever had the lock has put another file there
                continue
            if _begins_with(file, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                raise files.complaint(str(path), "UTF-16; expected UTF-8, as rows are added to it")
            yield file
            return
        finally:
            os.close(file)


def _begins_with(file: int, *marks: bytes) -> bool:
    return os.pread(file, max(map(len, marks)), 0).startswith(marks)


def _lock(file: int) -> None:
    import fcntl

    with contextlib.suppress(OSError):  # a file system without locks: appending is whole all the same
        fcntl.flock(file, fcntl.LOCK_EX)


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False
