"""Baselines: what each example scored when a team last agreed to it. Plain values in, plain values out."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

from pytest_pitcheval.names import COMPARED_ROLES, EXAMPLE, JUDGE, METRIC, ORIGIN, ROLES, SCORE
from pytest_pitcheval.results.exams.exam import Conditions, Exam
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record
from pytest_pitcheval.timestamps import is_run_id

T = TypeVar("T")

GROUP_ROLES = tuple(role for role in ROLES if role != EXAMPLE)
"""What all examples of a test and method have in common."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One example's score in each rollout.

    Attributes:
        fingerprint: that of its row; None: it has none.
        metrics: further numbers by name, that of each rollout; None where it has none.
        runs: the time stamp of each rollout's run, oldest first, empty where it is not known; none at all where that
            is so of all.
        failed: whether its test failed in the last of these runs.
        predictions: of each rollout the fields that metrics of the whole set read, None where that is not kept; none
            at all where that is so of all.
    """

    samples: tuple[float, ...]
    fingerprint: str | None = None
    metrics: Mapping[str, tuple[float | None, ...]] = dataclasses.field(default_factory=dict)
    runs: tuple[str, ...] = ()
    failed: bool = False
    predictions: tuple[Mapping[str, Any] | None, ...] = ()

    @property
    def score(self) -> float:
        """The mean of the samples."""
        return statistics.mean(map(float, self.samples))

    def values(self, metric: str = SCORE) -> tuple[float, ...]:
        """What is known of ``metric``, that of each rollout."""
        if metric == SCORE:
            return self.samples
        return tuple(value for value in self.metrics.get(metric, ()) if value is not None)

    @property
    def run_of_each(self) -> tuple[str, ...]:
        """The time stamp of each rollout's run, or an empty one."""
        return self.runs or ("",) * len(self.samples)

    @property
    def prediction_of_each(self) -> tuple[Mapping[str, Any] | None, ...]:
        """What is kept of each rollout's prediction, or None."""
        return self.predictions or (None,) * len(self.samples)

    def of(self, metric: str) -> Measurement | None:
        """Another ``metric`` in place of the score; None where no rollout has it."""
        if metric == SCORE:
            return self
        values = self.values(metric)
        runs = [run for run, value in zip(self.run_of_each, self._by_rollout(metric), strict=True) if value is not None]
        return Measurement(values, self.fingerprint, runs=_known(runs)) if values else None

    def at(self, positions: Iterable[int]) -> Measurement:
        """The rollouts at these positions, in this order, and the metrics that any of them has."""
        places = list(positions)
        metrics = {name: tuple(self._by_rollout(name)[place] for place in places) for name in self.metrics}
        return dataclasses.replace(
            self,
            samples=tuple(self.samples[place] for place in places),
            metrics={name: values for name, values in metrics.items() if any(value is not None for value in values)},
            runs=_known(self.run_of_each[place] for place in places),
            predictions=_kept(self.prediction_of_each[place] for place in places),
        )

    def beside(self, newer: Measurement) -> Measurement:
        """These rollouts and those of ``newer``, in the order of their runs."""
        names, runs = dict.fromkeys((*self.metrics, *newer.metrics)), (*self.run_of_each, *newer.run_of_each)
        both = Measurement(
            (*self.samples, *newer.samples),
            newer.fingerprint or self.fingerprint,
            {name: (*self._by_rollout(name), *newer._by_rollout(name)) for name in names},
            runs,
            newer.failed if newer.samples else self.failed,
            (*self.prediction_of_each, *newer.prediction_of_each),
        )
        return both.at(sorted(range(len(runs)), key=runs.__getitem__))

    def newest(self, count: int) -> Measurement:
        """The last ``count`` rollouts."""
        return self.at(range(max(0, len(self.samples) - count), len(self.samples)))

    def _by_rollout(self, metric: str) -> tuple[float | None, ...]:
        """Of each rollout; None where that is not known, as the first files have one number for all."""
        values = self.metrics.get(metric, ())
        return values if len(values) == len(self.samples) else (None,) * len(self.samples)

    def has_another_row(self, than: Measurement) -> bool:
        """Whether the fingerprints of both rows are known, and differ."""
        return bool(self.fingerprint and than.fingerprint and self.fingerprint != than.fingerprint)


