"""Runs and baselines that options name: found, read, and the baseline written.

Whatever is wrong with them is a PitchevalError of one line that begins with the option.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.names import MEASURED, NEED_BASELINE, UNCHANGED
from pytest_pitcheval.timestamps import is_run_id

if TYPE_CHECKING:
    from pytest_pitcheval.results.baselines import Baseline, Measurements
    from pytest_pitcheval.results.comparison import Coverage
    from pytest_pitcheval.results.deciding.decisions import Terms
    from pytest_pitcheval.results.keys import Key
    from pytest_pitcheval.results.records import Omission, Record
    from pytest_pitcheval.settings.settings import Settings
    from pytest_pitcheval.storage.answers.replaying import Replayable
    from pytest_pitcheval.storage.run_files import RunFile


MLFLOW = "mlflow:"
"""Before the ID of an MLflow run, or ``latest`` or ``latest@BRANCH``: the newest one whose gates passed."""

Fetch = Callable[[str], str]
"""Gives the text of the run file that was logged to MLflow, by what follows `MLFLOW` in the reference."""

RUN = "run "
"""Before a run's ID in the name of a baseline."""


class LoadedBaseline(NamedTuple):
    """A baseline, how to name it to the user (a path, or a run's ID), and what it knows of its datasets.

    ``records`` are a run's, by node ID, and ``run`` is that run; a baseline file has scores only.
    """

    name: str
    measured: Baseline
    coverage: Mapping[Key, Coverage]
    records: Mapping[str, Record] = MappingProxyType({})
    run: RunFile | None = None


