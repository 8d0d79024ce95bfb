"""What a group takes for what it comes to, and which of the best ones is the cheapest."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from pytest_pitcheval.names import SECONDS
from pytest_pitcheval.results.baselines import Measurements
from pytest_pitcheval.results.records import Record, total

Name = TypeVar("Name")


@dataclasses.dataclass(frozen=True)
class Worth:
    """What one of several models comes to, and takes.

    Attributes:
        mean: of the examples' scores; of a judge in an exam, the share of answers in which it agrees with people.
        cost: US dollars for a point of score, an example that scores 1: what the program's calls cost, over the sum of
            all rollouts' scores; of a judge, for a verdict. None where a price is not known, or all scored 0.
        seconds: of a rollout, program and metric together; None where that is not known.
        is_cheapest: whether it has the lowest cost of all that are within noise of the best, if all have one.
    """

    mean: float
    cost: float | None
    seconds: float | None
    is_cheapest: bool = False


def worth_of(group: Measurements, records: Sequence[Record]) -> Worth:
    """That of the scored examples of a group, whose tests left these ``records``."""
    seconds = group.of(SECONDS)
    return Worth(group.mean, _cost(records), seconds.mean if seconds.examples else None)


def _cost(records: Sequence[Record]) -> float | None:
    """Of the examples whose calls were all sent, if there are any: a replayed call costs nothing, and says nothing."""
    scored = [record for record in records if record.samples and not record.is_unchanged]
    sent = [record for record in scored if not record.generator.cached] or scored
    usage, points = total(record.generator for record in sent), sum(sum(record.samples) for record in sent)
    return usage.cost / points if usage.fresh and usage.cost is not None and points > 0 else None


def cheapest(groups: Mapping[Name, Worth], best: Collection[Name]) -> dict[Name, Worth]:
    """``groups``, with the cheapest of the ``best`` marked; of two that cost the same the faster one."""
    of_best = [(one.cost, one.seconds or 0.0, name) for name, one in groups.items() if name in best]
    costs = [(cost, seconds, name) for cost, seconds, name in of_best if cost is not None]
    if not costs or len(costs) < len(of_best):  # one without a price may be cheaper
        return dict(groups)
    least = min(costs, key=lambda one: one[:2])[2]
    return {name: dataclasses.replace(one, is_cheapest=name == least) for name, one in groups.items()}
