"""Which tests are the plugin's business: told by what pytest knows of an item without documenting it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

ANCHOR = "_pitcheval_test"
"""The fixture that all function fixtures of the plugin ask for: what has it in its closure is ours."""

LMS = frozenset({"generator_lm", "evaluator_lm"})
"""The fixtures whose LM calls are fresh in any test that asks for them."""

_HOLDERS = LMS | {"program", "metric", "compiled_program"}


def fixture_names(node: pytest.Item) -> tuple[str, ...]:
    """The fixtures that a test gets, those that its fixtures ask for too; none where it is no test function."""
    return tuple(getattr(node, "fixturenames", ()))


def fixture_functions(node: pytest.Item) -> list[Any]:
    """The functions that make the fixtures of a test, as far as those are known by name."""
    known = getattr(getattr(node, "_fixtureinfo", None), "name2fixturedefs", {})
    found = []
    for name, definitions in known.items():
        for definition in reversed(definitions):
            found.append(definition.func)
            if name not in definition.argnames:  # else it asks for the one that it stands in the place of
                break
    return found


def give_way(node: pytest.Item) -> None:
    """Let fixtures of other plugins stand in the place of ours of the same name, as those of a conftest.py do.

    pytest takes that of the plugin that was loaded last, and those of ``-p`` and ``PYTEST_PLUGINS`` are loaded first.
    """
    known = getattr(getattr(node, "_fixtureinfo", None), "name2fixturedefs", {})
    for name, definitions in known.items():
        if len(definitions) > 1 and not _is_plugins(definitions[0].func):
            known[name] = sorted(definitions, key=lambda one: not _is_plugins(one.func))


def is_overridden(node: pytest.Item, fixture: str) -> bool:
    """Whether the test gets the user's fixture of this name, perhaps on top of ours."""
    known = getattr(getattr(node, "_fixtureinfo", None), "name2fixturedefs", {})
    return any(not _is_plugins(one.func) for one in known.get(fixture, ()))


def passes_on(node: pytest.Item, fixture: str) -> bool:
    """Whether a parameter of ``fixture`` reaches the plugin's own: each one that stands in its place asks for it."""
    known = getattr(getattr(node, "_fixtureinfo", None), "name2fixturedefs", {})
    return all(fixture in one.argnames or _is_plugins(one.func) for one in reversed(known.get(fixture, ())))


def has_own_params(node: pytest.Item, fixture: str) -> bool:
    """Whether the user's ``fixture`` has ``params``: pytest would give it the plugin's in their place."""
    known = getattr(getattr(node, "_fixtureinfo", None), "name2fixturedefs", {})
    return any(one.params for one in known.get(fixture, ()))


def _is_plugins(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).startswith("pytest_pitcheval.")


class Turn:
    """How long fixtures that tests share with ``node`` stay: pytest tears those of a class down at its end, and those
    with parameters of their own where a test has another one.
    """

    def __init__(self, node: pytest.Item) -> None:
        known = getattr(getattr(node, "_fixtureinfo", None), "name2fixturedefs", {})
        of_users = {name: defined[-1].scope for name, defined in known.items() if not _is_plugins(defined[-1].func)}
        kinds: tuple[tuple[str, type[pytest.Collector]], ...]
        kinds = (("class", pytest.Class), ("class", pytest.Module), ("module", pytest.Module))
        kinds = (*kinds, ("package", pytest.Package))
        wide = set(of_users.values())
        self._home = next((found for scope, kind in kinds if scope in wide and (found := node.getparent(kind))), None)
        self._params = {
            name: one for name, one in params_of(node).items() if of_users.get(name, "function") != "function"
        }

    def has(self, node: pytest.Item) -> bool:
        """Whether they stay while ``node`` runs, too."""
        if self._home is not None and self._home not in node.listchain():
            return False
        params = params_of(node) if self._params else {}
        return all(params.get(name, value) is value for name, value in self._params.items())


def params_of(node: pytest.Item) -> dict[str, Any]:
    """The parameters of a test, by the name of their argument or fixture."""
    return dict(getattr(getattr(node, "callspec", None), "params", {}))


def id_parts(node: pytest.Item) -> list[str]:
    """The IDs of a test's parameters, one for each time that it was parametrized: its node ID has them, in brackets."""
    return list(getattr(getattr(node, "callspec", None), "_idlist", ()))


def is_ours(node: pytest.Item) -> bool:
    """Whether a test uses the plugin, and not just fixtures of its own with the same names."""
    if ANCHOR in fixture_names(node):
        return True
    return bool(node.own_markers) and any(map(is_evaluation, node.own_markers))


def is_evaluation(mark: pytest.Mark) -> bool:
    """Whether a marker has a dataset for us: bare, ``evaluation`` is a tag that other suites select tests by."""
    return mark.name in ("evaluation", "judge_exam") and bool(mark.args or mark.kwargs)


def uses_lm(node: pytest.Item) -> bool:
    """Whether a test asks for one of the LMs by name: its calls are fresh too, and its reports show no key."""
    return not LMS.isdisjoint(fixture_names(node))


def may_hold_lm(node: pytest.Item) -> bool:
    """Whether a test asks by name for what is an LM or may hold one: its reports show no key."""
    return not _HOLDERS.isdisjoint(fixture_names(node))


def idle_markers(items: Sequence[pytest.Item]) -> set[Any]:
    """The classes and modules with an evaluation marker of which no test among ``items`` makes use."""
    collectors = {item.parent for item in items if item.parent is not None}
    marked = {node for one in collectors for node in one.listchain() if any(map(is_evaluation, node.own_markers))}
    if not marked:
        return marked
    evaluated = (item for item in items if {ANCHOR, "example"} <= set(fixture_names(item)))
    return marked.difference(node for item in evaluated for node in item.listchain())


def is_watched(node: pytest.Item) -> bool:
    """Whether the plugin has anything to do with a test."""
    return is_ours(node) or uses_lm(node)


def uncallable_tests(collector: pytest.Collector) -> frozenset[str]:
    """What is called like a test in a module or class, and is no function: none, in most."""
    names = vars(collector.obj)  # type: ignore[attr-defined]  # of a Module and a Class
    prefixes = tuple(pattern.partition("*")[0] for pattern in collector.config.getini("python_functions"))
    return frozenset(name for name, value in names.items() if name.startswith(prefixes) and not callable(value))
