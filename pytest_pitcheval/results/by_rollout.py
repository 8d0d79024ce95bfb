"""A record as reports tell it: by rollout, with the texts of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pytest_pitcheval.results.records import Record


class InRollout(NamedTuple):
    """What one rollout left; None or empty is what it did not leave.

    Attributes:
        score: as the metric returned it, 0 to 1 as a rule.
        verdicts: the score of each verdict on its prediction, where there are several.
        metrics: the further numbers that have a value, or None, for this rollout.
        prediction: the fields that the program returned.
        feedback: what the metric said.
    """

    score: float | None
    verdicts: tuple[float, ...]
    metrics: dict[str, float | None]
    prediction: Mapping[str, Any] | None
    feedback: str | None


def by_rollout(record: Record) -> Iterator[InRollout]:
    """Each rollout that ``record`` has a score or texts of; at least one."""
    texts = [{"prediction": record.prediction, "feedback": record.feedback}, *record.later_rollouts]
    for number in range(max(len(record.samples), len(texts))):
        told = texts[number] if number < len(texts) else {}
        yield InRollout(
            record.samples[number] if number < len(record.samples) else None,
            record.verdicts[number] if number < len(record.verdicts) else (),
            {name: values[number] for name, values in record.metrics.items() if number < len(values)},
            told.get("prediction"),
            told.get("feedback"),
        )
