"""Whether an optimizer could do its work, and whether it did any: DSPy's own hide what each example raised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pytest_pitcheval.errors import PitchevalError, one_line
from pytest_pitcheval.programs.fingerprints import fingerprint
from pytest_pitcheval.programs.optimization import Ingredients
from pytest_pitcheval.settings.methods import METHODS, Optimization

_LATER = frozenset({"knn"})
"""Methods that ask program and metric when the compiled program is called, not before."""


ALWAYS_CHANGE = frozenset({"labeled", "bootstrap"})
"""Methods that change every program; those that search may find none that is better."""


class WatchedMetric:
    """A user's metric; counts how often an optimizer asked it, and what it raised."""

    def __init__(self, metric: Callable[..., Any]) -> None:
        self.__wrapped__ = metric  # whose parameters `inspect.signature` gives
        self.asked: list[None] = []  # lists, because several threads ask
        self.raised: list[Exception] = []

    def __call__(self, *arguments: Any) -> Any:
        self.asked.append(None)
        try:
            return self.__wrapped__(*arguments)
        except Exception as error:
            self.raised.append(error)
            raise


def check_trainset(optimization: Optimization, ingredients: Ingredients) -> None:
    """Raise PitchevalError if one of our methods could learn nothing from the examples it gets."""
    if optimization.method not in METHODS:  # what a user's own optimizer needs is not known
        return
    if not ingredients.trainset:
        raise PitchevalError("trainset: it has no examples; expected a list of dspy.Example")
    for name, examples in (("trainset", ingredients.trainset), ("valset", ingredients.valset or ())):
        if optimization.definition.needs_metric and (bad := _without_inputs(examples)):
            raise PitchevalError(
                f"{name}: {len(bad)} of {len(examples)} examples have no inputs, such as {one_line(repr(bad[0]))}; "
                "expected dspy.Example(...).with_inputs(...)"
            )


def _without_inputs(examples: Sequence[Any]) -> list[Any]:
    return [example for example in examples if not _has_inputs(example)]


def _has_inputs(example: Any) -> bool:
    try:
        return len(example.inputs()) > 0
    except (AttributeError, TypeError, ValueError):  # what `inputs` raises before `with_inputs`
        return False


def check_metric(optimization: Optimization, metric: WatchedMetric) -> None:
    """Raise PitchevalError if one of our methods had no verdict to learn from."""
    if optimization.method not in METHODS or optimization.method in _LATER or "metric" in optimization.settings:
        return
    if not metric.asked and _bootstraps_none(optimization):
        return
    if not metric.asked:
        raise PitchevalError("the metric was not asked once: the program raised on each example of the trainset")
    if len(metric.raised) == len(metric.asked):
        raise PitchevalError(
            f"the metric raised each of the {len(metric.asked)} times it was asked, last {one_line(metric.raised[-1])}"
        )


def _bootstraps_none(optimization: Optimization) -> bool:
    """Whether its demos are to be rows of the trainset, which no metric sees."""
    return optimization.settings.get("max_bootstrapped_demos") == 0


def idleness(optimization: Optimization, compiled: Any, student: Any) -> str | None:
    """What was left undone, as far as a compiled program shows; None for one that was changed."""
    if "forward" in vars(compiled):  # knn's, which looks up its demos when it is called
        return None
    if _predictors(student) == _predictors(compiled):
        return "it changed nothing: the program is as it was"
    if optimization.method == "bootstrap" and not _bootstraps_none(optimization) and not _bootstrapped(compiled):
        return "no answer to the trainset passed the metric, so none became a demo: those there are its rows themselves"
    return None


def _predictors(program: Any) -> dict[str, str]:
    return {name: fingerprint(predictor) for name, predictor in program.named_predictors()}


def _bootstrapped(program: Any) -> list[Any]:
    return [demo for _, predictor in program.named_predictors() for demo in predictor.demos if "augmented" in demo]
