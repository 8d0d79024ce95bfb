"""Datasets into rows: files, lists and callables, with IDs, checks and seeded sampling."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from pytest_pitcheval.collection.readers import read_file, relative
from pytest_pitcheval.errors import MarkerError, one_line

T = TypeVar("T")
Place = str
"""Where a row stands, as ``path:line`` or ``dataset[position]``."""
_OF_DSPY = frozenset({"dspy_uuid", "dspy_split"})
"""What ``dspy.datasets.Dataset`` puts into examples: random, and no field of the user's."""


class Given(NamedTuple):
    """What a row of a judge's exam has beside its inputs.

    Attributes:
        answer: the fields of the prediction.
        label: the column of people's labels, which the metric does not get to see.
        people: the label of each of them.
        grades: those that the whole dataset has, and ``dataset`` digits that change with any of its rows.
        models: the names of models that labelled, in the whole dataset.
        labelled: which answer of which run it is, as far as the row says: `Labelled.answer`.
        columns: of each field of the answer, the column that it stands in.
    """

    answer: Mapping[str, Any]
    label: str
    people: tuple[float, ...]
    grades: tuple[float, ...]
    dataset: str
    models: tuple[str, ...] = ()
    labelled: Mapping[str, Any] = MappingProxyType({})
    columns: Mapping[str, str] = MappingProxyType({})


@dataclasses.dataclass(frozen=True)
class Row:
    """One example before it is a ``dspy.Example``.

    Attributes:
        id: its test ID: the row's ``id``, else its position from 0.
        values: its fields; of an example those that the user gave it.
        inputs: the names of the input fields.
        source: the ``dspy.Example`` it came from, or None.
        place: where it stands.
        folder: what paths in it are relative to: that of its file, or of the test's.
        given: of a judge's exam, the answer and what people said of it; else None.
    """

    id: str
    values: Mapping[str, Any]
    inputs: tuple[str, ...]
    source: Any = None
    place: Place = ""
    folder: Path = Path()
    given: Given | None = None

    @property
    def all_values(self) -> dict[str, Any]:
        """Its fields, and those of the answer that a judge's exam gives."""
        return {**self.values, **(self.given.answer if self.given else {})}

    @property
    def labels(self) -> dict[str, Any]:
        """The fields that are neither inputs nor the ID."""
        return {name: value for name, value in self.values.items() if name not in self.inputs and name != "id"}


def load_rows(
    dataset: object,
    inputs: tuple[str, ...],
    folder: Path,
    joined: Callable[[list[tuple[Place, Any]]], list[tuple[Place, Any]]] = lambda found: found,
) -> list[Row]:
    """The rows of ``dataset``: a path relative to ``folder``, a sequence of examples, or a callable.

    ``joined`` is given what the dataset has, and makes one of those that are one row.

    Raises:
        MarkerError: one line with file and line number: no such file, a malformed line, no examples, a missing
            input field, or an ID that stands twice.
    """
    if isinstance(dataset, (str, os.PathLike)):
        path = folder / dataset
        folder, name, found = path.parent, relative(path), list(read_file(path))
    else:
        name, found = "dataset", list(_read_sequence(dataset))
    if not found and isinstance(dataset, Iterator):
        raise MarkerError(f"{name}: no examples left in it: an iterator has them once; expected a list or a callable")
    if not found:
        raise MarkerError(f"{name}: no examples in it")
    return list(_rows(joined(found), inputs, folder))


def _rows(found: Iterable[tuple[Place, Any]], inputs: tuple[str, ...], folder: Path) -> Iterator[Row]:
    places: dict[str, Place] = {}
    for position, (place, item) in enumerate(found):
        values, source = _fields(item, place)
        wanted = inputs or _own_inputs(source, place)
        if missing := [field for field in wanted if field not in values]:
            raise MarkerError(
                f"{place}: no field {missing[0]!r}, which the evaluation marker names in inputs; "
                f"its fields are {one_line(', '.join(map(repr, values)))}"
            )
        row_id = _id(values.get("id"), position)
        if row_id in places:
            raise MarkerError(f"{place}: the id {row_id!r} stands at {places[row_id]} already")
        places[row_id] = place
        yield Row(row_id, values, wanted, source, place, folder)


def _fields(item: Any, place: Place) -> tuple[Mapping[str, Any], Any]:
    if isinstance(item, Mapping):
        return item, None
    if callable(convert := getattr(item, "toDict", None)):
        try:
            fields = convert()
        except Exception as error:
            raise MarkerError(f"{place}: its toDict() raised {one_line(error)}") from None
        return {name: value for name, value in fields.items() if name not in _OF_DSPY}, item
    raise MarkerError(f"{place}: {type(item).__name__} found; expected an object with the example's fields")


def _id(own: Any, position: int) -> str:
    return str(position if own is None or (isinstance(own, str) and not own) else own)


def _own_inputs(source: Any, place: Place) -> tuple[str, ...]:
    try:
        return tuple(source.inputs().keys())
    except (AttributeError, ValueError):
        raise MarkerError(f"{place}: the evaluation marker has no inputs=[...], nor has the example") from None


def _read_sequence(dataset: object) -> Iterator[tuple[Place, Any]]:
    try:
        examples = dataset() if callable(dataset) else dataset
        if isinstance(examples, (set, frozenset)):
            raise MarkerError(
                "evaluation marker: dataset is a set, which has another order in each process; expected a list"
            )
        if isinstance(examples, Iterable) and not isinstance(examples, Mapping):
            yield from ((f"dataset[{position}]", item) for position, item in enumerate(examples))
            return
    except MarkerError:
        raise
    except Exception as error:
        name = getattr(dataset, "__qualname__", repr(dataset))
        raise MarkerError(f"evaluation marker: dataset={name}: it raised {one_line(error)}") from error
    raise MarkerError(
        f"evaluation marker: dataset={one_line(repr(dataset))}: expected a path, a list of dspy.Example or a callable"
    )


def sample(items: Sequence[T], size: int | None, seed: int) -> list[T]:
    """``size`` of ``items``, drawn with ``seed`` and in their order; all of them where there are no more."""
    if size is None or size >= len(items):
        return list(items)
    chosen = sorted(random.Random(seed).sample(range(len(items)), size))
    return [items[index] for index in chosen]


def places_of(rows: Sequence[Row]) -> dict[str, list[str]]:
    """By digits of a row's inputs, the IDs under which they stand; nothing of a file's rows: it has one order."""
    found: dict[str, list[str]] = {}
    if rows and not str(rows[0].place).startswith("dataset["):
        return found
    for row in rows:
        texts = [f"{name}={_text(row.values[name])}" for name in row.inputs]
        digits = hashlib.sha256(repr(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        found.setdefault(digits, []).append(row.id)
    return found


def moved(places: Iterable[Mapping[str, Mapping[str, list[str]]]]) -> str | None:
    """The first test of which two processes have a row under different IDs, by `places_of` for each test of each."""
    before: dict[tuple[str, str], list[str]] = {}
    for of_process in places:
        for test, rows in of_process.items():
            if any(before.setdefault((test, digits), ids) != ids for digits, ids in rows.items()):
                return test
    return None


def _text(value: Any) -> str:
    """What is the same in each process that reads the same: of an object, its type."""
    try:
        return json.dumps(value, sort_keys=True, default=lambda one: type(one).__qualname__)
    except (TypeError, ValueError, RecursionError):
        return type(value).__qualname__
