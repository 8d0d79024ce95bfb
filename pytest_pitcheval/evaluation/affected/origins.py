"""What the scores of a test come from: its fixtures, its code, and what stands around them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_pitcheval.collection.collected import asked_by
from pytest_pitcheval.errors import one_line
from pytest_pitcheval.ownership import fixture_functions, params_of
from pytest_pitcheval.programs.fingerprints import digest_of
from pytest_pitcheval.programs.optimization import Ingredients
from pytest_pitcheval.programs.origins.listed_files import content_of
from pytest_pitcheval.programs.origins.origins import Origins, Unseen, around
from pytest_pitcheval.settings.methods import Optimization
from pytest_pitcheval.settings.models import Model
from pytest_pitcheval.settings.settings import Settings

Parts = Mapping[str, str]
"""Digits by what they are of; empty ones of what cannot be seen."""

_NEEDED = frozenset({"program", "generator", "metric", "test", "parameters", "makers", "listed", "settings"})
_OURS = ("optimization", "example")
"""Parameters that the test does not come from; models are left out too, as their LMs count by themselves."""
_SHORT = 12


class TestOrigins:
    """The parts of the origins of one process's tests; ``note`` is told of what cannot be seen."""

    __test__ = False  # no test class, whatever pytest makes of the name

    def __init__(self, settings: Settings, note: Callable[[str], object]) -> None:
        self._settings = settings
        self._note = note
        self._origins = Origins()

    def of_program(self, program: Any) -> Parts:
        """The program before it is compiled."""
        return self._parts(program=lambda: self._origins.of_objects(program))

    def of_generator(self, lm: Any) -> Parts:
        """The program's LM."""
        return self._parts(generator=lambda: self._origins.of_objects(lm))

    def of_metric(self, metric: Any) -> Parts:
        """The metric without the LMs that it asks: those are the judge."""
        return self._parts(metric=lambda: self._origins.of_objects(metric, with_lms=False))

    def of_compiling(self, optimization: Optimization, made_of: Ingredients) -> Parts:
        """What a program is compiled from, besides itself and its LM."""
        judged_by = (made_of.metric, made_of.evaluator_lm) if made_of.metric is not None else ()

        def compiled() -> str:
            data = self._origins.of_objects(made_of.trainset, made_of.valset)
            return digest_of(
                [str(optimization), data, self._origins.of_objects(*judged_by), self._method(optimization)]
            )

        return self._parts(compiled=compiled)

    def _method(self, optimization: Optimization) -> str:
        from pytest_pitcheval.programs.optimization import optimizer_if_any

        optimizer = optimizer_if_any(optimization)
        settings = optimization.all_settings
        return self._origins.of_objects(optimizer, *(settings[name] for name in sorted(settings))) + str(
            sorted(settings)
        )

    def of_test(self, item: pytest.Item) -> Parts:
        """The test itself, what makes its fixtures, and what holds for all tests."""
        function = getattr(item, "function", None)
        params = params_of(item).items()
        own = {name: value for name, value in params if name not in _OURS and not isinstance(value, Model)}
        asked = asked_by(item, self._settings)
        inputs: list[object] = list(asked.row.inputs) if asked.row is not None else []
        if asked.program_marker and (asked.program_marker.judge_rollouts or 1) > 1:
            inputs.append({"judge_rollouts": asked.program_marker.judge_rollouts})
        return self._parts(
            test=lambda: self._origins.of_body(function),
            parameters=lambda: digest_of([inputs, list(own), self._origins.of_objects(*own.values())]),
            makers=lambda: self._origins.of_makers(fixture_functions(item)),
            listed=lambda: self._listed,
            settings=lambda: self._origins.of_objects(*around()),
        )

    @functools.cached_property
    def _listed(self) -> str:
        try:
            return digest_of(content_of(self._settings.sources, self._note))
        except OSError as error:
            raise Unseen(f"eval_sources: {one_line(error)}") from None

    def _parts(self, **parts: Callable[[], str]) -> Parts:
        return {name: self._seen(name, make) for name, make in parts.items()}

    def _seen(self, name: str, make: Callable[[], str]) -> str:
        try:
            return make()
        except Unseen as unseen:
            if self._settings.baseline.affected:
                self._note(f"--eval-affected asks all, as not all of the {name} can be seen: {one_line(str(unseen))}")
            return ""


def origin_of(parts: Parts) -> str:
    """The whole; empty where a part of it is not known."""
    if not parts.keys() >= _NEEDED or not all(parts.values()):
        return ""
    return digest_of(dict(parts))[:_SHORT]
