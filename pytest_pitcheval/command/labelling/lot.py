"""Which answers of a run are labelled, in which order, and the rows that come of it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.exams.labels import (
    AT_RANDOM,
    COLUMN,
    NEAR_THRESHOLD,
    AnswerKey,
    Drawn,
    Labelled,
    answers_of,
)
from pytest_pitcheval.results.records import Record

_MIDDLE = 0.5
"""The threshold of a test that has none, as in a judge's exam."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        inputs, labels: of its example: labels are all further columns of the row.
        fields: those of the prediction.
        distance: of its score to the threshold; infinite without a score.
    """

    key: AnswerKey
    inputs: Mapping[str, Any]
    labels: Mapping[str, Any]
    fields: Mapping[str, Any]
    distance: float


@dataclasses.dataclass(frozen=True)
class Chosen:
    """An answer that is to be labelled, and how it was drawn: its ``place`` of ``of`` in a lot with a ``seed``."""

    answer: Answer
    drawn: Drawn
    place: int
    of: int
    seed: int

    def labelled(self, by: str, on: str) -> Labelled:
        """What is said of its label."""
        key = self.answer.key
        return Labelled(by, "person", on, *key, drawn=self.drawn, place=self.place, of=self.of, seed=self.seed)


def answers(
    records: Iterable[Record], run: str, whole: Callable[[Record], Record], part: str | None
) -> Iterator[Answer]:
    """The answers of a run's records that a program gave, of the tests with ``part`` in the name of their function."""
    for short in records:
        if short.people or (part is not None and part not in short.test):  # an exam's have been labelled
            continue
        record = whole(short)
        threshold = _MIDDLE if record.threshold is None else record.threshold
        for key, fields in answers_of(record, run):
            known = record.samples[key.rollout - 1 : key.rollout]
            distance = abs(known[0] - threshold) if known else float("inf")
            yield Answer(key, record.inputs, record.labels, fields, distance)


def draw(found: Sequence[Answer], size: int | None, seed: int, near: bool) -> list[Chosen]:
    """``size`` of the answers in an order by lot: a larger sample begins with a smaller one.

    With ``near`` half of them are by lot, and the others those of the rest whose scores are closest to the threshold;
    which is which cannot be told from the order.
    """
    lot, of = list(found), len(found)
    random.Random(seed).shuffle(lot)
    size = min(of if size is None else size, of)
    by_lot = size - size // 2 if near else size
    chosen = [Chosen(one, AT_RANDOM, place, of, seed) for place, one in enumerate(lot[:by_lot], 1)]
    rest = sorted(enumerate(lot[by_lot:], by_lot + 1), key=lambda pair: pair[1].distance)
    close = [Chosen(one, NEAR_THRESHOLD, place, of, seed) for place, one in rest[: size - by_lot]]
    return _mixed(chosen, close, seed)


def _mixed(chosen: Sequence[Chosen], close: Sequence[Chosen], seed: int) -> list[Chosen]:
    """Both, each in its own order: whoever stops has labelled the beginning of the lot."""
    turns = [True] * len(chosen) + [False] * len(close)
    random.Random(seed).shuffle(turns)
    by_lot, others = iter(chosen), iter(close)
    return [next(by_lot) if turn else next(others) for turn in turns]


class Columns:
    """The columns of rows: those of the answer are named as its fields, but where an input or label has that name.

    Raises:
        PitchevalError: ``label`` is the name of another column, or none.
    """

    def __init__(self, found: Collection[Answer], label: str) -> None:
        self.label = label
        self.inputs = _names(answer.inputs for answer in found)
        labels = _names(answer.labels for answer in found)
        given = {*self.inputs, *labels, "id", COLUMN, label}
        self.outputs = {name: _free(name, given) for name in _names(answer.fields for answer in found)}
        self._check(labels)

    def _check(self, labels: Collection[str]) -> None:
        if not self.label.strip():
            raise PitchevalError(f"--label: {self.label!r}: expected the name of a column")
        if self.label in (*self.inputs, *labels, *self.outputs, "id", COLUMN):
            raise PitchevalError(
                f"--label: {self.label!r}: the answers have a field of that name; expected another one"
            )
        if taken := {"id", COLUMN}.intersection((*self.inputs, *labels)):
            raise PitchevalError(
                f"a field of the examples is named {min(taken)!r}, as a column of each row of labels is"
            )

    def row(self, chosen: Chosen, values: Mapping[str, Any]) -> dict[str, Any]:
        """The row of an answer: ``values`` are the label and who gave it."""
        answer = chosen.answer
        fields = {self.outputs[name]: value for name, value in answer.fields.items()}
        return {"id": answer.key.id, **answer.inputs, **answer.labels, **fields, **values}

    def marker(self, path: str) -> str:
        """The marker that reads the rows."""
        renamed = any(name != column for name, column in self.outputs.items())
        outputs: Any = self.outputs if renamed else list(self.outputs)
        arguments = f"{path!r}, inputs={list(self.inputs)!r}, outputs={outputs!r}, label={self.label!r}"
        return f"@pytest.mark.judge_exam({arguments})".replace("'", '"')


def _names(fields: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for one in fields for name in one))


def _free(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name = f"given_{name}"
    return name
