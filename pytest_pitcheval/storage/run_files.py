"""Run files and journals: where they are, and what a run left according to them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.aggregates.aggregating import Aggregating
from pytest_pitcheval.results.aggregates.figures import Aggregate
from pytest_pitcheval.results.baselines import Measurements
from pytest_pitcheval.results.collected import Collected, Requirements, of_scores
from pytest_pitcheval.results.comparison import Comparison
from pytest_pitcheval.results.deciding.decisions import Decision
from pytest_pitcheval.results.deciding.gates import GateResult
from pytest_pitcheval.results.deciding.outcome import Outcome
from pytest_pitcheval.results.exams.corrected import Corrected
from pytest_pitcheval.results.exams.exam import Exam
from pytest_pitcheval.results.keys import Key, Keyed
from pytest_pitcheval.results.plain import WHOLE, plain
from pytest_pitcheval.results.records import FINITE, PARTS, Record, Usage
from pytest_pitcheval.results.subjects import Slice
from pytest_pitcheval.results.summaries.summary import Missing
from pytest_pitcheval.storage.expenses import budget_line
from pytest_pitcheval.storage.run_info import RunInfo

SCHEMA_VERSION = 4
OLDEST_SCHEMA = 1
"""Of the run files that are read: version 1 has no labels, one number for each metric, and limits of scores alone;
version 2 knows one reason why an example did not run; version 3 one model. A run of one model is still written as such:
its file is what it was."""

_OF_ONE_MODEL = 3

JOURNAL = ".jsonl"
"""The suffix of a journal: its first line is the run, each further one a record; a finished run has none."""


def _itself(record: Record) -> Record:
    return record


@dataclasses.dataclass(frozen=True)
class RunFile:
    """A run as its file tells it; ``finished`` is false for a journal, which knows only the tests that were done.

    While a session runs, ``outcome`` has its records without their texts, which `whole` reads back for one of them.
    ``aggregates`` are the metrics of the whole set that it has.
    """

    path: Path
    run: RunInfo
    outcome: Outcome
    gates: list[GateResult]
    finished: bool
    comparisons: list[Comparison] = dataclasses.field(default_factory=list)
    tests_not_run: list[str] = dataclasses.field(default_factory=list)
    whole: Callable[[Record], Record] = _itself
    aggregates: Mapping[Key, Mapping[str, Aggregate]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Slice:
    """What is read of a slice: whether it is gone."""

    label: str
    value: str
    examples: int


@dataclasses.dataclass(frozen=True)
class _Group(Keyed):
    """What is read of an entry of ``summary``; the rest follows from the records."""

    __pydantic_config__ = FINITE

    test: str
    optimization: str
    not_run: list[str]
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    asked: Requirements | None = None
    gates: dict[str, float] = dataclasses.field(default_factory=dict)  # as version 1 has them
    slices: list[_Slice] = dataclasses.field(default_factory=list)
    corrected: Corrected | None = None
    model: str = ""
    evaluator: str = ""
    aggregates: dict[str, Aggregate] = dataclasses.field(default_factory=dict)

    @property
    def requirements(self) -> Requirements:
        """What its marker asked for."""
        return self.asked or Requirements(of_scores(self.gates))


@dataclasses.dataclass(frozen=True)
class _Exam(Keyed):
    """A judge's exam that the run has taken, or holds on to."""

    test: str
    optimization: str
    fingerprints: dict[str, str]
    exam: Exam
    model: str = ""
    evaluator: str = ""

    @property
    def measured(self) -> Measurements:
        """As baselines have it."""
        return Measurements({}, self.fingerprints, exam=self.exam)


@dataclasses.dataclass(frozen=True)
class _MissingTest(Keyed):
    nodeid: str
    reason: str
    test: str
    example_id: str | None
    optimization: str
    labels: dict[str, Any] = dataclasses.field(default_factory=dict)
    model: str = ""
    evaluator: str = ""


def folder(directory: Path) -> Path:
    """Where the runs of an ``--eval-dir`` are."""
    return directory / "runs"


