"""The answers of a session once it is over: written where ``--eval-record`` says, compared with what was recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pitcheval.credentials.hiding import redact
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.records import Omission
from pytest_pitcheval.session.closing.selection import selection
from pytest_pitcheval.storage.answers import recording
from pytest_pitcheval.storage.answers.answer import COMPILING
from pytest_pitcheval.storage.answers.manifest import Manifest
from pytest_pitcheval.storage.answers.recording import Recording
from pytest_pitcheval.storage.answers.replaying import is_of_no_test
from pytest_pitcheval.storage.replays import Replayed

if TYPE_CHECKING:
    from pytest_pitcheval.reports.results import Results
    from pytest_pitcheval.session.controller import Controller

_ENDED = (0, 1)
"""pytest's exit codes of sessions that were not ended by force, nor by a mistake."""


def replayed(controller: Controller) -> Replayed | None:
    """What the run file says of the recorded answers; None where none were replayed."""
    repeated, settings = controller.repeated, controller.process.settings
    if repeated is None or repeated.answers is None:
        return None
    manifest = repeated.answers.manifest
    asked = None if settings.record is None else controller.heard.asked
    return Replayed(manifest.date, manifest.finished, asked, sum(unused(controller).values()))


def unused(controller: Controller) -> dict[str, int]:
    """By test, how many recorded answers nobody asked for: of tests that were run, or are not there any more."""
    if controller.repeated is None or controller.repeated.answers is None:
        return {}
    counts, records = controller.repeated.answers.tests, controller.records
    run = [nodeid for nodeid, record in records.items() if record.status != "skipped"]
    found = dict(controller.heard.unused(counts, run))
    if not is_narrowed(controller):
        known, covers = {*records, *controller.lost, *controller.known_tests}, selection(controller.config).covers
        found |= {test: count for test, count in counts.items() if test not in known and covers(test)}
    return found


def is_narrowed(controller: Controller) -> bool:
    """Whether tests that are there may have been left out."""
    settings = controller.process.settings
    narrowed = selection(controller.config).narrowed_by
    return bool(narrowed or settings.slice or settings.test_size) or controller.exit_status not in _ENDED


def not_asked_for(controller: Controller) -> list[str]:
    """A line that names the tests whose recorded answers nobody asked for, if there are any."""
    named = [f"{test} ({count})" for test, count in unused(controller).items()]
    return [f"  not asked for: {formats.some(named)}"] if named else []


def record(controller: Controller, results: Results) -> None:
    """Write what was answered; what cannot be written is a problem of the session."""
    target = controller.process.settings.record
    if target is None:
        return
    shown = os.path.relpath(target, controller.config.invocation_params.dir)
    path = results.report.file.path
    try:
        written = recording.write(_recording(controller, path if path in results.paths else None), target)
    except (OSError, PitchevalError) as error:
        results.problems.append(f"--eval-record: {shown}: not written: {error}")
        return
    note = "" if controller.exit_status in _ENDED else ", of a session that was ended early"
    results.answers.append(f"answers: {shown}: {formats.count(written.answers, 'answer')} recorded{note}")


def _recording(controller: Controller, run_file: Path | None) -> Recording:
    process, late, finished = controller.process, controller.late_secrets(), controller.exit_status in _ENDED
    is_old = process.settings.replay is not None and not controller.heard.asked
    left_out = {
        nodeid: Omission(record.left_out, record.error or "")
        for nodeid, record in controller.records.items()
        if record.left_out is not None
    }
    return Recording(
        journals=process.runtime_dir,
        manifest=Manifest(process.timestamp if is_old else process.run_id, finished, left_out=left_out),
        mask=(lambda value: redact(value, late)) if late else None,
        programs=_programs(controller),
        run=run_file,
        keeps=_keeps(controller),
        fills_in=process.settings.answers is not None and process.settings.answers == process.settings.record,
    )


def _programs(controller: Controller) -> Mapping[str, str]:
    """Those that tests were run with, by fingerprint."""
    process = controller.process
    named = {record.program_file for record in controller.records.values() if record.program_file}
    paths = {process.settings.directory / name for name in named}
    if process.settings.answers is not None:
        paths |= set((process.runtime_dir / "programs").glob("*.json"))
    return {path.stem: path.read_text("utf-8") for path in sorted(paths) if path.is_file()}


def _keeps(controller: Controller) -> Callable[[str], bool]:
    """Whether answers that a folder has of a test stay, though there are none of this session."""
    narrowed, covers, known = is_narrowed(controller), selection(controller.config).covers, set(controller.known_tests)

    def keeps(test: str) -> bool:
        if narrowed or test.startswith(COMPILING):
            return True
        if is_of_no_test(test):
            return not covers(".")
        record = controller.records.get(test)
        if record is not None:
            return record.status in ("skipped", "error")
        return test in known or not covers(test)

    return keeps
