"""Two measurements of the same tests, compared example by example. Pure decisions on plain values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pytest_pitcheval.names import BUDGET, COMPARED_ROLES, EXAMPLE, MEASURED, SCORE, UNCHANGED, LeftOut
from pytest_pitcheval.results.baselines import GROUP_ROLES, Baseline, Measurement, Measurements, differing
from pytest_pitcheval.results.choosing.counterparts import counterparts
from pytest_pitcheval.results.growth import Age, age_of
from pytest_pitcheval.results.keys import Key, Keyed
from pytest_pitcheval.results.records import FINITE
from pytest_pitcheval.results.significance.means import difference_of_means, mean, rounded
from pytest_pitcheval.results.significance.paired import PairedDifference, paired_samples
from pytest_pitcheval.results.subjects import Subject


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What a run knows of one test and method beside its scores.

    Attributes:
        collected: the example IDs that the run has a test for, scored or not; quick to look up in.
        not_run: those of the dataset that it has none for (``-k``, ``--test-size``).
        left_out: the collected ones that did not run, each with the reason.
    """

    collected: Collection[str]
    not_run: Collection[str] = ()
    left_out: Mapping[str, LeftOut] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Pair:
    """One example in both: its samples then and now."""

    __pydantic_config__ = FINITE

    example_id: str
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def change(self) -> float:
        """The mean of its samples now, minus that of those before."""
        return difference_of_means(self.after, self.before)

    @property
    def drop(self) -> float:
        """How far the mean of its samples fell; below 0 where it rose."""
        return rounded(-self.change)


@dataclasses.dataclass(frozen=True)
class Comparison(Keyed):
    """One subject against its baseline.

    Attributes:
        metric, slice: what is compared of the test and method, as `Subject` has it.
        lower_is_better: whether it gets worse when it rises.
        against: the variant of the baseline, as `Key` has it; another one where it does not have this one.
        pairs: the examples that are compared, in the order of the baseline file.
        result: their paired difference, below 0 where it got worse (that of the negated values where lower is better);
            None where there is none.
        rollouts: rollouts of an example now, the most of any.
        added, removed: examples that only this run has, or that are gone from the dataset.
        not_run: in the baseline and the dataset, but not in this run.
        changed: with another row than in the baseline; not compared unless that is allowed.
        unscored: with a score in the baseline and none now.
        left_out: in the baseline, and left out of this run.
        unchanged: not asked, as nothing has changed since the baseline: no evidence of anything.
        differs: what else has changed, such as the program.
        fingerprints: of what has changed, by role: the one then and the one now.
        refused: why nothing is compared, or None.
        age: of the baseline's samples; None where it is not known, and of other metrics and of slices.
        model, evaluator: as `Key` has them.
    """

    __pydantic_config__ = FINITE

    test: str
    optimization: str
    against: str
    pairs: tuple[Pair, ...] = ()
    result: PairedDifference | None = None
    mean_before: float | None = None
    mean_after: float | None = None
    rollouts: int = 1
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    fingerprints: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    refused: str | None = None
    metric: str = SCORE
    slice: str | None = None
    lower_is_better: bool = False
    age: Age | None = None
    model: str = ""
    evaluator: str = ""

    @property
    def note(self) -> str:
        """What may be wrong with the comparison although nothing failed; empty as a rule."""
        return self.age.note if self.age else ""

    @property
    def is_of_another(self) -> bool:
        """Whether the baseline does not have this method and model, and another one stands for it."""
        return self.against != self.key.variant

    @property
    def is_whole(self) -> bool:
        """Whether it is that of the scores of all examples."""
        return self.metric == SCORE and self.slice is None

    @property
    def is_relative(self) -> bool:
        """Whether its limits are shares of what was before: what an LM takes depends on the model."""
        return self.metric in MEASURED

    @property
    def drop(self) -> float:
        """How far the mean got worse, below 0 where it got better; infinite as a share of nothing."""
        assert self.result is not None  # else there is nothing to tell
        return self._limited(-self.result.difference, self.mean_before or 0.0)

    def drop_of(self, pair: Pair) -> float:
        """The same of one example."""
        worse = -pair.drop if self.lower_is_better else pair.drop
        return self._limited(worse, Measurement(pair.before).score)

    def _limited(self, worse: float, before: float) -> float:
        """As limits are given."""
        if not self.is_relative or not worse:
            return worse
        return rounded(worse / before) if before else math.copysign(math.inf, worse)

    def fallen(self, limit: float) -> list[Pair]:
        """The examples whose mean got worse by more than ``limit``."""
        return [pair for pair in self.pairs if self.drop_of(pair) > limit]

    def of(self, example_ids: Collection[str]) -> Comparison:
        """The same of these examples alone."""
        of_none = dataclasses.replace(self, pairs=(), result=None, mean_before=None, mean_after=None)
        return _with_result(of_none, [pair for pair in self.pairs if pair.example_id in example_ids])

    def to_dict(self) -> dict[str, Any]:
        fields = ("metric", "slice", "lower_is_better", "against", "mean_before", "mean_after", "rollouts")
        lists = ("added", "removed", "not_run", "changed", "unscored", "left_out", "unchanged", "differs")
        data: dict[str, Any] = {**self.key.to_dict(), **{name: getattr(self, name) for name in fields}}
        data |= {name: list(getattr(self, name)) for name in lists}
        data |= {"pairs": [dataclasses.asdict(pair) for pair in self.pairs], "fingerprints": dict(self.fingerprints)}
        parts = {"result": self.result, "age": self.age}
        data |= {name: dataclasses.asdict(part) if part else None for name, part in parts.items()}
        return data | {"refused": self.refused}


