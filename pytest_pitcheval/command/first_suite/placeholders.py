"""Values that stand in for an example's until the user writes them, by the type of their field. Pure."""

from __future__ import annotations

import datetime
import enum
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

REPLACE = "Replace me"
"""What every text begins with."""

_DEPTH = 3
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_OF_DSPY: dict[str, dict[str, Any]] = {
    "Image": {"url": f"data:image/png;base64,{_PIXEL}"},
    "Audio": {"data": "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=", "audio_format": "wav"},
    "File": {"file_data": "data:text/plain;base64,UmVwbGFjZSBtZQ==", "filename": "replace-me.txt"},
    "History": {"messages": []},
}
"""Values of DSPy's own types, which take no text for one: a pixel, a sound of no length, a file, no turn yet."""


def placeholder(annotation: Any, name: str, number: int, depth: int = _DEPTH) -> Any:
    """A JSON value for the field ``name`` of type ``annotation`` in the example ``number``, 1 or more.

    Choices (``Literal``, ``Enum``, ``bool``) take turns. Of a model, only the fields without a default are there;
    one that holds itself ends after ``depth`` levels.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return placeholder(arguments[0], name, number, depth)
    if origin in (Union, types.UnionType):
        if depth <= 0 and type(None) in arguments:
            return None
        return placeholder(next(argument for argument in arguments if argument is not type(None)), name, number, depth)
    if origin is Literal:
        return arguments[number % len(arguments)]
    if origin in (list, set, frozenset, tuple) or annotation in (list, set, frozenset, tuple):
        inner = arguments[0] if arguments else str
        return [placeholder(inner, name, number, depth)] if depth > 0 or not has_model(inner) else []
    if (origin or annotation) in (dict, Mapping):
        inner = arguments[1] if arguments else str
        return {f"{REPLACE}: key": placeholder(inner, name, number, depth)} if depth > 0 or not has_model(inner) else {}
    if getattr(annotation, "__module__", "").startswith("dspy.") and annotation.__name__ in _OF_DSPY:
        return _OF_DSPY[annotation.__name__]
    return _model(annotation, number, depth) if has_fields(annotation) else _scalar(annotation, name, number)


def has_code(annotation: Any) -> bool:
    """Whether functions stand in it, as in ``dspy.Tool``."""
    if get_origin(annotation) is Callable or annotation is Callable:
        return True
    fields = annotation.model_fields.values() if has_fields(annotation) else ()
    required = (field.annotation for field in fields if field.is_required())
    return any(has_code(inner) for inner in get_args(annotation)) or any(
        get_origin(kind) is Callable or kind in (Callable, typing.Callable) for kind in required
    )


def has_fields(annotation: Any) -> bool:
    """Whether it is a pydantic model."""
    return isinstance(annotation, type) and isinstance(getattr(annotation, "model_fields", None), Mapping)


def has_model(annotation: Any) -> bool:
    """Whether a pydantic model stands in it: what JSON has for it must be made one."""
    return has_fields(annotation) or any(map(has_model, get_args(annotation)))


def _model(model: Any, number: int, depth: int) -> dict[str, Any]:
    return {
        field.alias or name: placeholder(field.annotation, name, number, depth - 1)
        for name, field in model.model_fields.items()
        if field.is_required()
    }


def _scalar(annotation: Any, name: str, number: int) -> Any:
    if isinstance(annotation, type):
        if issubclass(annotation, enum.Enum):
            return list(annotation)[number % len(annotation)].value
        if issubclass(annotation, bool):
            return number % 2 == 0
        if issubclass(annotation, (int, float)):
            return annotation(number)
        if issubclass(annotation, datetime.date):  # a datetime is one
            return f"2000-01-{number:02}" + ("T12:00:00" if issubclass(annotation, datetime.datetime) else "")
    return f"{REPLACE}: {name} {number}"
