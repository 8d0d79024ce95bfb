"""What all processes of a session may spend together, and have spent."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from support.forks import is_true_in_a_fork

from pytest_pitcheval.concurrency.limits.budget import Budget
from pytest_pitcheval.concurrency.limits.ledger import NOTHING, Ledger, Spent
from pytest_pitcheval.errors import BudgetReached, NoPrice
from pytest_pitcheval.settings.budgets import Cap


def budget(cap: Cap, path: Path, shares: bool = True, **more: object) -> Budget:
    return Budget(cap, path, shares, **more)  # type: ignore[arg-type]


def test_all_processes_spend_the_same_money(tmp_path: Path) -> None:
    cap = Cap(cost=1.0)
    one, two, controller = (budget(cap, tmp_path / "spent", shares) for shares in (True, True, False))
    one.spend(0.5, 10)
    two.spend(0.25, 20, beside=True)
    for each in (one, two, controller):
        assert each.reached is None
        each.admit()
        assert each.spent == Spent(0.75, 30, 0.25, 20)
    two.spend(0.25, 1)
    for each in (one, two, controller):
        assert each.reached == "budget: $1.00 reached"
    with pytest.raises(BudgetReached, match=r"^budget: \$1\.00 reached$"):
        one.admit()
    assert controller.spent.refused == 1
    assert one.untold == two.untold == list(NOTHING)  # the controller reads it


@pytest.mark.parametrize(
    ("cap", "cost", "tokens", "reached"),
    [
        (Cap(), 1e9, 10**12, None),
        (Cap(cost=5), 4.999, 10**12, None),
        (Cap(cost=5), 5.0, 0, "budget: $5.00 reached"),
        (Cap(cost=0), 0.0, 0, "budget: $0.00 reached"),
        (Cap(cost=0.0025), 0.0025, 0, "budget: $0.0025 reached"),
        (Cap(cost=1200), 1200.0, 0, "budget: $1,200.00 reached"),
        (Cap(tokens=2_000_000), 9.0, 1_999_999, None),
        (Cap(tokens=2_000_000), 9.0, 2_000_000, "budget: 2,000,000 tokens reached"),
        (Cap(cost=5, tokens=10), 0.0, 10, "budget: 10 tokens reached"),
        (Cap(cost=5).part(4), 1.25, 0, "budget: $1.25 (a worker's part of $5.00) reached"),
        (Cap(tokens=10).part(4), 0.0, 3, "budget: 2 (a worker's part of 10) tokens reached"),
    ],
)
def test_a_cap_is_reached(cap: Cap, cost: float, tokens: int, reached: str | None) -> None:
    assert cap.reached(cost, tokens) == reached


def test_what_a_continued_run_had_spent_counts(tmp_path: Path) -> None:
    one = budget(Cap(cost=10), tmp_path / "spent", earlier=Spent(cost=6, tokens=5))
    one.spend(3.5, 1)
    one.admit()
    one.spend(0.5, 1)
    assert (one.reached, one.spent.cost) == ("budget: $10.00 reached", 4.0)
    part = budget(Cap(cost=10).part(2), tmp_path / "none", shares=False, earlier=Spent(cost=6))
    part.spend(2.0, 1)
    assert part.reached == "budget: $5.00 (a worker's part of $10.00) reached"


def test_without_a_cap_nothing_is_written(tmp_path: Path) -> None:
    one = budget(Cap(), tmp_path / "spent")
    one.spend(3.5, 1)
    one.admit()
    assert list(tmp_path.iterdir()) == []


def test_workers_that_cannot_share_keep_to_their_parts(tmp_path: Path) -> None:
    notes: list[str] = []
    one = budget(Cap(cost=4), tmp_path / "missing" / "spent", processes=2, note=notes.append)
    one.spend(2.0, 7)
    one.spend(0.5, 7)
    assert one.reached == "budget: $2.00 (a worker's part of $4.00) reached"
    assert len(notes) == 1
    assert notes[0].startswith("the workers share no budget, each keeps to its part of it: ")
    controller = budget(Cap(cost=4), tmp_path / "missing" / "spent", shares=False)
    controller.hear(one.untold)
    assert controller.spent == Spent(2.5, 14)


def test_a_model_without_a_price_stops_all_further_calls(tmp_path: Path) -> None:
    one = budget(Cap(cost=4), tmp_path / "spent")
    one.no_price = NoPrice("no price")
    with pytest.raises(NoPrice):
        one.admit()


def test_many_threads_and_processes_lose_nothing(tmp_path: Path) -> None:
    """Each process has its own place in the file: nobody waits for a lock, and no sum is overwritten."""
    path = tmp_path / "spent"
    ledgers = [Ledger(path, writes=True) for _ in range(4)]

    def add(ledger: Ledger) -> None:
        for _ in range(250):
            ledger.add(Spent(0.25, 1))

    threads = [threading.Thread(target=add, args=[ledger]) for ledger in ledgers for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {ledger.total() for ledger in [*ledgers, Ledger(path, writes=False)]} == {Spent(1000.0, 4000)}


def test_what_a_forked_process_spends_is_not_lost(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "spent", writes=True)
    ledger.add(Spent(1.0, 1))

    def spend() -> bool:
        ledger.add(Spent(0.5, 1))
        return True

    assert is_true_in_a_fork(spend)
    ledger.add(Spent(0.25, 1))
    assert ledger.total() == Spent(1.75, 3)
