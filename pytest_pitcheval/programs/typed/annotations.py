"""What the annotation of a field asks of its value. Pure."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_AS_JSON = (str, int, float, bool, bytes, list, dict, tuple, set, frozenset, object, type(None), None, Any)
"""What files have values of, or what takes all of them."""


def unwrapped(annotation: Any) -> Any:
    """``str`` of ``Annotated[str, ...]`` and of a ``NewType``."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif callable(inner := getattr(annotation, "__supertype__", None)):
            annotation = inner
        else:
            return annotation


def is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def makes_objects(annotation: Any) -> bool:
    """Whether files have no values of this type: models, dates, enums, lists of these; not texts, numbers, dicts."""
    annotation = unwrapped(annotation)
    if isinstance(annotation, typing.TypeVar) or _is_one_of(annotation, _AS_JSON) or typing.is_typeddict(annotation):
        return False
    if get_origin(annotation) in (Literal, Callable):
        return False
    if get_origin(annotation) is not None:
        return any(map(makes_objects, _arguments(annotation)))
    return isinstance(annotation, type)


def has_choices(annotation: Any) -> bool:
    """Whether there is a ``Literal`` in it."""
    annotation = unwrapped(annotation)
    return get_origin(annotation) is Literal or any(map(has_choices, _arguments(annotation)))


def _arguments(annotation: Any) -> Iterator[Any]:
    """The types in it; a ``Callable`` has a list among its own."""
    return (argument for argument in get_args(annotation) if not isinstance(argument, (list, str)))


def _is_one_of(annotation: Any, kinds: tuple[Any, ...]) -> bool:
    return any(annotation is kind for kind in kinds)


def name_of(annotation: Any) -> str:
    """As one writes it: ``list[Deal]``, ``dspy.Image``, ``Deal | None``."""
    annotation = unwrapped(annotation)
    if annotation is type(None):
        return "None"
    if is_union(annotation):
        return " | ".join(map(name_of, get_args(annotation)))
    if get_origin(annotation) is Literal:
        return " | ".join(map(repr, get_args(annotation)))
    if get_origin(annotation) is not None:
        outer = getattr(get_origin(annotation), "__name__", str(get_origin(annotation)))
        return f"{outer}[{', '.join('...' if a is ... else name_of(a) for a in get_args(annotation))}]"
    name = getattr(annotation, "__name__", str(annotation))
    return f"dspy.{name}" if str(getattr(annotation, "__module__", "")).startswith("dspy.") else name
