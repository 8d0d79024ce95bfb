"""What a group takes for what it comes to."""

from __future__ import annotations

import pytest

from pytest_pitcheval.results.baselines import measure
from pytest_pitcheval.results.choosing.worth import Worth, cheapest, worth_of
from pytest_pitcheval.results.records import Record, Usage


def record(number: int, *samples: float, usage: Usage, seconds: float = 2.0) -> Record:
    name = f"e{number}"
    return Record(
        *(f"t[{name}]", "t", name, "none", "passed"),
        score=sum(samples) / len(samples),
        samples=samples,
        generator=usage,
        judge=Usage(fresh=1, cost=100.0),
        metrics={"seconds": (seconds,) * len(samples)},
    )


PAID, CACHED, UNKNOWN = Usage(fresh=2, cost=0.02), Usage(cached=2), Usage(fresh=2, cost=None)


@pytest.mark.parametrize(
    ("records", "cost"),
    [
        ([record(0, 1.0, 0.0, usage=PAID), record(1, 1.0, 0.5, usage=PAID)], 0.04 / 2.5),
        ([record(0, 1.0, usage=PAID), record(1, 1.0, usage=CACHED)], 0.02),  # what was replayed says nothing
        ([record(0, 1.0, usage=Usage(fresh=1, cached=1, cost=0.01))], 0.01),  # of a call that it makes twice
        ([record(0, 1.0, usage=CACHED)], None),
        ([record(0, 1.0, usage=PAID), record(1, 1.0, usage=UNKNOWN)], None),
        ([record(0, 0.0, usage=PAID)], None),
    ],
)
def test_the_programs_calls_over_the_scores_of_all_rollouts(records: list[Record], cost: float | None) -> None:
    [group] = measure(records).values()
    worth = worth_of(group, records)
    assert worth.cost == (None if cost is None else pytest.approx(cost))
    assert worth.seconds == 2.0


def test_the_cheapest_is_one_of_the_best_and_known_only_where_all_of_these_have_a_price() -> None:
    groups = {
        "a": Worth(0.9, 3.0, 1.0),
        "b": Worth(0.9, 2.0, 2.0),
        "c": Worth(0.9, 2.0, 1.0),
        "d": Worth(0.1, 1.0, 1.0),
    }
    assert [name for name, one in cheapest(groups, {"a", "b", "c"}).items() if one.is_cheapest] == ["c"]
    groups["a"] = Worth(0.9, None, 1.0)
    assert not any(one.is_cheapest for one in cheapest(groups, {"a", "b", "c"}).values())
    assert [name for name, one in cheapest(groups, {"b", "c"}).items() if one.is_cheapest] == ["c"]
