"""A run file as MLflow runs: one for the session, one below it for each test and method. Plain values, no MLflow."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from pytest_pitcheval.names import UNCHANGED
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.tracking.mlflow_numbers import about_of, is_whole, means, name_of, numbers_of

SESSION = "session"
"""The part of the run that stands for the whole session."""

RUN_ID, PART, GATES_TAG = "pitcheval.run_id", "pitcheval.part", "pitcheval.gates"
BUDGET_TAG, REPLAYED_TAG = "pitcheval.budget", "pitcheval.replayed"
"""Tags by which a run is found again."""

TABLE = "evaluations.json"
_LONGEST_VALUE = 5_000
_LONGEST_NAME = 500
"""Characters of the name of a dataset or a run."""

Point = tuple[str, float, int]
"""A metric's name, its value and its step."""


@dataclasses.dataclass(frozen=True)
class MlflowRun:
    """One MLflow run.

    Attributes:
        part: `SESSION`, or test and method.
        start, end: milliseconds since 1970.
        table: the rows of `TABLE`, as pandas writes a table: ``columns`` and ``data``.
        datasets: of each, name, digest and number of examples.
    """

    part: str
    name: str
    start: int
    end: int
    params: Mapping[str, str]
    tags: Mapping[str, str]
    points: list[Point]
    table: Mapping[str, Any]
    datasets: tuple[tuple[str, str, int], ...]


def mlflow_runs(document: Mapping[str, Any], name: str | None, tags: Mapping[str, str]) -> list[MlflowRun]:
    """The runs that a run file's ``document`` stands for, the session's first."""
    parts = [_part(document, summary, tags) for summary in document["summary"]]
    return [_session(document, name, tags), *parts]


def _session(document: Mapping[str, Any], name: str | None, tags: Mapping[str, str]) -> MlflowRun:
    run, tests = document["run"], document["tests"]
    return MlflowRun(
        SESSION,
        name or f"pitcheval {run['id']}",
        *_times(run),
        params=dict(_params(run)),
        tags={**_tags(document, document["gates"]), **tags, PART: SESSION},
        points=[(key, value, 0) for key, value in _totals(document).items()],
        table=_table(tests),
        datasets=tuple(dict.fromkeys(_dataset(document, summary) for summary in document["summary"])),
    )


def _part(document: Mapping[str, Any], summary: Mapping[str, Any], tags: Mapping[str, str]) -> MlflowRun:
    name = _key(summary).name
    tests = _tests(document, summary)
    gates = [gate for gate in document["gates"] if _key(gate) == _key(summary)]
    compared = [one for one in document["comparisons"] if _key(one) == _key(summary) and is_whole(one)]
    beside = [one for one in document.get("methods", ()) if _key(one) == _key(summary)]  # older files have none
    settings = {f"settings.{key}": _text(value) for key, value in summary["settings"].items()}
    return MlflowRun(
        name,
        _text(name, _LONGEST_NAME),
        *_times(document["run"]),
        params={**{kind: _text(value) for kind, value in _key(summary).to_dict().items()}, **settings},
        tags={**_tags(document, gates), **tags, PART: name},
        points=[
            *((key, value, 0) for key, value in numbers_of(summary, compared, gates, beside).items()),
            *_points(tests),
        ],
        table=_table(tests),
        datasets=(_dataset(document, summary),),
    )


