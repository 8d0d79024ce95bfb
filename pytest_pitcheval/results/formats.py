"""Numbers and tables as text for a terminal of 80 columns."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from pytest_pitcheval.results.records import Record, Usage

WIDTH = 80

_LONG = 1e6
"""Numbers beyond are written with an exponent."""

SHOWN = 10
"""How many of a list are named; the others are counted."""
_EXAMPLES = 5
"""How many examples are."""


def number(value: float | None) -> str:
    """A score with three digits; ``-`` for none."""
    return "-" if value is None else _digits(value)


def interval(bounds: tuple[float, float] | None, signed: bool = False) -> str:
    """``0.700-0.803``; signed ``-0.120 to +0.300``."""
    if bounds is None:
        return "-"
    low, high = bounds
    return f"{_digits(low, '+')} to {_digits(high, '+')}" if signed else f"{_digits(low)}-{_digits(high)}"


def _digits(value: float, sign: str = "") -> str:
    return f"{value:{sign}.3f}" if abs(value) < _LONG else f"{value:{sign}.3g}"


def measure(value: float | None) -> str:
    """A metric's value of whatever size: ``0.812`` as scores are written, ``34.75``, ``1235``, ``0.00032``."""
    if value is None:
        return "-"
    if 1000 <= abs(value) < _LONG:
        return f"{value:.0f}"
    return f"{value:.3f}" if 0.001 <= abs(value) < 1 else f"{value:.4g}"


def measures(bounds: tuple[float, float] | None) -> str:
    """``112 to 1235``: the interval of a metric's mean; ``-`` for none."""
    return "-" if bounds is None else f"{measure(bounds[0])} to {measure(bounds[1])}"


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


def price(dollars: float | None) -> str:
    """US dollars, of whatever size, with two digits that count: ``$0.00012``; ``-`` where it is not known."""
    if dollars is None:
        return "-"
    digits = 2 if not dollars else max(2, 1 - math.floor(math.log10(dollars)))
    return f"${dollars:.{min(digits, 9)}f}"


def duration(seconds: float) -> str:
    """``41 s``, ``3 min`` or ``2.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def p_value(p: float) -> str:
    """``0.031``; very small ones as ``< 0.001``."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def cut(line: str) -> str:
    """``line``, with an ellipsis at its end if it is too wide."""
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def some(names: Sequence[str], most: int = SHOWN) -> str:
    """``a, b and 3 more``: the first ``most`` of ``names``, and how many there are beside these."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def examples(ids: Iterable[str | None]) -> str:
    """The first five of these IDs, of which that of a test without a dataset is None or empty."""
    return some([one or "the test itself" for one in ids], _EXAMPLES)


def count(number: int, noun: str = "example") -> str:
    """``1 example``, ``2 examples``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def unchanged(count: int, examples: int) -> str:
    """``unchanged 180, asked 20``, of so many examples."""
    return f"unchanged {count}, asked {examples - count}"


def were(number: int) -> str:
    """The verb of so many."""
    return "was" if number == 1 else "were"


def have(number: int) -> str:
    """The verb of so many."""
    return "has" if number == 1 else "have"


def are(number: int) -> str:
    """The verb of so many."""
    return "is" if number == 1 else "are"


def score(record: Record) -> str | None:
    """``0.750 (rollouts 0.5, 1), threshold 0.6``, with the verdicts behind each; None where there is no score."""
    if record.score is None:
        return None
    threshold = "" if record.threshold is None else f", threshold {record.threshold:.3g}"
    return f"{record.score:.3f}{_rollouts(record)}{threshold}"


def _rollouts(record: Record) -> str:
    """`` (rollouts 0.5 of 0 and 1, 1 of 1 and 1)``; of one rollout its verdicts, if there are several."""
    verdicts = [" and ".join(f"{value:.3g}" for value in one) for one in record.verdicts]
    if len(record.samples) > 1:
        behind = [f" of {one}" for one in verdicts] + [""] * len(record.samples)
        samples = [f"{value:.3g}{of}" for value, of in zip(record.samples, behind, strict=False)]
        return f" (rollouts {', '.join(samples)})"
    return f" (verdicts {verdicts[0]})" if verdicts else ""


def wrap(text: str, indent: str) -> list[str]:
    """``text`` in lines, the second and later ones behind ``indent``."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent)


def first_lines(text: str, most: int, indent: str) -> tuple[list[str], bool]:
    """At most ``most`` lines of ``text``, the second and later ones behind ``indent``, and whether more was cut off.

    Its own line breaks become spaces.
    """
    beginning = text[: 2 * most * WIDTH]  # of an answer of a megabyte, no more is looked at
    is_cut = len(beginning) < len(text) or len(wrap(beginning, indent)) > most
    return textwrap.wrap(beginning, WIDTH, subsequent_indent=indent, max_lines=most, placeholder=" [...]"), is_cut


def table(rows: Sequence[Sequence[str]], titles: Sequence[str] = ()) -> Iterator[str]:
    """Aligned rows, the first column to the left; it gets lines of its own where all would be too wide together.

    ``titles`` are those of the rows below the head: each has a line of its own above the rows that share it.
    """
    if any(titles):
        yield from _titled([rows[0], *((f"  {row[0]}", *row[1:]) for row in rows[1:])], titles)
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if 1 + len(widths) + sum(widths) <= WIDTH:
        yield from ("  " + _align(row, widths) for row in rows)
        return
    for row in rows:
        yield cut("  " + row[0])
        yield "   " + _align(("", *row[1:]), [0, *widths[1:]])


def _titled(rows: Sequence[Sequence[str]], titles: Sequence[str]) -> Iterator[str]:
    lines = list(table(rows))
    of_each = len(lines) // len(rows)
    yield from lines[:of_each]
    for place, title in enumerate(titles):
        if not place or title != titles[place - 1]:
            yield cut(f"  {title}")
        yield from lines[of_each * (place + 1) : of_each * (place + 2)]


def _align(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    return " ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]).rstrip()
