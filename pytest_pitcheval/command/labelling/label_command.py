"""What ``pitcheval label`` does: a run file in, rows of people's labels out. No LM is asked."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pytest_pitcheval import files
from pytest_pitcheval.command import named_runs
from pytest_pitcheval.command.labelling import view
from pytest_pitcheval.command.labelling.asking import Asking, Scale
from pytest_pitcheval.command.labelling.authors import author
from pytest_pitcheval.command.labelling.keyboard import Keyboard
from pytest_pitcheval.command.labelling.lot import Answer, Chosen, Columns, answers, draw
from pytest_pitcheval.command.named_runs import Printed
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.reports.html import label_page
from pytest_pitcheval.reports.html.label_page import Item, Page
from pytest_pitcheval.reports.terminal import Line
from pytest_pitcheval.results.exams.labels import COLUMN
from pytest_pitcheval.results.formats import count
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.storage.labels import label_files
from pytest_pitcheval.storage.labels.media_beside import MediaBeside
from pytest_pitcheval.storage.media import Find, finder
from pytest_pitcheval.storage.run_files import RunFile

_WRITTEN_ELSEWHERE = ("by", "kind", "on")
"""What of the column ``labelled`` a page fills in."""


class Asked(NamedTuple):
    """What the command line asks for.

    Attributes:
        run, test: which run, and of which tests: part of the name of their function, or None for all.
        output: the file of labels.
        label: the column of the labels.
        grades: how many grades there are; None for yes and no.
        size: how many answers; None for all.
        near: whether half of them are those whose scores are nearest to the threshold.
        author: who labels; None for whom git or the system names.
        html: where the page is to be written; None for the terminal.
    """

    run: str
    test: str | None
    output: str
    label: str
    grades: int | None
    size: int | None
    near: bool
    author: str | None
    html: str | None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Asked:
        """What was parsed of it."""
        names = {"size": "sample", "near": "near_threshold"}
        return cls(**{name: getattr(arguments, names.get(name, name)) for name in cls._fields})


class Labels:
    """The answers that are to be labelled by somebody into a file, as far as that has not been done."""

    def __init__(self, asked: Asked, run: RunFile, by: str, seed: int, find: Find) -> None:
        self.asked = asked
        self.by = by
        self.path = _checked(asked.output)
        self.scale = Scale.of(asked.label, asked.grades)
        self.media = MediaBeside(self.path, find)
        found = _answers(run, asked.test)
        self.columns = Columns(found, asked.label)
        self.chosen = draw(found, asked.size, seed, asked.near)
        known = self._known()
        self.left = [one for one in self.chosen if one.answer.key.id not in known]
        self._written: dict[str, dict[str, Any]] = {}

    def _known(self) -> set[str]:
        """The IDs of the answers that were labelled by the same person before."""
        rows = label_files.read(self.path)
        for number, row in enumerate(rows, 1):
            if self.asked.label not in row.values:
                raise PitchevalError(
                    f"{self.asked.output}: no label {self.asked.label!r} in row {number}: expected a file that "
                    "pitcheval label writes, or --label=NAME with the name of the column there"
                )
        return {row.labelled.key.id for row in rows if row.labelled is not None and row.labelled.by == self.by}

    def row(self, chosen: Chosen, values: dict[str, Any]) -> dict[str, Any]:
        """A row with the label and who gave it in ``values``; media of the answer are copied beside the file."""
        found: dict[str, Any] = self.media.replaced(self.columns.row(chosen, values))
        return found

    def keep(self, chosen: Chosen, value: float) -> None:
        """Write a label down."""
        said = chosen.labelled(self.by, _today()).to_dict()
        row = self.row(chosen, {self.asked.label: value, COLUMN: said})
        label_files.append(self.path, row)
        self._written[chosen.answer.key.id] = row

    def take_back(self, chosen: Chosen) -> None:
        """Take the label away that was written last of an answer."""
        label_files.take_back(self.path, self._written.pop(chosen.answer.key.id))

    def told(self, now: int) -> Iterator[Line]:
        """What has come of it, with ``now`` labels more."""
        done = len(self.chosen) - len(self.left) + now
        name = os.path.relpath(self.path)
        yield f"labels: {name}: {now} more, {done} of {count(len(self.chosen), 'answer')} labelled by {self.by}", False
        if left := len(self.chosen) - done:
            yield f"{count(left, 'answer')} left: the same command goes on with them", False
        yield f"exam: {self.columns.marker(self.asked.output)}", False


def label_run(settings: Settings, folder: Path, asked: Asked) -> Printed:
    """Have the answers of a run labelled in the terminal, or write the page that does so."""
    by = author(asked.author, folder)
    run = named_runs.find(settings, asked.run)
    labels = Labels(asked, run, by, settings.seed, finder(run.path, settings.directory))
    if not labels.left:
        return list(labels.told(0)), True
    try:
        return list(_page(labels, asked.html) if asked.html is not None else _ask(labels)), True
    except OSError as error:
        path = error.filename or asked.output
        raise PitchevalError(f"{path}: the labels could not be written: {error.strerror or error}") from None


def _ask(labels: Labels) -> Iterator[Line]:
    keys = Keyboard()
    label_files.prepare(labels.path)  # to complain before anybody has said anything
    asking = Asking(labels.left, labels.scale, labels.by, labels.keep, labels.take_back)
    try:
        with keys.reading(), contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is one more way to stop
            asking.run(keys)
    finally:
        keys.clear()
    yield from labels.told(asking.labelled)


def _page(labels: Labels, html: str) -> Iterator[Line]:
    items = [_item(labels, chosen) for chosen in labels.left]
    asked = labels.asked
    page = Page(asked.label, labels.scale.values, labels.by, labels.path.name, items)
    files.write_output(Path(html), label_page.render(page, labels.media.find))
    yield f"page: {os.path.relpath(html)}: {count(len(items), 'answer')} to label, it saves {labels.path.name}", False
    yield f"exam: {labels.columns.marker(asked.output)}", False


def _item(labels: Labels, chosen: Chosen) -> Item:
    said = {name: value for name, value in chosen.labelled("", "").to_dict().items() if name not in _WRITTEN_ELSEWHERE}
    before, after = label_files.line_of(labels.row(chosen, {}))[:-1], label_files.line_of(said)[1:]
    return Item(list(view.parts(chosen.answer)), before, after)


def _answers(run: RunFile, test: str | None) -> Sequence[Answer]:
    found = list(answers(run.outcome.records.values(), run.run.timestamp, run.whole, test))
    if not found:
        part = "" if test is None else f" of a test with {test!r} in the name of its function"
        raise PitchevalError(f"{run.path}: no answer{part} in it: a program's answers are labelled, none was recorded")
    return found


def _checked(output: str) -> Path:
    path = Path(output)
    if path.suffix != ".jsonl" or path.is_dir():
        raise PitchevalError(f"--output: {output!r}: expected a file that ends in .jsonl")
    return path.absolute()


def _today() -> str:
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()
