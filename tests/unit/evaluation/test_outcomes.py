"""What a test that did not pass shows."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_pitcheval.evaluation.outcomes import explain, shorten
from pytest_pitcheval.results.records import Record

RECORD = Record("t.py::test[e0]", "t.py::test", "e0", "none", "failed", rollout_id="now/t.py::test[e0]")


def test_all_there_is_to_know() -> None:
    record = dataclasses.replace(
        RECORD,
        score=0.5,
        threshold=0.6,
        samples=(0.25, 0.75),
        metrics={"length": 12.0, "style": 1 / 3},
        feedback="so so",
        prediction={"answer": "42", "reasoning": "because"},
    )
    assert explain(record, "pytest t.py").splitlines() == [
        "score      0.500 (rollouts 0.25, 0.75), threshold 0.6",
        "metrics    length 12, style 0.333",
        "feedback   so so",
        "answer     42",
        "reasoning  because",
        "rollout    now/t.py::test[e0]",
        "repeat     pytest t.py",
    ]


def test_little_is_known() -> None:
    assert explain(RECORD, "pytest t.py").splitlines() == [
        "score      none: the example could not be scored",
        "rollout    now/t.py::test[e0]",
        "repeat     pytest t.py",
    ]


@pytest.mark.parametrize("length", [0, 1, 1200])
def test_short_texts_stay(length: int) -> None:
    assert shorten("x" * length) == "x" * length


def test_of_long_texts_the_beginning_and_the_end_are_shown() -> None:
    text = "a" * 2000 + "b" * 2000
    short = shorten(text)
    assert short == "a" * 900 + " [... 2800 characters ...] " + "b" * 300
    assert len(text) == 900 + 2800 + 300
