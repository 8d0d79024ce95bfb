"""``pitcheval baseline``: what the baseline file has, how old it is, and what is in it of tests that are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pytest_pitcheval.command.named_runs import Printed, find_finished
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.baselines import Baseline, Measurements
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.storage import baseline_files, references
from pytest_pitcheval.storage.run_files import RunFile
from pytest_pitcheval.timestamps import date_of


def list_baseline(settings: Settings) -> Printed:
    """A line for each test, method and model of the baseline file."""
    head = ("test", "method", "examples", "samples", "mean", "oldest", "newest")
    rows = [(key.test, key.variant, *_row(group)) for key, group in sorted(_read(settings).items())]
    return [(line, False) for line in formats.table([head, *rows])], True


def _row(group: Measurements) -> tuple[str, ...]:
    if group.exam is not None:
        when = date_of(group.exam.run) or "-"
        return str(group.exam.answers), "-", "exam", when, when
    counts = sorted(len(one.samples) for one in group.examples.values())
    samples = "-".join(str(count) for count in dict.fromkeys((*counts[:1], *counts[-1:])))
    days = [day for run in group.runs if (day := date_of(run))]
    return str(len(group.examples)), samples, formats.number(group.mean), *((days[0], days[-1]) if days else ("-", "-"))


def prune(settings: Settings, reference: str, sure: bool) -> Printed:
    """What the baseline file has of tests and examples that a run would have found, and has not; taken out if ``sure``.

    Raises:
        PitchevalError: one line: the run was of a part of the tests alone, or does not tell.
    """
    run = find_finished(settings, reference)
    gone, path = _gone_from(run), settings.baseline.path
    if not sure:
        _, found = baseline_files.split(_read(settings), gone)
        return [*((line, False) for line in _lines(settings, run, found)), *_hint(found)], True
    try:
        found = baseline_files.prune(path, settings.directory / "locks", gone)
    except OSError as error:
        raise PitchevalError(f"the baseline could not be written: {error}") from None
    return [(line, False) for line in (*_lines(settings, run, found), *(["taken out"] if found else []))], True


def _hint(found: Baseline) -> list[tuple[str, bool]]:
    return [("--yes takes them out", False)] if found else []


def _read(settings: Settings) -> Baseline:
    asked = settings.baseline
    try:
        return references.read_file(asked.reference, asked.path)
    except PitchevalError as error:
        raise PitchevalError(f"{asked.named_by or '--eval-baseline'}: {asked.reference!r}: {error}") from None


def _gone_from(run: RunFile) -> Callable[[Key, str], bool]:
    """Whether an example of the baseline is one that ``run`` would have found if it were there, and has not."""
    selection = run.run.selection
    if selection is None:
        raise PitchevalError(f"{run.run.id} does not tell which tests it was asked for: expected a newer run")
    if selection.narrowed_by:
        by = ", ".join(selection.narrowed_by)
        raise PitchevalError(f"{run.run.id} was asked for a part of the tests ({by}): expected a run of all of them")
    coverage = run.outcome.coverage()
    tests = {key.test for key in coverage}

    def gone(key: Key, example: str) -> bool:
        if key.test not in tests:
            return selection.covers(key.test)
        covered = coverage.get(key)
        return bool(covered and example and example not in covered.collected and example not in covered.not_run)

    return gone


def _lines(settings: Settings, run: RunFile, found: Baseline) -> Iterator[str]:
    name = settings.baseline.reference
    if not found:
        yield f"{name} has no test and no example that run {run.run.id} has not"
        return
    yield f"{name} has what run {run.run.id} has not:"
    tests = {key.test for key in run.outcome.coverage()}
    for key, group in sorted(found.items()):
        count = formats.count(len(group.examples))
        if key.test in tests:
            count += f" of its dataset no more: {formats.some(sorted(group.examples))}"
        yield from formats.wrap(f"  {key.name}: {count}", "    ")
