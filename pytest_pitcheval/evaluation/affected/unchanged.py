"""Which examples are not asked: those whose scores come from the same as the baseline's, as far as can be seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from pytest_pitcheval.collection.collected import asked_by
from pytest_pitcheval.evaluation.affected.origins import Parts, TestOrigins, origin_of
from pytest_pitcheval.evaluation.ahead.lanes import LaneKey, lane_key
from pytest_pitcheval.names import EXAMPLE, PROGRAM, UNCHANGED
from pytest_pitcheval.results.baselines import Baseline, Measurement
from pytest_pitcheval.results.records import Omission
from pytest_pitcheval.settings.settings import Settings

OMISSION = Omission(UNCHANGED, "unchanged since the baseline")


class Now(NamedTuple):
    """What the scores of some tests come from.

    Attributes:
        parts: of all of them; each test has further ones of its own.
        judge: the fingerprint of the LMs that the metric may ask.
        program: that of the compiled program; None where it is not known before it is compiled.
    """

    parts: Parts
    judge: str
    program: str | None


class Known(NamedTuple):
    """What the baseline has of an unchanged example, and the fingerprints that it was measured with."""

    measured: Measurement
    fingerprints: dict[str, str]


class Unchanged:
    """Compares the tests of one process with what the baseline knows, ``before``; None: all are asked.

    ``origins`` are what their scores come from; ``note`` is told of what cannot be seen; ``row_identity`` is the
    fingerprint of a test's row.
    """

    def __init__(
        self,
        settings: Settings,
        before: Baseline | None,
        note: Callable[[str], object],
        row_identity: Callable[[pytest.Item], str | None],
    ) -> None:
        self._settings = settings
        self._before = before
        self._row_identity = row_identity
        self.origins = TestOrigins(settings, note)
        self._lanes: dict[LaneKey, Now] = {}

    @property
    def is_possible(self) -> bool:
        """Whether any example may turn out to be unchanged."""
        return self._before is not None

    def learn(self, item: pytest.Item, now: Now) -> Known | None:
        """What is known of a test, and with it of all that get the very same fixtures."""
        self._lanes[lane_key(item, asked_by(item, self._settings))] = now
        return self._known(item, now)

    def is_expected(self, item: pytest.Item) -> bool:
        """Whether a coming test will be left out, if it gets the fixtures that others before it got."""
        now = self._lanes.get(lane_key(item, asked_by(item, self._settings))) if self._lanes else None
        return now is not None and self._known(item, now) is not None

    def _known(self, item: pytest.Item, now: Now) -> Known | None:
        """What the baseline has of an example; None where that is not all that there is to know now."""
        asked = asked_by(item, self._settings)
        group = (self._before or {}).get(asked.about.key)
        if group is None or asked.row is None or asked.evaluation is None:
            return None
        name = asked.about.example_id or ""
        measured, row = group.examples.get(name), self._row_identity(item)
        if measured is None or measured.failed or row is None or measured.fingerprint != row:
            return None
        threshold = self._settings.threshold.chosen(asked.evaluation.threshold)
        if threshold is not None and measured.score < threshold:
            return None
        fingerprints = group.fingerprints_of(measured.run_of_each[-1])
        if now.program is not None and fingerprints.get(PROGRAM) != now.program:
            return None
        origin = origin_of({**now.parts, **self.origins.of_test(item)})
        rollouts = self._settings.rollouts.or_default(1, asked.evaluation.rollouts)
        if not origin or group.samples_from(name, origin, now.judge) < rollouts:
            return None
        return Known(measured, {**fingerprints, EXAMPLE: row})
