"""A judge's exam as rows of text, the same in all reports."""

from __future__ import annotations

from typing import NamedTuple

from pytest_pitcheval.results import formats
from pytest_pitcheval.results.exams.exam import BIAS, Exam, Figure


class Row(NamedTuple):
    """One figure: its name, its value, its 95 % interval, and how many of how many answers."""

    figure: str
    value: str
    interval: str
    of: str


HEAD = Row("judge", "value", "95 % interval", "of")


def rows(exam: Exam) -> list[Row]:
    """A row for each figure that there is."""
    return [_row(name, figure) for name, figure in exam.told.items()]


def _row(name: str, figure: Figure) -> Row:
    signed = name.startswith(BIAS)
    value = f"{figure.value:+.3f}" if signed and figure.value is not None else formats.number(figure.value)
    of = str(figure.of) if figure.count is None else f"{figure.count}/{figure.of}"
    return Row(name, value, formats.interval(figure.ci95, signed=True) if signed else _between(figure), of)


def _between(figure: Figure) -> str:
    """``-0.120 to 0.300``: a minus needs more than a hyphen between two numbers."""
    return "-" if figure.ci95 is None else " to ".join(map(formats.number, figure.ci95))
