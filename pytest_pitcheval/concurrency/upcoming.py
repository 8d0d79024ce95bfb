"""Which tests this process runs next, as far as that is certain."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pytest_pitcheval import waits


def plan_path(folder: Path, worker: str) -> Path:
    """Where the controller writes which tests are ``worker``'s: their positions in its collection, as JSON."""
    return folder / f"plan-{worker}.json"


class Upcoming:
    """The tests of one process in the order in which they run.

    In an xdist worker that is what the controller's plan says, which arrives soon after the first tests. Until then,
    and where there will be none, only the very next test is certain, for others may be taken away from the worker.
    """

    def __init__(self, items: Sequence[pytest.Item], plan: Path | None = None, in_order: bool = True) -> None:
        self._items = items
        self._plan = plan
        self._read: tuple[int, int] | None = None
        self._order: list[int] = list(range(len(items))) if in_order and plan is None else []
        self._started = -1
        self._places = {index: place for place, index in enumerate(self._order)}
        self._positions = {id(item): position for position, item in enumerate(items)}
        self._next: pytest.Item | None = None
        self._began = 0.0

    @property
    def expects_more(self) -> bool:
        """Whether the plan has not arrived yet."""
        return self._plan is not None and self._read is None

    def place(self, item: pytest.Item) -> int:
        """Where ``item``, which is run now or next, stands in the order, from 0."""
        known = self._places.get(self._positions[id(item)])
        return self._started + (item is self._next) if known is None else known

    def starts(self, following: pytest.Item | None) -> None:
        """A test is run now, and ``following`` for certain after it."""
        self._started += 1
        self._next = following
        self._began = self._began or time.monotonic()
        self.look()

    def look(self) -> None:
        """Read the plan, if it has changed."""
        if self._plan is not None:
            self._read_plan(self._plan)

    def after(self, item: pytest.Item, start: int) -> Iterator[tuple[int, pytest.Item]]:
        """The tests that come after ``item``, with their places in the order, from the place ``start`` on."""
        now = self._places.get(self._positions[id(item)])
        if now is not None:
            for place in range(max(start, now + 1), len(self._order)):
                yield place, self._items[self._order[place]]
        elif self._next is not None:
            yield start - 1, self._next

    def _read_plan(self, path: Path) -> None:
        try:
            found = path.stat()
            seen = (found.st_mtime_ns, found.st_size)
            if seen == self._read:
                return
            order = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        if self._read is None:
            waits.note("the plan of this worker's tests", self._began)
        self._read, self._order = seen, order
        self._places = {index: place for place, index in enumerate(order)}
