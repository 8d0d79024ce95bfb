"""A row's values cast to the types of a program's fields, or the line that says which one does not fit."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.errors import MarkerError, one_line
from pytest_pitcheval.programs.typed.annotations import has_choices, makes_objects, name_of
from pytest_pitcheval.programs.typed.field_types import FieldTypes
from pytest_pitcheval.programs.typed.media_files import MEDIA, Unfit
from pytest_pitcheval.programs.typed.media_in_types import Reading, may_hold_media, with_media

_LONGEST = 60
"""Characters of a value in a message."""


@dataclasses.dataclass(frozen=True)
class Casting:
    """The types that the rows of one dataset are cast to, by column.

    Attributes:
        asked: those of the marker, which hold for all rows.
        inputs: those of the program's inputs, which hold for rows of files and dicts.
        choices: those of inputs that must be one of some texts or numbers, and stay what they are in the file.
        labels: those of the program's outputs; a label that is null stays so, as does an answer in a judge's exam.
        turns: of all these, those that hold media; the turns of a conversation have fields of the same names.
    """

    asked: Mapping[str, Any]
    inputs: Mapping[str, Any]
    choices: Mapping[str, Any]
    labels: Mapping[str, Any]
    turns: Mapping[str, Any]

    def values_of(self, row: Row) -> dict[str, Any]:
        """The values of ``row`` that are others than in the file. Raises MarkerError for one that does not fit."""
        return dict(self._cast(row, only_look=False))

    def answer_of(self, row: Row) -> dict[str, Any]:
        """The same of the fields of the answer that a row of a judge's exam has."""
        return dict(self._cast_answer(row, only_look=False))

    def complaint(self, row: Row) -> str | None:
        """One line with file, line and column if a value of ``row`` does not fit; files beside it are not read."""
        try:
            for _ in (*self._cast(row, only_look=True), *self._cast_answer(row, only_look=True)):
                pass
        except MarkerError as error:
            return str(error)
        return None

    def _cast(self, row: Row, only_look: bool) -> Iterator[tuple[str, Any]]:
        reading = Reading(row.folder, only_look, self.turns)
        for name, value in row.values.items():
            if row.given is not None and name == row.given.label:
                continue
            if name in self.asked:
                _check_type(row, name, self.asked[name])
                yield name, _fitted(row, name, value, self.asked[name], reading)
            elif row.source is not None:
                continue
            elif name in row.inputs and name in self.inputs:
                yield name, _fitted(row, name, value, self.inputs[name], reading)
            elif name in row.inputs and name in self.choices:
                _fitted(row, name, value, self.choices[name], reading)
            elif name in self.labels and name in row.labels and value is not None:
                yield name, _fitted(row, name, value, self.labels[name], reading)

    def _cast_answer(self, row: Row, only_look: bool) -> Iterator[tuple[str, Any]]:
        reading = Reading(row.folder, only_look, self.turns)
        for name, value in row.given.answer.items() if row.given else ():
            column = row.given.columns.get(name, name) if row.given else name
            if column in self.asked:
                _check_type(row, column, self.asked[column])
                yield name, _fitted(row, column, value, self.asked[column], reading)
            elif name in self.labels and value is not None and row.source is None:
                yield name, _fitted(row, column, value, self.labels[name], reading)


def casting(asked: Mapping[str, Any], declared: FieldTypes) -> Casting | None:
    """What ``asked`` and ``declared`` types come to; None where all values are handed over as they stand.

    What a program declares counts where files have no such values: a text, a number, a list or dict of such is not
    cast, whatever its type.
    """
    inputs = {name: kind for name, kind in declared.inputs.items() if makes_objects(kind)}
    choices = {name: kind for name, kind in declared.inputs.items() if name not in inputs and has_choices(kind)}
    labels = {name: kind for name, kind in declared.outputs.items() if makes_objects(kind)}
    if not (asked or inputs or choices or labels):
        return None
    turns = {name: kind for name, kind in {**labels, **inputs, **asked}.items() if may_hold_media(kind)}
    return Casting(asked, inputs, choices, labels, turns)


def _check_type(row: Row, name: str, kind: Any) -> None:
    if adapter_of(kind) is None:
        expected = "expected a type that pydantic knows, such as dspy.Image, datetime.date or a model"
        marker = "judge_exam" if row.given else "evaluation"
        raise MarkerError(one_line(f"{marker} marker: types={{{name!r}: {name_of(kind)}}}: {expected}"))


def _fitted(row: Row, name: str, value: Any, kind: Any, reading: Reading) -> Any:
    try:
        return _as_type(value, kind, reading)
    except Unfit as error:
        reason = str(error)
    except ValidationError as error:
        reason = _first(error, value)
    except OSError as error:
        reason = f"{_short(value)}: {error.strerror or error}"
    raise MarkerError(one_line(f"{row.place}: column {name!r}: {reason}; expected {name_of(kind)}"))


def _as_type(value: Any, kind: Any, reading: Reading) -> Any:
    """``value`` cast; a text that is none of this type, as a cell of a CSV file is, may be so as JSON."""
    adapter = adapter_of(kind)
    if adapter is None or (isinstance(value, str) and _is_text_of_dspy(kind)):
        return value
    try:
        return adapter.validate_python(with_media(value, kind, reading))
    except (ValidationError, Unfit):
        parsed = _parsed(value)
        if parsed is value:
            raise
        return adapter.validate_python(with_media(parsed, kind, reading))


def _parsed(value: Any) -> Any:
    """What a text says as JSON, an empty one None; ``value`` itself where it is neither."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else None
    except (ValueError, RecursionError):
        return value


def adapter_of(kind: Any) -> TypeAdapter[Any] | None:
    """What checks and casts values; None of a type that pydantic knows nothing of."""
    try:
        return _adapter(kind)
    except TypeError:  # it cannot be hashed: an ``Annotated`` with a list, say
        return _adapter.__wrapped__(kind)


@functools.lru_cache(maxsize=256)
def _adapter(kind: Any) -> TypeAdapter[Any] | None:
    try:
        return TypeAdapter(kind)
    except (PydanticSchemaGenerationError, PydanticUserError, NameError):
        return None


def _is_text_of_dspy(kind: Any) -> bool:
    """Whether it is one of DSPy's types that stand for a text, such as ``dspy.Code``: texts are handed over."""
    import dspy

    base = getattr(dspy, "Type", None) or getattr(dspy, "BaseType", None)
    return isinstance(kind, type) and base is not None and issubclass(kind, base) and kind not in MEDIA


def _first(error: ValidationError, value: Any) -> str:
    """What is wrong first, and how much else: ``messages.0.answer: Field required (and 2 more)``."""
    problems = error.errors(include_url=False, include_context=False)
    place = ".".join(str(part) for part in problems[0]["loc"])
    given = "" if problems[0]["type"] == "missing" else f" {_short(problems[0]['input'])}:"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    text = str(problems[0]["msg"]).removeprefix("Value error, ")
    return f"{place}:{given} {text}{more}".lstrip(": ") if place else f"{_short(value)}: {text}{more}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
