"""The compiled program of a test: its ingredients from fixtures, its progress onto the terminal."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_pitcheval.collection.parametrization import optimizations_of
from pytest_pitcheval.errors import FixtureNotDefined, PitchevalWarning
from pytest_pitcheval.evaluation import judges, timeouts
from pytest_pitcheval.evaluation.affected.unchanged import OMISSION, Now
from pytest_pitcheval.evaluation.runner import Runner
from pytest_pitcheval.evaluation.running_test import RUNNING
from pytest_pitcheval.ownership import params_of
from pytest_pitcheval.programs.optimization import Ingredients
from pytest_pitcheval.programs.program_files import save_program
from pytest_pitcheval.reports.progress import Progress
from pytest_pitcheval.settings.methods import UNOPTIMIZED, Optimization
from pytest_pitcheval.settings.models import Model
from pytest_pitcheval.settings.settings import Settings


def compiled_for(runner: Runner, request: pytest.FixtureRequest, optimization: Optimization, program: Any) -> Any:
    """The program that the test of ``request`` evaluates; compiled if no one has done so."""
    __tracebackhide__ = True
    settings = runner.process.settings
    compiled, stored = program, None
    optimized = optimization.method != UNOPTIMIZED
    ingredients = _ingredients(runner, request, optimization, program) if optimized else None
    _skip_unchanged(runner, request, optimization, program, ingredients)
    if ingredients is not None:
        if ingredients.metric is not None:  # known as it is before compiling calls it
            runner.identities.metric(ingredients.metric)
            runner.identities.judge(ingredients.metric, ingredients.evaluator_lm)
        with timeouts.stopped(request.node), runner.rollouts.scopes.outside():
            compiled, stored = runner.compiler.get(
                optimization, ingredients, request.node.nodeid, Progress(request.config).say
            )
        if stored is not None and stored.is_relative_to(settings.directory) and stored.exists():
            request.node.stash[RUNNING].stored_as(stored.relative_to(settings.directory).as_posix())
    if settings.save_program is not None:
        path = _save_path(settings, settings.save_program, request, optimization)
        save_program(path, compiled, stored, optimization, runner.process.run_id)
    return compiled


def _skip_unchanged(
    runner: Runner,
    request: pytest.FixtureRequest,
    optimization: Optimization,
    program: Any,
    made_of: Ingredients | None,
) -> None:
    """Skip the test if its example need not be asked; nothing has been compiled or asked for it yet.

    ``made_of`` is None where nothing is compiled.
    """
    __tracebackhide__ = True
    running, unchanged = request.node.stash[RUNNING], runner.unchanged
    running.comes_from(unchanged.origins.of_program(program))
    if made_of is not None:
        running.comes_from(unchanged.origins.of_compiling(optimization, made_of))
    if not unchanged.is_possible or not running.asks_for_score or running.rollout_id.attempt > 1:
        return
    if made_of is not None and runner.process.settings.recompile:
        return
    if "example" in request.fixturenames:
        request.getfixturevalue("example")  # what its row comes to counts
    stored = None if made_of is None else runner.compiler.stored_before(optimization, made_of)
    known = unchanged.learn(request.node, _now(runner, request, running.origin, stored))
    if known is not None:
        running.unchanged(OMISSION, known.measured, known.fingerprints)
        pytest.skip(OMISSION.reason)


def _now(runner: Runner, request: pytest.FixtureRequest, parts: Mapping[str, str], stored: Any) -> Now:
    """What the scores of the test come from; ``stored`` is the program as it was compiled earlier, if it was."""
    identities, origins = runner.identities, runner.unchanged.origins
    metric, lm = request.getfixturevalue("metric"), request.getfixturevalue("generator_lm")
    evaluator_lm = judges.for_test(request, request.getfixturevalue("evaluator_lm"), runner.process.settings.evaluator)
    parts = {**parts, **origins.of_generator(lm), **origins.of_metric(metric)}
    program = None if stored is None else identities.program(stored)
    return Now(parts, identities.judge(metric, evaluator_lm), program)


def _save_path(settings: Settings, path: Path, request: pytest.FixtureRequest, optimization: Optimization) -> Path:
    """With several methods or models, each has its name in the file's."""
    models = [param.id for param in params_of(request.node).values() if isinstance(param, Model)]
    several = len(optimizations_of(request.node, settings)) > 1
    names = [path.stem, *models, *([optimization.method.replace(":", ".")] if several else [])]
    return path.with_name(f"{'-'.join(names)}{path.suffix}")


def _ingredients(
    runner: Runner, request: pytest.FixtureRequest, optimization: Optimization, program: Any
) -> Ingredients:
    trainset = runner.compiler.trainsets.get(request.getfixturevalue("trainset"))
    if "example" in request.fixturenames:
        request.getfixturevalue("example")  # else it is made after the program
    example = request.node.stash[RUNNING].example
    if example is not None and trainset.has_inputs_of(example):
        warnings.warn(
            PitchevalWarning(f"{request.node.nodeid}: this example is in the trainset as well, so its score flatters"),
            stacklevel=1,
        )
    return Ingredients(
        program=program,
        metric=request.getfixturevalue("metric") if optimization.definition.needs_metric else None,
        trainset=trainset.examples,
        valset=_optional(request, "valset"),
        generator_lm=request.getfixturevalue("generator_lm"),
        evaluator_lm=judges.for_test(
            request, request.getfixturevalue("evaluator_lm"), runner.process.settings.evaluator
        ),
    )


def _optional(request: pytest.FixtureRequest, name: str) -> Any:
    try:
        return request.getfixturevalue(name)
    except FixtureNotDefined:
        return None
