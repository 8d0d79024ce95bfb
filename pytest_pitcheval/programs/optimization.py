"""From a method's name to a compiled program, through DSPy's optimizers."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import dspy

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.lm.language_models import dspy_settings
from pytest_pitcheval.names import GENERATOR, JUDGE
from pytest_pitcheval.rollouts.calling import called
from pytest_pitcheval.rollouts.rollouts import Rollouts
from pytest_pitcheval.rollouts.scopes import Scope
from pytest_pitcheval.rollouts.verdicts import read_verdict
from pytest_pitcheval.settings.methods import Optimization

_HASH_SIZE = 512


@dataclasses.dataclass(frozen=True)
class Ingredients:
    """What an optimizer works with; ``trainset`` is the sample that ``--train-size`` left of it."""

    program: Any
    metric: Callable[..., Any] | None
    trainset: Sequence[Any]
    valset: Sequence[Any] | None
    generator_lm: Any
    evaluator_lm: Any


def compile_program(optimization: Optimization, ingredients: Ingredients, rollouts: Rollouts, scope: Scope) -> Any:
    """A copy of the program, compiled; its LM calls use DSPy's cache as usual and are counted in ``scope``."""
    optimizer_class = import_optimizer(optimization.definition.optimizer or "")
    with rollouts.entered(scope, GENERATOR, **dspy_settings(ingredients.generator_lm)):
        available = _available(optimizer_class, ingredients, rollouts, scope)
        constructor, compiling = _split_settings(optimizer_class, optimization)
        optimizer = optimizer_class(**{**_wanted(optimizer_class, available), **constructor})
        student = ingredients.program.deepcopy()
        return optimizer.compile(student, **{**_wanted(optimizer_class.compile, available), **compiling})


def import_optimizer(path: str) -> type[Any]:
    """The class that ``package.module:Optimizer`` names; a PitchevalError if there is none."""
    module_name, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise PitchevalError(f"optimization {path!r}: {error}") from None
    if not isinstance(found, type) or not callable(getattr(found, "compile", None)):
        raise PitchevalError(f"optimization {path!r}: expected a class with a compile method")
    return found


def optimizer_if_any(optimization: Optimization) -> type[Any] | None:
    """The optimizer's class, whose code decides the program too; None if it cannot be had, as compiling will tell."""
    with contextlib.suppress(PitchevalError):
        return import_optimizer(optimization.definition.optimizer or "")
    return None


def _available(
    optimizer_class: type[Any], ingredients: Ingredients, rollouts: Rollouts, scope: Scope
) -> dict[str, Any]:
    """What an optimizer may ask for by the name of a parameter."""
    feedback = issubclass(optimizer_class, dspy.GEPA)
    metric = ingredients.metric
    available: dict[str, Any] = {
        "metric": metric and _optimizer_metric(metric, ingredients.evaluator_lm, rollouts, scope, feedback),
        "trainset": list(ingredients.trainset),
        "vectorizer": dspy.Embedder(hash_words),
        "reflection_lm": ingredients.generator_lm,
        "bsize": min(32, len(ingredients.trainset)),  # SIMBA's own default needs 32 examples
        "requires_permission_to_run": False,  # MIPROv2 of DSPy 3.0 asks on the terminal
    }
    if ingredients.valset is not None:
        available["valset"] = list(ingredients.valset)
    return available


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


def _wanted(function: Callable[..., Any], available: dict[str, Any]) -> dict[str, Any]:
    parameters = _parameters(function)
    wanted = {name: value for name, value in available.items() if name in parameters}
    if _takes_further(parameters):  # InferRules and KNNFewShot hand them on to BootstrapFewShot
        wanted["metric"] = available["metric"]
    if getattr(parameters.get("requires_permission_to_run"), "default", None) is None:
        wanted.pop("requires_permission_to_run", None)
    return wanted


def _takes_further(parameters: dict[str, inspect.Parameter]) -> bool:
    """Whether there is a ``**kwargs`` that is used: COPRO's ``**_kwargs`` swallows what it is given."""
    kinds = ((parameter.kind, parameter.name) for parameter in parameters.values())
    return any(kind is inspect.Parameter.VAR_KEYWORD and not name.startswith("_") for kind, name in kinds)


def _split_settings(optimizer_class: type[Any], optimization: Optimization) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings for the constructor, and those for ``compile``; a PitchevalError for one that fits neither."""
    constructor, compiling = _parameters(optimizer_class), _parameters(optimizer_class.compile)
    settings = optimization.all_settings
    further = _takes_further(constructor)
    if further and optimizer_class.__module__.startswith("dspy."):  # handed on to BootstrapFewShot, which takes no more
        constructor, further = {**constructor, **_parameters(dspy.BootstrapFewShot)}, False
    for name in settings:
        if name not in constructor and name not in compiling and not further:
            named = {key for key, one in {**constructor, **compiling}.items() if one.kind is not one.VAR_KEYWORD}
            known = sorted(named - {"self", "student"})
            raise PitchevalError(
                f"optimization marker: {optimization.method} has no setting {name!r}; "
                f"expected one of {', '.join(known)}"
            )
    late = {name: value for name, value in settings.items() if name in compiling and name not in constructor}
    return {name: value for name, value in settings.items() if name not in late}, late


def _optimizer_metric(
    own: Callable[..., Any], evaluator_lm: Any, rollouts: Rollouts, scope: Scope, feedback: bool
) -> Callable[..., Any]:
    """The user's ``own`` metric as optimizers want it: a float (GEPA: with feedback), judged by the evaluator LM."""
    accepted = _positional_parameters(own)
    settings = dspy_settings(evaluator_lm)

    def metric(gold: Any, pred: Any, trace: Any = None, pred_name: Any = None, pred_trace: Any = None) -> Any:
        given = [gold, pred, trace, pred_name, pred_trace]
        while len(given) > 2 and given[-1] is None:
            given.pop()
        with rollouts.entered(scope, JUDGE, trace=[], **settings):
            verdict = read_verdict(called(own, rollouts.loop.run, *given[:accepted]))
        if feedback:
            return dspy.Prediction(score=verdict.score, feedback=verdict.feedback or f"Score: {verdict.score:.3f}")
        return verdict.score

    return metric


def _positional_parameters(function: Callable[..., Any]) -> int:
    parameters = _parameters(function).values()
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return 5
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in kinds for parameter in parameters)


def hash_words(texts: Sequence[str]) -> Any:
    """Texts as unit vectors of hashed word counts, float array of shape ``(len(texts), 512)``.

    The default vectorizer of ``knn``: it needs no embedding model. The hashing trick of Weinberger et al.,
    "Feature hashing for large scale multitask learning", ICML 2009, without its sign bit.
    """
    import numpy as np

    vectors = np.zeros((len(texts), _HASH_SIZE), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().split():
            vectors[row, zlib.crc32(word.encode()) % _HASH_SIZE] += 1
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
