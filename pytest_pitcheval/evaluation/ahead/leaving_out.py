"""Examples that are left out: gates are decided, all is spent, or the run that is replayed left them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_pitcheval.collection.collected import asked_by
from pytest_pitcheval.concurrency.process import Process
from pytest_pitcheval.evaluation.running_test import answers_of
from pytest_pitcheval.names import BUDGET
from pytest_pitcheval.ownership import is_ours
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Omission
from pytest_pitcheval.results.significance.looks import in_order
from pytest_pitcheval.rollouts.rollout import Answers
from pytest_pitcheval.settings.settings import Settings

if TYPE_CHECKING:
    from pytest_pitcheval.evaluation.in_turn import InTurn
    from pytest_pitcheval.evaluation.running_test import RunningTest


class LeavingOut:
    """Of the tests of one process, ``items``; it hears what is decided while they run."""

    def __init__(self, process: Process, items: Sequence[pytest.Item]) -> None:
        self._process = process
        self._standings = process.standings
        self._settings = settings = process.settings
        asks = answers_of(settings) is Answers.FRESH and settings.replay is None  # else some have their answers
        self._skips_at_cap = settings.cap.is_set and asks
        self._leaves_out = settings.stop or settings.replay is not None or self._skips_at_cap
        self._keys = _keys(items, settings) if self._leaves_out else {}
        self._places = _places(self._keys, settings) if settings.stop else {}
        self._heard: object = None

    def look(self, running: RunningTest | None, maker: InTurn | None) -> None:
        """If there is news of what is decided, let ``maker`` begin nothing more of it; ``running`` is not left out."""
        if self._leaves_out:
            self._process.hear_standings()
            before, self._heard = self._heard, (self._standings.told, self._at_cap)
            if maker is not None and before != self._heard:
                maker.leave_out(running)

    def starts(self, test: RunningTest, maker: InTurn | None) -> None:
        """Skip ``test`` if it is left out and has not begun: what is in flight lands, what is tried again is run."""
        self.look(test, maker)
        omission = self.omission(test.item)
        if omission is None or test.rollout_id.attempt > 1 or (omission.why == BUDGET and test.is_resumed):
            return
        if maker is None or maker.cancel(test.item.nodeid):
            test.left_out(omission)
            test.item.add_marker(pytest.mark.skip(reason=omission.reason))

    def omission(self, item: pytest.Item) -> Omission | None:
        """Why ``item`` is left out, None where it is not; a test that the user skips is skipped for that."""
        if not self._leaves_out or item.get_closest_marker("skip"):
            return None
        key = self._key(item)
        return self._standings.omission(key, item.nodeid) or (self._at_cap if key is not None else None)

    @property
    def _at_cap(self) -> Omission | None:
        """Why all examples are left out that have not begun: their calls would not be sent."""
        reached = self._process.budget.reached if self._skips_at_cap else None
        return Omission(BUDGET, reached) if reached else None

    def is_held(self, item: pytest.Item) -> bool:
        """Whether ``item`` is not to be begun before its turn: it may turn out not to be needed."""
        key = self._key(item)
        ahead = None if key is None else self._standings.of(key).ahead
        return ahead is not None and self._places.get(item.nodeid, 0) >= ahead

    def _key(self, item: pytest.Item) -> Key | None:
        """The group of a test with an example; None for other tests."""
        return self._keys.get(item.nodeid, (None,))[0]


def _keys(items: Sequence[pytest.Item], settings: Settings) -> dict[str, tuple[Key, str]]:
    """Of the tests that have an example, by node ID: their group and its ID."""
    asked = {item.nodeid: asked_by(item, settings) for item in items if is_ours(item)}
    return {nodeid: (one.about.key, one.about.example_id or "") for nodeid, one in asked.items() if one.row is not None}


def _places(keys: dict[str, tuple[Key, str]], settings: Settings) -> dict[str, int]:
    """Where each example stands in the order of its test, by node ID."""
    groups: dict[Key, dict[str, str]] = {}
    for nodeid, (key, example_id) in keys.items():
        groups.setdefault(key, {})[example_id] = nodeid
    return {
        nodeids[example_id]: place
        for key, nodeids in groups.items()
        for place, example_id in enumerate(in_order(settings.seed, key.test, nodeids))
    }
