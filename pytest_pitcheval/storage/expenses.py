"""What a session spent, where there was a cap: ``budget`` in ``run`` of a run file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from pytest_pitcheval.names import BUDGET
from pytest_pitcheval.results.formats import count, tokens
from pytest_pitcheval.results.records import FINITE
from pytest_pitcheval.results.summaries.summary import Summary
from pytest_pitcheval.settings.budgets import dollars


@dataclasses.dataclass(frozen=True)
class Expenses:
    """What all LM calls of a session took, whoever made them.

    Attributes:
        max_cost, max_tokens: the cap, in US dollars and in tokens; None where there was none.
        cost, tokens: what the session has spent, as far as prices are known.
        cost_beside, tokens_beside: the part of it that is on no test's record: compiling, fixtures of the session.
        cost_before, tokens_before: what the run had spent that the session went on with; it counts as well.
        reached: why nothing more was sent (``budget: $5.00 reached``); None where the cap was not reached.
        refused: how many LM calls were not sent.
    """

    __pydantic_config__ = FINITE

    max_cost: float | None = None
    max_tokens: int | None = None
    cost: float = 0.0
    tokens: int = 0
    cost_beside: float = 0.0
    tokens_beside: int = 0
    cost_before: float = 0.0
    tokens_before: int = 0
    reached: str | None = None
    refused: int = 0

    @property
    def all_cost(self) -> float:
        """With what was spent before."""
        return self.cost + self.cost_before

    @property
    def all_tokens(self) -> int:
        """With what was spent before."""
        return self.tokens + self.tokens_before

    @property
    def spent(self) -> str:
        """``$3.20 and 1.2M tokens``, of each cap that there is."""
        parts = [] if self.max_cost is None else [dollars(self.all_cost)]
        return " and ".join(parts if self.max_tokens is None else [*parts, f"{tokens(self.all_tokens)} tokens"])

    @property
    def amounts(self) -> str:
        """``$3.20 of $5.00 and 1.2M of 2.0M tokens``, of each cap that there is."""
        parts = [] if self.max_cost is None else [f"{dollars(self.all_cost)} of {dollars(self.max_cost)}"]
        if self.max_tokens is not None:
            parts.append(f"{tokens(self.all_tokens)} of {tokens(self.max_tokens)} tokens")
        return " and ".join(parts)


class BudgetLine(NamedTuple):
    """The one line that all reports have, and whether less was measured than was asked for."""

    text: str
    is_bad: bool


def budget_line(run_id: str, spent: Expenses | None, summaries: Sequence[Summary]) -> BudgetLine | None:
    """What a run has ``spent`` of what it might; None where there was no cap.

    ``budget: $3.20 of $5.00 spent``; ``budget: $5.00 reached, $5.03 spent: 8 of 20 examples left out; ...``
    """
    reached = next((summary.cut_off for summary in summaries if summary.cut_off), None)
    if reached is None and spent is not None and spent.refused:
        reached = spent.reached
    if reached is None:
        return BudgetLine(f"budget: {spent.amounts} spent", False) if spent else None
    parts = [f"{spent.spent} spent"] if spent else []
    left_out = sum(summary.left_out_for.get(BUDGET, 0) for summary in summaries)
    told = f"{', '.join([reached, *parts])}: {left_out} of {count(sum(one.examples for one in summaries))} left out"
    return BudgetLine(f"{told}; --eval-resume={run_id} with a higher cap goes on", True)


def together(parts: Sequence[Expenses | None]) -> Expenses | None:
    """Those of the runs of a suite's parts; None where none of them had a cap."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    caps = [part.max_cost for part in known if part.max_cost is not None]
    token_caps = [part.max_tokens for part in known if part.max_tokens is not None]
    sums = ("cost", "tokens", "cost_beside", "tokens_beside", "cost_before", "tokens_before", "refused")
    return Expenses(
        max_cost=sum(caps) if caps else None,
        max_tokens=sum(token_caps) if token_caps else None,
        reached=next((part.reached for part in known if part.reached), None),
        **{name: sum(getattr(part, name) for part in known) for name in sums},
    )
