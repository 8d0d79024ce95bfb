"""The answers of one process: those that are recorded, taken in place of asking; those that it gets, kept.

Knows nothing of DSPy: requests and values are plain JSON values.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_pitcheval.errors import PitchevalError, ReplayMiss
from pytest_pitcheval.results.plain import WHOLE, plain
from pytest_pitcheval.rollouts.answers.nearest import difference
from pytest_pitcheval.rollouts.answers.recorded_errors import RecordedError, as_error
from pytest_pitcheval.storage.answers.answer import FIXTURES, Answer, Failure, Key, Place
from pytest_pitcheval.storage.answers.journals import AnswerJournal
from pytest_pitcheval.storage.answers.reading import answers_of
from pytest_pitcheval.storage.answers.sources import Source
from pytest_pitcheval.storage.media import MediaFolder

_NAMED = MediaFolder(None)


class Taken(NamedTuple):
    """A recorded answer; ``repeats`` says whether it was taken before, as a cache's."""

    value: Any
    failure: Failure | None = None
    repeats: bool = False

    def get(self) -> Any:
        """Its value; raises what was raised when it was recorded."""
        if self.failure is not None:
            raise as_error(self.failure)
        return self.value


class AnswerBook:
    """Thread-safe. ``source`` is replayed, into ``journal`` goes what is recorded; None: not.

    ``mask`` makes of a plain value one without credentials; ``note`` is told what cannot be kept.
    """

    def __init__(
        self,
        source: Source | None,
        journal: AnswerJournal | None,
        mask: Callable[[Any], Any] = lambda value: value,
        note: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._source = source
        self._journal = journal
        self._mask = mask
        self.note = note
        self._mutex = threading.Lock()
        self._tests: dict[str, _OfTest] = {}
        self._counts: Counter[tuple[Place, Key]] = Counter()
        self.fresh: Counter[str] = Counter()
        """By kind, what was not there in a replay and was asked for."""

    @property
    def replays(self) -> bool:
        """Whether answers are taken."""
        return self._source is not None

    @property
    def records(self) -> bool:
        """Whether answers are kept."""
        return self._journal is not None

    @property
    def strict(self) -> bool:
        """Whether what is not recorded is an error; else it is asked for."""
        return self.replays and not self.records

    def take(self, place: Place | None, kind: str, request: Any, repeats: bool = False) -> Taken | None:
        """The recorded answer to the ``request``, None where there is none, or none any more.

        The same request of a place gets its first answer first, then its second; ``repeats``: and the last one ever
        after, as from a cache.

        Raises:
            PitchevalError: the file of the place's test cannot be read.
        """
        if self._source is None:
            return None
        place, request = place or Place(FIXTURES), self._asked(request)
        answer = self._next(place, Answer(place, kind, request), repeats)
        if answer is None:
            return None
        if self._journal is not None and answer.is_first_time:
            self._write(Answer(place, kind, request, answer.found.value, answer.found.failure))
        return Taken(answer.found.value, answer.found.failure, not answer.is_first_time)

    def miss(self, place: Place | None, kind: str, request: Any, what: str) -> ReplayMiss:
        """The error of a strict replay in which ``what`` (an LM call, a call of a tool) is not recorded."""
        place, request = place or Place(FIXTURES), self._asked(request)
        of_test = self._of_test(place.test)
        return ReplayMiss(difference(place, Answer(place, kind, request), of_test.answers, what))

    def has(self, place: Place | None, kind: str, is_such: Callable[[Any], bool]) -> bool:
        """Whether of the place's test a request of this kind is recorded that ``is_such``."""
        answers = self._of_test((place or Place(FIXTURES)).test).answers
        return any(answer.kind == kind and is_such(answer.request) for answer in answers)

    def keep(
        self, place: Place | None, kind: str, request: Any, value: Any = None, error: BaseException | None = None
    ) -> None:
        """Record what was answered to the ``request``, or that it raised ``error``."""
        if self._journal is None:
            return
        failure = None if error is None else _failure(error, self._mask)
        place = place or Place(FIXTURES)
        answer = Answer(place, kind, self._asked(request), self._plain(value), failure)
        with self._mutex:
            self._counts[place, answer.key] += 1
            self.fresh[kind] += self._source is not None
        self._write(answer)

    def has_kept(self, place: Place | None, kind: str, request: Any) -> bool:
        """Whether an answer to the ``request`` of this place was kept or taken already."""
        place = place or Place(FIXTURES)
        return bool(self._counts[place, Answer(place, kind, self._asked(request)).key])

    def program(self, name: str) -> str | None:
        """The text of a recorded file that is no test's answers: of a compiled program, say."""
        return None if self._source is None else self._source.read(name)

    def unused(self) -> dict[str, list[int]]:
        """By test, as far as any was asked about: the positions of answers that nobody has taken."""
        with self._mutex:
            return {test: one.unused for test, one in self._tests.items()}

    def close(self) -> None:
        """Keep nothing more."""
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

    def _asked(self, request: Any) -> Any:
        """A request, which is only compared: of pictures and sounds their sums."""
        return self._mask(plain(request, WHOLE, _NAMED.kept))

    def _plain(self, value: Any) -> Any:
        return self._mask(plain(value, WHOLE))

    def _write(self, answer: Answer) -> None:
        journal = self._journal
        if journal is None:
            return
        try:
            journal.append(answer)
        except (OSError, ValueError) as error:
            self.note(f"--eval-record: an answer could not be kept: {error}")

    def _of_test(self, test: str) -> _OfTest:
        with self._mutex:
            found = self._tests.get(test)
        if found is None:
            answers = [] if self._source is None else answers_of(self._source, test)
            with self._mutex:
                found = self._tests.setdefault(test, _OfTest(answers))
        return found

    def _next(self, place: Place, asked: Answer, repeats: bool) -> _Next | None:
        of_test, key = self._of_test(place.test), asked.key
        with self._mutex:
            positions = of_test.positions.get(key, ())
            number = self._counts[place, key]
            is_first_time = number < len(positions)
            if not is_first_time and not (repeats and positions):
                return None
            position = positions[min(number, len(positions) - 1)]
            self._counts[place, key] += 1
            of_test.used.add(position)
        return _Next(of_test.answers[position], is_first_time)


class _Next(NamedTuple):
    found: Answer
    is_first_time: bool


class _OfTest:
    """The recorded answers of one test, and which of them were taken."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = answers
        self.used: set[int] = set()
        self.positions: Mapping[Key, list[int]] = _positions(answers)

    @property
    def unused(self) -> list[int]:
        """What was asked within a tool goes with the tool's answer."""
        left = (position for position in range(len(self.answers)) if position not in self.used)
        return [position for position in left if not self.answers[position].place.within]


def _positions(answers: Sequence[Answer]) -> dict[Key, list[int]]:
    found: dict[Key, list[int]] = {}
    for position, answer in enumerate(answers):
        found.setdefault(answer.key, []).append(position)
    return found


def _failure(error: BaseException, mask: Callable[[Any], Any]) -> Failure:
    if isinstance(error, RecordedError):
        return error.failure
    if isinstance(error, PitchevalError):
        raise TypeError("an error of the plugin's own is no answer") from error
    failure = Failure.of(error)
    return failure._replace(text=mask(plain(failure.text, WHOLE)))