def run_path(directory: Path, run_id: str) -> Path:
    """Where the run file of ``run_id`` is."""
    return folder(directory) / f"{run_id}.json"


def all_runs(directory: Path, unfinished: bool = False) -> list[Path]:
    """The run files of ``directory``, oldest first; ``unfinished``: and the journals of runs that were killed."""
    finished = {path.stem: path for path in folder(directory).glob("*.json")}
    journals = {path.stem: path for path in folder(directory).glob(f"*{JOURNAL}")} if unfinished else {}
    return [path for _, path in sorted({**journals, **finished}.items())]


def find(directory: Path, reference: str, unfinished: bool = False) -> Path:
    """The run file that ``reference`` names: a run ID, a path, or ``last``.

    Raises:
        PitchevalError: there is none.
    """
    runs = all_runs(directory, unfinished)
    if reference == "last":
        if not runs:
            raise PitchevalError(f"no run in {folder(directory)} yet")
        return runs[-1]
    named = [path for path in runs if path.stem == reference]
    for path in (*named, Path(reference)):
        if os.path.isfile(path):  # Path.is_file raises where a name is too long
            return path
    raise PitchevalError(f"expected a run ID of {folder(directory)}, a run file or 'last'")


def read(path: Path) -> RunFile:
    """The run file or journal at ``path``; a PitchevalError of one line if it is not one of a schema we know."""
    return _read_journal(path) if path.suffix == JOURNAL else from_document(files.read_json(path), path)


def from_document(document: Any, path: Path) -> RunFile:
    """A run file's ``document``, checked; PitchevalErrors name ``path``."""
    run = run_of(document, path)
    tests = files.validated(list[dict[str, Any]], document.get("tests"), f"{path}: tests")
    groups = files.validated(list[_Group], document.get("summary"), f"{path}: summary")
    missing = files.validated(list[_MissingTest], document.get("missing"), f"{path}: missing")
    exams = files.validated(list[_Exam], document.get("exams", []), f"{path}: exams")
    about = {group.key: group for group in groups}
    found = [record_from(test, f"{path}: tests.{position}") for position, test in enumerate(tests)]
    records = {record.nodeid: record for record in found}
    lost = {test.nodeid: test for test in missing if test.nodeid not in records}
    left = [
        *(_collected(record, about) for record in records.values()),
        *(_collected(test, about) for test in lost.values()),
    ]
    outcome = Outcome(
        collected=left,
        records=records,
        missing={test.nodeid: Missing(test.nodeid, test.reason) for test in lost.values()},
        not_run={group.key: group.not_run for group in groups},
        gone={group.key: [Slice(one.label, one.value) for one in group.slices if not one.examples] for group in groups},
        held={one.key: one.measured for one in exams},
        corrected={group.key: group.corrected for group in groups if group.corrected},
    )
    stored = {group.key: group.aggregates for group in groups if group.aggregates}
    aggregating = Aggregating(records, {nodeid: test.reason for nodeid, test in lost.items()}, stored=stored)
    outcome = dataclasses.replace(outcome, aggregating=aggregating)
    gates = files.validated(list[GateResult], document.get("gates"), f"{path}: gates")
    compared = files.validated(list[Comparison], document.get("comparisons", []), f"{path}: comparisons")
    tests_not_run = files.validated(list[str], document.get("tests_not_run", []), f"{path}: tests_not_run")
    return RunFile(path, run, outcome, gates, True, compared, tests_not_run, aggregates=stored)


def run_of(document: Any, path: Path) -> RunInfo:
    """What the head of a run file's ``document`` tells; a PitchevalError if it is not one of a schema we know."""
    files.check_version(document, SCHEMA_VERSION, str(path), OLDEST_SCHEMA)
    return RunInfo.from_dict(document.get("run"), str(path))


def to_document(run: RunInfo, outcome: Outcome, decision: Decision) -> dict[str, Any]:
    """The run file of a run (plain values): `from_document` reads it."""
    document = to_rows(run, outcome, decision, _itself)
    return {**document, "tests": list(document["tests"])}


