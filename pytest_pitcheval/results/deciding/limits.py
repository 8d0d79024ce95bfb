"""The limits that hold: of the command line, of a test's marker, of the ini file, and those that nobody asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_pitcheval.names import GATES, MAX_REGRESSION, NEED_BASELINE, SCORE
from pytest_pitcheval.results.records import Key
from pytest_pitcheval.results.subjects import Subject
from pytest_pitcheval.results.summaries import Summary

DEFAULT_MAX_REGRESSION = 0.05
"""Where there is a baseline and nothing else is asked for."""

OwnLimits = Callable[[str, Mapping[str, float]], Mapping[str, float]]
"""The limits of a gate by metric, given its name and those that the test's marker sets."""


class Limit(NamedTuple):
    """One gate of one subject."""

    subject: Subject
    gate: str
    limit: float


def limits_of(summary: Summary, limits: OwnLimits) -> Iterator[Limit]:
    """The limits that one test and method is held to."""
    for gate in GATES:
        for metric, limit in limits(gate, summary.asked.gates.get(gate, {})).items():
            yield Limit(Subject(summary.key, metric), gate, limit)


def with_defaults(limits: Iterable[Limit], known: Iterable[Key]) -> list[Limit]:
    """``limits``, and the one of each test and method that the baseline has, if there is no other."""
    asked = list(limits)
    have = {limit.subject for limit in asked if limit.gate == MAX_REGRESSION}
    missing = [subject for key in known if (subject := Subject(key)) not in have]
    return [*asked, *(Limit(subject, MAX_REGRESSION, DEFAULT_MAX_REGRESSION) for subject in missing)]


def in_order(limits: Iterable[Limit], keys: Sequence[Key]) -> list[Limit]:
    """In the order in which gates are decided: that of ``keys``, slices last, then that of `GATES`, the score first."""
    place = {key: number for number, key in enumerate(keys)}

    def order(limit: Limit) -> tuple[int, str, int, bool]:
        subject = limit.subject
        return place[subject.key], subject.slice_text or "", GATES.index(limit.gate), subject.metric != SCORE

    return sorted(limits, key=order)


def subjects_compared(limits: Iterable[Limit]) -> dict[Subject, None]:
    """The subjects that gates compare with a baseline, in their order."""
    return {limit.subject: None for limit in limits if limit.gate in NEED_BASELINE}
