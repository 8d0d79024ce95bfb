"""What a program or a metric is given is its own: what it changes there is seen by no other rollout, verdict or record.

Lists that agents append to, histories, and fields that metrics normalize are shared by all rollouts of an example else.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import dspy
from pydantic import BaseModel

T = TypeVar("T")

_SHARED = frozenset({str, int, float, bool, type(None), bytes, complex})
"""What nobody can change."""


def own(value: T) -> T:
    """``value`` with containers, examples, predictions, models and dataclasses of its own, on all levels.

    Objects of other kinds stay what they are: clients, arrays, whatever may be large or one of its kind. So does what
    cannot be copied.
    """
    copied: T = _Copies().of(value)
    return copied


class _Copies:
    """Copies that are made of one value, by the ID of what each is of: it may contain itself."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}

    def of(self, value: Any) -> Any:
        kind = type(value)  # not isinstance, which a mock may answer as it likes
        if kind in _SHARED:
            return value
        if id(value) in self._made:
            return self._made[id(value)]
        if kind is tuple:
            return tuple(map(self.of, value))
        fill = next((fill for base, fill in _FILL.items() if issubclass(kind, base)), None)
        if fill is None and dataclasses.is_dataclass(kind) and not isinstance(value, type):
            fill = _fill_attributes
        if fill is None:
            return value
        try:
            made = self._made[id(value)] = copy.copy(value)
            fill(made, self.of)
        except Exception:  # of a value's own methods, or too deep
            self._made[id(value)] = value
        return self._made[id(value)]


Of = Callable[[Any], Any]


def _fill_list(made: list[Any], of: Of) -> None:
    made[:] = map(of, made)


def _fill_dict(made: dict[Any, Any], of: Of) -> None:
    for name, value in made.items():  # its keys stay
        made[name] = of(value)


def _fill_set(made: set[Any], of: Of) -> None:
    """What is in it can be hashed, and so hardly be changed."""


def _fill_example(made: dspy.Example, of: Of) -> None:
    store: Mapping[str, Any] = vars(made)["_store"]
    vars(made)["_store"] = {name: of(value) for name, value in store.items()}


def _fill_attributes(made: Any, of: Of) -> None:
    """Past what a frozen one forbids."""
    for name, value in vars(made).items():
        vars(made)[name] = of(value)


_FILL: Mapping[type, Callable[[Any, Of], None]] = {
    list: _fill_list,
    dict: _fill_dict,
    set: _fill_set,
    dspy.Example: _fill_example,
    BaseModel: _fill_attributes,
}
"""How a flat copy gets what is its own; a ``dspy.Prediction`` is an ``Example``."""
