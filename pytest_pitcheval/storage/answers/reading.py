"""What is recorded, read and checked: the answers of one test or of all, the run that asked for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.storage.answers import layout
from pytest_pitcheval.storage.answers.answer import Answer
from pytest_pitcheval.storage.answers.sources import Source, open_source


def answers_of(source: Source, test: str) -> list[Answer]:
    """What was answered in the place ``test``, in the order of their file; nothing where nothing was.

    Raises:
        PitchevalError: one line that names the file in the source.
    """
    name = layout.answers_name(test)
    text = source.read(name)
    return [] if text is None else _parsed(text, name)[1]


def all_answers(source: Source) -> Mapping[str, Sequence[Answer]]:
    """All of them, by test. Raises as `answers_of`."""
    found = {}
    for name in source.names():
        if name.startswith(layout.ANSWERS):
            test, answers = _parsed(source.read(name) or "", name)
            found[test] = answers
    return found


def check(source: Source) -> dict[str, int]:
    """Read everything once; returns how many answers each test has. Raises as `answers_of`."""
    counts = {}
    for name in source.names():
        text = source.read(name) or ""
        if name.startswith(layout.ANSWERS):
            test, answers = _parsed(text, name)
            counts[test] = len(answers)
        elif name.endswith(".json"):
            files.parse_json(text, name)
    return counts


def document_at(path: Path) -> Any:
    """What the file at ``path`` says as JSON; of an archive, what the run file in it says.

    Raises:
        PitchevalError: one line: it cannot be read, or is an archive without a run.
    """
    if path.suffix != layout.SUFFIX:
        return files.read_json(path)
    try:
        text = open_source(path).read(layout.RUN)
    except PitchevalError as error:
        raise PitchevalError(f"{path}: {error}") from None
    if text is None:
        raise PitchevalError(f"{path}: an archive without a run file; expected one of a session that has ended")
    return files.parse_json(text, f"{path}: {layout.RUN}")


def test_of(text: str, name: str) -> str:
    """The test that a file of answers is of. Raises as `answers_of`."""
    told = files.parse_json(text.partition("\n")[0], f"{name}:1")
    test = told.get("test") if isinstance(told, dict) else None
    if not isinstance(test, str) or layout.answers_name(test) != name:
        raise PitchevalError(f"{name}:1: expected the test that the file is named after")
    return test


def _parsed(text: str, name: str) -> tuple[str, list[Answer]]:
    if not text.endswith("\n"):
        raise PitchevalError(f"{name}: its end is missing: expected a line break there")
    test, lines = test_of(text, name), text[:-1].split("\n")[1:]
    return test, [Answer.from_line(line, test, f"{name}:{number}") for number, line in enumerate(lines, 2)]
