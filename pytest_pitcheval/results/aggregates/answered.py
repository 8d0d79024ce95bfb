"""Examples with all answers that a run has of them, as its records keep these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_pitcheval.names import DECIDED, EXAMPLE
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.collected import Collected
from pytest_pitcheval.results.records import Record


class Answered(NamedTuple):
    """One example.

    Attributes:
        inputs, labels: the fields of its row, plain values.
        predictions: the fields that the program returned, by rollout; of an unchanged example those of the baseline.
        unchanged: whether it was not asked, as nothing had changed.
        row: the fingerprint of its row.
        lacks: why it has no prediction; empty where it has one.
        is_open: whether it was left out because gates were decided.
    """

    example_id: str
    inputs: Mapping[str, Any]
    labels: Mapping[str, Any]
    predictions: tuple[Mapping[str, Any], ...]
    unchanged: bool = False
    row: str | None = None
    lacks: str = ""
    is_open: bool = False


def answered(test: Collected, record: Record | None, lost: str) -> Answered:
    """The example of a test with its ``record``, texts and all; ``lost`` says why it left none."""
    name = test.example_id or ""
    if record is None:
        return Answered(name, {}, {}, (), lacks=lost)
    found = record.predictions if record.left_out is None or record.is_unchanged else (None,)
    whole = tuple(prediction for prediction in found if prediction is not None)
    lacks = "" if len(whole) == len(found) else _why(record)
    is_open = record.left_out == DECIDED
    row = record.fingerprints.get(EXAMPLE)
    return Answered(name, record.inputs, record.labels, whole, record.is_unchanged, row, lacks, is_open)


def _why(record: Record) -> str:
    return "unchanged, and the baseline has none" if record.is_unchanged else record.status_text


def lacking(examples: Sequence[Answered]) -> str:
    """Which of ``examples`` have not all predictions, in a line; empty where all have."""
    missing = [example for example in examples if example.lacks]
    if missing:
        return _named(missing, len(examples), "no prediction", missing[0].lacks)
    most = max((len(example.predictions) for example in examples if not example.unchanged), default=0)
    fewer = [example for example in examples if len(example.predictions) < most]
    return _named(fewer, len(examples), f"fewer than {most} predictions", "") if fewer else ""


def _named(some: Sequence[Answered], of: int, what: str, why: str) -> str:
    names = formats.examples(example.example_id for example in some)
    return f"{len(some)} of {formats.count(of)} {formats.have(of)} {what}: {names}{f' ({why})' if why else ''}"


def rollouts_of(examples: Iterable[Answered]) -> int:
    """How many rollouts all of these examples have: of unchanged ones, only so many count as of the others."""
    return min((len(example.predictions) for example in examples), default=0)