def to_rows(run: RunInfo, outcome: Outcome, decision: Decision, whole: Callable[[Record], Record]) -> dict[str, Any]:
    """The same for `files.write_rows`: its ``tests`` are made one by one as they are written, with their texts."""
    order = {one.nodeid: position for position, one in enumerate(outcome.collected)}
    tests = sorted(outcome.records.values(), key=lambda record: order.get(record.nodeid, len(order)))

    def rows() -> Iterator[Any]:
        return (plain(whole(record).to_dict(), WHOLE) for record in tests)

    version = SCHEMA_VERSION if any(one.key.models for one in outcome.collected) else _OF_ONE_MODEL
    about = plain({"schema_version": version, "run": run.to_dict()}, WHOLE)
    budget = budget_line(run.id, run.budget, decision.summaries)
    told = {"budget": budget.text if budget else None, "replayed": run.replayed.text if run.replayed else None}
    return {**about, **told, "tests": files.Rows(rows), **_decided(outcome, decision)}


def _decided(outcome: Outcome, decision: Decision) -> dict[str, Any]:
    document: dict[str, Any] = plain(
        {
            "summary": [summary.to_dict() for summary in decision.summaries],
            "methods": [method.to_dict() for method in decision.methods],
            "comparisons": [comparison.to_dict() for comparison in decision.comparisons or ()],
            "tests_not_run": list(decision.tests_not_run),
            "exams": [_describe_exam(key, group) for key, group in outcome.exams().items()],
            "gates": [gate.to_dict() for gate in decision.gates],
            "missing": [
                _describe_missing(test, outcome.missing) for test in outcome.collected if test.nodeid in outcome.missing
            ],
        },
        WHOLE,
    )
    return document


def _describe_exam(key: Key, group: Measurements) -> dict[str, Any]:
    exam = group.exam.to_dict() if group.exam else None
    return {**key.to_dict(), "fingerprints": dict(group.fingerprints), "exam": exam}


def _describe_missing(one: Collected, missing: Mapping[str, Missing]) -> dict[str, Any]:
    about = {**one.key.to_dict(), "example_id": one.example_id, "labels": dict(one.labels)}
    return {**dataclasses.asdict(missing[one.nodeid]), **about}


def _collected(one: Record | _MissingTest, groups: Mapping[Key, _Group]) -> Collected:
    group = groups.get(one.key) or _Group(**one.key._asdict(), not_run=[])
    labels = {name: one.labels[name] for name in group.requirements.labels if name in one.labels}
    about, asked = one.key._asdict(), group.requirements
    return Collected(
        one.nodeid, example_id=one.example_id, **about, asked=asked, settings=group.settings, labels=labels
    )


def record_from(data: Mapping[str, Any], name: str) -> Record:
    """A record as a file has it; a PitchevalError of one line if that is none."""
    try:
        record = Record.from_dict(data)
    except KeyError as error:
        raise PitchevalError(f"{name}: expected {error} in it") from None
    except (TypeError, AttributeError) as error:
        raise files.complaint(name, f"not a record: {error}") from None
    return files.validated(Record, _fields(record) | {part: _fields(getattr(record, part)) for part in PARTS}, name)


def _fields(value: Record | Usage) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _read_journal(path: Path) -> RunFile:
    """What a journal has; its last line may have been cut off by what ended the run."""
    lines = files.read_text(path, whole_lines=True).split("\n")[:-1]
    if not lines:
        raise PitchevalError(f"{path}: not a journal: nothing in it")
    head, *rest = [files.parse_json(line, f"{path}:{number}") for number, line in enumerate(lines, 1)]
    run, found = run_of(head, path), {}
    for number, data in enumerate(rest, 2):
        if not isinstance(data, dict):
            raise PitchevalError(f"{path}:{number}: expected a record")
        record = record_from(data, f"{path}:{number}")
        found[record.nodeid] = record  # a test that was run again has its last one
    outcome = Outcome([_collected(record, {}) for record in found.values()], found, {})
    return RunFile(path, run, outcome, [], finished=False)
