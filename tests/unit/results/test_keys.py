"""Keys of groups: what people are told of them, and what files have."""

from __future__ import annotations

import pytest

from pytest_pitcheval.results.keys import Key

TEST = "t.py::test"


@pytest.mark.parametrize(
    ("key", "variant", "models"),
    [
        (Key(TEST, "none"), "none", ""),
        (Key(TEST, "none", "openai/a"), "openai/a none", "openai/a"),
        (Key(TEST, "none", "", "openai/j"), "none, judge openai/j", "judge openai/j"),
        (Key(TEST, "none", "openai/a", "openai/j"), "openai/a none, judge openai/j", "openai/a, judge openai/j"),
    ],
)
def test_a_group_is_told_by_its_method_and_its_models(key: Key, variant: str, models: str) -> None:
    assert (key.variant, key.models, key.name) == (variant, models, f"{TEST} [{variant}]")


@pytest.mark.parametrize(
    ("key", "function", "parameters", "member"),
    [
        (Key(TEST, "none"), TEST, "", "none"),
        (Key(f"{TEST}[react-0.7]", "simba"), TEST, "react-0.7", "react-0.7 simba"),
        (
            Key("a[b]/t.py::T::test[c::d[e]]", "none", "openai/a"),
            "a[b]/t.py::T::test",
            "c::d[e]",
            "openai/a c::d[e] none",
        ),
        (Key(f"{TEST}[react]", "none", "openai/a", "openai/j"), TEST, "react", "openai/a react none, judge openai/j"),
        (Key(f"{TEST}[]", "none"), TEST, "", "none"),
    ],
)
def test_parameters_of_the_users_own_are_told_among_those_of_the_function(
    key: Key, function: str, parameters: str, member: str
) -> None:
    assert (key.function, key.parameters, key.member) == (function, parameters, member)
    assert key.setting == member.replace(f" {key.optimization}", "").removeprefix(key.optimization)


def test_files_have_no_models_where_there_is_one() -> None:
    assert Key(TEST, "none").to_dict() == {"test": TEST, "optimization": "none"}
    assert Key(TEST, "none", "a").to_dict() == {"test": TEST, "optimization": "none", "model": "a"}
