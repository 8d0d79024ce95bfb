"""What LM calls cost: whether one may be sent, and what it took, told to the session's budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.concurrency.limits import limiter
from pytest_pitcheval.concurrency.limits.budget import Budget
from pytest_pitcheval.errors import BudgetReached, NoPrice
from pytest_pitcheval.lm.prices import Prices, is_free, no_price
from pytest_pitcheval.results.records import Usage
from pytest_pitcheval.rollouts.rollout import Rollout
from pytest_pitcheval.settings.budgets import Cap

if TYPE_CHECKING:
    from pytest_pitcheval.concurrency.process import Process
    from pytest_pitcheval.rollouts.scopes import Scope


class Spending:
    """Asks ``budget`` before each LM request of this process, and tells it of each answer; ``prices`` say what it cost.

    A call that is refused is reported to its scope, so that a program which swallows the exception gets no score.
    """

    def __init__(self, budget: Budget, prices: Prices) -> None:
        self._budget = budget
        self._prices = prices

    @classmethod
    def of(cls, process: Process) -> Spending:
        """As the options of a session say."""
        return cls(process.budget, Prices(process.settings.prices))

    @classmethod
    def uncapped(cls) -> Spending:
        """Whatever it costs, which answers tell."""
        return cls(Budget(Cap(), Path()), Prices(()))

    @property
    def is_capped(self) -> bool:
        """Whether any call may be refused."""
        return self._budget.is_set

    def admit(self, lm: Any, model: str, scope: Scope | None) -> None:
        """Let a request of ``lm`` be sent.

        Raises:
            BudgetReached: nothing more may be spent.
            NoPrice: there is a cap on the cost, and that of ``model`` is not known.
        """
        if not self.is_capped:
            return
        try:
            self._budget.admit()
            if self._budget.cap.cost is not None:
                self._prices.check(lm, model, self._budget.cap.named_by)
        except (BudgetReached, NoPrice) as refusal:
            self._refuse(refusal, scope)
            raise

    def settle(self, lm: Any, model: str, usage: Usage, scope: Scope | None) -> Usage:
        """A request was answered: what it took, with the cost as options have it."""
        usage = self._prices.priced(model, usage)
        if self._budget.is_set:
            tokens = usage.prompt_tokens + usage.completion_tokens
            cost = 0.0 if usage.cost is None and is_free(lm) else usage.cost
            self._budget.spend(cost or 0.0, tokens, beside=not isinstance(scope, Rollout))
            if self._budget.cap.cost is not None and cost is None:
                self._refuse(no_price(model, self._budget.cap.named_by), scope)
            elif self._budget.cap.tokens is not None and not tokens:
                self._refuse(_no_tokens(model), scope)
        return usage

    def embed(self, model: str, texts: Sequence[str], scope: Scope | None) -> float:
        """Let a request to an embedder be sent; returns what it costs where options name a price, else nothing.

        DSPy does not tell how many tokens it took: a quarter of the characters, about.

        Raises:
            BudgetReached: nothing more may be spent.
        """
        price = self._prices.named(model)
        cost = 0.0 if price is None else price.of(sum(map(len, texts)) // limiter.CHARACTERS, 0)
        if self.is_capped and not (scope is not None and scope.is_replayed):
            try:
                self._budget.admit()
            except (BudgetReached, NoPrice) as refusal:
                self._refuse(refusal, scope)
                raise
            self._budget.spend(cost, 0, beside=not isinstance(scope, Rollout))
        return cost

    def _refuse(self, refusal: BudgetReached | NoPrice, scope: Scope | None) -> None:
        if isinstance(refusal, NoPrice):
            self._budget.no_price = self._budget.no_price or refusal
        if scope is not None:
            scope.refused(refusal)


def _no_tokens(model: str) -> NoPrice:
    return NoPrice(f"--eval-max-tokens: the answers of {model!r} do not say how many tokens they took; expected no cap")
