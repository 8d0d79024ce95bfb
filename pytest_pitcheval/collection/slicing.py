"""``--eval-slice``: the examples of one slice are run, those of others deselected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.errors import MarkerError, PitchevalError, one_line
from pytest_pitcheval.ownership import is_ours, params_of
from pytest_pitcheval.results.formats import some
from pytest_pitcheval.results.plain import plain
from pytest_pitcheval.results.records import label_text


def left_out(items: Sequence[pytest.Item], wanted: tuple[str, str]) -> list[pytest.Item]:
    """The evaluation tests among ``items`` that are not of the slice with this label and value.

    A wrong marker still fails its test.

    Raises:
        PitchevalError: no example has that label, or that value of it; one line.
    """
    label, value = wanted
    ours = {item: params_of(item).get("example") for item in items if is_ours(item)}
    rows = [row for row in ours.values() if isinstance(row, Row)]
    if rows and value not in (values := _values(rows, label)):
        raise PitchevalError(f"--eval-slice: {f'{label}={value}'!r}: {_expected(rows, label, values)}")
    kept = {item for item, row in ours.items() if isinstance(row, MarkerError) or _value(row, label) == value}
    return [item for item in ours if item not in kept]


def _values(rows: Iterable[Row], label: str) -> list[str]:
    found = dict.fromkeys(_value(row, label) for row in rows)
    return [value for value in found if value is not None]


def _value(row: object, label: str) -> str | None:
    return label_text(plain(row.labels.get(label))) if isinstance(row, Row) else None


def _expected(rows: Iterable[Row], label: str, values: Sequence[str]) -> str:
    if values:
        return f"no example has that value; expected {one_line(some(list(map(repr, values))))}"
    labels = dict.fromkeys(name for row in rows for name in row.labels if _value(row, name) is not None)
    there = f"expected {one_line(some(list(map(repr, labels))))}" if labels else "the rows have inputs alone"
    return f"no example has the label {label!r}; {there}"
