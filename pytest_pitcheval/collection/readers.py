"""Files of rows: JSON Lines, JSON, CSV and Parquet, each row with the line it stands on."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.errors import MarkerError

_GZIP = b"\x1f\x8b"
_LONGEST_CELL = 2**31 - 1
"""The largest limit that the csv module takes on all systems, in characters."""
_JSON_ROWS = "expected a JSON array of examples, an object with one such array in it, or one object a line"


def read_file(path: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a file, each with its place, ``path:line``.

    Raises:
        MarkerError: one line with file, line and, where it is known, column, or what kinds of files are read.
    """
    suffix = (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()
    reader = _READERS.get(suffix)
    if reader is None:
        raise MarkerError(f"{relative(path)}: expected a file that ends in {', '.join(_READERS)}")
    if path.is_dir():
        raise MarkerError(f"{relative(path)}: expected a file, not a folder")
    if not path.is_file():
        raise MarkerError(f"{relative(path)}: no such file (a dataset's path is relative to its test file)")
    try:
        for line, item in reader(path):
            yield f"{relative(path)}:{line}", item
    except OSError as error:
        raise MarkerError(f"{relative(path)}: {error.strerror or error}") from None


def relative(path: Path) -> str:
    """``path`` as it is seen from where pytest runs."""
    try:
        return os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    try:
        return _unpacked(path, content) if content.startswith(_GZIP) else content
    except (EOFError, zlib.error) as error:
        raise MarkerError(f"{relative(path)}: not gzip: {error}") from None


def _unpacked(path: Path, content: bytes) -> bytes:
    unpacked = gzip.GzipFile(fileobj=io.BytesIO(content)).read(files.LARGEST + 1)
    if len(unpacked) > files.LARGEST:
        raise MarkerError(f"{relative(path)}: unpacked larger than {files.LARGEST >> 20} MiB")
    return unpacked


def _text(path: Path) -> str:
    try:
        return files.decoded(_content(path))
    except UnicodeDecodeError as error:
        *before, last = error.object[: error.start].decode(error.encoding, "replace").split("\n")
        place = f"{relative(path)}:{len(before) + 1}:{len(last) + 1}"
        raise MarkerError(f"{place}: not {error.encoding.upper()} text: {error.reason}") from None


def _read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    text = _text(path)
    if text.lstrip().startswith("["):  # a JSON array, whatever its file is called
        return _items(text, path)
    return _lines(text, path)


def _lines(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        if line.strip():
            # Without its end, so that an unfinished one is not an error on the next line.
            yield number, _decode(line.rstrip(), path, number, "; expected one object a line")


def _decode(text: str, path: Path, first_line: int = 1, expected: str = "") -> Any:
    try:
        return _DECODER.decode(text)
    except _Twice as error:
        place = relative(path) if "\n" in text else f"{relative(path)}:{first_line}"
        raise MarkerError(f"{place}: the field {error.name!r} stands there twice in one object") from None
    except (ValueError, RecursionError) as error:
        place = f"{relative(path)}:{first_line + getattr(error, 'lineno', 1) - 1}"
        if isinstance(error, json.JSONDecodeError):
            place += f":{error.colno}"
        raise MarkerError(f"{place}: not JSON: {getattr(error, 'msg', error)}{expected}") from None


class _Twice(Exception):
    """A JSON object has two fields of one name, of which json would silently leave out the first."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return fields


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def _read_json(path: Path) -> Iterator[tuple[int, Any]]:
    text = _text(path)
    if _is_json_lines(text):
        return _lines(text, path)
    return _items(text, path)


def _is_json_lines(text: str) -> bool:
    """Whether the first of several lines is an object by itself."""
    first, _, rest = text.lstrip().partition("\n")
    with contextlib.suppress(ValueError, RecursionError):
        return bool(rest.strip()) and isinstance(json.loads(first), dict)
    return False


_BETWEEN_ITEMS = re.compile(r"[ \t\r\n,]*")


def _items(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    """The items of the one array in a JSON text."""
    decoder, position = json.JSONDecoder(), _start(text, _decode(text, path), path) + 1
    line = text.count("\n", 0, position) + 1
    while True:  # item by item, because only that tells where each one stands
        start = _skip(text, position)
        if text[start] == "]":
            return
        line += text.count("\n", position, start)
        item, position = decoder.raw_decode(text, start)
        yield line, item
        line += text.count("\n", start, position)


def _start(text: str, value: Any, path: Path) -> int:
    """Where the array of rows begins: the text itself, or the one list of objects that an object has."""
    if isinstance(value, list):
        return text.index("[")
    names = [name for name, rows in value.items() if _is_rows(rows)] if isinstance(value, dict) else []
    if len(names) != 1:
        raise MarkerError(f"{relative(path)}:1: {_JSON_ROWS}")
    decoder, position = json.JSONDecoder(), _skip(text, text.index("{") + 1)
    while True:
        name, position = decoder.raw_decode(text, position)
        position = _skip(text, text.index(":", position) + 1)
        _, end = decoder.raw_decode(text, position)
        if name == names[0] and text[position] == "[":
            return position
        position = _skip(text, end)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _skip(text: str, position: int) -> int:
    return _BETWEEN_ITEMS.match(text, position).end()  # type: ignore[union-attr]  # it matches nothing, too


def _read_csv(path: Path) -> Iterator[tuple[int, Any]]:
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield from list(_csv_rows(path))
    finally:
        csv.field_size_limit(before)


def _csv_rows(path: Path) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True)
    lines = reader.reader  # whose line_num, other than the DictReader's own, counts blank lines and broken ones
    try:
        names = list(reader.fieldnames or ())
        if twice := [name for name in names if names.count(name) > 1]:
            raise MarkerError(f"{relative(path)}:{lines.line_num}: the column {twice[0]!r} stands there twice")
        for row in reader:
            if None in row or None in row.values():
                found = len(names) + len(row.get(None, ())) - list(row.values()).count(None)
                raise MarkerError(f"{relative(path)}:{lines.line_num}: expected {len(names)} columns, not {found}")
            yield lines.line_num, row
    except csv.Error as error:
        raise MarkerError(f"{relative(path)}:{lines.line_num}: not CSV: {error}") from None


def _read_parquet(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MarkerError(
            f"{relative(path)}: reading Parquet needs pyarrow: python -m pip install 'pytest-pitcheval[parquet]'"
        ) from None
    try:
        rows = parquet.read_table(path).to_pylist()
    except ArrowException as error:
        reason = str(error).splitlines()[0]
        raise MarkerError(f"{relative(path)}: not Parquet: {reason}") from None
    yield from enumerate(rows, 1)


_READERS: dict[str, Callable[[Path], Iterator[tuple[int, Any]]]] = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
