"""What models cost: as options say, else as LiteLLM's list says, which DSPy and LiteLLM use for their answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import dspy

from pytest_pitcheval.errors import NoPrice
from pytest_pitcheval.results.records import Usage
from pytest_pitcheval.settings.budgets import Price

_TELL_BY_THEMSELVES = ("openrouter", "litellm_proxy")
"""Providers whose answers may have a cost, whatever the list says."""


class Prices:
    """Those that options name come first; ``named`` may have patterns, of which the first that fits holds."""

    def __init__(self, named: Sequence[Price]) -> None:
        self._named = named
        self._listed: dict[str, bool] = {}

    def named(self, model: str) -> Price | None:
        """The price that options give ``model``."""
        return next((price for price in self._named if price.holds_for(model)), None)

    def priced(self, model: str, usage: Usage) -> Usage:
        """``usage`` of an answer of ``model``, with the cost that options make of its tokens, if they name a price."""
        price = self.named(model)
        if price is None or not usage.prompt_tokens + usage.completion_tokens:
            return usage
        return dataclasses.replace(usage, cost=price.of(usage.prompt_tokens, usage.completion_tokens))

    def check(self, lm: Any, model: str, cap: str) -> None:
        """Before a call of ``lm`` under a cost cap, which the option ``cap`` sets.

        Raises:
            NoPrice: nobody will know what it costs.
        """
        if is_free(lm) or self.named(model) is not None or type(lm).forward is not dspy.LM.forward:
            return
        if model not in self._listed:
            self._listed[model] = _may_be_listed(model)
        if not self._listed[model]:
            raise no_price(model, cap)


def is_free(lm: Any) -> bool:
    """Whether ``lm`` is the embedded one."""
    return bool(getattr(lm, "pitcheval_plain", False))


def no_price(model: str, cap: str) -> NoPrice:
    """The complaint that nobody knows what a call of ``model`` costs, or has cost."""
    return NoPrice(
        f"{cap}: no price of {model!r} is known; expected --eval-price={model}=IN/OUT, US dollars for a million tokens "
        "of its prompts, and of its answers"
    )


def _may_be_listed(model: str) -> bool:
    """Whether LiteLLM's list has a price of ``model``, or nobody can know that before its first answer."""
    provider, separator, name = model.partition("/")
    if not separator or provider in _TELL_BY_THEMSELVES:
        return True
    try:
        from dspy.clients.model_metadata import model_info
    except ImportError:  # of DSPy before 3.4, which asks LiteLLM
        import litellm

        known = litellm.model_cost
        return any("input_cost_per_token" in known.get(key, {}) for key in (model, name))
    return "input_cost_per_token" in model_info(provider, name)