def whole(coverage: Mapping[Key, Coverage]) -> dict[Subject, Coverage]:
    """The scores of all examples of each test and method."""
    return {Subject(key): covered for key, covered in coverage.items()}


def compare_all(
    baseline: Baseline,
    current: Baseline,
    coverage: Mapping[Subject, Coverage],
    allowed: Collection[str] = (),
    lower_is_better: Callable[[Subject], bool] = lambda subject: subject.is_measured,
    max_age: float = math.inf,
) -> dict[Subject, Comparison]:
    """A comparison for each subject of ``coverage`` that the baseline knows the test of, in that order.

    A slice's coverage is that of its own examples. Which group of the baseline each is compared with: `counterparts`.
    ``max_age`` is in days.
    """
    found = {}
    against = counterparts({subject.key for subject in coverage}, baseline, current)
    for subject, covered in coverage.items():
        if subject.key in against:
            members = None if subject.slice is None else covered.collected
            groups = baseline[against[subject.key]], current.get(subject.key, Measurements({}))
            before, after = (group.of(subject.metric, members) for group in groups)
            is_lower = lower_is_better(subject)
            compared = compare(subject, against[subject.key].variant, before, after, covered, allowed, is_lower)
            found[subject] = _with_age(compared, before, after, max_age) if compared.is_whole else compared
    return found


def absent_tests(baseline: Baseline, coverage: Mapping[Key, Coverage]) -> list[str]:
    """The tests of the baseline that ``coverage`` has nothing of: left out of the run, renamed, or gone."""
    return sorted({key.test for key in baseline} - {key.test for key in coverage})


def compare(
    subject: Subject,
    against: str,
    before: Measurements,
    after: Measurements,
    covered: Coverage,
    allowed: Collection[str] = (),
    lower_is_better: bool = False,
) -> Comparison:
    """One subject, from its own samples: only examples that both have, with the same row, are compared."""
    changed = tuple(
        n for n, old in before.examples.items() if (new := after.examples.get(n)) and old.has_another_row(new)
    )
    unlike_rows = () if EXAMPLE in allowed else set(changed)
    shared = [name for name in before.examples if name in after.examples and name not in unlike_rows]
    lost = [name for name in before.examples if name in covered.collected and name not in after.examples]
    differs = differing(before, after, GROUP_ROLES)
    comparison = Comparison(
        **subject.key._asdict(),
        against=against,
        metric=subject.metric,
        slice=subject.slice_text,
        lower_is_better=lower_is_better,
        added=tuple(name for name in covered.collected if name not in before.examples),
        removed=_missing(before, covered.collected, covered.not_run),
        not_run=tuple(name for name in before.examples if name in covered.not_run),
        changed=changed,
        unscored=tuple(name for name in lost if name not in covered.left_out),
        left_out=tuple(name for name in lost if covered.left_out.get(name, UNCHANGED) != UNCHANGED),
        unchanged=tuple(name for name in lost if covered.left_out.get(name) == UNCHANGED),
        differs=differs,
        fingerprints={role: (before.fingerprints[role], after.fingerprints[role]) for role in differs},
    )
    if cut_off := sum(covered.left_out.get(name) == BUDGET for name in covered.collected):
        why = f"not compared: {cut_off} of {len(covered.collected)} examples were left out, as the budget was reached"
        return dataclasses.replace(comparison, refused=why)
    unlike = [role for role in differing(before, after, COMPARED_ROLES) if role not in allowed]
    if unlike:
        return dataclasses.replace(comparison, refused=_refusal(unlike, before, after))
    return _with_result(comparison, [Pair(n, before.examples[n].samples, after.examples[n].samples) for n in shared])


def _missing(before: Measurements, *known: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in before.examples if not any(name in names for names in known))


def _refusal(roles: list[str], before: Measurements, after: Measurements) -> str:
    changes = (f"{role} {after.fingerprints[role]!r}, not {before.fingerprints[role]!r}" for role in roles)
    return f"not compared: {', '.join(changes)} (--eval-baseline-allow={','.join(roles)} compares all the same)"


def _with_age(comparison: Comparison, before: Measurements, after: Measurements, max_age: float) -> Comparison:
    names = [pair.example_id for pair in comparison.pairs]
    return dataclasses.replace(comparison, age=age_of(before, after, names, max_age))


def _with_result(comparison: Comparison, pairs: list[Pair]) -> Comparison:
    if not pairs:
        return comparison
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    rollouts = max(map(len, after))
    return dataclasses.replace(
        comparison,
        pairs=tuple(pairs),
        result=paired_samples(after, before) if comparison.lower_is_better else paired_samples(before, after),
        mean_before=mean([Measurement(samples).score for samples in before]),
        mean_after=mean([Measurement(samples).score for samples in after]),
        rollouts=rollouts,
    )
