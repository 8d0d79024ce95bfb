"""A baseline over time: runs that are added to it where nothing has changed, and how old it is. Pure."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import date

from pytest_pitcheval.names import EXAMPLE, ORIGIN
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.baselines import (
    GROUP_ROLES,
    Baseline,
    Measurement,
    Measurements,
    other_fingerprints,
    unlike,
    update,
)
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.timestamps import date_of


@dataclasses.dataclass(frozen=True)
class Growth:
    """What adding a run to a baseline did.

    Attributes:
        added: examples that have the run's samples beside those of others now.
        known: examples that had all of them already.
        replaced: examples that have the run's samples in place of the others, by what has changed (`names.ROLES`).
    """

    added: int = 0
    known: int = 0
    replaced: Mapping[tuple[str, ...], int] = dataclasses.field(default_factory=dict)


def add(
    old: Baseline, new: Baseline, gone: Callable[[Key, str], bool], most: int
) -> tuple[dict[Key, Measurements], Growth]:
    """``old`` with the samples of ``new`` beside its own, of each example the ``most`` newest ones.

    Samples stay if neither the example's row nor the program, metric, judge or model differs from what they were
    measured with; the rest is as in `update`. A run's samples are there once, however often it is added.
    """
    updated, found = update(old, new, gone), Counter[bool | tuple[str, ...]]()
    for key, measured in new.items():
        before = old.get(key, Measurements({}))
        grown = {name: _grown(before, measured, name, most) for name in measured.examples}
        updated[key] = _with(updated[key], before, Measurements(grown), measured)
        for name, then in before.examples.items():
            if name in grown:
                found[changed(before, measured, name) or grown[name] != then] += 1
    replaced = {roles: count for roles, count in found.most_common() if isinstance(roles, tuple)}
    return updated, Growth(found[True], found[False], replaced)


def _with(updated: Measurements, before: Measurements, grown: Measurements, measured: Measurements) -> Measurements:
    """Where earlier samples stay, what they were measured with stays known, though the run may not tell it."""
    staying = set(grown.runs) - set(measured.runs)
    known = {role: mark for role, mark in before.fingerprints.items() if staying and role != ORIGIN}
    examples, fingerprints = {**updated.examples, **grown.examples}, {**known, **updated.fingerprints}
    earlier = {**updated.earlier, **other_fingerprints(before, sorted(staying), fingerprints)}
    return dataclasses.replace(updated, examples=examples, fingerprints=fingerprints, earlier=earlier)


def changed(before: Measurements, measured: Measurements, name: str) -> tuple[str, ...]:
    """What an example's samples were measured with that is another now, of `names.ROLES`."""
    then, now = before.examples[name], measured.examples[name]
    row = (EXAMPLE,) if then.has_another_row(now) else ()
    others = {role for run in then.run_of_each for role in _others(before, measured, run)}
    return (*row, *(role for role in GROUP_ROLES if role in others))


def _others(before: Measurements, measured: Measurements, run: str) -> tuple[str, ...]:
    return unlike(before.fingerprints_of(run), measured.fingerprints, GROUP_ROLES)


def _grown(before: Measurements, measured: Measurements, name: str, most: int) -> Measurement:
    """An example with its earlier samples that may stay.

    What is there of the same run stays too, unless the run has more by now: answered from the cache, it took nothing.
    """
    now, then = measured.examples[name], before.examples.get(name)
    if then is None or then.has_another_row(now):
        return now.newest(most)
    alike = then.at(place for place, run in enumerate(then.run_of_each) if not _others(before, measured, run))
    again = {run for run in now.runs if run}
    known = {run for run in again if alike.runs.count(run) >= now.runs.count(run)}
    staying = [place for place, run in enumerate(alike.run_of_each) if run not in again or run in known]
    coming = [place for place, run in enumerate(now.run_of_each) if run not in known]
    return alike.at(staying).beside(now.at(coming)).newest(most)


@dataclasses.dataclass(frozen=True)
class Age:
    """Of the samples of a baseline that a run was compared with.

    Attributes:
        oldest, newest: when they were measured (UTC), as ``2026-11-22``.
        days: before the run, the newest sample of that example whose newest one is oldest.
        note: that this is too long ago; empty where it is not.
    """

    oldest: str
    newest: str
    days: int
    note: str = ""


def age_of(before: Measurements, after: Measurements, examples: Collection[str], max_age: float) -> Age | None:
    """The age of what ``examples`` have in ``before``, as seen from the run ``after``; None where it is not known."""
    then = [dates for name in examples if (dates := _dates(before.examples[name]))]
    now = [date for name in examples for date in _dates(after.examples[name])]
    if not then or not now:
        return None
    newest = [dates[-1] for dates in then]
    ages = [(date.fromisoformat(max(now)) - date.fromisoformat(one)).days for one in newest]
    old = sum(age > max_age for age in ages)
    of = formats.count(len(examples))
    were = f"{of if old == len(examples) else f'{old} of {of}'} {formats.were(old)}"
    note = f"old baseline: {were} last measured more than {max_age:g} days before, on {min(newest)} at the earliest"
    return Age(min(dates[0] for dates in then), max(newest), max(0, *ages), note if old else "")


def _dates(one: Measurement) -> list[str]:
    """The days of its samples that are known, oldest first."""
    return [day for run in one.runs if (day := date_of(run))]
