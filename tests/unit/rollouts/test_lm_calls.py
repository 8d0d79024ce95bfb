"""What answers say that they took."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pitcheval.results.records import Usage
from pytest_pitcheval.rollouts.lm_calls import answer_usage


@pytest.mark.parametrize(
    ("told", "tokens"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 5}, (9, 5)),
        ({"input_tokens": 9, "output_tokens": 5}, (9, 5)),
        ({"prompt_tokens": "9", "completion_tokens": 5.0}, (9, 5)),
        ({"prompt_tokens": -9, "completion_tokens": 5}, (0, 5)),
        ({"prompt_tokens": -9, "input_tokens": 7}, (7, 0)),
        ({"prompt_tokens": float("nan"), "completion_tokens": float("inf")}, (0, 0)),
        ({"prompt_tokens": "many", "completion_tokens": [5]}, (0, 0)),
        ({"prompt_tokens": "1_000", "input_tokens": 7}, (7, 0)),
        ({"prompt_tokens": 10**308, "completion_tokens": 1e20}, (10**15, 10**15)),
        ({"prompt_tokens": None}, (0, 0)),
        (None, (0, 0)),
    ],
)
def test_tokens_that_no_answer_can_take_are_none(told: Any, tokens: tuple[int, int]) -> None:
    usage = answer_usage({"usage": told})
    assert (usage.prompt_tokens, usage.completion_tokens) == tokens


@pytest.mark.parametrize(
    ("told", "cost"),
    [(0.5, 0.5), (0, 0.0), (-0.5, None), (float("nan"), None), (float("inf"), None), ("?", None), (1e308, 1e15)],
)
def test_a_cost_that_cannot_be_is_not_known(told: Any, cost: float | None) -> None:
    assert answer_usage({"usage": {}, "cost": told}) == Usage(cost=cost)
