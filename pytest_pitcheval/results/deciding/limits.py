"""The limits that hold: of the command line, of a test's marker, of the ini file, and those that nobody asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_pitcheval.names import GATES, MAX_REGRESSION, MUST_PASS, NEED_BASELINE, SCORE
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.subjects import Slice, Subject
from pytest_pitcheval.results.summaries.summary import Summary

DEFAULT_MAX_REGRESSION = 0.05
"""Where there is a baseline and nothing else is asked for."""

_ORDER = (*GATES, MUST_PASS)

OwnLimits = Callable[[str, Mapping[str, float]], Mapping[str, float]]
"""The limits of a gate by metric, given its name and those that the test's marker sets."""


class Limit(NamedTuple):
    """One gate of one subject."""

    subject: Subject
    gate: str
    limit: float


def limits_of(summary: Summary, limits: OwnLimits) -> Iterator[Limit]:
    """The limits that one test and method is held to, with its slices and the examples that must pass."""
    for gate in GATES:
        for metric, limit in limits(gate, summary.asked.gates.get(gate, {})).items():
            yield Limit(Subject(summary.key, metric), gate, limit)
    for one in summary.slices:
        for gate, by_metric in summary.asked.slices.get(one.label, {}).items():
            for metric, limit in by_metric.items():
                yield Limit(Subject(summary.key, metric, one.slice), gate, limit)
    if summary.asked.must_pass is not None:
        yield Limit(Subject(summary.key, slice=Slice(summary.asked.must_pass)), MUST_PASS, 0.0)


def with_defaults(limits: Iterable[Limit], known: Iterable[Key]) -> list[Limit]:
    """``limits``, and the one of each test and method that the baseline has, if there is no other."""
    asked = list(limits)
    have = {limit.subject for limit in asked if limit.gate == MAX_REGRESSION}
    missing = [subject for key in known if (subject := Subject(key)) not in have]
    return [*asked, *(Limit(subject, MAX_REGRESSION, DEFAULT_MAX_REGRESSION) for subject in missing)]


def in_order(limits: Iterable[Limit], keys: Sequence[Key]) -> list[Limit]:
    """In the order in which gates are decided: that of ``keys``, then whole tests, their slices as they come, and what
    must pass; of each the order of `GATES`, the score first.
    """
    asked = list(limits)
    place = {key: number for number, key in enumerate(keys)}
    slices = {one: number for number, one in enumerate(dict.fromkeys(limit.subject.slice for limit in asked), 1)}

    def order(limit: Limit) -> tuple[int, int, int, bool]:
        subject = limit.subject
        part = 0 if subject.slice is None else slices[subject.slice]
        return place[subject.key], part, _ORDER.index(limit.gate), subject.metric != SCORE

    return sorted(asked, key=order)


def subjects_compared(limits: Iterable[Limit]) -> dict[Subject, None]:
    """The subjects that gates compare with a baseline, in their order."""
    return {limit.subject: None for limit in limits if limit.gate in NEED_BASELINE}
