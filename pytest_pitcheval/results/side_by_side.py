"""Several methods of one test side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_pitcheval.results.baselines import Baseline, Measurements
from pytest_pitcheval.results.records import Key, Keyed
from pytest_pitcheval.results.significance.means import ALPHA
from pytest_pitcheval.results.significance.paired import PairedDifference, paired_samples


@dataclasses.dataclass(frozen=True)
class MethodResult(Keyed):
    """One method beside the test's first one.

    Attributes:
        first: the method that it is compared with; itself for the first.
        result: this method minus the first, on the examples that both have scored; None for the first itself.
        best: whether no other method is established to be better.
    """

    test: str
    optimization: str
    first: str
    result: PairedDifference | None
    best: bool

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def compare_methods(keys: Sequence[Key], measured: Baseline) -> list[MethodResult]:
    """A result for each method of the tests that have several scored ones, in the order of ``keys``."""
    methods: dict[str, dict[str, Measurements]] = {}
    for test, method in keys:
        if (test, method) in measured:
            methods.setdefault(test, {})[method] = measured[test, method]
    return [result for test, groups in methods.items() if len(groups) > 1 for result in _side_by_side(test, groups)]


def _side_by_side(test: str, groups: Mapping[str, Measurements]) -> list[MethodResult]:
    first = next(iter(groups))
    best = best_methods(groups)
    return [
        MethodResult(test, method, first, None if method == first else difference(groups[first], group), method in best)
        for method, group in groups.items()
    ]


def best_methods(groups: Mapping[str, Measurements]) -> set[str]:
    """The method with the highest mean, and those of which it is not established that they differ from it.

    Two-sided at 5 %, each on the examples that both have scored.
    """
    top = max(groups, key=lambda method: groups[method].mean)
    found = {method: difference(groups[top], group) for method, group in groups.items()}
    return {method for method, result in found.items() if result is None or result.p_value >= ALPHA}


def difference(before: Measurements, after: Measurements) -> PairedDifference | None:
    """The paired difference on the examples that both have; None where there is none."""
    shared = [name for name in before.examples if name in after.examples]
    old, new = ([group.examples[name].samples for name in shared] for group in (before, after))
    return paired_samples(old, new)
