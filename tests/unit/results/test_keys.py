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


def test_files_have_no_models_where_there_is_one() -> None:
    assert Key(TEST, "none").to_dict() == {"test": TEST, "optimization": "none"}
    assert Key(TEST, "none", "a").to_dict() == {"test": TEST, "optimization": "none", "model": "a"}
