"""Which group of the baseline a group of this run is compared with."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_pitcheval.names import GENERATOR, JUDGE
from pytest_pitcheval.results.baselines import Baseline, Measurements
from pytest_pitcheval.results.keys import Key


def counterparts(keys: Iterable[Key], baseline: Baseline, current: Baseline) -> dict[Key, Key]:
    """By group of this run, the baseline's; those that have none are not in it.

    That is the same test, method and models; where one of the runs has several models and the other one alone, the
    group with the same model by its fingerprint. A test that runs with no group of its baseline is compared with the
    best one there: that is what a change of method or model must not make worse. If it runs with one of them, further
    groups have no baseline.
    """
    asked = list(dict.fromkeys(keys))
    found = {key: match for key in asked if (match := _match(key, baseline, current)) is not None}
    known = {key.test for key in found}
    for key in asked:
        if key not in found and key.test not in known and (there := _groups(key.test, baseline)):
            found[key] = max(there, key=lambda one: baseline[one].mean)
    return found


def _groups(test: str, baseline: Baseline) -> list[Key]:
    return sorted(key for key in baseline if key.test == test)


def _match(key: Key, baseline: Baseline, current: Baseline) -> Key | None:
    if key in baseline:
        return key
    now = current.get(key, Measurements({}))
    alike = (
        one
        for one in _groups(key.test, baseline)
        if one.optimization == key.optimization
        and _is_same(key.model, now, one.model, baseline[one], GENERATOR)
        and _is_same(key.evaluator, now, one.evaluator, baseline[one], JUDGE)
    )
    return next(alike, None)


def _is_same(model: str, now: Measurements, known: str, before: Measurements, role: str) -> bool:
    """Whether both are of one model, as far as that is known: neither names any, or their fingerprints do."""
    if model == known:
        return True
    names = {_name(now, role), model} - {""}
    return bool(names & {_name(before, role), known})


def _name(group: Measurements, role: str) -> str:
    """The model's name in a fingerprint: 8 digits stand after it."""
    return group.fingerprints.get(role, "").rpartition(" ")[0]
