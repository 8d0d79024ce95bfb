"""What a test that did not pass shows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pytest_pitcheval.evaluation.outcomes import explain
from pytest_pitcheval.results.records import Record

RECORD = Record("t.py::test[e0]", "t.py::test", "e0", "none", "failed", rollout_id="now/t.py::test[e0]")


def test_all_there_is_to_know() -> None:
    record = dataclasses.replace(
        RECORD,
        score=0.5,
        threshold=0.6,
        samples=(0.25, 0.75),
        metrics={"length": (12.0,), "style": (1 / 3,), "tokens": (120.0,)},
        feedback="so so",
        prediction={"answer": "42", "reasoning": "because"},
    )
    assert explain(record, "pytest t.py", "pitcheval show last t.py").splitlines() == [
        "score      0.500 (rollouts 0.25, 0.75), threshold 0.6",
        "metrics    length 12, style 0.333",
        "feedback   so so",
        "answer     42",
        "reasoning  because",
        "rollout    now/t.py::test[e0]",
        "repeat     pytest t.py",
    ]


def test_little_is_known() -> None:
    assert explain(RECORD, "pytest t.py", "pitcheval show last t.py").splitlines() == [
        "score      none: the example could not be scored",
        "rollout    now/t.py::test[e0]",
        "repeat     pytest t.py",
    ]


def shown(**fields: Any) -> list[str]:
    return explain(dataclasses.replace(RECORD, **fields), "pytest t.py", "pitcheval show last t.py").splitlines()[1:-2]


def test_of_long_texts_a_handful_of_lines_is_shown_and_where_the_whole_stands() -> None:
    lines = shown(
        feedback="dull " * 500, prediction={"answer": "word\n" * 100_000}, metrics={f"m{n}": (0.5,) for n in range(50)}
    )
    assert max(map(len, lines)) <= 80
    assert [line[:20] for line in lines] == [
        "metrics    m0 0.5, m",
        "feedback   dull dull",
        "           dull dull",
        "answer     word word",
        "           word word",
        "           word word",
        "whole      pitcheval",
    ]
    assert lines[2].endswith(" dull [...]")
    assert lines[5].endswith(" word [...]")


def test_what_fits_is_not_cut() -> None:
    answer = "word " * 39 + "word"
    assert " ".join(" ".join(shown(prediction={"answer": answer})).split()) == f"answer {answer}"


def test_fields_share_the_lines_of_a_prediction() -> None:
    prediction = {"reasoning": "because " * 50, "answer": "42", "sure": True, "source": "x" * 99, "more": None}
    lines = shown(prediction=prediction)
    assert [line.split()[0] for line in lines] == ["reasoning", "answer", "sure", "also", "whole"]
    assert lines[3] == "also       source, more"


@pytest.mark.parametrize("nothing", ["", " \n ", None])
def test_an_empty_answer_is_seen(nothing: str | None) -> None:
    assert shown(prediction={"answer": nothing}) == [f"answer     {nothing!r}"]


@pytest.mark.parametrize("text", ["x" * 10_000, "\u4f60" * 10_000, "\n" * 10_000 + "end", "<b> & [...] %s {0}"])
def test_no_text_makes_more_than_its_lines(text: str) -> None:
    lines = shown(feedback=text, prediction={"a_field_with_a_name_that_is_longer_than_a_line" * 2: text})
    assert len(lines) <= 6
    assert max(map(len, lines)) <= 80


def test_labels_take_one_line() -> None:
    labels = {"answer": "Paris", "sources": ["a", 1], "critical": False, "empty": "", "none": None}
    assert shown(labels=labels) == ['labels     answer Paris, sources ["a", 1], critical false']
    [cut, whole] = shown(labels={**labels, "notes": "long " * 100_000})
    assert (len(cut) <= 80, cut.endswith("[...]"), whole.split()[0]) == (True, True, "whole")
    assert shown(labels={"empty": "", "none": None}) == []
