"""The first things of a session: whatever is wrong with what options name is said before any test runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pitcheval.concurrency.limits.ledger import NOTHING, Spent
from pytest_pitcheval.concurrency.process import Process
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.names import ORIGIN
from pytest_pitcheval.options.option import PREFIX
from pytest_pitcheval.session import stopping
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.storage import references
from pytest_pitcheval.timestamps import session_timestamp

if TYPE_CHECKING:
    from pytest_pitcheval.storage.references import LoadedBaseline, RepeatedRun


def check_providers(settings: Settings, config: pytest.Config) -> None:
    """One of several models that no provider has costs all of its tests: it is said before any test runs."""
    is_asked = settings.answers is None or settings.record is not None
    for fixture, models in settings.model_params.items():
        if models and is_asked:
            from pytest_pitcheval.lm.providers import unknown_provider

            name = fixture.replace("_lm", "_model")
            given = config.getoption(f"{PREFIX}{name}", None) is not None
            where = f"--{name.replace('_', '-')}" if given else f"ini key {name}"
            if unknown := unknown_provider([model.name for model in models]):
                raise pytest.UsageError(f"{where}: {','.join(model.name for model in models)!r}: {unknown}")


def begin(settings: Settings, rootpath: Path) -> tuple[Process, LoadedBaseline | None, RepeatedRun | None]:
    """A new session; what is wrong with the runs and baselines that options name is said before any test runs."""
    run_id = session_timestamp()

    def fetch(reference: str) -> str:
        from pytest_pitcheval.tracking import tracker

        return tracker.fetch(settings.mlflow, settings.directory, rootpath, reference)

    try:
        if settings.record is not None:
            from pytest_pitcheval.storage.answers import recording

            recording.check_target(settings.record)
        repeated = references.repeated_run(settings)
        baseline = references.load_baseline(settings, fetch)
        before = references.load_affected(settings, baseline)
    except PitchevalError as error:
        raise pytest.UsageError(str(error)) from None
    settings = settings._replace(stop=stopping.stops(settings, repeated))
    spent = Spent(*repeated.spent) if repeated and settings.resume else NOTHING
    process = Process.first(settings, run_id, repeated.timestamp if repeated else run_id, spent)
    if before is not None:
        process = dataclasses.replace(process, before=before.measured)
        if not any(ORIGIN in group.fingerprints for group in before.measured.values()):
            process.notes.add(f"--eval-affected: {before.name} does not tell what its scores come from: all are asked")
    process.held.update(exams := references.known_exams(settings, baseline))
    process.exams.update({key: told for key, group in exams.items() if (told := group.conditions)})
    if repeated and settings.replay:
        process.standings.leave_out(repeated.left_out)
    return process, baseline, repeated


def informed(worker: Process, told: Mapping[str, Any]) -> Process:
    """A worker that knows what `Session.told_to_workers` has told it."""
    if "before" not in told:
        return worker
    from pytest_pitcheval import files
    from pytest_pitcheval.storage import baseline_documents

    document = files.parse_json(told["before"], "baseline")
    return dataclasses.replace(worker, before=baseline_documents.from_document(document, "baseline"))
