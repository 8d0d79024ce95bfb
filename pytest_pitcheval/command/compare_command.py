"""``pitcheval compare``: two runs or baseline files in, what changed between them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_pitcheval.command import whole_sets
from pytest_pitcheval.command.named_runs import Printed, fetch_from
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.reports import terminal
from pytest_pitcheval.reports.terminal import Line
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.comparison import Comparison, Pair, absent_tests, compare_all, whole
from pytest_pitcheval.results.deciding.drops import describe_change, describe_power
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.storage import references
from pytest_pitcheval.storage.references import LoadedBaseline

_SHOWN = 5
"""Examples that fell, and that rose."""


def compare_runs(settings: Settings, folder: Path, first: str, second: str) -> Printed:
    """The second of two runs or baseline files against the first, by test and method."""
    before, after = _load(settings, folder, first), _load(settings, folder, second)
    measured, max_age = (before.measured, after.measured, whole(after.coverage)), settings.baseline.max_age
    found = compare_all(*measured, settings.allowed, max_age=max_age).values()
    if not found:
        raise PitchevalError(f"{first!r} and {second!r} have no test in common")
    lines: list[Line] = []
    for comparison in found:
        lines += terminal.comparison_lines(comparison)
        texts = [*_details(comparison), *whole_sets.lines(settings, folder, comparison, before, after)]
        lines += [(line, False) for text in texts for line in formats.wrap("    " + text, "      ")]
    compared = {one.key for one in found}
    new = [key for key in after.coverage if key not in compared]
    lines += [(f"  {key.name}: only in {second}", False) for key in new]
    gone = absent_tests(before.measured, after.coverage)
    return [*lines, *((f"  {test}: only in {first}", False) for test in gone)], True


def _load(settings: Settings, folder: Path, reference: str) -> LoadedBaseline:
    try:
        return references.load(settings, fetch_from(settings, folder), reference, Path(reference).absolute())
    except PitchevalError as error:
        raise PitchevalError(f"{reference!r}: {error}") from None


def _details(comparison: Comparison) -> Iterator[str]:
    if comparison.refused or comparison.result is None:
        if comparison.refused:
            yield comparison.refused
        return
    yield describe_change(comparison)
    if power := describe_power(comparison):
        yield power
    yield from _extremes(comparison.pairs)


def _extremes(pairs: Sequence[Pair]) -> Iterator[str]:
    """The examples that fell and rose most."""
    ordered = sorted(pairs, key=lambda pair: pair.change)
    for verb, chosen in (("fell", ordered[:_SHOWN]), ("rose", ordered[: -_SHOWN - 1 : -1])):
        moved = [pair for pair in chosen if (pair.change < 0) == (verb == "fell") and pair.change]
        if moved:
            yield f"{verb} most: " + ", ".join(f"{pair.example_id} {pair.change:+.3f}" for pair in moved)
