"""Runs as their files tell them, without running anything: for tests of reports, and for their benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_pitcheval.reports import run_reports
from pytest_pitcheval.reports.run_reports import RunReport
from pytest_pitcheval.results.baselines import measure
from pytest_pitcheval.results.collected import Collected, Requirements, of_scores
from pytest_pitcheval.results.deciding.decisions import Terms, decide
from pytest_pitcheval.results.deciding.outcome import Outcome
from pytest_pitcheval.results.records import Record, Usage
from pytest_pitcheval.results.summaries.summary import Missing
from pytest_pitcheval.storage import run_files
from pytest_pitcheval.storage.run_files import RunFile
from pytest_pitcheval.storage.run_info import RunInfo

TEST = "test_qa.py::test_qa"
RUN_ID = "20260102T030405.000006Z"


def record(name: str, score: float | None = 0.75, **fields: Any) -> Record:
    """The record of an example: passed from 0.5 on, an error without a score."""
    status = "error" if score is None else "passed" if score >= 0.5 else "failed"
    known: dict[str, Any] = {
        "nodeid": f"{TEST}[{name}]",
        "test": TEST,
        "example_id": name,
        "optimization": "none",
        "status": status,
        "score": score,
        "threshold": None if score is None else 0.5,
        "samples": () if score is None else (score,),
        "error": "the provider is down" if score is None else None,
        "rollout_id": f"{RUN_ID}/{TEST}[{name}]",
        "generator": Usage(1, 0, 0, 100, 20, 0.001),
        "judge": Usage(1, 0, 0, 150, 10, 0.002),
        "seconds": 1.25,
        "fingerprints": {"program": "aaaa"},
        "inputs": {"question": f"question of {name}?"},
        "prediction": None if score is None else {"answer": f"answer of {name}"},
        "feedback": None if score is None else f"feedback of {name}",
    }
    return Record(**{**known, **fields})


def run_file(
    records: Sequence[Record],
    before: Iterable[Record] = (),
    missing: Mapping[str, str] | None = None,
    gates: Mapping[str, float] | None = None,
    asked: Requirements | None = None,
    **run: Any,
) -> RunFile:
    """A run, as its file is read: of ``records``, and of ``missing`` examples (why, by name).

    It was compared with the records ``before``, if there are any, and held to ``gates``, or to what its marker asked.
    """
    return run_files.from_document(document(records, before, missing, gates, asked, **run), Path("run.json"))


def document(
    records: Sequence[Record],
    before: Iterable[Record] = (),
    missing: Mapping[str, str] | None = None,
    gates: Mapping[str, float] | None = None,
    asked: Requirements | None = None,
    **run: Any,
) -> dict[str, Any]:
    """What stands in the file of such a run."""
    lost = {f"{TEST}[{name}]": (name, reason) for name, reason in (missing or {}).items()}
    limits = asked or Requirements(of_scores(gates or {}))
    collected = [
        Collected(one.nodeid, one.test, one.example_id, one.optimization, limits, labels=one.short_labels)
        for one in records
    ]
    collected += [Collected(nodeid, TEST, name, "none", limits) for nodeid, (name, _) in lost.items()]
    found = {one.nodeid: one for one in records}
    why = {nodeid: Missing(nodeid, reason) for nodeid, (_, reason) in lost.items()}
    outcome = Outcome(collected, found, why)
    baseline = measure(before) or None
    decision = decide(outcome, baseline, Terms(lambda gate, own: own))
    named = "run 20260101T000000.000000Z" if baseline else None
    about_run = RunInfo(**{"id": RUN_ID, "timestamp": RUN_ID, "baseline": named, **run})
    return run_files.to_document(about_run, outcome, decision)


def report(records: Sequence[Record], before: Sequence[Record] = (), **more: Any) -> RunReport:
    """The report of such a run; the baseline's predictions are known."""
    return run_reports.as_decided(run_file(records, before, **more), {one.nodeid: one for one in before})


def many(count: int, words: int = 300) -> RunReport:
    """A large run with long texts, compared with another: each third example regressed, each fifth failed."""
    text = "A sentence with several words in it, and <b>marks</b> & signs. " * (words // 10)

    def one(number: int, score: float) -> Record:
        about = {"inputs": {"facts": f"fact {number}: {text}"}, "prediction": {"pitch": f"pitch {number}: {text}"}}
        return record(f"e{number}", score, feedback=f"feedback {number}: {text[:200]}", **about)

    before = [one(number, 0.6) for number in range(count)]
    return report([one(number, _score(number)) for number in range(count)], before)


def _score(number: int) -> float:
    return 0.25 if number % 5 == 0 else 0.55 if number % 3 == 0 else 0.65
