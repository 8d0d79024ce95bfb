"""Methods, models and judges of one test side by side, as lines of a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_pitcheval.reports.choosing.tables import Table, difference, tables
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.choosing.side_by_side import MethodResult


def side_by_side(results: Sequence[MethodResult]) -> Iterator[str]:
    """What one test came to with each; nothing where it has one of each alone."""
    if any(one.worth for one in results):
        yield from (line for table in tables(results) for line in _table(table))
    else:
        yield from matrix(results)


def of_function(function: str, results: Iterable[MethodResult]) -> Iterator[str]:
    """Several tests of one function beside each other, below its name; nothing where it has one alone."""
    if compared := [one for one in results if one.function == function]:
        yield formats.cut(function)
        yield from side_by_side(compared)


def matrix(methods: Sequence[MethodResult]) -> Iterator[str]:
    """The methods of one test against its first one; nothing where it has one alone."""
    if not methods:
        return
    best = "best" if sum(method.best for method in methods) == 1 else "best within noise"
    head = ("method", f"against {methods[0].first}", "95 % interval", "p", "")
    rows = [(method.optimization, *difference(method), best if method.best else "") for method in methods]
    yield from formats.table([head, *rows])


def _table(table: Table) -> Iterator[str]:
    """Several models, or judges: what they take beside what they come to."""
    yield from formats.table([row[1:-1] for row in (table.head, *table.rows)], [row.models for row in table.rows])
    yield from formats.wrap(f"  {table.note}", "    ")
    yield from formats.wrap(f"  {table.words}", "    ")
