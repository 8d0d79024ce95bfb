"""What a tool returns, as plain JSON values, and back: of the very same type where that can be told. Never a pickle.

Types are those that the tool's annotation names, pydantic models of modules that are loaded, and a few of Python's own:
nothing that a file names is imported.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import sys
import typing
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel, TypeAdapter

from pytest_pitcheval.rollouts.answers.lm_values import NotPlain, exactly

_KINDS = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, uuid.UUID, complex)
_NAMED = {kind.__name__: kind for kind in (*_KINDS, tuple, set, frozenset)}


def to_plain(value: Any, function: Any) -> tuple[dict[str, Any], bool]:
    """``value`` of the tool that calls ``function``, and whether `from_plain` gives the same back; else its text."""
    for told in _forms(value, function):
        if _is_same(told, value, function):
            return told, True
    return {"text": _text(value)}, False


def from_plain(told: Any, function: Any) -> Any:
    """The value that was kept. Raises ValueError or what pydantic raises where the file has another one."""
    if "value" in told:
        return told["value"]
    if "text" in told:
        return told["text"]
    if "bytes" in told:
        return base64.b64decode(told["bytes"])
    if "annotated" in told:
        return TypeAdapter(_annotation(function)).validate_python(told["annotated"])
    if "model" in told:
        return _model(told["model"]).model_validate(told["fields"])
    return TypeAdapter(_NAMED[told["type"]]).validate_python(told["of"])


def _forms(value: Any, function: Any) -> Iterator[dict[str, Any]]:
    """From the simplest on."""
    kind = type(value)
    makers: list[Callable[[], dict[str, Any]]] = [lambda: {"value": exactly(value)}]
    if kind is bytes:
        makers.append(lambda: {"bytes": base64.b64encode(value).decode()})
    if isinstance(value, BaseModel):
        path = f"{kind.__module__}:{kind.__qualname__}"
        makers.append(lambda: {"model": path, "fields": _fields(value)})
    if _NAMED.get(kind.__name__) is kind:
        makers.append(lambda: {"type": kind.__name__, "of": exactly(TypeAdapter(kind).dump_python(value, mode="json"))})
    if (annotation := _annotation(function)) is not Any:
        dump = TypeAdapter(annotation).dump_python
        makers.append(lambda: {"annotated": exactly(dump(value, mode="json", warnings=False))})
    for make in makers:
        try:
            yield make()
        except Exception:  # of whatever the value's own methods do: then it has another form, or its text
            continue


def _fields(model: BaseModel) -> Any:
    """As the model serializes itself; DSPy's types write prompts then, so their fields are taken as they are."""
    if type(model).__module__.startswith("dspy."):
        return exactly({name: getattr(model, name) for name in type(model).model_fields})
    return exactly(model.model_dump(mode="json"))


def _is_same(told: dict[str, Any], value: Any, function: Any) -> bool:
    try:
        found = from_plain(told, function)
        return type(found) is type(value) and bool(found == value)
    except Exception:  # of the value's own comparison, or of what reads it
        return False


def _annotation(function: Any) -> Any:
    """What the function says that it returns; Any where it does not."""
    try:
        hints = typing.get_type_hints(function if hasattr(function, "__code__") else type(function).__call__)
    except Exception:  # a name that is there for type checkers only, say
        return Any
    return hints.get("return", Any)


def _model(path: str) -> type[BaseModel]:
    module, _, names = path.partition(":")
    found: Any = sys.modules.get(module)
    for name in names.split("."):
        found = getattr(found, name, None)
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise NotPlain(f"--eval-replay: {path!r}: expected a pydantic model of a module that is loaded")
    return found


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:  # of its own
        return f"[a {type(value).__name__}, whose str() raised {type(error).__name__}]"
