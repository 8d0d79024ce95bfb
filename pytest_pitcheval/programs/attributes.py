"""What objects are and hold, read where it is stored: nothing of their own is called."""

from __future__ import annotations

import contextlib
import functools
import inspect
import pickle
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_pitcheval.credentials.hiding import without_secrets
from pytest_pitcheval.programs import sources
from pytest_pitcheval.programs.values import NOT_PLAIN, plain_value

ROUTINES = (
    *(types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.MethodWrapperType),
    *(types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType),
    *(staticmethod, classmethod, type(functools.lru_cache(len))),
)
"""The types of functions, methods and builtins."""
_RUN_STATE = frozenset({"callbacks", "history", "stage", "traces", "train", "lm", "demos", "_compiled"})
"""Attributes of DSPy's modules that are no settings, or are described as parts of a predictor."""
_OWN = __name__.partition(".")[0]


def is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # an empty cell
        return False


def without_changing(values: Mapping[str, Any], changing: frozenset[str], prefix: str = "") -> dict[str, Any]:
    """``values`` without data that code changes while it runs; a program or LM that is set again counts."""
    return {name: v for name, v in values.items() if f"{prefix}{name}" not in changing or not is_data(v)}


def is_data(value: Any) -> bool:
    kind = type(value)
    return not (issubclass(kind, (type, *ROUTINES)) or is_field(kind, "named_sub_modules") or is_lm(value))


def is_lm(value: Any) -> bool:
    attributes = attributes_of(value)
    return isinstance(attributes.get("kwargs"), dict) and "model" in attributes


def is_code(value: Any) -> bool:
    """Whether it is a function, method or builtin."""
    return issubclass(type(value), ROUTINES)


def is_constant(value: Any) -> bool:
    return plain_value(value, True) is not NOT_PLAIN or isinstance(value, (list, tuple, dict, set, frozenset))


def is_field(kind: type, *names: str) -> bool:
    """Whether a class has all these, of whatever kind; asked of the class, as objects may answer to any name."""
    return all(any(name in vars(base) for base in kind.__mro__) for name in names)


def is_record(kind: type) -> bool:
    """Whether a library's class is there to hold values."""
    return issubclass(kind, types.SimpleNamespace) or is_field(kind, "__pydantic_fields__")


def is_computed(kind: type, name: str) -> bool:
    member = inspect.getattr_static(kind, name, None)
    return isinstance(member, (functools.cached_property, property))


def changing_in(kind: type) -> Iterable[str]:
    source = sources.source_of(kind) if sources.is_own(kind) else None
    return source.changing if source else ()


def attributes_of(value: Any) -> dict[str, Any]:
    """Its ``__dict__`` and slots, as they are stored: no property is asked."""
    attributes: dict[str, Any] = {}
    with contextlib.suppress(AttributeError):
        attributes |= object.__getattribute__(value, "__dict__")
    for base in type(value).__mro__:
        for name, member in vars(base).items():
            if isinstance(member, types.MemberDescriptorType) and sources.is_own(base):
                with contextlib.suppress(AttributeError):
                    attributes[name] = member.__get__(value)
    return attributes


def kept_by_pickling(value: Any) -> Any:
    """What pickling keeps of data that has no attributes."""
    try:
        return value.__reduce_ex__(2)[1:3]
    except (TypeError, AttributeError, NotImplementedError, pickle.PicklingError):  # it cannot be pickled
        return None


def code_name(code: Any) -> str:
    module, name = getattr(code, "__module__", None), getattr(code, "__qualname__", type(code).__name__)
    return f"{module if isinstance(module, str) else 'builtins'}.{name}"  # str.upper has no module


def kind_name(kind: type) -> str:
    """The name of the class, or of the first that it is derived from and that is not this package's own.

    No edit and no move of our own files may make users pay for compiling again.
    """
    other = next(base for base in _own_mro(kind))
    return f"{other.__module__}.{other.__qualname__}"


def _own_mro(kind: type) -> Iterator[type]:
    return (base for base in kind.__mro__ if str(base.__module__).partition(".")[0] != _OWN)


def describe_lm(lm: Any) -> dict[str, Any]:
    """Model and arguments of ``lm`` that decide its answers, without keys and addresses."""
    kwargs = getattr(lm, "kwargs", None) or {}
    kept = {name: value for name, value in kwargs.items() if name not in ("api_base", "base_url", "timeout")}
    return {"model": str(getattr(lm, "model", type(lm).__name__)), **without_secrets(kept)}


def settings_of(kind: type, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Those of an object's attributes that stay as they are: of no cached property, and that no method changes."""
    changing = frozenset(name for base in kind.__mro__ for name in changing_in(base))
    kept = {name: value for name, value in attributes.items() if not is_computed(kind, name)}
    return without_changing(without_changing(kept, changing, "self."), changing, ".")


def settings_of_module(module: Any) -> dict[str, Any]:
    """The settings of one of DSPy's modules, or of the user's own: no calls, and no parts of a predictor."""
    kind = type(module)
    private = sources.is_own(kind)
    named = {name: value for name, value in attributes_of(module).items() if private or not name.startswith("_")}
    return settings_of(kind, {name: value for name, value in named.items() if name not in _RUN_STATE})


def constants_of(kind: type) -> dict[str, Any]:
    """The functions and constants of a class that was made while the program ran."""
    members = {name: value for name, value in vars(kind).items() if not name.startswith("_")}
    return {name: value for name, value in members.items() if is_code(value) or is_constant(value)}


def texts_of(extra: Any) -> list[Any]:
    """What the field of a signature says to the LM of itself."""
    return [plain_value(extra.get(name), False) for name in ("prefix", "desc")] if isinstance(extra, dict) else []
