"""What the LM calls of a session may cost in all: once that is spent, nothing more is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_pitcheval.concurrency.limits.ledger import NOTHING, Ledger, Spent
from pytest_pitcheval.errors import BudgetReached, NoPrice
from pytest_pitcheval.settings.budgets import Cap


class Budget:
    """The ``cap`` of a session, asked before each LM request and told after it; without a cap it does nothing.

    What is in flight when the cap is reached lands and counts, so that at most so much more is spent.

    ``earlier`` is what a run that is continued had spent; ``path`` is the file in which ``processes`` keep their sums,
    ``shares`` says that this is one of them. Where they cannot, each keeps to its part, and ``note`` is told why.
    """

    def __init__(
        self,
        cap: Cap,
        path: Path,
        shares: bool = False,
        processes: int = 1,
        earlier: Spent = NOTHING,
        note: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.cap = cap
        self.earlier = earlier
        self._ledger = Ledger(path, shares)
        self._processes = processes
        self._note = note
        self._keeps_to_part = False
        self.no_price: NoPrice | None = None
        """Which model has no known price, though there is a cap on the cost: the session ends."""

    @property
    def is_set(self) -> bool:
        """Whether there is a cap."""
        return self.cap.is_set

    @property
    def reached(self) -> str | None:
        """Why nothing more is sent: ``budget: $5.00 reached``; None as long as something may be."""
        if not self.is_set:
            return None
        spent, parts = self.spent, self.cap.parts
        cost, tokens = spent.cost + self.earlier.cost / parts, spent.tokens + self.earlier.tokens / parts
        return self.cap.reached(cost, tokens)

    @property
    def spent(self) -> Spent:
        """What this session has spent, as far as this process knows."""
        if not self._keeps_to_part:
            try:
                return self._ledger.total()
            except OSError as error:
                self._keep_to_part(error)
        return self._ledger.own

    @property
    def untold(self) -> list[float]:
        """What this process has spent, and the others cannot read."""
        return list(self._ledger.untold)

    def hear(self, told: Sequence[float]) -> None:
        """Another process has spent so much that cannot be read."""
        self._add(Spent(*told))

    def admit(self) -> None:
        """Let one more request be sent.

        Raises:
            BudgetReached: all has been spent.
            NoPrice: the session is being ended for that.
        """
        if self.no_price is not None:
            raise self.no_price
        if reached := self.reached:
            self._add(Spent(refused=1))
            raise BudgetReached(reached)

    def spend(self, cost: float, tokens: int, beside: bool = False) -> None:
        """A request was answered: it took so much; ``beside``: it belongs to no rollout."""
        if self.is_set:
            of_none = (cost, float(tokens)) if beside else (0.0, 0.0)
            self._add(Spent(cost, float(tokens), *of_none))

    def _add(self, spent: Spent) -> None:
        try:
            self._ledger.add(spent)
        except OSError as error:
            self._keep_to_part(error)

    def _keep_to_part(self, error: OSError) -> None:
        if not self._keeps_to_part:
            self._keeps_to_part, self.cap = True, self.cap.part(self._processes)
            self._note(f"the workers share no budget, each keeps to its part of it: {error}")
