"""Optimization methods by name."""

from __future__ import annotations

import pytest

from pytest_pitcheval.names import METHOD_NAMES
from pytest_pitcheval.settings.methods import METHODS, Optimization, check_method

PROMISED = ["none", "labeled", "bootstrap", "bootstrap_random", "knn", "copro", "mipro", "simba", "gepa", "infer_rules"]


def test_the_promised_methods_are_there() -> None:
    assert list(METHODS) == PROMISED == list(METHOD_NAMES)


@pytest.mark.parametrize("name", [*PROMISED, "mine:Optimizer", "package.module:Optimizer", "_a.b2:_C"])
def test_accepts(name: str) -> None:
    assert check_method(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "Bootstrap",
        "bootstrapp",
        "mine",
        ":Optimizer",
        "mine:",
        "a:b:c",
        "a.:B",
        ".a:B",
        "a b:C",
        "a:B.C",
        "a:1",
    ],
)
def test_refuses_and_lists_the_methods(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"^expected one of none, labeled, .*, infer_rules or package\.module:Optimizer$"
    ):
        check_method(name)


def test_the_default_leaves_the_program_as_it_is() -> None:
    optimization = Optimization()
    assert (str(optimization), dict(optimization.all_settings)) == ("none", {})
    assert optimization.definition.optimizer is None


def test_settings_of_a_marker_win_over_ours() -> None:
    assert Optimization("knn", {"trainset": []}).all_settings == {"k": 3, "trainset": []}
    assert Optimization("knn", {"k": 5}).all_settings == {"k": 5}


def test_an_optimizer_of_the_users_own() -> None:
    definition = Optimization("mine:Optimizer").definition
    assert (definition.optimizer, dict(definition.settings), definition.needs_metric) == ("mine:Optimizer", {}, True)


def test_only_labeling_needs_no_metric() -> None:
    assert [name for name in PROMISED if not METHODS[name].needs_metric] == ["labeled"]
