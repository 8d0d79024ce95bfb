"""Which group of the baseline a group is compared with."""

from __future__ import annotations

import pytest

from pytest_pitcheval.results.baselines import Baseline, Measurement, Measurements
from pytest_pitcheval.results.choosing.counterparts import counterparts
from pytest_pitcheval.results.keys import Key

TEST = "t.py::test"


def group(score: float, model: str = "", judge: str = "") -> Measurements:
    marks = {"generator": f"{model} 0123abcd" if model else "", "judge": f"{judge} 0123abcd" if judge else ""}
    return Measurements({"e0": Measurement((score,))}, {role: mark for role, mark in marks.items() if mark})


def key(method: str = "none", model: str = "", judge: str = "") -> Key:
    return Key(TEST, method, model, judge)


A, B = key(model="openai/a"), key(model="openai/b")


@pytest.mark.parametrize(
    ("baseline", "current", "expected"),
    [
        ({A: group(0.1), B: group(0.9)}, {A: group(0.5), B: group(0.5)}, {A: A, B: B}),
        ({A: group(0.1, "openai/a"), B: group(0.9, "openai/b")}, {key(): group(0.5, "openai/a")}, {key(): A}),
        ({A: group(0.1, "openai/a"), B: group(0.9, "openai/b")}, {key(): group(0.5, "openai/c")}, {key(): B}),
        ({key(): group(0.5, "openai/a")}, {A: group(0.5, "openai/a"), B: group(0.5, "openai/b")}, {A: key()}),
        ({key(): group(0.5, "openai/a")}, {B: group(0.5, "openai/b")}, {B: key()}),
        ({key("simba"): group(0.5, "openai/a")}, {A: group(0.5, "openai/a")}, {A: key("simba")}),
        ({}, {A: group(0.5)}, {}),
        (
            {key(judge="openai/j"): group(0.1, judge="openai/j"), key(judge="openai/k"): group(0.9, judge="openai/k")},
            {key(): group(0.5, judge="openai/j")},
            {key(): key(judge="openai/j")},
        ),
    ],
)
def test_it_is_the_same_model_by_name_or_by_fingerprint_else_the_best(
    baseline: Baseline, current: Baseline, expected: dict[Key, Key]
) -> None:
    assert counterparts(current, baseline, current) == expected
