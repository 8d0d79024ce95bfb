"""Of what all processes of a session wrote down, the answers that count, in an order that depends on none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pytest_pitcheval.storage.answers.answer import COMPILING, FIXTURES, SHARED, Answer, Key, Place
from pytest_pitcheval.storage.answers.journals import Written, written

Mask = Callable[[Any], Any]


def answers_by_test(journals: Path, mask: Mask | None) -> Iterator[tuple[str, list[str]]]:
    """Each test with the lines of its answers, masked; one test after the other is in memory."""
    by_test: dict[str, list[Written]] = {}
    for one in written(journals):
        by_test.setdefault(one.test, []).append(one)
    for test in sorted(by_test):
        answers = [one.read() for one in by_test[test]]
        answers = [_masked(answer, mask) for answer in answers] if mask else answers
        chosen = _of_many(answers) if _is_of_many(test) else _last(answers)
        yield test, [answer.line() for answer in sorted(chosen, key=lambda one: one.key)]


def _masked(answer: Answer, mask: Mask) -> Answer:
    failure = answer.failure and answer.failure._replace(text=mask(answer.failure.text))
    return answer._replace(request=mask(answer.request), value=mask(answer.value), failure=failure)


def _is_of_many(test: str) -> bool:
    """Whether several processes, or compilations, may have asked beside each other."""
    return test in (SHARED, FIXTURES) or test.startswith(COMPILING)


def _last(answers: Iterable[Answer]) -> list[Answer]:
    """Of each rollout what it got when it was begun last: what was begun before was thrown away."""
    began: dict[Place, int] = {}
    found = list(answers)
    for answer in found:
        place = _begun(answer)
        began[place] = max(began.get(place, 0), answer.place.since)
    return [one for one in found if one.place.since == began[_begun(one)]]


def _begun(answer: Answer) -> Place:
    """What is begun, and thrown away, as a whole."""
    return answer.place._replace(since=0, within="")


def _of_many(answers: Iterable[Answer]) -> list[Answer]:
    """Of each request what one of those got who asked it most often: of several, the one whose texts come first."""
    asked: dict[Key, dict[int, list[Answer]]] = {}
    for answer in answers:
        asked.setdefault(answer.key, {}).setdefault(answer.place.since, []).append(answer)
    chosen: list[Answer] = []
    for by_one in asked.values():
        got: list[list[Answer]] = sorted(by_one.values(), key=_rank)
        chosen += got[0]
    return chosen


def _rank(got: list[Answer]) -> tuple[Any, ...]:
    return -len(got), *(answer.line() for answer in got)
