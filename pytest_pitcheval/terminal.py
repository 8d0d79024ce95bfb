"""The section at the end of pytest's output: results in, lines of at most 80 columns out."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_pitcheval.records import Usage
from pytest_pitcheval.results import Results
from pytest_pitcheval.summaries import Missing, Summary

_HEAD = ("method", "scored", "mean", "95 % interval", "passed", "fresh", "cached", "tokens", "cost", "time")
_SHOWN_MISSING = 10
_WIDTH = 80


def lines(results: Results, folder: Path) -> Iterator[tuple[str, bool]]:
    """The lines of the section, and whether each is bad news; paths are shown relative to ``folder``."""
    for test in dict.fromkeys(summary.test for summary in results.summaries):
        group = [summary for summary in results.summaries if summary.test == test]
        yield test if len(test) <= _WIDTH else "…" + test[1 - _WIDTH :], False
        yield from ((line, False) for line in table(group))
        for summary in group:
            yield from ((_cut(line), True) for line in _missing(summary))
    for gate in results.gates:
        word = "FAIL" if gate.status == "failed" else "ok  "
        wrapped = textwrap.wrap(f"{word} {gate.text}", _WIDTH, subsequent_indent="     ")
        yield from ((line, word == "FAIL") for line in wrapped)
    yield from ((problem, True) for problem in results.problems)
    for path in results.paths:  # whole, however long: they are there to be opened
        yield f"run file: {os.path.relpath(path, folder)}", False


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"


def table(group: Sequence[Summary]) -> list[str]:
    """The summaries of one test as aligned rows, a row a method; the method above its row where both are too wide."""
    rows = [_HEAD, *(_row(summary) for summary in group)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    if 1 + len(widths) + sum(widths) <= _WIDTH:
        return ["  " + _align(row, widths) for row in rows]
    numbers = ["   " + _align(("", *row[1:]), [0, *widths[1:]]) for row in rows]
    return [line for row, own in zip(rows, numbers, strict=True) for line in (_cut("  " + row[0]), own)]


def _align(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        row[0].ljust(widths[0]),
        *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
    ]
    return " ".join(cells).rstrip()


def _row(summary: Summary) -> tuple[str, ...]:
    usage = summary.usage
    return (
        summary.optimization,
        f"{summary.scored}/{summary.examples}",
        _number(summary.mean),
        f"{summary.ci95[0]:.3f}-{summary.ci95[1]:.3f}" if summary.ci95 else "-",
        percent(summary.pass_rate),
        str(usage.fresh),
        str(usage.cached),
        tokens(usage.prompt_tokens + usage.completion_tokens),
        cost(usage),
        duration(summary.seconds),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def percent(share: float | None) -> str:
    """A share as whole percent; 100 only for all, 0 only for none."""
    if share is None:
        return "-"
    return f"{round(100 * share) if share in (0, 1) else min(max(round(100 * share), 1), 99)} %"


def tokens(count: int) -> str:
    """A number of tokens in at most five characters: ``950``, ``12.3k``, ``1.2M``."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count * 10 // size / 10}{unit}" if count < 100 * size else f"{count // size}{unit}"
    return str(count)


def cost(usage: Usage) -> str:
    """US dollars, ``-`` where a price is not known."""
    if usage.cost is None or not usage.fresh:
        return "-"
    return f"${usage.cost:.4f}" if usage.cost < 1 else f"${usage.cost:.2f}"


def duration(seconds: float) -> str:
    """``41 s``, ``3 min`` or ``2.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _missing(summary: Summary) -> Iterator[str]:
    """Nothing is left out silently: how many have no score, then each with its reason."""
    if not summary.unscored:
        return
    count = len(summary.unscored)
    has = "examples have" if summary.examples > 1 else "example has"
    mean = f": the mean is of {summary.scored} of {summary.examples}" if summary.scored else ""
    yield f"  {count} of {summary.examples} {has} no score [{summary.optimization}]{mean}"
    yield from (f"    {_name(one)}: {one.reason}" for one in summary.unscored[:_SHOWN_MISSING])
    if count > _SHOWN_MISSING:
        yield f"    ... and {count - _SHOWN_MISSING} more, all in the run file"


def _name(one: Missing) -> str:
    return one.nodeid.rpartition("::")[2]