def _known(runs: Iterable[str]) -> tuple[str, ...]:
    found = tuple(runs)
    return found if any(found) else ()


def _kept(predictions: Iterable[Mapping[str, Any] | None]) -> tuple[Mapping[str, Any] | None, ...]:
    found = tuple(predictions)
    return found if any(one is not None for one in found) else ()


@dataclasses.dataclass(frozen=True)
class Measurements:
    """The scored examples of one test function and method, by example ID; a test without examples has the ID ``""``.

    Attributes:
        fingerprints: those of `GROUP_ROLES` that are known, and the origin of all examples where they have one.
        earlier: by run, those of them that were others when its rollouts were measured.
        slices: the values of each label that its marker made slices of.
        exam: what a judge's exam came to; such a test has no examples here.
    """

    examples: Mapping[str, Measurement]
    fingerprints: Mapping[str, str] = dataclasses.field(default_factory=dict)
    earlier: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    slices: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    exam: Exam | None = None

    @property
    def mean(self) -> float:
        """The mean of the examples' scores; of nothing, minus infinity."""
        scores = [measurement.score for measurement in self.examples.values()]
        return statistics.mean(scores) if scores else -math.inf

    def of(self, metric: str, members: Collection[str] | None = None) -> Measurements:
        """The samples of another ``metric`` in place of the score's, of the examples that have it.

        ``members`` are the examples of a slice; None: all.
        """
        known = {name: one.of(metric) for name, one in self.examples.items() if members is None or name in members}
        return dataclasses.replace(self, examples={name: one for name, one in known.items() if one is not None})

    @property
    def conditions(self) -> Conditions | None:
        """Those of an exam; None of other tests."""
        if self.exam is None:
            return None
        marks = (self.fingerprints.get(METRIC, ""), self.fingerprints.get(JUDGE, ""))
        return Conditions(*marks, self.exam.dataset, self.exam.rollouts, self.exam.threshold, self.exam.run)

    @property
    def runs(self) -> list[str]:
        """The time stamps of the runs that it has samples of, oldest first; an empty one where that is not known."""
        return sorted({run for one in self.examples.values() for run in one.run_of_each})

    def fingerprints_of(self, run: str) -> dict[str, str]:
        """What the samples of a run were measured with."""
        return {**self.fingerprints, **self.earlier.get(run, {})}

    def samples_from(self, name: str, origin: str, judge: str) -> int:
        """How many samples an example has that came from the same as now; the judge counts if it was asked then."""
        example = self.examples.get(name)
        known = [self.fingerprints_of(run) for run in example.run_of_each] if example else []
        return sum(one.get(ORIGIN) == origin and one.get(JUDGE, judge) == judge for one in known)


Baseline = Mapping[Key, Measurements]


def measure(records: Iterable[Record], with_unchanged: bool = False) -> dict[Key, Measurements]:
    """What the scored ones of ``records`` measured, and what is known of unchanged ones."""
    groups: dict[Key, list[Record]] = {}
    for record in records:
        is_known = record.score is not None or (with_unchanged and record.is_unchanged)
        if record.samples and is_known and not record.people:
            groups.setdefault(record.key, []).append(record)
    return {key: _measurements(group) for key, group in groups.items()}


def _measurements(records: list[Record]) -> Measurements:
    examples = {record.example_id or "": _measurement(record) for record in records}
    return Measurements(examples, fingerprints_of(records))


def fingerprints_of(records: Collection[Record]) -> dict[str, str]:
    """Those of `GROUP_ROLES` that are known of the records of a group."""
    found = {role: sorted({one for r in records if (one := r.fingerprints.get(role))}) for role in GROUP_ROLES}
    origins = {record.fingerprints.get(ORIGIN, "") for record in records}
    fingerprints = {role: " and ".join(values) for role, values in found.items() if values}
    if len(origins) == 1 and (origin := origins.pop()):
        fingerprints[ORIGIN] = origin
    return fingerprints


def scores_of(baseline: Baseline) -> Baseline:
    """The tests that have scores of a program; judges' exams have none."""
    return {key: group for key, group in baseline.items() if group.exam is None}


