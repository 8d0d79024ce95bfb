"""What the fixture ``aggregates`` gives, checked, and where it stands: so that another process can call it too."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_pitcheval.errors import PitchevalError, one_line
from pytest_pitcheval.names import AGGREGATES, MEASURED, SCORE
from pytest_pitcheval.options.extras import missing_package
from pytest_pitcheval.results.plain import text_of

FIXTURE = "aggregates"
_EXPECTED = '{"f1": function(examples, predictions) -> float}'


class GivenAggregates:
    """The values of the fixture in one process; ``root`` is what the places of fixtures are relative to."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: dict[int, tuple[Any, pytest.FixtureDef[Any]]] = {}

    def made(self, fixturedef: pytest.FixtureDef[Any], value: Any) -> None:
        """pytest has set a fixture up, which gave this ``value``: it is held, so its ID stays taken."""
        if fixturedef.argname == FIXTURE:
            self._made[id(value)] = value, fixturedef

    def sources(self, value: Any) -> dict[str, str]:
        """By name, where each metric of the whole set comes from, as `figures.Aggregate.source` has it.

        Raises:
            PitchevalError: one line: the fixture gives something else, or cannot be called by another process.
        """
        if not value and isinstance(value, Mapping):
            return {}
        if not isinstance(value, Mapping):
            raise _complaint(f"it gave {one_line(text_of(value))!r}; expected {_EXPECTED}")
        place = self._place(value)
        return {name: _source(name, one, place) for name, one in value.items()}

    def _place(self, value: Any) -> str:
        _, fixturedef = self._made.get(id(value), (None, None))
        if fixturedef is None:
            raise _complaint("expected a fixture, not a parameter of the test")
        if fixturedef.scope == "function":
            raise _complaint("its scope is function; expected class, module, package or session")
        function = fixturedef.func
        if asked := list(parameters_of(function)):
            why = "it is called again without pytest, once all examples have their predictions"
            raise _complaint(f"it asks for {', '.join(map(repr, asked))}; expected no other fixture: {why}")
        if "<locals>" in function.__qualname__:
            raise _complaint("it stands in a function; expected it in a module or a class")
        return place_of(function, self._root)


def parameters_of(function: Callable[..., Any]) -> list[str]:
    """The fixtures that a fixture's ``function`` asks for: what it takes, but for ``self`` of a method."""
    names = list(inspect.signature(function).parameters)
    is_method = "." in function.__qualname__ and not inspect.ismethod(function)
    return names[1:] if is_method and names else names


def place_of(function: Callable[..., Any], root: Path) -> str:
    """``tests/conftest.py::aggregates``, relative to ``root``; elsewhere ``package.module::aggregates``."""
    file = Path(inspect.getfile(function)).resolve()
    is_below = file.is_relative_to(root.resolve())
    where = file.relative_to(root.resolve()).as_posix() if is_below else function.__module__
    return f"{where}::{function.__qualname__}"


def _source(name: Any, value: Any, place: str) -> str:
    if not isinstance(name, str) or not name or name in (SCORE, *MEASURED):
        raise _complaint(f"{text_of(name)!r}: expected a name that no other number has")
    if name in AGGREGATES and value != name:
        raise _complaint(f"{name!r}: expected another name than that of a built-in one ({', '.join(AGGREGATES)})")
    if callable(value):
        return place
    if value not in AGGREGATES:
        raise _complaint(
            f"{name!r}: {one_line(text_of(value))!r}: expected a function, or one of {', '.join(AGGREGATES)}"
        )
    if missing := missing_package(value):
        raise _complaint(missing)
    return str(value)


def _complaint(text: str) -> PitchevalError:
    return PitchevalError(f"fixture aggregates: {text}")
