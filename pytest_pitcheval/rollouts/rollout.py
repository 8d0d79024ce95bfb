"""One rollout of one example: where its answers may come from, and what it took. Knows nothing of DSPy."""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_pitcheval.errors import PitchevalError, ReplayMiss, StaleAnswer
from pytest_pitcheval.names import COST, MEASURED, SECONDS, TOKENS
from pytest_pitcheval.results.records import Usage, total
from pytest_pitcheval.rollouts.rollout_id import RolloutId
from pytest_pitcheval.rollouts.scopes import Scope
from pytest_pitcheval.storage.answers.answer import Place


class Answers(enum.Enum):
    """Where the answers to a rollout's LM calls may come from."""

    FRESH = "the provider, never what another rollout left in the cache"
    REPLAYED = "the cache, never the provider"
    RESUMED = "the cache, else the provider"


class Rollout(Scope):
    """One rollout: its LM calls, with a rule for where their answers come from, and what it took.

    Attributes:
        seconds: what program and metric took; waiting for the rate limit is not in it.
        repeats: whether an answer was paid for before it began.
        has_replayed: whether an answer was taken from a file.
        program_raised: what the program raised that was its own fault.
        trace: what DSPy notes of its steps; DSPy's own list, of all rollouts, would keep their inputs to the end.
    """

    def __init__(self, rollout_id: RolloutId, answers: Answers = Answers.FRESH) -> None:
        sample, attempt, verdict = rollout_id.sample, rollout_id.attempt, rollout_id.verdict
        super().__init__(Place(rollout_id.nodeid, sample, attempt, time.time_ns(), verdict=verdict))
        self.rollout_id = rollout_id
        self._answers = answers
        self._own_keys: set[str] = set()
        self._problem: PitchevalError | None = None
        self.seconds = 0.0
        self.repeats = self.has_replayed = False
        self.program_raised: BaseException | None = None
        self.trace: list[Any] = []

    def keyed(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        kept = {name: value for name, value in request.items() if name != "timeout"}  # that decides no answer
        return {**kept, "rollout_id": self.rollout_id.key(request.get("rollout_id"))}

    @property
    def answers_from_cache(self) -> bool:
        return self._answers is not Answers.FRESH

    @property
    def is_replayed(self) -> bool:
        return self._answers is Answers.REPLAYED

    def asks_first(self, key: str | None) -> bool:
        return self._answers is Answers.FRESH and key is not None and key not in self._own_keys

    def takes_up(self, key: str | None) -> bool:
        return self.answers_from_cache and key is not None and key not in self._own_keys

    def answered_from_cache(self, key: str | None, part: str) -> None:
        super().answered_from_cache(key, part)
        self.repeats = self.repeats or key not in self._own_keys
        if self._answers is Answers.FRESH and key not in self._own_keys:
            self.report(
                StaleAnswer(f"rollout {self.rollout_id}: an LM call was answered from the cache of another rollout")
            )
        if key is not None:
            self._own_keys.add(key)

    def replayed(self, part: str) -> None:
        super().replayed(part)
        self.has_replayed = True

    def asks_provider(self, part: str) -> None:
        if self._answers is Answers.REPLAYED:
            miss = ReplayMiss(
                f"rollout {self.rollout_id}: an LM call of this replay is not in DSPy's cache; "
                "expected the options of the first run"
            )
            self.report(miss)
            raise miss
        super().asks_provider(part)

    def stored(self, key: str | None, part: str, usage: Usage) -> None:
        super().stored(key, part, usage)
        if key is not None:
            self._own_keys.add(key)

    def bypassed_cache(self, part: str, usage: Usage) -> None:
        super().bypassed_cache(part, usage)
        if self._answers is Answers.REPLAYED:
            self.report(ReplayMiss(f"rollout {self.rollout_id}: an LM with cache=False cannot be replayed"))

    def refused(self, refusal: PitchevalError) -> None:
        super().refused(refusal)
        self.report(refusal)

    def report(self, problem: PitchevalError) -> None:
        """Remember the first problem: a program may swallow the exception, the test must not."""
        self._problem = self._problem or problem

    def check(self) -> None:
        """Raise the problem of this rollout, if it has one."""
        if self._problem is not None:
            raise self._problem

    def forget_media(self) -> None:
        """Its answer is there: notes stand for pictures in the trace, which is kept until its test has ended."""
        from pytest_pitcheval.lm.histories import without_media

        self.trace[:] = without_media(self.trace)

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Time within it is the rollout's own, but for what it waits for permission."""
        start, waited = time.perf_counter(), self.waited
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - start - (self.waited - waited)


def taken(attempts: Sequence[Rollout], again: bool) -> dict[str, float | None]:
    """What one rollout took, by `names.MEASURED`, over all ``attempts`` at it.

    None where that is not known: a price, the time of calls that are not ours, and all of it where an answer comes
    from another session, whose run is made ``again``, or from a file.
    """
    if any(attempt.has_replayed or (again and attempt.repeats) for attempt in attempts):
        return dict.fromkeys(MEASURED)
    usage, seconds = total(attempt.total for attempt in attempts), sum(attempt.seconds for attempt in attempts)
    tokens = float(usage.prompt_tokens + usage.completion_tokens)
    return {SECONDS: round(seconds, 4) if seconds else None, COST: usage.cost, TOKENS: tokens}
