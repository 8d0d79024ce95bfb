"""The ``judge_exam`` marker: rows with an answer and people's labels of it, put to the metric without the program."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_pitcheval.collection import requirements
from pytest_pitcheval.collection.markers import check_number, check_types
from pytest_pitcheval.collection.people import joined
from pytest_pitcheval.collection.requirements import check_labels, read_names, read_slices
from pytest_pitcheval.collection.rows import Given, Row, load_rows
from pytest_pitcheval.errors import MarkerError, one_line
from pytest_pitcheval.names import EXAM_GATES, MAX_FALSE_PASS
from pytest_pitcheval.options.numbers import number_in
from pytest_pitcheval.results.collected import Requirements
from pytest_pitcheval.results.exams.labels import ANSWER, COLUMN
from pytest_pitcheval.results.exams.terms import PASS_OR_FAIL, ExamTerms
from pytest_pitcheval.results.plain import plain
from pytest_pitcheval.results.subjects import is_true

NAME = "judge_exam"
_LONGEST_PATH = 1_000
"""Characters; a longer text is no path."""
_MEDIA = (
    *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"),
    *(".wav", ".mp3", ".flac", ".ogg", ".m4a", ".pdf", ".bin"),
)
"""What names of media end in."""
_EXPECTED = "expected 0 or 1, true or false, or a grade from 0 to 1, or a list of these"


@dataclasses.dataclass(frozen=True)
class JudgeExam:
    """One ``judge_exam`` marker.

    Attributes:
        dataset: a path, a sequence of rows, or a callable that returns one.
        inputs: the names of the input fields.
        outputs: the columns of the answer, by the names of the prediction's fields.
        label: the column of people's labels.
        min_kappa, max_false_pass: what qualifies the judge, or None.
        threshold: the score from which on an answer passes, or None.
        rollouts: how often the judge is asked of each answer, or None for the option's.
        slices: labels by whose values the judge's bias is told.
        types: what values are cast to, by column; None where that is what the suite's program declares.
    """

    dataset: str | os.PathLike[str] | Sequence[Any] | Callable[[], Sequence[Any]]
    outputs: Sequence[str] | Mapping[str, str]
    label: str
    inputs: tuple[str, ...] = ()
    min_kappa: float | None = 0.6
    max_false_pass: float | None = None
    threshold: float | None = None
    rollouts: int | None = None
    slices: str | Sequence[str] = ()
    types: Mapping[str, Any] | None = None

    def requirements(self) -> Requirements:
        """What it asks of all answers together, but for what their rows say; a MarkerError names the wrong argument."""
        limits = {gate: limit for gate in EXAM_GATES if (limit := getattr(self, gate)) is not None}
        return Requirements(slices=read_slices(self.slices), exam=ExamTerms(self.label, limits=limits))

    @property
    def columns(self) -> dict[str, str]:
        """The columns of the answer, by the names of the prediction's fields."""
        if isinstance(self.outputs, Mapping):
            return {str(field): str(column) for field, column in self.outputs.items()}
        return {name: name for name in read_names("outputs", self.outputs, "field names")}


def parse_exam(mark: pytest.Mark) -> JudgeExam:
    """The marker's value; a MarkerError names the wrong argument."""
    with _named():
        try:
            if len(mark.args) != 1:
                raise TypeError(f"takes one positional argument, the dataset, but {len(mark.args)} were given")
            parsed = JudgeExam(*mark.args, **mark.kwargs)
        except TypeError as error:
            reason = str(error).replace("JudgeExam.__init__()", "").strip()
            expected = f"expected {NAME}(dataset, *, inputs, outputs, label, ...)"
            raise MarkerError(f"{NAME} marker: {reason}; {expected}") from None
        _check(parsed)
        return dataclasses.replace(parsed, inputs=read_names("inputs", parsed.inputs, "field names"))


def _check(parsed: JudgeExam) -> None:
    check_number("threshold", parsed.threshold, float)
    check_number("rollouts", parsed.rollouts, int)
    check_types(parsed.types or {})
    for gate in EXAM_GATES:
        limit = getattr(parsed, gate)
        if limit is not None and (_grade(limit) is None or isinstance(limit, bool)):
            raise MarkerError(f"{NAME} marker: {gate}={limit!r}: expected a number from 0 to 1")
    if not isinstance(parsed.label, str) or not parsed.label:
        raise MarkerError(f"{NAME} marker: label={parsed.label!r}: expected the name of a column")
    if not parsed.columns:
        raise MarkerError(f"{NAME} marker: outputs={parsed.outputs!r}: expected a list of field names")
    parsed.requirements()  # a MarkerError where its slices are wrong


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """What both markers have in common complains of this one."""
    try:
        yield
    except MarkerError as error:
        raise MarkerError(str(error).replace("evaluation marker", f"{NAME} marker")) from None


