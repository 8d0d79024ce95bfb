"""Examples that need not run any more, because their test's gates are decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_pitcheval.collection.collected import asked_by
from pytest_pitcheval.concurrency.process import Process
from pytest_pitcheval.ownership import is_ours
from pytest_pitcheval.results.records import Key
from pytest_pitcheval.results.significance.looks import in_order
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
        leaves_out = settings.stop or settings.replay is not None
        self._places = _places(items, settings) if leaves_out else {}
        self._heard = -1

    def look(self, running: RunningTest | None, maker: InTurn | None) -> None:
        """If there is news of what is decided, let ``maker`` begin nothing more of it; ``running`` is not left out."""
        if self._places:
            self._process.hear_standings()
            heard, self._heard = self._heard, self._standings.told
            if maker is not None and heard != self._heard:
                maker.leave_out(running)

    def starts(self, test: RunningTest, maker: InTurn | None) -> None:
        """Skip ``test`` if it is left out and has not begun: what is in flight lands, what is tried again is run."""
        self.look(test, maker)
        reason = self.reason(test.item)
        if reason is None or test.rollout_id.attempt > 1:
            return
        if maker is None or maker.cancel(test.item.nodeid):
            test.left_out(reason)
            test.item.add_marker(pytest.mark.skip(reason=reason))

    def reason(self, item: pytest.Item) -> str | None:
        """Why ``item`` is left out, None where it is not; a test that the user skips is skipped for that."""
        key = self._key(item)
        if key is None or item.get_closest_marker("skip"):
            return None
        return self._standings.reason(key, item.nodeid)

    def is_held(self, item: pytest.Item) -> bool:
        """Whether ``item`` is not to be begun before its turn: it may turn out not to be needed."""
        key = self._key(item)
        ahead = None if key is None else self._standings.of(key).ahead
        return ahead is not None and self._places.get(item.nodeid, 0) >= ahead

    def _key(self, item: pytest.Item) -> Key | None:
        """The group of a test with an example; None for other tests."""
        if item.nodeid not in self._places:
            return None
        return asked_by(item, self._settings).about.key


def _places(items: Sequence[pytest.Item], settings: Settings) -> dict[str, int]:
    """Where each example stands in the order of its test, by node ID."""
    groups: dict[Key, dict[str, str]] = {}
    for item in items:
        if is_ours(item) and (asked := asked_by(item, settings)).row is not None:
            groups.setdefault(asked.about.key, {})[asked.about.example_id or ""] = item.nodeid
    return {
        nodeids[example_id]: place
        for (test, _), nodeids in groups.items()
        for place, example_id in enumerate(in_order(settings.seed, test, nodeids))
    }
