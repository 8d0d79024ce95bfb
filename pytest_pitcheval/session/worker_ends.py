"""The end of one of xdist's workers, in the controller: what it told is kept, and what it lost is noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_pitcheval.concurrency import flight_log
from pytest_pitcheval.concurrency.process import KEY, Process
from pytest_pitcheval.session.controller import Controller

NOTES = f"{KEY}_notes"
"""Where xdist's ``workeroutput`` has the notes of a worker."""


def worker_ended(process: Process, controller: Controller | None, node: Any, *, crashed: bool) -> None:
    """The worker ``node`` has nothing more to do, or has crashed."""
    told: Mapping[str, Any] = getattr(node, "workeroutput", None) or {}
    if controller:
        controller.workforce.worker_ended(told)
        controller.heard_of_answers(told)
    if collected := told.get(KEY):
        process.put_collected(collected)
        if controller:
            controller.check_slice()
    process.notes.extend(told.get(NOTES, ()))
    if crashed and process.has_collected:
        with process.noting("tests that were in flight in a crashed worker are lost"):
            flight_log.note_crash(process.runtime_dir, node.gateway.id)
