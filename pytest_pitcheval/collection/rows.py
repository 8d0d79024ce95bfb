"""Datasets into rows: files, lists and callables, with IDs, checks and seeded sampling."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pytest_pitcheval.errors import MarkerError, one_line

T = TypeVar("T")
Place = str
"""Where a row stands, as ``path:line`` or ``dataset[position]``."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One example before it is a ``dspy.Example``.

    Attributes:
        id: its test ID: the row's ``id``, else its position from 0.
        values: its fields.
        inputs: the names of the input fields.
        source: the ``dspy.Example`` it came from, or None.
    """

    id: str
    values: Mapping[str, Any]
    inputs: tuple[str, ...]
    source: Any = None


def load_rows(dataset: object, inputs: tuple[str, ...], folder: Path) -> list[Row]:
    """The rows of ``dataset``: a path relative to ``folder``, a sequence of examples, or a callable.

    Raises:
        MarkerError: one line with file and line number: no such file, a malformed line, no examples, a missing
            input field, or an ID that stands twice.
    """
    if isinstance(dataset, (str, os.PathLike)):
        path = folder / dataset
        name, found = _relative(path), list(_read_file(path))
    else:
        name, found = "dataset", list(_read_sequence(dataset))
    if not found:
        raise MarkerError(f"{name}: no examples in it")
    return list(_rows(found, inputs, name))


def _relative(path: Path) -> str:
    try:
        return os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)


def _rows(found: Iterable[tuple[Place, Any]], inputs: tuple[str, ...], name: str) -> Iterator[Row]:
    places: dict[str, Place] = {}
    for position, (place, item) in enumerate(found):
        values, source = _fields(item, place)
        wanted = inputs or _own_inputs(source, place)
        if missing := [field for field in wanted if field not in values]:
            raise MarkerError(f"{place}: no field {missing[0]!r}, which the evaluation marker names in inputs")
        row_id = str(position if values.get("id") in (None, "") else values["id"])
        if row_id in places:
            raise MarkerError(f"{place}: the id {row_id!r} stands at {places[row_id]} already")
        places[row_id] = place
        yield Row(row_id, values, wanted, source)


def _fields(item: Any, place: Place) -> tuple[Mapping[str, Any], Any]:
    if isinstance(item, Mapping):
        return item, None
    if callable(convert := getattr(item, "toDict", None)):
        return convert(), item
    raise MarkerError(f"{place}: {type(item).__name__} found; expected an object with the example's fields")


def _own_inputs(source: Any, place: Place) -> tuple[str, ...]:
    try:
        return tuple(source.inputs().keys())
    except (AttributeError, ValueError):
        raise MarkerError(f"{place}: the evaluation marker has no inputs=[...], nor has the example") from None


def _read_sequence(dataset: object) -> Iterator[tuple[Place, Any]]:
    try:
        examples = dataset() if callable(dataset) else dataset
        if isinstance(examples, Iterable) and not isinstance(examples, Mapping):
            yield from ((f"dataset[{position}]", item) for position, item in enumerate(examples))
            return
    except Exception as error:
        name = getattr(dataset, "__qualname__", repr(dataset))
        raise MarkerError(f"evaluation marker: dataset={name}: it raised {one_line(error)}") from error
    raise MarkerError(f"evaluation marker: dataset={dataset!r}: expected a path, a list of dspy.Example or a callable")


def _read_file(path: Path) -> Iterator[tuple[Place, Any]]:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise MarkerError(f"{_relative(path)}: expected a file that ends in {', '.join(_READERS)}")
    if not path.is_file():
        raise MarkerError(f"{_relative(path)}: no such file (a dataset's path is relative to its test file)")
    try:
        for line, item in reader(path):
            yield f"{_relative(path)}:{line}", item
    except OSError as error:
        raise MarkerError(f"{_relative(path)}: {error.strerror or error}") from None


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MarkerError(f"{_relative(path)}:{line}: not UTF-8 text: {error.reason}") from None


def _read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(io.StringIO(_text(path), newline=None), 1):
        if line.strip():
            yield number, _decode(line.rstrip(), path, number)  # else an unfinished one is an error on the next line


def _decode(text: str, path: Path, first_line: int = 1) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line = first_line + getattr(error, "lineno", 1) - 1
        raise MarkerError(f"{_relative(path)}:{line}: not JSON: {getattr(error, 'msg', error)}") from None


_BETWEEN_ITEMS = re.compile(r"[ \t\r\n,]*")


def _read_json(path: Path) -> Iterator[tuple[int, Any]]:
    text = _text(path)
    if not isinstance(_decode(text, path), list):
        raise MarkerError(f"{_relative(path)}:1: expected a JSON array of examples")
    decoder, position = json.JSONDecoder(), text.index("[") + 1
    line = text.count("\n", 0, position) + 1
    while True:  # item by item, because only that tells where each one stands
        start = _BETWEEN_ITEMS.match(text, position).end()  # type: ignore[union-attr]  # it matches nothing, too
        if text[start] == "]":
            return
        line += text.count("\n", position, start)
        item, position = decoder.raw_decode(text, start)
        yield line, item
        line += text.count("\n", start, position)


def _read_csv(path: Path) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True)
    lines = reader.reader  # whose line_num, other than the DictReader's own, counts blank lines and broken ones
    try:
        for row in reader:
            if None in row or None in row.values():
                raise MarkerError(
                    f"{_relative(path)}:{lines.line_num}: expected {len(reader.fieldnames or ())} columns"
                )
            yield lines.line_num, row
    except csv.Error as error:
        raise MarkerError(f"{_relative(path)}:{lines.line_num}: not CSV: {error}") from None


def _read_parquet(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MarkerError(
            f"{_relative(path)}: reading Parquet needs pyarrow: python -m pip install 'pytest-pitcheval[parquet]'"
        ) from None
    try:
        rows = parquet.read_table(path).to_pylist()
    except ArrowException as error:
        reason = str(error).splitlines()[0]
        raise MarkerError(f"{_relative(path)}: not Parquet: {reason}") from None
    yield from enumerate(rows, 1)


_READERS: dict[str, Callable[[Path], Iterator[tuple[int, Any]]]] = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}


def sample(items: Sequence[T], size: int | None, seed: int) -> list[T]:
    """``size`` of ``items``, drawn with ``seed`` and in their order; all of them where there are no more."""
    if size is None or size >= len(items):
        return list(items)
    chosen = sorted(random.Random(seed).sample(range(len(items)), size))
    return [items[index] for index in chosen]
