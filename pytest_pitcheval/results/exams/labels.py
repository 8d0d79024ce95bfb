"""Rows of labels: an answer, what somebody said of it, and in the column ``labelled`` who that was and of which answer.

A row has an ``id``, the inputs and labels of the example, the fields of the answer, the label, and ``labelled``. Its
``id`` is that of the answer: rows with the same one are what several people said of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.files import complaint, validated
from pytest_pitcheval.results.records import FINITE, Record

COLUMN = "labelled"
"""The column that says who labelled, and what; the metric does not get to see it."""

ANSWER = "labelled answer"
"""The column in which `Labelled.answer` is, once the rows of all who labelled an answer are one."""

Kind = Literal["person", "model"]
Drawn = Literal["at random", "near the threshold"]
AT_RANDOM: Final = "at random"
NEAR_THRESHOLD: Final = "near the threshold"
"""How an answer came to be labelled: by lot, each as probable as any other, or because its score is close."""


class AnswerKey(NamedTuple):
    """Which answer of which run.

    Attributes:
        run: the time stamp of the session that made it, which replays, resumed and merged runs keep.
        optimization: the method, with the models where there were several, as `Key.variant` has it.
        example: the ID of its row.
        rollout: which of the rollouts of this example, from 1.
    """

    run: str
    test: str
    optimization: str
    example: str
    rollout: int

    @property
    def id(self) -> str:
        """The ``id`` of its rows: that of the example, and digits that no other answer has."""
        text = "\n".join((self.run, self.test, self.optimization, self.example, str(self.rollout)))
        return f"{self.example}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def answers_of(record: Record, run: str) -> Iterator[tuple[AnswerKey, Mapping[str, Any]]]:
    """The answers in a record of the run ``run``: the fields of each prediction that its rollouts left."""
    for number, fields in enumerate(record.predictions, 1):
        if fields:
            made = record.timestamp or run
            yield AnswerKey(made, record.test, record.key.variant, record.example_id or "", number), fields


@dataclasses.dataclass(frozen=True)
class Labelled:
    """What the column ``labelled`` says.

    Attributes:
        by: the name of who labelled.
        kind: whether that is a person.
        on: the day, as ``2026-11-22`` (UTC).
        run, test, optimization, example, rollout: as `AnswerKey` has them; empty and 0 where they are not known.
        drawn: how the answer was chosen; None where that is not known.
        place: its place in the order of the lot, from 1, and ``of`` how many answers were in it. Places that nobody
            labelled below others that somebody did were skipped.
        seed: that of the lot.
    """

    __pydantic_config__ = FINITE

    by: str
    kind: Kind = "person"
    on: str = ""
    run: str = ""
    test: str = ""
    optimization: str = ""
    example: str = ""
    rollout: int = 0
    drawn: Drawn | None = None
    place: int = 0
    of: int = 0
    seed: int = 0

    @property
    def key(self) -> AnswerKey:
        """The answer that was labelled."""
        return AnswerKey(self.run, self.test, self.optimization, self.example, self.rollout)

    @property
    def answer(self) -> dict[str, Any]:
        """The answer that was labelled, and how it was drawn; nothing where the row does not say which it is."""
        return {**self.key._asdict(), "drawn": self.drawn} if self.run and self.test else {}

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def labelled(row: Mapping[str, Any], name: str) -> Labelled | None:
    """What a ``row`` says of who labelled it; None where it does not say. PitchevalErrors begin with ``name``."""
    value = row.get(COLUMN)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise complaint(name, f"{COLUMN}: {value!r}: expected an object such as {{'by': 'me', 'kind': 'person'}}")
    found = validated(Labelled, dict(value), f"{name}: {COLUMN}")
    if not found.by.strip():
        raise PitchevalError(f"{name}: {COLUMN}.by: {found.by!r}: expected the name of who labelled")
    return dataclasses.replace(found, by=found.by.strip())  # of a table, whose cells have spaces around names
