"""``--eval-max-cost`` and ``--eval-max-tokens``: what all LM calls of a session may take together."""

from __future__ import annotations

from typing import Any

import pytest
from support.openai_server import Request, dspy_answer
from support.suite import Run, Suite

EXAMPLES = 20
PRICE = "--eval-price=openai/*=1000/1000"
PRICE_OF_A_TOKEN = 0.001
"""US dollars, so that a call of these tests costs some cents."""


@pytest.fixture
def suite(suite: Suite) -> Suite:
    suite.rows(EXAMPLES)
    return suite


def budget(run: Run) -> dict[str, Any]:
    assert run.document is not None, run.text
    found: dict[str, Any] = run.document["run"]["budget"]
    return found


def left_out(run: Run) -> list[dict[str, Any]]:
    return [test for test in run.tests if test["left_out"]]


def spent(requests: list[Request]) -> float:
    """By the provider's own books: a token is a word."""
    return sum(PRICE_OF_A_TOKEN * (len(one.prompt.split()) + len(dspy_answer(one).split())) for one in requests)


def test_nothing_is_sent_once_all_is_spent(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.server.latency = 0.02
    run = suite.run(PRICE, "--eval-max-cost=1", "--eval-concurrency=4", *plugin_args)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    books, told = spent(run.requests), budget(run)
    dearest = max(spent([one]) for one in run.requests)
    assert 1 <= books <= 1 + 4 * dearest
    assert told["cost"] == pytest.approx(books)
    assert sum(test["cost"] for test in run.tests) == pytest.approx(books)
    assert (told["max_cost"], told["max_tokens"], told["reached"]) == (1.0, None, "budget: $1.00 reached")
    assert {(test["status"], test["score"], test["error"], test["left_out"]) for test in left_out(run)} == {
        ("skipped", None, "budget: $1.00 reached", "budget")
    }
    scored = [test for test in run.tests if test["score"] is not None]
    assert 0 < len(scored) == EXAMPLES - len(left_out(run))
    run.result.assert_outcomes(passed=len(scored), skipped=len(left_out(run)))
    text = f"budget: $1.00 reached, ${books:.2f} spent: {len(left_out(run))} of 20 examples left out"
    assert text in run.result.stdout.lines
