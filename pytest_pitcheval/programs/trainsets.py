"""Rows into ``dspy.Example``s; trainsets, and whether a test example stands in one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import dspy

from pytest_pitcheval.collection.rows import Row, sample
from pytest_pitcheval.programs.fingerprints import fingerprint
from pytest_pitcheval.rollouts.copies import own
from pytest_pitcheval.rollouts.program_and_metric import GIVEN_ANSWERS


def as_example(
    row: Row, cast: Mapping[str, Any] = MappingProxyType({}), answer: Mapping[str, Any] = MappingProxyType({})
) -> Any:
    """The ``dspy.Example`` of a row, with its inputs marked; ``cast`` are values in place of those of the file.

    What a test changes in it, the row keeps. In a judge's exam it has its answer where the metric does not see it, and
    no label; ``answer`` are values in place of those of the file there.
    """
    if row.given is not None:
        values = {name: value for name, value in {**row.values, **cast}.items() if name != row.given.label}
        return GIVEN_ANSWERS.give(own(dspy.Example(values).with_inputs(*row.inputs)), {**row.given.answer, **answer})
    example = row.source if row.source is not None else dspy.Example({**row.values, **cast})
    made = example.with_inputs(*row.inputs)
    if row.source is not None:
        for name, value in cast.items():
            made[name] = value
    return own(made)


@dataclasses.dataclass
class Trainset:
    """A trainset after sampling, that can tell whether it has an example."""

    original: Sequence[Any]
    examples: list[Any]
    _known: dict[frozenset[str], set[str]] = dataclasses.field(default_factory=dict)

    def has_inputs_of(self, example: Any) -> bool:
        """Whether an example here has the same values in the input fields of ``example``."""
        names = frozenset(example.inputs().keys())
        if names not in self._known:
            rows = [row for row in self.examples if names <= set(row.keys())]
            self._known[names] = {fingerprint({name: row[name] for name in names}) for row in rows}
        return fingerprint(dict(example.inputs().items())) in self._known[names]


class Trainsets:
    """The trainsets of a session, each sampled once."""

    def __init__(self, size: int | None, seed: int) -> None:
        self._size, self._seed = size, seed
        self._trainsets: dict[int, Trainset] = {}

    def get(self, original: Sequence[Any]) -> Trainset:
        """The sample of ``original``; the same object for the same one."""
        if id(original) not in self._trainsets:  # a Trainset holds the original, so its id stays taken
            self._trainsets[id(original)] = Trainset(original, sample(list(original), self._size, self._seed))
        return self._trainsets[id(original)]
