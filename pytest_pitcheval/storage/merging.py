"""Runs of the parts of one suite put together as one run. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.aggregates.aggregating import Aggregating
from pytest_pitcheval.results.deciding.outcome import Outcome
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.storage.expenses import together
from pytest_pitcheval.storage.run_files import RunFile
from pytest_pitcheval.storage.run_info import RunInfo, Selection

_SAME = (
    "generator_model",
    "evaluator_model",
    "generator_temperature",
    "evaluator_temperature",
    "train_size",
    "test_size",
    "seed",
    "stopped",
)
_NAMED = 5


def merge(runs: Sequence[RunFile]) -> Outcome:
    """What the tests of all ``runs`` left; a test that one of them lost may stand in another.

    Raises:
        PitchevalError: they are no parts of one suite: another commit, other models, or a test that two of them ran.
    """
    _check_same(runs)
    records = {nodeid: record for run in runs for nodeid, record in run.outcome.records.items()}
    if sum(len(run.outcome.records) for run in runs) > len(records):
        raise PitchevalError(_twice(runs))
    collected = {test.nodeid: test for run in runs for test in run.outcome.collected}
    missing = {nodeid: lost for run in runs for nodeid, lost in run.outcome.missing.items() if nodeid not in records}
    outcome = Outcome(list(collected.values()), records, missing)
    have = {key: set(covered.collected) for key, covered in outcome.coverage().items()}
    not_run: dict[Key, dict[str, None]] = {}
    for run in runs:
        for key, left in run.outcome.not_run.items():
            not_run.setdefault(key, {}).update(dict.fromkeys(name for name in left if name not in have.get(key, ())))
    held = {key: group for run in runs for key, group in run.outcome.held.items()}
    left_out = {key: list(left) for key, left in not_run.items()}
    aggregating = Aggregating(records, {nodeid: lost.reason for nodeid, lost in missing.items()})
    return Outcome(outcome.collected, records, missing, left_out, held=held, aggregating=aggregating)


def _check_same(runs: Sequence[RunFile]) -> None:
    first = runs[0]
    for other in runs[1:]:
        for name, one, two in ((name, *_both(name, first, other)) for name in ("commit", *_SAME)):
            if one != two:
                raise PitchevalError(
                    f"{first.run.id} and {other.run.id}: {name} {one!r} and {two!r}; expected parts of one suite"
                )


def _both(name: str, *runs: RunFile) -> Iterator[Any]:
    for run in runs:
        yield run.run.git.commit if name == "commit" else getattr(run.run, name)


def _twice(runs: Iterable[RunFile]) -> str:
    """The first test that two runs have."""
    seen: dict[str, str] = {}
    for run in runs:
        for nodeid in run.outcome.records:
            if nodeid in seen:
                return f"{nodeid} is in {seen[nodeid]} and in {run.run.id}; expected parts of one suite"
            seen[nodeid] = run.run.id
    raise AssertionError("called without such a test")


def describe_merged(runs: Sequence[RunFile], run_id: str, baseline: str | None) -> RunInfo:
    """``run`` of the merged run file: that of the first run, with what differs."""
    return dataclasses.replace(
        runs[0].run,
        id=run_id,
        timestamp=run_id,
        argv=(),
        rollouts=max(run.run.rollouts or 0 for run in runs),
        replay_of=None,
        resume_of=None,
        baseline=baseline,
        budget=together([run.run.budget for run in runs]),
        merged_from=tuple(run.run.id for run in runs),
        selection=_selection([run.run.selection for run in runs]),
    )


def _selection(parts: Sequence[Selection | None]) -> Selection | None:
    """Of all parts together; None where it is not known of one."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    paths = dict.fromkeys(path for part in known for path in part.paths)
    return Selection(tuple(paths), tuple(dict.fromkeys(flag for part in known for flag in part.narrowed_by)))


def absent(runs: Sequence[RunFile], outcome: Outcome) -> Iterator[str]:
    """A line for each test whose dataset has examples that no run has; none where runs were to have a sample."""
    if runs[0].run.test_size is not None:
        return
    for key, left in outcome.not_run.items():
        if left:
            names = formats.some(left, _NAMED)
            yield f"{key.name}: {formats.count(len(left))} in none of the runs: {names}"
