"""A finished run with other thresholds. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from pytest_pitcheval.results.deciding.outcome import Outcome
from pytest_pitcheval.results.records import Record


def decide_again(outcome: Outcome, threshold: Callable[[float | None], float | None]) -> Outcome:
    """``outcome`` with other thresholds; ``threshold`` gives one, given the test's own."""
    records = {nodeid: _judged_again(record, threshold) for nodeid, record in outcome.records.items()}
    return dataclasses.replace(outcome, records=records)


def _judged_again(record: Record, threshold: Callable[[float | None], float | None]) -> Record:
    """The record with another threshold, and with another status if its score decided the old one.

    The score decided if the test passed at or above its old threshold, or failed below it. A test that passed below
    its threshold does not assert the threshold, and one that failed above it asserts something else: both keep their
    status.
    """
    if record.score is None or record.error is not None or record.status not in ("passed", "failed"):
        return record
    old, new = record.threshold, threshold(record.own_threshold)
    if record.people:  # its test is about agreement
        return dataclasses.replace(record, threshold=new)
    reached = old is None or record.score >= old
    if reached != (record.status == "passed"):
        return dataclasses.replace(record, threshold=new)
    passes = new is None or record.score >= new
    return dataclasses.replace(record, threshold=new, status="passed" if passes else "failed")
