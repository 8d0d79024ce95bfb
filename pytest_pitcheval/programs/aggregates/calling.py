"""A user's metric of a whole set, called: with examples and predictions that are made of what records have."""

from __future__ import annotations

import copy
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dspy
from dspy.utils.callback import BaseCallback

from pytest_pitcheval.errors import one_line
from pytest_pitcheval.results.aggregates.computation import Item, Undefined
from pytest_pitcheval.results.plain import may_be_cut, plain
from pytest_pitcheval.rollouts.verdicts import as_number, shown

_RESAMPLES = 199
"""A function that scikit-learn does the work of takes milliseconds."""


class _AsksLM(BaseException):
    """A function is about to ask an LM; no ``except Exception`` of its own, or of DSPy's, goes on after that."""


class _NoLM(BaseCallback):
    """Lets no LM be asked: an answer may be an old one, nobody counts it, and each resample would ask again."""

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        raise _AsksLM


class Function:
    """A `computation.Computation` by ``function``, which may take ``patience`` seconds for one value."""

    resamples = _RESAMPLES

    def __init__(self, name: str, function: Callable[..., Any], items: Sequence[Item], patience: float) -> None:
        for item in items:
            if any(map(may_be_cut, (item.example.inputs, item.example.labels, item.prediction))):
                raise Undefined(f"example {item.example.example_id!r} or its prediction is too long to be kept whole")
        self.cost = 0.0
        self._name, self._function, self._patience = name, function, patience
        self._read: set[str] = set()
        self._examples = [_example(item) for item in items]
        self._predictions = [_Watched(dict(item.prediction), self._read) for item in items]
        self._known = {name for item in items for name in item.prediction}
        self._is_checked = False

    @property
    def fields(self) -> tuple[str, ...]:
        """Those that the function has read of predictions."""
        return tuple(sorted(self._read & self._known))

    def value(self, chosen: Sequence[int]) -> float:
        examples, predictions = ([all_of[place] for place in chosen] for all_of in (self._examples, self._predictions))
        before = None if self._is_checked else self._state(examples, predictions)
        started = time.perf_counter()
        value = self._called(examples, predictions)
        took = time.perf_counter() - started
        self.cost = min(self.cost, took) if self._is_checked else took  # of a busy machine, the quickest tells most
        if before is not None:
            self._is_checked = True
            if len(examples) != len(chosen) or self._state(examples, predictions) != before:
                raise Undefined(f"{self._name} changes its arguments: expected a function that leaves them as they are")
        return self._number(value)

    def _called(self, examples: list[Any], predictions: list[Any]) -> Any:
        """In a thread of its own, so that one that never ends costs only its value."""
        ended: list[Any] = []

        def call() -> None:
            try:
                with dspy.context(callbacks=[*dspy.settings.callbacks, _NoLM()]):
                    ended.append((self._function(examples, predictions), None))
            except BaseException as error:
                ended.append((None, error))

        thread = threading.Thread(target=call, name="pitcheval-aggregate", daemon=True)
        thread.start()
        thread.join(self._patience)
        if not ended:
            raise Undefined(f"{self._name} did not end within {self._patience:g} s")
        value, error = ended[0]
        if isinstance(error, _AsksLM):
            raise Undefined(
                f"{self._name} asks an LM: expected one that computes; what a judge says belongs to the metric"
            )
        if error is not None:
            raise Undefined(f"{self._name} raised {one_line(error)}") from error
        return value

    def _number(self, value: Any) -> float:
        is_bool = type(value).__name__ in ("bool", "bool_")  # numpy's too
        number = None if is_bool or getattr(value, "shape", ()) != () else as_number(value)
        if number is None:
            told = "NaN" if isinstance(value, float) and math.isnan(value) else shown(value)
            raise Undefined(f"{self._name} returned {told}: expected a finite number")
        return number

    @staticmethod
    def _state(examples: Sequence[Any], predictions: Sequence[Any]) -> Any:
        stored = [dict(one.items()) for one in examples], [one.unnoted for one in predictions]
        return plain(stored)


def _example(item: Item) -> Any:
    """As its row: its ID, its inputs and its labels."""
    example = item.example
    values = {"id": example.example_id, **example.inputs, **example.labels}
    return dspy.Example(values).with_inputs(*example.inputs)


class _Watched(dspy.Prediction):
    """A prediction that notes in a set which of its fields are read."""

    def __init__(self, base: Any = None, read: set[str] | None = None, **fields: Any) -> None:
        if isinstance(base, _Watched):  # as DSPy copies one
            base._note_all()
        super().__init__(base, **fields)
        self._read: set[str] = set() if read is None else read

    @property
    def unnoted(self) -> dict[str, Any]:
        """Its fields."""
        return dict(super().items(include_dspy=True))

    def _note_all(self) -> None:
        self._read.update(self.unnoted)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            self._read.add(name)
        return super().__getattr__(name)

    def __getitem__(self, name: str) -> Any:
        self._read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._read.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self._read.add(str(name))
        return name in self.unnoted

    def __iter__(self) -> Iterator[Any]:
        self._note_all()
        return iter(self.unnoted)

    def __repr__(self) -> str:
        self._note_all()
        return str(super().__repr__())

    def __eq__(self, other: object) -> bool:
        self._note_all()
        return bool(super().__eq__(other))

    __hash__ = dspy.Prediction.__hash__

    def __deepcopy__(self, memo: Any) -> Any:
        self._note_all()
        return dspy.Prediction(copy.deepcopy(self.unnoted, memo))

    def keys(self, include_dspy: bool = False) -> Any:
        self._note_all()
        return super().keys(include_dspy)

    def values(self, include_dspy: bool = False) -> Any:
        self._note_all()
        return super().values(include_dspy)

    def items(self, include_dspy: bool = False) -> Any:
        self._note_all()
        return super().items(include_dspy)

    def toDict(self) -> Any:
        self._note_all()
        return super().toDict()
