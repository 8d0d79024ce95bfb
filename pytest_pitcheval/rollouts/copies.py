"""What a program or a metric is given is its own: what it changes there is seen by no other rollout, verdict or record.

Lists that agents append to, histories, and fields that metrics normalize are shared by all rollouts of an example else.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import UserDict, UserList, deque
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, TypeVar

import dspy
from dspy.primitives.prediction import Completions
from pydantic import BaseModel

T = TypeVar("T")

_SHARED = frozenset({str, int, float, bool, type(None), bytes, complex})
"""What nobody can change."""


def own(value: T) -> T:
    """``value`` with containers, arrays, examples, predictions, models and dataclasses of its own, on all levels.

    Objects of other kinds stay what they are: clients, large arrays, whatever may be one of its kind. So does what
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
        try:
            return self._copied(value, kind)
        except Exception:  # of a value's own methods, or too deep
            self._made[id(value)] = value
            return value

    def _copied(self, value: Any, kind: type) -> Any:
        if kind is tuple:
            return tuple(map(self.of, value))
        if issubclass(kind, tuple) and hasattr(kind, "_make"):
            return kind._make(map(self.of, value))
        fill = next((fill for base, fill in _FILL.items() if issubclass(kind, base)), None)
        if fill is None and (dataclasses.is_dataclass(kind) or hasattr(kind, "__attrs_attrs__")):
            fill = _fill_fields
        if fill is None:
            return value.copy() if _is_small_array(value, kind) else value
        made = self._made[id(value)] = copy.copy(value)
        fill(made, self.of)
        return made


_ARRAYS = frozenset({("numpy", "ndarray"), ("pandas", "DataFrame"), ("pandas", "Series")})
_LARGE = 1_000_000
"""Elements of an array from which on a copy is too dear."""


def _is_small_array(value: Any, kind: type) -> bool:
    names = ((base.__module__.partition(".")[0], base.__name__) for base in kind.__mro__)
    return any(name in _ARRAYS for name in names) and value.size < _LARGE


Of = Callable[[Any], Any]


def _fill_list(made: list[Any], of: Of) -> None:
    made[:] = map(of, made)


def _fill_dict(made: dict[Any, Any], of: Of) -> None:
    for name, value in made.items():  # its keys stay
        made[name] = of(value)


def _fill_deque(made: deque[Any], of: Of) -> None:
    for place, value in enumerate(made):
        made[place] = of(value)


def _leave(made: Any, of: Of) -> None:
    """What is in it can be hashed, and so hardly be changed."""


def _fill_example(made: dspy.Example, of: Of) -> None:
    store: Mapping[str, Any] = vars(made)["_store"]
    vars(made)["_store"] = {name: of(value) for name, value in store.items()}
    if (completions := vars(made).get("_completions")) is not None:
        vars(made)["_completions"] = of(completions)


def _fill_attributes(made: Any, of: Of) -> None:
    """Past what a frozen one forbids."""
    for name, value in vars(made).items():
        vars(made)[name] = of(value)


def _fill_model(made: BaseModel, of: Of) -> None:
    _fill_attributes(made, of)
    for name in ("__pydantic_extra__", "__pydantic_private__"):
        if (values := getattr(made, name, None)) is not None:
            object.__setattr__(made, name, {field: of(value) for field, value in values.items()})


def _fill_fields(made: Any, of: Of) -> None:
    """Of a dataclass, or a class of attrs, with slots or without."""
    kind = type(made)
    fields = dataclasses.fields(made) if dataclasses.is_dataclass(kind) else kind.__attrs_attrs__
    names = dict.fromkeys([*(field.name for field in fields), *getattr(made, "__dict__", ())])
    for name in names:
        if hasattr(made, name):
            object.__setattr__(made, name, of(getattr(made, name)))


_FILL: Mapping[type, Callable[[Any, Of], None]] = {
    list: _fill_list,
    dict: _fill_dict,
    set: _leave,
    bytearray: _leave,
    deque: _fill_deque,
    UserDict: _fill_attributes,
    UserList: _fill_attributes,
    SimpleNamespace: _fill_attributes,
    dspy.Example: _fill_example,
    Completions: _fill_attributes,
    BaseModel: _fill_model,
}
"""How a flat copy gets what is its own; a ``dspy.Prediction`` is an ``Example``."""
