"""``pitcheval runs`` and ``pitcheval show``: run files in, a line for each or what is known of one out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from pytest_pitcheval.command.named_runs import Printed, find, matching
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.reports import conversations, terminal
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.deciding.decisions import NO_TERMS, decide
from pytest_pitcheval.results.media import is_medium, with_notes
from pytest_pitcheval.results.records import Record, total
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.storage import run_files
from pytest_pitcheval.storage.run_files import RunFile


def list_runs(settings: Settings) -> Printed:
    """A line for each run of ``--eval-dir``, the newest last."""
    paths = run_files.all_runs(settings.directory, unfinished=True)
    if not paths:
        raise PitchevalError(f"no run in {run_files.folder(settings.directory)} yet")
    head = ("run", "tests", "passed", "failed", "errors", "fresh", "cost", "gates")
    rows, unreadable = [], []
    for path in paths:
        try:
            rows.append(_run_row(run_files.read(path)))
        except PitchevalError as error:
            unreadable.append((str(error), True))
    return [*((line, False) for line in formats.table([head, *rows])), *unreadable], True


def _run_row(run: RunFile) -> tuple[str, ...]:
    records = run.outcome.records.values()
    count = {status: sum(record.status == status for record in records) for status in ("passed", "failed", "error")}
    usage = total(record.usage for record in records)
    failed = sum(gate.status == "failed" for gate in run.gates)
    verdict = "unfinished" if not run.finished else f"{failed} failed" if failed else "ok" if run.gates else "-"
    return (
        run.run.id,
        str(len(records) + len(run.outcome.missing)),
        *(str(count[status]) for status in ("passed", "failed", "error")),
        str(usage.fresh),
        formats.cost(usage),
        verdict,
    )


def show_run(settings: Settings, reference: str, test: str | None) -> Printed:
    """A run as it was printed at its end; with ``test``, all that is known of the tests with that in their node ID."""
    run = find(settings, reference)
    if test is None:
        decision = dataclasses.replace(decide(run.outcome, None, NO_TERMS), gates=run.gates)
        note = [] if run.finished else [(f"unfinished: --eval-resume={run.run.id} continues it", True)]
        return [*terminal.decision_lines(decision, None), *terminal.budget_lines(run.run, decision), *note], True
    records = [run.outcome.records.get(found.nodeid) for found in matching(run, test)]
    missing = run.outcome.missing
    lost = [
        (f"{found.nodeid}: {missing[found.nodeid].reason}", True)
        for found in matching(run, test)
        if found.nodeid in missing
    ]
    return [*((line, False) for record in records if record for line in _record_lines(record)), *lost], True


def _record_lines(record: Record) -> Iterator[str]:
    usage = record.usage
    facts = {
        "status": record.status_text,
        "method": record.optimization,
        "model": record.model,
        "judge": record.evaluator,
        "score": formats.score(record),
        "metrics": ", ".join(f"{name} {value:.3g}" for name, value in record.further.items()),
        "feedback": record.feedback,
        "rollout": record.rollout_id,
        "calls": f"{usage.fresh} fresh, {usage.cached} cached, {usage.failed} failed",
        "embedders": f"{usage.embeddings} requests" if usage.embeddings else "",
        "tokens": f"{usage.prompt_tokens} prompt, {usage.completion_tokens} completion",
        "cost": formats.cost(usage),
        "seconds": f"{record.seconds:.2f}",
    }
    labels = {f"label {name}": value for name, value in record.labels.items()}
    fields = (record.inputs, labels, record.prediction or {})
    told = [*facts.items(), *((name, _text(value)) for part in fields for name, value in part.items())]
    yield record.nodeid
    yield from (f"  {name:<10} {text}" for name, text in told if text)


def _text(value: Any) -> str:
    """Texts as they are; of a conversation each part on a line of its own."""
    if isinstance(value, str):
        return value
    found = conversations.conversation(value)
    if found is not None:
        return ("\n" + " " * 13).join(conversations.lines(found))
    told = with_notes(value, paths=True)
    return told if is_medium(value) else json.dumps(told, ensure_ascii=False)
