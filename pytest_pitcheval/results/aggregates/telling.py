"""Metrics of the whole set as rows of text, the same in all reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pytest_pitcheval.results import formats
from pytest_pitcheval.results.aggregates.figures import Aggregate


class Row(NamedTuple):
    """One of them: the mean over rollout numbers with its 95 % interval, of how many examples, each rollout's value."""

    whole: str
    value: str
    interval: str
    of: str
    rollouts: str


HEAD = Row("whole set", "value", "95 % interval", "of", "by rollout")


def rows(aggregates: Mapping[str, Aggregate]) -> list[Row]:
    """A row for each."""
    return [_row(name, one) for name, one in aggregates.items()]


def _row(name: str, one: Aggregate) -> Row:
    values = " ".join(map(formats.measure, one.values)) if len(one.values) > 1 else ""
    value = formats.measure(one.value) if one.values else "undefined"
    return Row(name, value, formats.measures(one.ci95), str(one.examples), values)


def undefined(aggregates: Mapping[str, Aggregate]) -> list[str]:
    """A line for each that has no value, and why."""
    return [f"{name} is undefined: {one.undefined}" for name, one in aggregates.items() if one.undefined]


def undefined_together(groups: Iterable[tuple[str, Mapping[str, Aggregate]]]) -> dict[str, list[str]]:
    """By what is to be said, the names of the groups of which it holds: one function may fail with all of them."""
    found: dict[str, list[str]] = {}
    for name, aggregates in groups:
        for text in undefined(aggregates):
            found.setdefault(text, []).append(name)
    return found
