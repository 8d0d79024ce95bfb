"""The text of a baseline file, written and read: small, with sorted keys, to be read in a diff."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.results.baselines import Baseline, Measurement, Measurements
from pytest_pitcheval.results.exams.exam import Exam
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import FINITE
from pytest_pitcheval.timestamps import date_of, is_run_id

SCHEMA_VERSION = 4
OLDEST_SCHEMA = 1
"""Version 1 has no metrics beside the score, and no dates; version 2 has no origins, and not whose tests failed;
version 3 knows one model. A file of one model is still written as such: it is what it was."""

_LARGEST = 2**53

_UNKNOWN = "unknown"
"""In place of the date of a sample whose run is not known."""


@dataclasses.dataclass(frozen=True)
class _Example:
    """``dates`` are keys of the group's ``runs``, one for each sample; none where the group has one run alone."""

    __pydantic_config__ = FINITE

    samples: tuple[float, ...]
    fingerprint: str | None = None
    metrics: dict[str, tuple[float | None, ...]] = dataclasses.field(default_factory=dict)
    dates: tuple[str, ...] = ()
    failed: bool = False
    predictions: tuple[dict[str, Any] | None, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Run:
    """Its time stamp; and those fingerprints of the group that were others then."""

    time: str = ""
    fingerprints: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Group:
    examples: dict[str, _Example]
    fingerprints: dict[str, str] = dataclasses.field(default_factory=dict)
    runs: dict[str, _Run] = dataclasses.field(default_factory=dict)
    slices: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    exam: Exam | None = None
    optimization: str = ""
    model: str = ""
    evaluator: str = ""

    def key(self, test: str, variant: str) -> Key:
        """Whose it is: where it does not say, that is what the file calls it."""
        return Key(test, self.optimization or variant, self.model, self.evaluator)


def to_text(baseline: Baseline) -> str:
    """The baseline file: JSON with sorted keys and a line for each example and run."""
    tests: dict[str, dict[str, str]] = {}
    for key, measurements in sorted(baseline.items(), key=lambda one: (one[0].test, one[0].variant)):
        tests.setdefault(key.test, {})[key.variant] = _group(key, measurements)
    version = SCHEMA_VERSION if any(key.models for key in baseline) else 3
    written = {test: _block(groups, 3) for test, groups in tests.items()}
    return _block({"schema_version": str(version), "tests": _block(written, 2)}, 1) + "\n"


def from_document(document: Any, name: str) -> dict[Key, Measurements]:
    """What `to_text` wrote, parsed; a PitchevalError of one line if it is none or of another schema."""
    files.check_version(document, SCHEMA_VERSION, name, OLDEST_SCHEMA)
    tests = files.validated(dict[str, dict[str, _Group]], document.get("tests"), f"{name}: tests")
    return {
        group.key(test, variant): _measurements(group, name, f"{test} [{variant}]")
        for test, groups in tests.items()
        for variant, group in groups.items()
    }


def _group(key: Key, group: Measurements) -> str:
    names = _names(group.runs)
    examples = {key: _line(_as_json(one, names)) for key, one in sorted(group.examples.items())}
    runs = {name: _run(run, group.earlier.get(run, {})) for run, name in names.items()}
    written = {name: _line(run) for name, run in sorted(runs.items()) if run}
    about = {name: _line(value) for name, value in key.to_dict().items() if key.models and name != "test"}
    lines = {**about, "examples": _block(examples, 5), "fingerprints": _line(group.fingerprints)}
    slices = {label: list(values) for label, values in group.slices.items()}
    if group.exam is not None:
        return _sorted({**about, "exam": _exam(group.exam), "examples": "{}", "fingerprints": lines["fingerprints"]})
    optional = {"runs": _block(written, 5) if written else "", "slices": _line(slices) if slices else ""}
    return _sorted({**lines, **{name: text for name, text in optional.items() if text}})


def _sorted(lines: Mapping[str, str]) -> str:
    return _block(dict(sorted(lines.items())), 4)


def _exam(exam: Exam) -> str:
    """A line for each figure."""
    told = [(name, value) for name, value in exam.to_dict().items() if name != "undefined"]
    data = {name: value for name, value in told if value or name not in ("models", "errors")}
    parts = {name: _block({key: _line(one) for key, one in data[name].items()}, 6) for name in ("figures", "slices")}
    return _block({name: parts.get(name, _line(value)) for name, value in sorted(data.items())}, 5)


def _names(runs: list[str]) -> dict[str, str]:
    """A name for each run: its date, with a number after the first one of that date."""
    names, seen = {}, Counter[str]()
    for run in runs:
        date = date_of(run) or _UNKNOWN
        seen[date] += 1
        names[run] = date if seen[date] == 1 else f"{date}.{seen[date]}"
    return names


def _run(run: str, earlier: Mapping[str, str]) -> dict[str, Any]:
    return {**({"time": run} if run else {}), **({"fingerprints": earlier} if earlier else {})}


def _as_json(one: Measurement, names: Mapping[str, str]) -> dict[str, Any]:
    row = {} if one.fingerprint is None else {"fingerprint": one.fingerprint}
    dates = [names[run] for run in one.run_of_each] if len(names) > 1 else []
    metrics = {name: [_short(value) for value in values] for name, values in one.metrics.items()}
    predictions = [None if each is None else dict(each) for each in one.predictions]
    optional = {"dates": dates, "failed": one.failed, "metrics": metrics, "predictions": predictions}
    return {**row, "samples": list(one.samples), **{name: value for name, value in optional.items() if value}}


def _short(value: float | None) -> float | None:
    """A count as one writes it, whether it was read from a file, which makes a float of it, or comes from a run."""
    return int(value) if value is not None and abs(value) < _LARGEST and value == int(value) else value


def _measurements(group: _Group, file: str, name: str) -> Measurements:
    """The group called ``name``; a PitchevalError where it contradicts itself."""
    for key, run in group.runs.items():
        if run.time and not is_run_id(run.time):
            raise files.complaint(file, f"{name}: runs.{key}.time: {run.time!r}: expected the time stamp of a run")
    times = {_UNKNOWN: "", **{key: run.time for key, run in group.runs.items()}}
    examples = {key: _measurement(one, times, file, f"{name}: {key}") for key, one in group.examples.items()}
    used = {run for one in examples.values() for run in one.run_of_each}
    earlier = {run.time: run.fingerprints for run in group.runs.values() if run.fingerprints and run.time in used}
    return Measurements(examples, group.fingerprints, earlier, group.slices, group.exam)


def _measurement(one: _Example, times: Mapping[str, str], file: str, name: str) -> Measurement:
    if not one.samples:
        raise files.complaint(file, f"{name}: an example has no samples")
    known = [time for time in times.values() if time]
    dates = one.dates or [next((key for key, time in times.items() if [time] == known), _UNKNOWN)] * len(one.samples)
    if len(dates) != len(one.samples):
        raise files.complaint(file, f"{name}: {len(dates)} dates of {len(one.samples)} samples")
    for date in dates:
        if date not in times:
            raise files.complaint(file, f"{name}: dates: {date!r}: expected a key of runs")
    if one.predictions and len(one.predictions) != len(one.samples):
        raise files.complaint(file, f"{name}: {len(one.predictions)} predictions of {len(one.samples)} samples")
    runs = tuple(times[date] for date in dates)
    dated = runs if any(runs) else ()
    return Measurement(one.samples, one.fingerprint, one.metrics, dated, one.failed, one.predictions)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)


def _block(items: Mapping[str, str], depth: int) -> str:
    """A JSON object of values that are written already, a line each."""
    if not items:
        return "{}"
    inner = ",\n".join(" " * depth + f"{_line(key)}: {text}" for key, text in items.items())
    return "{\n" + inner + "\n" + " " * (depth - 1) + "}"
