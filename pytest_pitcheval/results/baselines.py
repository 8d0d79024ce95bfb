"""Baselines: what each example scored when a team last agreed to it. Plain values in, plain values out."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.names import COMPARED_ROLES, EXAMPLE, ROLES, SCORE
from pytest_pitcheval.results.records import FINITE, Key, Record

SCHEMA_VERSION = 2
OLDEST_SCHEMA = 1
"""Version 1 has no metrics beside the score."""
GROUP_ROLES = tuple(role for role in ROLES if role != EXAMPLE)
"""What all examples of a test and method have in common."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One example's score in each rollout.

    Attributes:
        fingerprint: that of its row; None: it has none.
        metrics: further numbers by name, that of each rollout; None where it has none.
    """

    __pydantic_config__ = FINITE

    samples: tuple[float, ...]
    fingerprint: str | None = None
    metrics: Mapping[str, tuple[float | None, ...]] = dataclasses.field(default_factory=dict)

    @property
    def score(self) -> float:
        """The mean of the samples."""
        return statistics.mean(map(float, self.samples))

    def values(self, metric: str = SCORE) -> tuple[float, ...]:
        """What is known of ``metric``, that of each rollout."""
        if metric == SCORE:
            return self.samples
        return tuple(value for value in self.metrics.get(metric, ()) if value is not None)


@dataclasses.dataclass(frozen=True)
class Measurements:
    """The scored examples of one test function and method, by example ID; a test without examples has the ID ``""``.

    ``fingerprints`` are those of `GROUP_ROLES` that are known.
    """

    examples: Mapping[str, Measurement]
    fingerprints: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def mean(self) -> float:
        """The mean of the examples' scores; of nothing, minus infinity."""
        scores = [measurement.score for measurement in self.examples.values()]
        return statistics.mean(scores) if scores else -math.inf

    def of(self, metric: str, members: Collection[str] | None = None) -> Measurements:
        """The samples of another ``metric`` in place of the score's, of the examples that have it.

        ``members`` are the examples of a slice; None: all.
        """
        known = {name: one.values(metric) for name, one in self.examples.items() if members is None or name in members}
        found = {name: Measurement(one, self.examples[name].fingerprint) for name, one in known.items() if one}
        return Measurements(found, self.fingerprints)


Baseline = Mapping[Key, Measurements]


def measure(records: Iterable[Record]) -> dict[Key, Measurements]:
    """What the scored ones of ``records`` measured."""
    groups: dict[Key, list[Record]] = {}
    for record in records:
        if record.score is not None and record.samples:
            groups.setdefault(record.key, []).append(record)
    return {key: _measurements(group) for key, group in groups.items()}


def _measurements(records: list[Record]) -> Measurements:
    examples = {r.example_id or "": Measurement(r.samples, r.fingerprints.get(EXAMPLE), _metrics(r)) for r in records}
    found = {role: sorted({one for r in records if (one := r.fingerprints.get(role))}) for role in GROUP_ROLES}
    return Measurements(examples, {role: " and ".join(values) for role, values in found.items() if values})


def _metrics(record: Record) -> dict[str, tuple[float, ...]]:
    """Those that each of its rollouts has."""
    return {name: values for name in record.metrics if (values := record.values(name))}


def update(old: Baseline, new: Baseline, gone: Callable[[Key, str], bool]) -> dict[Key, Measurements]:
    """``old`` with what ``new`` measured in its place, without the examples that are ``gone`` from their dataset.

    Where ``new`` has another judge or metric, the examples that only ``old`` has are left out too: one group cannot
    be compared with two judges. Where it does not tell them, they stay those of the examples that are kept.
    """
    updated = dict(old)
    for key, measured in new.items():
        before = old.get(key, measured)
        alike = not differing(before, measured, COMPARED_ROLES)
        kept = {name: one for name, one in before.examples.items() if alike and not gone(key, name)}
        known = before.fingerprints if kept.keys() - measured.examples.keys() else {}
        updated[key] = Measurements({**kept, **measured.examples}, {**known, **measured.fingerprints})
    return updated


def differing(old: Measurements, new: Measurements, roles: Iterable[str]) -> tuple[str, ...]:
    """Those of ``roles`` whose fingerprints are known of both and differ."""
    pairs = {role: (old.fingerprints.get(role), new.fingerprints.get(role)) for role in roles}
    return tuple(role for role, (before, now) in pairs.items() if before and now and before != now)


def to_text(baseline: Baseline) -> str:
    """The baseline file: JSON with sorted keys and one line for each example, to be read in a diff."""
    tests: dict[str, dict[str, Measurements]] = {}
    for (test, method), measurements in sorted(baseline.items()):
        tests.setdefault(test, {})[method] = measurements
    written = {test: _block({m: _group(group) for m, group in methods.items()}, 3) for test, methods in tests.items()}
    return _block({"schema_version": str(SCHEMA_VERSION), "tests": _block(written, 2)}, 1) + "\n"


def from_document(document: Any, name: str) -> dict[Key, Measurements]:
    """What `to_text` wrote, parsed; a PitchevalError of one line if it is none or of another schema."""
    files.check_version(document, SCHEMA_VERSION, name, OLDEST_SCHEMA)
    tests = files.validated(dict[str, dict[str, Measurements]], document.get("tests"), f"{name}: tests")
    for test, methods in tests.items():
        for method, group in methods.items():
            if not all(measurement.samples for measurement in group.examples.values()):
                raise files.complaint(name, f"{test} [{method}]: an example has no samples")
    return {(test, method): group for test, methods in tests.items() for method, group in methods.items()}


def _group(group: Measurements) -> str:
    examples = {key: _line(_as_json(one)) for key, one in sorted(group.examples.items())}
    return _block({"examples": _block(examples, 5), "fingerprints": _line(group.fingerprints)}, 4)


def _as_json(one: Measurement) -> dict[str, Any]:
    row = {} if one.fingerprint is None else {"fingerprint": one.fingerprint}
    metrics = {name: list(values) for name, values in one.metrics.items()}
    return {**row, "samples": list(one.samples), **({"metrics": metrics} if metrics else {})}


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)


def _block(items: Mapping[str, str], depth: int) -> str:
    """A JSON object of values that are written already, a line each."""
    if not items:
        return "{}"
    inner = ",\n".join(" " * depth + f"{_line(key)}: {text}" for key, text in items.items())
    return "{\n" + inner + "\n" + " " * (depth - 1) + "}"
