from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_pitcheval.errors import ReplayMiss
from pytest_pitcheval.rollouts.answers.book import AnswerBook
from pytest_pitcheval.storage.answers import layout
from pytest_pitcheval.storage.answers.answer import LM, TOOL, Answer, Failure, Place
from pytest_pitcheval.storage.answers.journals import AnswerJournal, written
from pytest_pitcheval.storage.answers.manifest import Manifest

TEST = "test_qa.py::test_qa[e1]"
PLACE = Place(TEST)


class Recorded:
    """A source that is in memory."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self.path = Path("recorded")
        self.manifest = Manifest("20261125T000000.000000Z")
        head = f'{{"test": "{TEST}"}}\n'
        self._text = head + "".join(f"{answer.line()}\n" for answer in answers)

    def read(self, name: str) -> str | None:
        return self._text if name == layout.answers_name(TEST) else None

    def names(self) -> list[str]:
        return [layout.answers_name(TEST)]


def ask(text: str) -> dict[str, str]:
    return {"question": text}


def book(*answers: Answer) -> AnswerBook:
    return AnswerBook(Recorded(answers), None)


def test_the_same_request_gets_its_answers_in_their_order() -> None:
    replayed = book(Answer(PLACE, TOOL, ask("time"), "noon"), Answer(PLACE, TOOL, ask("time"), "one"))
    taken = [replayed.take(PLACE, TOOL, ask("time")) for _ in range(3)]
    assert [one.value if one else None for one in taken] == ["noon", "one", None]


def test_what_a_cache_would_answer_again_is_answered_again() -> None:
    replayed = book(Answer(PLACE, LM, ask("a"), "yes"))
    taken = [replayed.take(PLACE, LM, ask("a"), repeats=True) for _ in range(3)]
    assert [one.get() if one else None for one in taken] == ["yes", "yes", "yes"]


def test_rollouts_verdicts_attempts_and_kinds_are_apart() -> None:
    replayed = book(
        Answer(PLACE, LM, ask("a"), "first"),
        Answer(PLACE._replace(rollout=1), LM, ask("a"), "second rollout"),
        Answer(PLACE._replace(verdict=1), LM, ask("a"), "second verdict"),
        Answer(PLACE._replace(attempt=2), LM, ask("a"), "second attempt"),
        Answer(PLACE, TOOL, ask("a"), "tool"),
    )
    places = (PLACE._replace(attempt=2), PLACE._replace(rollout=1), PLACE._replace(verdict=1), PLACE)
    taken = [*(replayed.take(place, LM, ask("a")) for place in places), replayed.take(PLACE, TOOL, ask("a"))]
    assert [one.value for one in taken if one] == [
        "second attempt",
        "second rollout",
        "second verdict",
        "first",
        "tool",
    ]


def test_a_place_that_begins_anew_gets_its_answers_anew() -> None:
    replayed = book(Answer(PLACE, TOOL, ask("a"), "yes"))
    assert replayed.take(PLACE, TOOL, ask("a"))
    assert replayed.take(PLACE._replace(since=1), TOOL, ask("a"))


def test_an_error_is_raised_again() -> None:
    replayed = book(Answer(PLACE, TOOL, ask("a"), failure=Failure("builtins.ValueError", "no such city")))
    taken = replayed.take(PLACE, TOOL, ask("a"))
    assert taken is not None
    with pytest.raises(ValueError, match="no such city"):
        taken.get()


def test_what_is_missing_is_an_error_that_names_the_nearest() -> None:
    replayed = book(Answer(PLACE, LM, ask("What is the capital of Chile?"), "Santiago"))
    miss = replayed.miss(PLACE, LM, ask("What is the capital of Peru?"), "an LM call")
    assert isinstance(miss, ReplayMiss)
    assert str(miss).startswith('an LM call is not recorded: question "')
    assert "[-Chile?-]{+Peru?+}" in str(miss)
    assert TEST in str(miss)


def test_what_nobody_took_is_known() -> None:
    replayed = book(Answer(PLACE, LM, ask("a"), 1), Answer(PLACE, LM, ask("b"), 2), Answer(PLACE, LM, ask("c"), 3))
    replayed.take(PLACE, LM, ask("b"))
    assert replayed.unused() == {TEST: [0, 2]}


def test_what_is_kept_is_written_at_once_and_without_credentials(tmp_path: Path) -> None:
    journal = AnswerJournal(tmp_path, "gw0")
    recorded = AnswerBook(None, journal, mask=lambda value: {"masked": True} if isinstance(value, dict) else value)
    recorded.keep(PLACE, TOOL, ask("sk-secret"), "fine")
    (one,) = written(tmp_path)
    assert one.read() == Answer(PLACE, TOOL, {"masked": True}, "fine")
    recorded.close()


def test_filling_in_keeps_what_is_taken_and_what_is_fresh(tmp_path: Path) -> None:
    filled = AnswerBook(Recorded([Answer(PLACE, LM, ask("a"), 1)]), AnswerJournal(tmp_path, "main"))
    assert not filled.strict
    assert filled.take(PLACE, LM, ask("a"), repeats=True)
    assert filled.take(PLACE, LM, ask("a"), repeats=True)
    assert filled.take(PLACE, LM, ask("b"), repeats=True) is None
    filled.keep(PLACE, LM, ask("b"), 2)
    assert [one.read().value for one in written(tmp_path)] == [1, 2]
    assert filled.fresh == {LM: 1}
    filled.close()
