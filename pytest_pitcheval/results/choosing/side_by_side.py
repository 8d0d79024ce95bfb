"""Several methods and models of one test, or of one test function with parameters of the user's, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pytest_pitcheval.names import COMPARED_ROLES
from pytest_pitcheval.results.baselines import Baseline, Measurements, differing
from pytest_pitcheval.results.choosing.judges import JudgeOnExam, compare_judges
from pytest_pitcheval.results.choosing.worth import Worth, cheapest, worth_of
from pytest_pitcheval.results.keys import Key, Keyed, without_unnamed
from pytest_pitcheval.results.records import Record
from pytest_pitcheval.results.significance.means import ALPHA, FEWEST
from pytest_pitcheval.results.significance.paired import PairedDifference, paired_samples

Name = TypeVar("Name", bound=Hashable)


@dataclasses.dataclass(frozen=True)
class MethodResult(Keyed):
    """One method, and where there are several one model, beside the test's first one; each judge by itself.

    Where the user's own parameters make several tests of a function, all of them are beside the first of these.

    Attributes:
        first: what it is compared with, as `Key` has its variant, or of several tests its member; itself for the first.
        result: this one minus the first, on the examples that both have scored; None for the first itself.
        best: whether no other one is established to be better.
        model, evaluator: as `Key` has them.
        worth: what it takes for what it comes to; None where there are methods alone.
        judge: what several judges of an exam come to, beside the first of them; None of other tests.
        function: the test function, where several tests of it are compared with each other; else empty.
        unlike: what scored it is another one than of the first (`COMPARED_ROLES`): then it is not compared.
    """

    test: str
    optimization: str
    first: str
    result: PairedDifference | None
    best: bool
    model: str = ""
    evaluator: str = ""
    worth: Worth | None = None
    judge: JudgeOnExam | None = None
    function: str = ""
    unlike: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        data = without_unnamed(dataclasses.asdict(self))
        optional = {name: data.pop(name) for name in ("worth", "judge", "function", "unlike")}
        return {**data, **{name: value for name, value in optional.items() if value}}


def compare_methods(keys: Sequence[Key], measured: Baseline, records: Iterable[Record] = ()) -> list[MethodResult]:
    """A result for each group of the tests that have several scored ones, in the order of ``keys``.

    Two judges' scores are no difference of methods or models, so what is compared has the same judge.
    """
    tests: dict[tuple[str, str], dict[Key, Measurements]] = {}
    for key in keys:
        if key in measured and measured[key].exam is None:
            tests.setdefault((_compared_in(key, measured[key]), key.evaluator), {})[key] = measured[key]
    by_key: dict[Key, list[Record]] = {}
    for record in records:
        by_key.setdefault(record.key, []).append(record)
    found = [one for groups in tests.values() if len(groups) > 1 for one in _side_by_side(groups, by_key)]
    return [*found, *_judges(keys, by_key)]


def _compared_in(key: Key, group: Measurements) -> str:
    """The test function of what has examples; a test without a dataset is by itself, as its parameters are its rows."""
    return key.test if "" in group.examples else key.function


def _function_of(keys: Iterable[Key]) -> str:
    """The test function, where several tests of it are there; else nothing."""
    tests = {key.test: key.function for key in keys}
    return next(iter(tests.values())) if len(tests) > 1 else ""


def _judges(keys: Sequence[Key], records: Mapping[Key, Sequence[Record]]) -> Iterator[MethodResult]:
    """The judges of each exam that has several."""
    exams: dict[str, list[Key]] = {}
    for key in keys:
        if (key.evaluator or key.parameters) and any(record.people for record in records.get(key, ())):
            exams.setdefault(key.function, []).append(key)
    for group in exams.values():
        compared = compare_judges({key: records[key] for key in group}) if len(group) > 1 else {}
        first, function = next(iter(compared), None), _function_of(compared)
        for key, judge in compared.items():
            assert first is not None  # as there is one
            about = {**key._asdict(), "first": first.member if function else first.variant, "function": function}
            yield MethodResult(**about, result=judge.more_agreement, best=judge.best, worth=judge.worth, judge=judge)


def _side_by_side(groups: Mapping[Key, Measurements], records: Mapping[Key, Sequence[Record]]) -> list[MethodResult]:
    first, function = next(iter(groups)), _function_of(groups)
    unlike = {key: differing(groups[first], one, COMPARED_ROLES) for key, one in groups.items()} if function else {}
    alike = {key: group for key, group in groups.items() if not unlike.get(key)}
    best = best_methods(alike) if len(alike) > 1 else set()
    worth: dict[Key, Worth] = {}
    if function or any(key.models for key in groups):
        worth = {key: worth_of(group, records.get(key, ())) for key, group in groups.items()}
        worth = cheapest(worth, best if _show_something(alike) else ())
    return [
        MethodResult(
            **key._asdict(),
            first=first.member if function else first.variant,
            result=None if key == first or key not in alike else difference(groups[first], group),
            best=key in best,
            worth=worth.get(key),
            function=function,
            unlike=unlike.get(key, ()),
        )
        for key, group in groups.items()
    ]


def _show_something(groups: Mapping[Key, Measurements]) -> bool:
    """Whether there are enough examples for a difference to be seen: else all are within noise of each other."""
    return all(len(group.examples) >= FEWEST for group in groups.values())


def best_methods(groups: Mapping[Name, Measurements]) -> set[Name]:
    """The one with the highest mean, and those of which it is not established that they differ from it.

    Two-sided at 5 %, each on the examples that both have scored. The level is that of each pair, however many there
    are: to make it smaller for many would leave more of them within noise, and the cheapest of these would be worse.
    """
    top = max(groups, key=lambda name: groups[name].mean)
    found = {name: difference(groups[top], group) for name, group in groups.items()}
    return {name for name, result in found.items() if result is None or result.p_value >= ALPHA}


def difference(before: Measurements, after: Measurements) -> PairedDifference | None:
    """The paired difference on the examples that both have; None where there is none."""
    shared = [name for name in before.examples if name in after.examples]
    old, new = ([group.examples[name].samples for name in shared] for group in (before, after))
    return paired_samples(old, new)