def is_same_judge(one: Measurements, other: Measurements) -> bool:
    """Whether both were measured by the same metric, which asked the same judge if both say which."""
    known = all(METRIC in group.fingerprints for group in (one, other))
    return known and not differing(one, other, COMPARED_ROLES)


def _measurement(record: Record) -> Measurement:
    is_dated = is_run_id(record.timestamp) and not record.is_unchanged
    runs = (record.timestamp,) * len(record.samples) if is_dated else ()
    failed = record.status in ("failed", "error")
    return Measurement(record.samples, record.fingerprints.get(EXAMPLE), _metrics(record), runs, failed)


def _metrics(record: Record) -> dict[str, tuple[float, ...]]:
    """Those that each of its rollouts has."""
    return {name: values for name in record.metrics if (values := record.values(name))}


def update(old: Baseline, new: Baseline, gone: Callable[[Key, str], bool]) -> dict[Key, Measurements]:
    """``old`` with what ``new`` measured in its place, without the examples that are ``gone`` from their dataset.

    Where ``new`` has another judge or metric, the examples that only ``old`` has are left out too: one group cannot
    be compared with two judges. Where it does not tell them, they stay those of the examples that are kept.
    """
    updated = dict(old)
    for key, measured in new.items():
        before = old.get(key, measured)
        alike = not differing(before, measured, COMPARED_ROLES)
        kept = {name: one for name, one in before.examples.items() if alike and not gone(key, name)}
        updated[key] = _beside(dataclasses.replace(before, examples=kept), measured)
    return _with_governed(updated)


def _with_governed(baseline: Baseline) -> dict[Key, Measurements]:
    """Each exam knows the tests whose judge it was about, once it was about them, as long as they are there."""
    scores, updated = scores_of(baseline), dict(baseline)
    for key, group in baseline.items():
        if group.exam is not None:
            known = {of.test for of, one in scores.items() if is_same_judge(group, one)}
            staying = {of.test for of in scores}.intersection(group.exam.governs)
            exam = dataclasses.replace(group.exam, governs=tuple(sorted(known | staying)))
            updated[key] = dataclasses.replace(group, exam=exam)
    return updated


def _beside(before: Measurements, measured: Measurements) -> Measurements:
    """The examples of both; what those of ``before`` alone were measured with stays known by run."""
    staying = {name: one for name, one in before.examples.items() if name not in measured.examples}
    known = {role: mark for role, mark in before.fingerprints.items() if role != ORIGIN}
    fingerprints = {**(known if staying else {}), **measured.fingerprints}
    earlier = {**measured.earlier, **other_fingerprints(before, Measurements(staying).runs, fingerprints)}
    slices = _both(before.slices if staying else {}, measured.slices)
    exam = measured.exam and dataclasses.replace(measured.exam, governs=before.exam.governs if before.exam else ())
    return Measurements({**before.examples, **measured.examples}, fingerprints, earlier, slices, exam)


def other_fingerprints(
    before: Measurements, runs: Iterable[str], fingerprints: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """By run, those with which the samples of ``before`` were measured, where ``fingerprints`` are others now.

    An origin that is not known is an empty one, which is like none.
    """
    found = {}
    for run in runs:
        known = before.fingerprints_of(run)
        others = {role: known[role] for role in unlike(known, fingerprints, GROUP_ROLES)}
        if known.get(ORIGIN, "") != fingerprints.get(ORIGIN, ""):
            others[ORIGIN] = known.get(ORIGIN, "")
        if others:
            found[run] = others
    return found


def _both(old: Mapping[str, tuple[str, ...]], new: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The values of each label in either; those of a whole dataset that was measured are the new ones alone."""
    return {label: tuple(dict.fromkeys((*old.get(label, ()), *new.get(label, ())))) for label in {**old, **new}}


def differing(old: Measurements, new: Measurements, roles: Iterable[str]) -> tuple[str, ...]:
    """Those of ``roles`` whose fingerprints are known of both and differ."""
    return unlike(old.fingerprints, new.fingerprints, roles)


def unlike(old: Mapping[str, str], new: Mapping[str, str], roles: Iterable[str]) -> tuple[str, ...]:
    """Those of ``roles`` that both fingerprints have, and that differ."""
    pairs = {role: (old.get(role), new.get(role)) for role in roles}
    return tuple(role for role, (before, now) in pairs.items() if before and now and before != now)