class RepeatedRun(NamedTuple):
    """A run that is made again.

    Attributes:
        timestamp: its session's.
        took: by rollout ID, what the rollouts of a test took.
        finished: whether it was not killed.
        stopped: whether it left examples out as soon as gates were decided.
        left_out: these tests by node ID, each with the reason.
        unchanged: by node ID, what its records have of those that were not asked, as nothing had changed.
        answers: what was recorded of it, where that is replayed.
        spent: what its LM calls had cost, in US dollars as far as prices are known, and how many tokens they had taken.
    """

    timestamp: str
    took: Mapping[str, Mapping[str, Sequence[float | None]]] = MappingProxyType({})
    finished: bool = True
    stopped: bool = False
    left_out: Mapping[str, Omission] = MappingProxyType({})
    spent: tuple[float, int] = (0.0, 0)
    unchanged: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    answers: Replayable | None = None

    def completed(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """A record of this session (plain values), with what was not measured again, as that is known of the run."""
        if record["left_out"] == UNCHANGED and record["nodeid"] in self.unchanged:
            return {**record, **self.unchanged[record["nodeid"]]}
        took = self.took.get(record["rollout_id"])
        if took is None:
            return record
        metrics = dict(record["metrics"])
        for name, before in took.items():
            now = metrics.get(name, ())
            if None in now and len(now) == len(before):
                metrics[name] = [old if new is None else new for old, new in zip(before, now, strict=True)]
        return {**record, "metrics": metrics}


def repeated_run(settings: Settings) -> RepeatedRun | None:
    """The run that ``--eval-replay`` or ``--eval-resume`` names; None without either.

    Where answers are recorded beside a replay, what is missing is filled in: what the run left out is asked as well.

    Raises:
        PitchevalError: one line: both are given, or there is no such run.
    """
    if settings.replay and settings.resume:
        raise PitchevalError("--eval-replay and --eval-resume: expected one of them")
    option, reference = ("--eval-replay", settings.replay) if settings.replay else ("--eval-resume", settings.resume)
    if reference is None:
        return None
    from pytest_pitcheval.storage import run_files

    try:
        if settings.answers is not None:
            recorded = _recorded_run(settings.answers)
            return recorded if settings.record is None else recorded._replace(left_out={}, stopped=False)
        file = run_files.read(run_files.find(settings.directory, reference, unfinished=True))
        if file.run.merged_from:
            raise PitchevalError(f"merged of other runs; expected one of {', '.join(file.run.merged_from)}")
    except PitchevalError as error:
        raise PitchevalError(f"{option}: {reference!r}: {error}") from None
    return _as_in(file)


def _recorded_run(path: Path) -> RepeatedRun:
    """The run whose answers were recorded at ``path``; raises as `replayable`."""
    from pytest_pitcheval.storage.answers.replaying import replayable

    recorded = replayable(path)
    manifest = recorded.manifest
    run = _as_in(recorded.run) if recorded.run else RepeatedRun(manifest.timestamp)
    return run._replace(left_out=manifest.left_out, answers=recorded)


_OF_UNCHANGED = ("samples", "metrics", "fingerprints", "inputs", "prediction", "later_rollouts")


def _as_in(file: RunFile) -> RepeatedRun:
    """As the run file or journal tells it."""
    from pytest_pitcheval.results.records import Omission

    records, run = file.outcome.records.values(), file.run
    took = {one.rollout_id: {name: one.metrics[name] for name in MEASURED if name in one.metrics} for one in records}
    left_out = {
        nodeid: Omission(one.left_out, one.error or "")
        for nodeid, one in file.outcome.records.items()
        if one.left_out is not None
    }
    unchanged = {
        nodeid: {name: getattr(one, name) for name in _OF_UNCHANGED}
        for nodeid, one in file.outcome.records.items()
        if one.is_unchanged
    }
    return RepeatedRun(run.timestamp, took, file.finished, run.stopped, left_out, _spent(file), unchanged)


def _spent(file: RunFile) -> tuple[float, int]:
    """By its own books, which a run without a cap has not kept, nor one that was killed."""
    if (budget := file.run.budget) is not None:
        return budget.all_cost, budget.all_tokens
    usages = [record.usage for record in file.outcome.records.values()]
    return sum(one.cost or 0.0 for one in usages), sum(one.prompt_tokens + one.completion_tokens for one in usages)


def load_baseline(settings: Settings, fetch: Fetch) -> LoadedBaseline | None:
    """The baseline to compare with, None where there is none and none is asked for.

    ``fetch`` is called for one that MLflow has. Where the baseline is to be written, it is read all the same, so that
    a file that we would not understand is not overwritten.

    Raises:
        PitchevalError: one line: it is missing, corrupt, or of a newer schema.
    """
    asked = settings.baseline
    named_by = asked.named_by or "--eval-baseline"
    try:
        if asked.update:
            _check_updatable(asked.reference, asked.path)
        elif asked.named_by or os.path.exists(asked.path):
            return load(settings, fetch, asked.reference, asked.path)
        elif needing := _needs_baseline(settings):
            named_by = f"--eval-{needing.replace('_', '-')}"
            raise PitchevalError("no such file; --eval-update-baseline writes it")
    except PitchevalError as error:
        raise PitchevalError(f"{named_by}: {asked.reference!r}: {error}") from None
    return None


def load_affected(settings: Settings, baseline: LoadedBaseline | None) -> LoadedBaseline | None:
    """What ``--eval-affected`` goes by: the baseline that the run is compared with, or the file that it will update.

    None where there is none, and in a replay, which leaves out what the run left out that it repeats.

    Raises:
        PitchevalError: as `load_baseline`.
    """
    if not settings.baseline.affected or settings.replay:
        return None
    asked = settings.baseline
    if baseline is None and asked.update and os.path.exists(asked.path):
        return LoadedBaseline(asked.reference, read_file(asked.reference, asked.path), {})
    if baseline is not None and baseline.run is not None:  # each worker is told of it: of no more than it needs
        from pytest_pitcheval.results.aggregates import keeping

        fields = {key: keeping.fields_of(figures.values()) for key, figures in baseline.run.aggregates.items()}
        return baseline._replace(measured=keeping.only(baseline.measured, fields))
    return baseline


def known_exams(settings: Settings, baseline: LoadedBaseline | None) -> dict[Key, Measurements]:
    """The judges' exams of the baseline, or of the file that is to be written."""
    known: Baseline = baseline.measured if baseline else {}
    if baseline is None and settings.baseline.update and os.path.exists(settings.baseline.path):
        known = read_file(settings.baseline.reference, settings.baseline.path)
    return {key: group for key, group in known.items() if group.exam is not None}


def _needs_baseline(settings: Settings) -> str | None:
    return next((gate for gate in NEED_BASELINE if settings.limits[gate].chosen() is not None), None)


def load(settings: Settings, fetch: Fetch, reference: str, path: Path) -> LoadedBaseline:
    """The baseline or run that ``reference`` names, a file's ``path`` if it is none of ``directory``'s runs.

    Raises:
        PitchevalError: one line: it is missing, corrupt, or of a newer schema.
    """
    from pytest_pitcheval import files
    from pytest_pitcheval.results.aggregates import keeping
    from pytest_pitcheval.results.comparison import Coverage
    from pytest_pitcheval.storage import baseline_documents, run_files
    from pytest_pitcheval.storage.answers.reading import document_at

    if reference.startswith(MLFLOW):
        document, path = files.parse_json(fetch(reference.removeprefix(MLFLOW)), reference), Path(reference)
    else:
        path = _find(settings.directory, reference, path)
        document = document_at(path)
    if isinstance(document, dict) and "run" in document:
        run = run_files.from_document(document, path)
        measured = keeping.with_all_predictions(run.outcome.measured(with_unchanged=True), run.outcome.records.values())
        return LoadedBaseline(f"{RUN}{run.run.id}", measured, run.outcome.coverage(), run.outcome.records, run)
    measured = baseline_documents.from_document(document, str(path))
    return LoadedBaseline(reference, measured, {key: Coverage(group.examples) for key, group in measured.items()})


def _find(directory: Path, reference: str, path: Path) -> Path:
    from pytest_pitcheval.storage import run_files

    if reference == "last" or is_run_id(reference):
        return run_files.find(directory, reference)
    if not os.path.isfile(path):
        raise PitchevalError("no such file; expected a baseline, a run (file, ID or 'last') or 'mlflow:RUN_ID|latest'")
    return path


def _check_updatable(reference: str, path: Path) -> None:
    if _is_run(reference):
        raise PitchevalError("--eval-update-baseline writes a file: expected a path")
    if os.path.exists(path):
        read_file(reference, path)


def _is_run(reference: str) -> bool:
    return reference == "last" or reference.startswith(MLFLOW) or is_run_id(reference)


def read_file(reference: str, path: Path) -> Baseline:
    """The baseline file that ``reference`` names, which is at ``path``.

    Raises:
        PitchevalError: one line: it names a run, or the file is missing, corrupt, or of a newer schema.
    """
    from pytest_pitcheval.storage import baseline_files

    if _is_run(reference):
        raise PitchevalError("expected the path of a baseline file")
    return baseline_files.read(path)


def terms_of(settings: Settings, looks: int | None = None) -> Terms:
    """What the options and the ini file hold a run to; a test's own limits stand between them.

    ``looks`` are those of the run, as `Terms` has them.
    """
    from pytest_pitcheval.results.deciding.decisions import Terms
    from pytest_pitcheval.settings.choices import chosen_for_each

    def limits(gate: str, own: Mapping[str, float]) -> Mapping[str, float]:
        return chosen_for_each(settings.limits[gate], own)

    max_age = settings.baseline.max_age
    return Terms(limits, settings.gate, settings.family, settings.allowed, settings.lower_is_better, max_age, looks)
