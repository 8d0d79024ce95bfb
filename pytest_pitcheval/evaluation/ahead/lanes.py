"""Which tests share the fixtures that a rollout needs, so that one may use what another was given.

pytest does not tell which fixture a coming test will get. But two tests of one class or module that ask for the same
fixture names and have the same parameters get the same ones, unless a fixture is made anew for each test; that is seen
when the first of them is set up.
"""

from __future__ import annotations

import contextvars
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pitcheval.evaluation.ahead.flights import JudgeToCome, Shared
from pytest_pitcheval.ownership import params_of

if TYPE_CHECKING:
    from pytest_pitcheval.collection.collected import Asked
    from pytest_pitcheval.rollouts.program_and_metric import Generator, Judge

OURS = frozenset(
    {
        *("_pitcheval_test", "_dspy_settings", "rollout_id", "optimization", "example"),
        *("compiled_program", "prediction", "score", "record_score", "verdict"),
    }
)
"""The plugin's own fixtures of function scope."""

_HARMLESS = frozenset(
    {
        *("_pytest", "xdist", "pytest_asyncio", "pytest_mock", "pytest_subtests"),
        *("pytest_randomly", "pytest_repeat"),
    }
)
"""The packages whose fixtures change nothing for a program by being set up."""

_IDLE: dict[str, dict[str, str | None]] = {
    "pytest_recording": {"vcr": "vcr", "vcr_markers": "vcr", "block_network": "block_network"},
    "pytest_django": {
        "_django_db_marker": "django_db",
        "_django_set_urlconf": "urls",
        "_django_isolate_apps": "django_isolate_apps",
        "_template_string_if_invalid_marker": "ignore_template_errors",
        "_live_server_helper": None,
        "_dj_autoclear_mailbox": None,
        "_django_clear_site_cache": None,
    },
}
"""Fixtures that a plugin sets up for every test, by package; each with the marker that gives it something to do."""

_XUNIT = "_xunit_setup_"
"""What pytest calls the fixtures that run ``setup_method``, ``setup_function`` and their like, which are the user's."""

LaneKey = tuple[Any, ...]


def lane_key(item: pytest.Item, asked: Asked) -> LaneKey:
    """Equal for two tests if pytest gives both the same fixtures of class, module and session scope."""
    params = params_of(item)
    own = tuple((name, id(value)) for name, value in params.items() if name not in ("example", "optimization"))
    return (id(item.parent), asked.fixtures, own, repr(asked.optimization))


def is_harmless(fixturedef: pytest.FixtureDef[object], item: pytest.Item) -> bool:
    """Whether the fixture is one of pytest's or a common plugin's that makes no difference to ``item``'s program."""
    package = fixturedef.func.__module__.partition(".")[0]
    if fixturedef.argname.startswith(_XUNIT):
        is_for_functions = fixturedef.argname.startswith(f"{_XUNIT}function")
        return is_for_functions and getattr(item, "cls", None) is not None  # pytest does not run it for methods
    if package in _HARMLESS:
        return True
    idle = _IDLE.get(package, {})
    return fixturedef.argname in idle and item.get_closest_marker(idle[fixturedef.argname] or "") is None


def obstacle(function_fixtures: Sequence[str]) -> str | None:
    """The first of these set-ups of function fixtures, harmless ones left out, that may matter to the program, or None.

    That is a fixture of the user's own, or one of ours that was overridden by one that asks for it.
    """
    for position, name in enumerate(function_fixtures):
        if name in OURS and name in function_fixtures[:position]:
            return name
        if name not in OURS:
            return _as_written(name)
    return None


def _as_written(fixture: str) -> str:
    """``fixture`` as it stands in the suite: ``setup_method`` for pytest's ``_xunit_setup_method_fixture_TestX``."""
    kind = fixture.removeprefix(_XUNIT)
    return fixture if kind == fixture else f"setup_{kind.partition('_')[0]}"


class Lane:
    """Tests with the same key, and the very objects that they share.

    Attributes:
        place: up to where in the order of tests the lane has looked.
    """

    def __init__(self, generator: Generator) -> None:
        self.shared = Shared(generator, JudgeToCome(), contextvars.copy_context())
        self.place = 0

    @property
    def generator(self) -> Generator:
        """What makes predictions."""
        return self.shared.generator

    @property
    def judge(self) -> Judge | None:
        """What scores predictions, once it is known that it is shared too."""
        return self.shared.judge.known

    def open(self, judge: Judge) -> None:
        """From now on ``judge`` is known; the flights that waited for it go on."""
        self.shared.judge.open(judge)