def exam_rows(exam: JudgeExam, folder: Path, models_too: bool) -> list[Row]:
    """The rows of its dataset, each with its answer and what people said of it; ``models_too``, or models.

    Raises:
        MarkerError: one line: as `load_rows` and `joined`, or a row has no answer or no label.
    """
    with _named():
        rows = load_rows(exam.dataset, exam.inputs, folder, lambda found: joined(found, exam.label, models_too))
        name = os.fspath(exam.dataset) if isinstance(exam.dataset, (str, os.PathLike)) else "the dataset"
        check_labels(exam.requirements(), rows, name)
        requirements.check_types(exam.types or {}, rows, name)
    people = {row.id: _people(row, exam.label) for row in rows}
    grades = _grades(exam, [label for labels in people.values() for label in labels])
    about = Given({}, exam.label, (), grades, _digits(rows), _models(rows), columns=exam.columns)
    return [_with_answer(row, exam, about._replace(people=people[row.id])) for row in rows]


def _grades(exam: JudgeExam, labels: Sequence[float]) -> tuple[float, ...]:
    """The grades that people gave."""
    if set(labels) <= set(PASS_OR_FAIL):
        return PASS_OR_FAIL
    if exam.max_false_pass is not None and exam.threshold is None:
        raise MarkerError(
            f"{NAME} marker: {MAX_FALSE_PASS}={exam.max_false_pass!r}: the labels are grades; "
            "expected threshold=X, from which on an answer passes"
        )
    return tuple(sorted(set(labels)))


def _models(rows: Sequence[Row]) -> tuple[str, ...]:
    """The names of models that labelled any of them."""
    found = (row.values.get(COLUMN) for row in rows)
    return tuple(sorted({name for names in found if isinstance(names, list) for name in names}))


def _with_answer(row: Row, exam: JudgeExam, given: Given) -> Row:
    for column in exam.columns.values():
        if column not in row.values:
            fields = one_line(", ".join(map(repr, row.values)))
            raise MarkerError(f"{NAME} marker: outputs: no field {column!r} in row {row.id!r}; its fields are {fields}")
    answer = {field: row.values[column] for field, column in exam.columns.items()}
    values = {name: value for name, value in row.values.items() if name not in (*exam.columns.values(), COLUMN, ANSWER)}
    given = given._replace(answer=answer, labelled=row.values.get(ANSWER) or {})
    return dataclasses.replace(row, values=values, given=given)


def _people(row: Row, label: str) -> tuple[float, ...]:
    """The label of each person: of one alone where there is no list; names are left out."""
    found = plain(row.values.get(label))
    labels = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else [found]
    grades = [_grade(value) for value in labels if value is not None]
    if not grades or None in grades:
        raise MarkerError(f"{NAME} marker: label={label!r}: {one_line(repr(found))} in row {row.id!r}; {_EXPECTED}")
    return tuple(grade for grade in grades if grade is not None)


def _grade(value: Any) -> float | None:
    """A label as a number from 0 to 1, as CSV files have it too; None for what is none."""
    if isinstance(value, str):
        number = number_in(value)
        if number is None:
            truth = is_true(value) if value.strip() else None
            return None if truth is None else float(truth)
        value = number
    if not isinstance(value, (bool, int, float)) or not 0 <= value <= 1:
        return None
    return float(value)


def _digits(rows: Sequence[Row]) -> str:
    """They change with any row, whatever their order."""
    texts = sorted(json.dumps(_with_content(plain(dict(row.values)), row.folder), sort_keys=True) for row in rows)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


def _with_content(value: Any, folder: Path) -> Any:
    """Plain values, and of each path of a picture, sound or document that is there what is in it."""
    if isinstance(value, dict):
        return {name: _with_content(part, folder) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_content(part, folder) for part in value]
    if not isinstance(value, str) or len(value) > _LONGEST_PATH or not value.lower().endswith(_MEDIA):
        return value
    try:
        return [value, hashlib.sha256((folder / value).read_bytes()).hexdigest()]
    except (OSError, ValueError):  # a text that only looks like one
        return value
