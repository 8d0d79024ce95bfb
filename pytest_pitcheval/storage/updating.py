"""The baseline file is written from what a session has measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_pitcheval.errors import PitchevalError

if TYPE_CHECKING:
    from pytest_pitcheval.results.baselines import Baseline
    from pytest_pitcheval.results.deciding.outcome import Outcome
    from pytest_pitcheval.results.keys import Key
    from pytest_pitcheval.results.summaries.summary import Summary
    from pytest_pitcheval.settings.settings import Settings
    from pytest_pitcheval.storage.baseline_files import Update


def update_baseline(settings: Settings, outcome: Outcome, summaries: Iterable[Summary]) -> Update:
    """Write what was measured to the baseline file, unless examples were left out of the run.

    Raises:
        PitchevalError: one line: the file is none of ours, or cannot be written.
    """
    from pytest_pitcheval import files
    from pytest_pitcheval.results.summaries.summarizing import left_out_for
    from pytest_pitcheval.storage import baseline_files

    if settings.answers is not None:
        return baseline_files.Update(settings.baseline.path, 0, 0, 0, replayed=True)
    programs = [record for record in outcome.records.values() if not record.people]
    if left_out := left_out_for(record for record in programs if not record.is_unchanged):
        return baseline_files.Update(settings.baseline.path, 0, 0, 0, left_out=left_out)
    coverage = outcome.coverage()

    def gone(key: Key, example_id: str) -> bool:
        covered = coverage[key]
        return bool(example_id) and example_id not in covered.collected and example_id not in covered.not_run

    try:
        files.make_directory(settings.directory)
        measured = _with_predictions(_to_keep(outcome), outcome, summaries)
        most = settings.baseline.samples if settings.baseline.update == "add" else None
        return baseline_files.update(settings.baseline.path, settings.directory / "locks", measured, gone, most)
    except (OSError, PitchevalError) as error:
        raise PitchevalError(f"the baseline could not be written: {error}") from None


def _with_predictions(measured: Baseline, outcome: Outcome, summaries: Iterable[Summary]) -> Baseline:
    """What metrics of the whole set have read of predictions is kept, so that later runs can be compared with it."""
    from pytest_pitcheval.results.aggregates import keeping
    from pytest_pitcheval.results.subjects import Subject

    fields = {one.key: keeping.fields_of(one.aggregates.values()) for one in summaries}
    aggregating, tests = outcome.aggregating, outcome.tests()
    if aggregating is None or not any(fields.values()):
        return keeping.only(measured, {})
    return keeping.with_predictions(measured, fields, lambda key: aggregating.examples(tests[Subject(key)]))


def _to_keep(outcome: Outcome) -> Baseline:
    """What was measured, but for exams that say nothing, and those of some of their answers alone."""
    asked = {record.key for record in outcome.records.values() if record.people and record.samples}
    partial = {key for key in asked if outcome.not_run.get(key)}
    measured = outcome.measured()
    return {k: one for k, one in measured.items() if one.exam is None or not (one.exam.undefined or k in partial)}
