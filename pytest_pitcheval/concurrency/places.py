"""Where a process's places for rollouts come from: its own, or those that it shares with others."""

from __future__ import annotations

from pytest_pitcheval.concurrency.process import Process
from pytest_pitcheval.concurrency.slots import LocalSlots, Slots


def slots_of(process: Process, concurrency: int) -> Slots:
    """The places that a process shares with the others of its session, of which there are ``concurrency`` in all."""
    worker = process.worker
    if worker is None or worker.apart:
        return LocalSlots(concurrency)
    from pytest_pitcheval.concurrency.shared_slots import SharedSlots

    folder = process.make_runtime_dir() / "slots"
    return SharedSlots(concurrency, folder, worker.number, worker.total, process.notes.add)
