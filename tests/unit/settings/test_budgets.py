"""Caps and prices as options have them."""

from __future__ import annotations

import pytest

from pytest_pitcheval.settings.budgets import Price, dollars, parse_prices, parse_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("0", 0), ("1234", 1234), ("500k", 500_000), ("1K", 1000), ("2M", 2_000_000), ("1.5M", 1_500_000)],
)
def test_tokens(text: str, tokens: int) -> None:
    assert parse_tokens(text) == tokens


@pytest.mark.parametrize("text", ["", "2X", "2m", "-1", "1.5", "0.0001k", "1e6", "1_000", "\u0662", "k"])
def test_no_tokens(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number of tokens"):
        parse_tokens(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.00"), (5, "$5.00"), (5.034, "$5.03"), (0.25, "$0.25"), (0.0025, "$0.0025"), (1e-7, "$0.0000001")],
)
def test_dollars(amount: float, text: str) -> None:
    assert dollars(amount) == text


def test_prices_of_a_list() -> None:
    assert parse_prices("openai/gpt-4o-mini=0.15/0.60, azure/*=2.5/10") == (
        Price("openai/gpt-4o-mini", 0.15, 0.6),
        Price("azure/*", 2.5, 10),
    )
    assert parse_prices("\n  a/b=0/0\n  odd=name/c=1/2") == (Price("a/b", 0, 0), Price("odd=name/c", 1, 2))


@pytest.mark.parametrize(
    ("models", "model", "holds"),
    [
        ("openai/x", "openai/x", True),
        ("openai/x", "openai/xy", False),
        ("openai/*", "openai/a/b", True),
        ("ft:[a]", "ft:[a]", True),
        ("OpenAI/x", "openai/x", False),
    ],
)
def test_whose_price_it_is(models: str, model: str, holds: bool) -> None:
    assert Price(models, 1, 1).holds_for(model) is holds


def test_what_tokens_cost() -> None:
    assert Price("m", 0.15, 0.6).of(1_000_000, 500_000) == pytest.approx(0.45)
