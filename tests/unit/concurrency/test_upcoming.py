from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_pitcheval.concurrency.upcoming import Upcoming, plan_path

ITEMS: list[Any] = [f"item {number}" for number in range(6)]


def after(upcoming: Upcoming, item: Any, start: int = 0) -> list[Any]:
    return [found for _, found in upcoming.after(item, start)]


def test_without_workers_all_that_follow() -> None:
    upcoming = Upcoming(ITEMS, None)
    assert after(upcoming, ITEMS[2]) == ITEMS[3:]
    assert after(upcoming, ITEMS[2], 5) == ITEMS[5:]
    assert after(upcoming, ITEMS[5]) == []


def test_a_worker_knows_its_plan_and_what_is_added_to_it(tmp_path: Path) -> None:
    path = plan_path(tmp_path, "gw0")
    path.write_text(json.dumps([0, 3, 4]), encoding="utf-8")
    upcoming = Upcoming(ITEMS, path)
    upcoming.starts(ITEMS[3])
    assert after(upcoming, ITEMS[0]) == [ITEMS[3], ITEMS[4]]
    assert [upcoming.place(item) for item in (ITEMS[0], ITEMS[3], ITEMS[4])] == [0, 1, 2]
    path.write_text(json.dumps([0, 3, 4, 1]), encoding="utf-8")
    upcoming.starts(ITEMS[4])
    assert after(upcoming, ITEMS[3], 2) == [ITEMS[4], ITEMS[1]]


def test_a_plan_arrives_after_the_first_test_has_begun(tmp_path: Path) -> None:
    path = plan_path(tmp_path, "gw0")
    upcoming = Upcoming(ITEMS, path)
    upcoming.starts(ITEMS[4])
    assert upcoming.expects_more
    assert after(upcoming, ITEMS[3]) == [ITEMS[4]]
    places = [upcoming.place(item) for item in (ITEMS[3], ITEMS[4])]
    path.write_text(json.dumps([3, 4, 5]), encoding="utf-8")
    upcoming.look()
    assert not upcoming.expects_more
    assert after(upcoming, ITEMS[3]) == [ITEMS[4], ITEMS[5]]
    assert [upcoming.place(item) for item in (ITEMS[3], ITEMS[4])] == places == [0, 1]


def test_a_worker_without_a_plan_knows_the_next_one() -> None:
    upcoming = Upcoming(ITEMS, in_order=False)
    assert not upcoming.expects_more
    upcoming.starts(ITEMS[5])
    assert after(upcoming, ITEMS[2]) == [ITEMS[5]]
    upcoming.starts(None)
    assert after(upcoming, ITEMS[5]) == []
