"""Rows of labels: which answers a record has, and who labelled them."""

from __future__ import annotations

import dataclasses
import json

from support.run_documents import RUN_ID, TEST, record

from pytest_pitcheval.results.exams.labels import AT_RANDOM, AnswerKey, Labelled, answers_of, labelled


def test_each_rollout_has_an_answer() -> None:
    one = record("e1", later_rollouts=({"prediction": {"answer": "second"}}, {"prediction": None}, {}))
    keys = [AnswerKey(RUN_ID, TEST, "none", "e1", number) for number in (1, 2)]
    assert list(answers_of(one, "other")) == [(keys[0], {"answer": "answer of e1"}), (keys[1], {"answer": "second"})]
    assert list(answers_of(record("e1", None), "other")) == []


def test_an_answer_is_of_the_session_that_made_it() -> None:
    """Which is the run's, where a record does not know it."""
    [(key, _)] = answers_of(record("e1"), "replay")
    assert key.run == RUN_ID
    [(key, _)] = answers_of(record("e1", rollout_id=""), "replay")
    assert key.run == "replay"


def test_no_two_answers_have_one_id() -> None:
    key = AnswerKey(RUN_ID, TEST, "none", "e1", 1)
    others = [
        key._replace(run="other"),
        key._replace(test="other"),
        key._replace(optimization="bootstrap"),
        key._replace(example="e2"),
        key._replace(rollout=2),
    ]
    assert key.id.startswith("e1-")
    assert len({one.id for one in (key, *others)}) == 6
    assert key.id == AnswerKey(*key).id


def test_what_a_row_says_of_who_labelled() -> None:
    key = AnswerKey(RUN_ID, TEST, "none", "e1", 2)
    said = Labelled("Ana", on="2026-11-22", **key._asdict(), drawn=AT_RANDOM, place=3, of=120, seed=7)
    row = json.loads(json.dumps({"good": 1, "labelled": said.to_dict()}))
    assert labelled(row, "row") == said
    assert said.key == key
    assert labelled({"good": 1}, "row") is None
    assert labelled({"labelled": {"by": "Ana", "mood": "fine"}}, "row") == Labelled("Ana")
    assert {field.name for field in dataclasses.fields(Labelled)} == set(row["labelled"])