def _tests(document: Mapping[str, Any], summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [test for test in document["tests"] if _key(test) == _key(summary)]


def _key(one: Mapping[str, Any]) -> Key:
    return Key(one["test"], one["optimization"], one.get("model", ""), one.get("evaluator", ""))


def _times(run: Mapping[str, Any]) -> tuple[int, int]:
    return _milliseconds(run["id"]), _milliseconds(run["finished"])


def _milliseconds(timestamp: str) -> int:
    moment = datetime.strptime(timestamp, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=timezone.utc)
    return int(moment.timestamp() * 1000)


def _params(run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    names = ("generator_model", "evaluator_model", "generator_temperature", "evaluator_temperature")
    for key in (*names, "rollouts", "train_size", "test_size", "seed", "baseline", "replay_of", "resume_of"):
        if run[key] is not None:
            yield key, _text(run[key])
    if run["git"]["commit"]:
        yield "git_commit", run["git"]["commit"]
    yield from ((f"version.{name}", _text(version)) for name, version in run["versions"].items())


def _tags(document: Mapping[str, Any], gates: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Who it was, on which commit, and how the gates were decided."""
    run, decided = document["run"], list(gates)
    tags = {RUN_ID: run["id"], GATES_TAG: _worst(gate["status"] for gate in decided)}
    tags |= {"mlflow.source.type": "LOCAL", "mlflow.source.name": _text(shlex.join(["pytest", *run["argv"]]))}
    tags |= {BUDGET_TAG: _text(document["budget"])} if document.get("budget") else {}  # older run files lack it
    tags |= {REPLAYED_TAG: _text(document["replayed"])} if document.get("replayed") else {}
    git = run["git"]
    tags |= {"mlflow.source.git.commit": git["commit"]} if git["commit"] else {}
    tags |= {"mlflow.source.git.branch": git["branch"], "pitcheval.branch": git["branch"]} if git["branch"] else {}
    for gate in decided:
        name = name_of("/".join([f"pitcheval.gate.{gate['gate']}", *about_of(gate), gate["test"], _key(gate).variant]))
        tags[name] = _text(f"{gate['status']}: {gate['reason']}")
    return tags


def _worst(statuses: Iterable[str]) -> str:
    found = set(statuses)
    return next((status for status in ("failed", "inconclusive", "passed") if status in found), "none")


def _totals(document: Mapping[str, Any]) -> dict[str, float]:
    tests, run = document["tests"], document["run"]
    scores = [one["score"] for one in tests if one["score"] is not None and not one.get("people")]  # no exams
    counts = {f"{status}_tests": sum(test["status"] == status for test in tests) for status in _STATUSES}
    return {
        "tests": len(tests) + len(document["missing"]),
        **counts,
        "missing_tests": len(document["missing"]),
        "left_out_tests": sum(bool(test.get("left_out")) for test in tests),
        "unchanged_tests": sum(test.get("left_out") == UNCHANGED for test in tests),
        "scored": len(scores),
        **_spent(run.get("budget")),
        **({"mean": sum(scores) / len(scores)} if scores else {}),
        "failed_gates": sum(gate["status"] == "failed" for gate in document["gates"]),
        **_used(tests),
    }


def _spent(budget: Mapping[str, Any] | None) -> dict[str, float]:
    """What all LM calls took where there was a cap, those too that belong to no test."""
    return {} if budget is None else {"spent_cost": budget["cost"], "spent_tokens": budget["tokens"]}


_STATUSES = ("passed", "failed", "error", "skipped")


def _used(tests: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """What the tests took; cost only where it is known of all."""
    found = list(tests)
    costs = [one["cost"] for one in found]
    known = {} if None in costs else {"cost": sum(costs)}
    if embeddings := sum(one.get("embeddings", 0) for one in found):  # older files have no count
        known["embeddings"] = embeddings
    return {
        "fresh_calls": sum(one["lm_calls"]["fresh"] for one in found),
        "cached_calls": sum(one["lm_calls"]["cached"] for one in found),
        "failed_calls": sum(one["lm_calls"]["failed"] for one in found),
        "prompt_tokens": sum(one["tokens"]["prompt"] for one in found),
        "completion_tokens": sum(one["tokens"]["completion"] for one in found),
        "seconds": sum(one["seconds"] for one in found),
        **known,
    }


def _points(tests: Iterable[Mapping[str, Any]]) -> Iterator[Point]:
    """What each example came to; its step is its position."""
    for step, test in enumerate(tests):
        numbers = {"score": test["score"], **means(test["metrics"]), "seconds": test["seconds"]}
        for name, value in numbers.items():
            if value is not None:
                yield name_of(f"example/{name}"), value, step


def _table(tests: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    rows = [_row(test) for test in tests]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return {"columns": columns, "data": [[row.get(name) for name in columns] for row in rows]}


def _row(test: Mapping[str, Any]) -> dict[str, Any]:
    """What one wants to read of an example first comes first."""
    inputs = {f"inputs.{name}": _cell(value) for name, value in test["inputs"].items()}
    labels = {f"labels.{name}": _cell(value) for name, value in test.get("labels", {}).items()}  # older files have none
    predicted = {f"prediction.{name}": _cell(value) for name, value in (test["prediction"] or {}).items()}
    models = [name for name in ("model", "evaluator") if name in test]  # where there are several
    about = ("example_id", "optimization", *models, "status", "score", "threshold")
    metrics = {f"metrics.{name}": value for name, value in means(test["metrics"]).items()}
    last = {name: test[name] for name in ("feedback", "error", "rollout_id", "test")}
    return {**{name: test[name] for name in about}, **inputs, **labels, **predicted, **metrics, **last}


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, float)) else json.dumps(value, ensure_ascii=False)


def _dataset(document: Mapping[str, Any], summary: Mapping[str, Any]) -> tuple[str, str, int]:
    """The examples of a test: 8 hexadecimal digits stand for their rows, whatever the order."""
    tests = _tests(document, summary)
    rows = sorted(f"{test['example_id']} {test['fingerprints'].get('example')}" for test in tests)
    return _text(summary["test"], _LONGEST_NAME), hashlib.sha256("\n".join(rows).encode()).hexdigest()[:8], len(tests)


def _text(value: Any, longest: int = _LONGEST_VALUE) -> str:
    """A value that MLflow allows."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= longest else text[: longest - 1] + "…"
