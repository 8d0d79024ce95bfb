"""What an ``evaluation`` marker asks of all its examples: limits by metric, slices, examples that must pass."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.errors import MarkerError, one_line
from pytest_pitcheval.names import AGGREGATES, BY_METRIC, CORRECTED, GATES, MAX_MEAN, MIN_AGGREGATE, MIN_MEAN, SCORE
from pytest_pitcheval.options.extras import missing_package
from pytest_pitcheval.results.collected import Requirements
from pytest_pitcheval.results.formats import some
from pytest_pitcheval.results.plain import plain
from pytest_pitcheval.results.subjects import is_true, values_of

MOST_SLICES = 100
"""More values of a label are no slices, but texts or numbers of single rows."""

Gates = dict[str, dict[str, float]]
"""Limits by gate and metric."""


def read_gates(arguments: Mapping[str, object], argument: str = "") -> Gates:
    """The limits among ``arguments``; a MarkerError names the wrong one, or the ``argument`` that they are part of."""
    found = {}
    for gate in GATES:
        value = arguments.get(gate)
        if value is not None:
            where = argument or f"{gate}={value!r}"
            if isinstance(value, Mapping) and CORRECTED in value and (argument or gate not in (MIN_MEAN, MAX_MEAN)):
                expected = f"expected {CORRECTED!r} in min_mean and max_mean of all examples alone"
                raise MarkerError(f"evaluation marker: {where}: {expected}")
            found[gate] = _limits(gate, value, where)
    return found


def _limits(gate: str, value: object, where: str) -> dict[str, float]:
    if gate == MIN_AGGREGATE:
        return _limits_of_aggregates(value, where)
    expected = "a number, 0 or more" + (", or a mapping of metrics to numbers" if gate in BY_METRIC else "")
    limits: Mapping[Any, Any] = value if isinstance(value, Mapping) and gate in BY_METRIC else {SCORE: value}
    if not limits or not all(_is_limit(gate, metric, limit) for metric, limit in limits.items()):
        raise MarkerError(f"evaluation marker: {where}: expected {expected}")
    return {str(metric): float(limit) for metric, limit in limits.items()}


def _limits_of_aggregates(value: object, where: str) -> dict[str, float]:
    """They may be below 0, as a correlation is. What packages a built-in one needs must be there."""
    limits: Mapping[Any, Any] = value if isinstance(value, Mapping) else {}
    if not limits or SCORE in limits or not all(_is_limit(MIN_MEAN, name, limit) for name, limit in limits.items()):
        expected = f"a mapping of metrics of the whole set to numbers, such as {{{AGGREGATES[1]!r}: 0.8}}"
        raise MarkerError(f"evaluation marker: {where}: expected {expected}")
    for missing in filter(None, map(missing_package, limits)):
        raise MarkerError(f"evaluation marker: {where}: {missing}")
    return {str(name): float(limit) for name, limit in limits.items()}


def _is_limit(gate: str, metric: object, limit: Any) -> bool:
    """A metric of the user's own may have any mean; scores and drops are 0 or more."""
    if not isinstance(metric, str) or not metric or isinstance(limit, bool) or not isinstance(limit, (int, float)):
        return False
    is_free = gate in (MIN_MEAN, MAX_MEAN) and metric != SCORE
    return abs(limit) <= sys.float_info.max and (is_free or limit >= 0)  # a whole number may be beyond all floats


def read_names(argument: str, value: object, what: str) -> tuple[str, ...]:
    """Names, or a single one, in the ``argument`` of the marker; ``what`` they are."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise MarkerError(f"evaluation marker: {argument}={value!r}: expected a list of {what}")
    return tuple(names)


def read_lower_is_better(value: object) -> tuple[str, ...]:
    """The metrics that get worse when they rise; the score is none of them."""
    names = read_names("lower_is_better", value, "metrics")
    if SCORE in names or not all(names):
        raise MarkerError(f"evaluation marker: lower_is_better={value!r}: expected a list of metrics beside the score")
    return names


def read_slices(value: object) -> dict[str, Gates]:
    """The gates of the slices of each label."""
    if not isinstance(value, Mapping):
        return {label: {} for label in read_names("slices", value, "labels, or a mapping of labels to gates")}
    return {label: _gates_of_slices(label, gates, value) for label, gates in value.items()}


def _gates_of_slices(label: object, gates: object, slices: Mapping[Any, Any]) -> Gates:
    where = f"slices={dict(slices)!r}"
    if not isinstance(label, str) or not isinstance(gates, Mapping):
        raise MarkerError(f"evaluation marker: {where}: expected a list of labels, or a mapping of labels to gates")
    if unknown := [gate for gate in gates if gate not in GATES]:
        raise MarkerError(f"evaluation marker: {where}: {unknown[0]!r} is no gate; expected {', '.join(GATES)}")
    return read_gates(gates, where)


def read_must_pass(value: object) -> str | None:
    """The label of the examples that must pass."""
    if value is None or (isinstance(value, str) and value):
        return value or None
    raise MarkerError(f"evaluation marker: must_pass={value!r}: expected the name of a label")


def check_labels(asked: Requirements, rows: Sequence[Row], dataset: str) -> None:
    """Raise MarkerError if no row has a label that is ``asked`` for, or one has a value that makes no slice."""
    for label in asked.slices:
        values = values_of([_labels(row, label) for row in rows], label)
        argument = f"slices={label!r}"
        _check_there(argument, label, rows, dataset, bool(values))
        if len(values) > MOST_SLICES:
            expected = f"expected a label with at most {MOST_SLICES}"
            raise MarkerError(f"evaluation marker: {argument}: {len(values)} values in {dataset}; {expected}")
    if asked.must_pass is not None:
        _check_must_pass(asked.must_pass, rows, dataset)


def _check_must_pass(label: str, rows: Sequence[Row], dataset: str) -> None:
    found = {row.id: _labels(row, label).get(label) for row in rows}
    argument = f"must_pass={label!r}"
    _check_there(argument, label, rows, dataset, any(value is not None for value in found.values()))
    for row_id, value in found.items():
        if is_true(value) is None:
            shown = one_line(repr(value))
            raise MarkerError(f"evaluation marker: {argument}: {shown} in row {row_id!r}; expected true or false")


def _check_there(argument: str, label: str, rows: Sequence[Row], dataset: str, there: bool) -> None:
    if there:
        return
    known = list(dict.fromkeys(name for row in rows for name in row.labels))
    names = f"its labels are {one_line(some(list(map(repr, known))))}" if known else "its rows have inputs alone"
    raise MarkerError(f"evaluation marker: {argument}: no row of {dataset} has that label; {names}")


def check_types(types: Mapping[str, Any], rows: Sequence[Row], dataset: str) -> None:
    """Raise MarkerError if no row has a column that ``types`` names."""
    columns = dict.fromkeys(name for row in rows for name in row.values) if types else {}
    if missing := [name for name in types if name not in columns]:
        known = one_line(some(list(map(repr, columns))))
        raise MarkerError(
            f"evaluation marker: types={missing[0]!r}: no row of {dataset} has that column; expected {known}"
        )


def _labels(row: Row, label: str) -> dict[str, Any]:
    return {label: plain(row.labels[label])} if label in row.labels else {}
