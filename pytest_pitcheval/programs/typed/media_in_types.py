"""Where in a type pictures, sounds and files stand, and the values there made objects of DSPy's."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import dspy
from pydantic import TypeAdapter, ValidationError

from pytest_pitcheval.programs.typed.annotations import is_union, unwrapped
from pytest_pitcheval.programs.typed.media_files import MEDIA, Unfit, medium_of


class Reading(NamedTuple):
    """How values are read.

    Attributes:
        folder: what paths are relative to.
        only_look: whether objects are to be empty, and no file is to be read whole.
        turns: the types of those fields of a conversation's turns that may hold media.
    """

    folder: Path
    only_look: bool = False
    turns: Mapping[str, Any] = MappingProxyType({})


def with_media(value: Any, annotation: Any, reading: Reading) -> Any:
    """``value`` with an object of DSPy's for each text, bytes or dict in it that stands for a picture, sound or file.

    Raises:
        Unfit: one is not there, or is no medium.
    """
    annotation = unwrapped(annotation)
    if _is_media(annotation):
        is_made = value is None or isinstance(value, annotation)
        return value if is_made else medium_of(value, annotation, reading.folder, reading.only_look)
    if annotation is dspy.History:
        return _with_turns(value, reading)
    if not may_hold_media(annotation):
        return value
    kinds: tuple[Any, ...] = getattr(annotation, "__args__", ())
    if is_union(annotation):
        return _as_one_of(value, kinds, reading)
    if isinstance(value, (list, tuple)) and kinds:
        return [with_media(item, kind, reading) for item, kind in _items(value, annotation, kinds)]
    if not isinstance(value, Mapping):
        return value
    if len(kinds) == 2:
        return {name: with_media(item, kinds[1], reading) for name, item in value.items()}
    fields = dict(_fields(annotation))
    inner = {name: with_media(value[name], fields[name], reading) for name in fields if name in value}
    return {**value, **inner} if inner else value


def _with_turns(value: Any, reading: Reading) -> Any:
    """A conversation: its turns have fields of the program, and no types of their own."""
    turns = value.get("messages") if isinstance(value, Mapping) else None
    if not isinstance(turns, (list, tuple)) or not reading.turns:
        return value
    return {**value, "messages": [_turn(turn, reading) if isinstance(turn, Mapping) else turn for turn in turns]}


def _turn(turn: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    found = {name: kind for name, kind in reading.turns.items() if turn.get(name) is not None}
    made = {name: with_media(turn[name], kind, reading) for name, kind in found.items()}
    return {**turn, **{name: TypeAdapter(found[name]).validate_python(value) for name, value in made.items()}}


def _items(value: Any, annotation: Any, kinds: tuple[Any, ...]) -> Iterator[tuple[Any, Any]]:
    """Each item with its type: a tuple may have one for each place."""
    if typing.get_origin(annotation) is tuple and Ellipsis not in kinds:
        return zip(value, kinds, strict=False)
    return ((item, kinds[0]) for item in value)


def _as_one_of(value: Any, kinds: tuple[Any, ...], reading: Reading) -> Any:
    """The same for a union: as the first of its types that ``value`` fits; a text is one where there are texts."""
    if value is None or (isinstance(value, str) and str in kinds):
        return value
    raised: Unfit | None = None
    for kind in filter(may_hold_media, kinds):
        try:
            made = with_media(value, kind, reading)
            TypeAdapter(kind).validate_python(made)
        except Unfit as error:
            raised = raised or error
        except ValidationError:
            continue
        else:
            return made
    if raised is not None:
        raise raised
    return value


def _is_media(annotation: Any) -> bool:
    return any(annotation is kind for kind in MEDIA if kind is not None)


def may_hold_media(annotation: Any, within: tuple[Any, ...] = ()) -> bool:
    """Whether a medium may stand somewhere in a value of this type; ``within`` are types that it is part of."""
    annotation = unwrapped(annotation)
    if _is_media(annotation) or annotation is dspy.History:
        return True
    if any(annotation is kind for kind in within):  # a tree of them
        return False
    within = (*within, annotation)
    inner = [*getattr(annotation, "__args__", ()), *(kind for _, kind in _fields(annotation))]
    return any(may_hold_media(kind, within) for kind in inner)


def _fields(annotation: Any) -> Iterator[tuple[str, Any]]:
    """The types of the fields of a model or dataclass, by all names that they may have in a row."""
    for name, field in (getattr(annotation, "model_fields", None) or {}).items():
        names = (name, field.alias, field.validation_alias)
        yield from ((one, field.annotation) for one in dict.fromkeys(names) if isinstance(one, str))
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        try:
            yield from typing.get_type_hints(annotation, include_extras=True).items()
        except NameError:  # a type that is there for type checkers alone
            return
