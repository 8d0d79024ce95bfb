"""The options that say what a session may spend, and what models cost."""

from __future__ import annotations

from pytest_pitcheval.options.option import Option

BUDGET_OPTIONS = (
    Option(
        "eval_max_cost",
        "USD",
        "dollars",
        "send no LM request once all of the session have cost so many US dollars: the tests that are left are skipped; "
        "default: no cap",
    ),
    Option(
        "eval_max_tokens",
        "N",
        "tokens",
        "the same for tokens of prompts and answers, such as 500k or 2M; default: no cap",
    ),
    Option(
        "eval_price",
        "MODEL=IN/OUT[,...]",
        "prices",
        "what a model costs, in US dollars for a million tokens of prompts, and of answers: "
        "openai/gpt-4o-mini=0.15/0.60; default: as LiteLLM's list of prices says",
        (),
    ),
)
