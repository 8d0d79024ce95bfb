"""Scopes: whose LM calls are counted, and which answers a rollout may not have."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pytest_pitcheval.errors import ReplayMiss, StaleAnswer
from pytest_pitcheval.names import GENERATOR, JUDGE
from pytest_pitcheval.results.records import Usage
from pytest_pitcheval.rollouts.rollout import Answers, Rollout
from pytest_pitcheval.rollouts.rollout_id import RolloutId
from pytest_pitcheval.rollouts.scopes import Scope
from pytest_pitcheval.rollouts.threads.strands import Moment, Strand, tick

ROLLOUT = RolloutId("20261122T234903.123456Z", "test_qa.py::test_qa[e0]")
ANSWER = Usage(prompt_tokens=10, completion_tokens=2, cost=0.5)


def test_counts_program_and_judge_apart() -> None:
    scope = Scope()
    scope.asks_provider(GENERATOR)
    scope.stored("a", GENERATOR, ANSWER)
    scope.answered_from_cache("a", JUDGE)
    assert scope.usage(GENERATOR) == Usage(fresh=1, prompt_tokens=10, completion_tokens=2, cost=0.5)
    assert scope.usage(JUDGE) == Usage(cached=1)
    assert scope.total == scope.usage(GENERATOR) + scope.usage(JUDGE)


def test_counts_calls_of_many_threads() -> None:
    scope = Scope()

    def ask() -> None:
        for _ in range(500):
            scope.asks_provider(JUDGE)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scope.usage(JUDGE).fresh == 4000


def test_the_compile_phase_uses_the_cache_as_it_is() -> None:
    request = {"model": "m", "rollout_id": 3}
    assert Scope().keyed(request) == request


def test_a_failure_is_made_up_for_by_a_later_answer_of_the_same_part_alone() -> None:
    scope, error = Scope(), ConnectionError("down")
    scope.ended(GENERATOR, error)
    scope.ended(JUDGE, None)
    assert scope.failure(GENERATOR, forgiving=True) is error
    scope.ended(GENERATOR, None)
    assert scope.failure(GENERATOR, forgiving=True) is None
    assert scope.failure(GENERATOR) is error
    assert (scope.failures(GENERATOR), scope.failures(JUDGE)) == ([error], [])
    assert (scope.total.failed, scope.usage(GENERATOR).failed) == (1, 1)


def test_an_answer_to_an_earlier_call_makes_up_for_nothing() -> None:
    scope, error = Scope(), ValueError("no model of that name")
    begun = Moment.now()
    scope.ended(GENERATOR, error)
    scope.ended(GENERATOR, None, begun)
    assert scope.failure(forgiving=True) is error


def test_an_answer_in_a_strand_beside_it_makes_up_for_nothing() -> None:
    scope, error = Scope(), TimeoutError("slow")
    one, two = Strand(), Strand()
    scope.ended(GENERATOR, error, Moment(tick(), one), Moment(tick(), one))
    scope.ended(GENERATOR, None, Moment(tick(), two))
    assert scope.failure(forgiving=True) is error
    scope.ended(GENERATOR, None, Moment(tick(), Strand()))  # as a second attempt at all of it would be
    assert scope.failure(forgiving=True) is None


def test_a_call_that_was_cancelled_has_failed_unless_another_won() -> None:
    scope, begun = Scope(), Moment.now()
    scope.ended(GENERATOR, asyncio.CancelledError(), begun)
    assert isinstance(scope.failure(GENERATOR), asyncio.CancelledError)
    scope = Scope()
    scope.ended(GENERATOR, None, begun)
    scope.ended(GENERATOR, asyncio.CancelledError(), begun)
    assert scope.failure(GENERATOR) is None


def test_many_failures_are_all_counted_and_some_kept() -> None:
    scope = Scope()
    for number in range(1000):
        scope.ended(GENERATOR, ConnectionError(str(number)))
    assert scope.total.failed == 1000
    assert str(scope.failure()) == "999"
    assert len(scope.failures()) < 1000


def test_the_key_of_a_rollout_has_its_number() -> None:
    keyed = Rollout(ROLLOUT).keyed({"model": "m", "timeout": 9})
    assert keyed == {"model": "m", "rollout_id": int(ROLLOUT)}


def test_the_key_of_a_rollout_mixes_in_the_programs_own_number() -> None:
    scope = Rollout(ROLLOUT)
    numbers = [scope.keyed({"model": "m", "rollout_id": number})["rollout_id"] for number in (None, 1, 2)]
    assert numbers == [int(ROLLOUT), ROLLOUT.key(1), ROLLOUT.key(2)]
    assert len(set(numbers)) == 3


def test_keying_leaves_the_request_alone() -> None:
    request = {"model": "m", "timeout": 9}
    Rollout(ROLLOUT).keyed(request)
    assert request == {"model": "m", "timeout": 9}


def test_an_answer_of_its_own_may_come_again_from_the_cache() -> None:
    scope = Rollout(ROLLOUT)
    scope.stored("a", GENERATOR, ANSWER)
    scope.answered_from_cache("a", JUDGE)
    scope.check()


@pytest.mark.parametrize("key", ["b", None])
def test_an_answer_of_another_rollout_is_found_out(key: str | None) -> None:
    scope = Rollout(ROLLOUT)
    scope.stored("a", GENERATOR, ANSWER)
    scope.answered_from_cache(key, GENERATOR)
    with pytest.raises(StaleAnswer, match=r"test_qa\[e0\]"):
        scope.check()


def test_a_replay_is_answered_from_the_cache() -> None:
    scope = Rollout(ROLLOUT, Answers.REPLAYED)
    scope.answered_from_cache("a", GENERATOR)
    scope.check()
    assert scope.total == Usage(cached=1)


def test_a_replay_does_not_ask_the_provider_even_if_the_program_swallows_the_error() -> None:
    scope = Rollout(ROLLOUT, Answers.REPLAYED)
    with pytest.raises(ReplayMiss):
        scope.asks_provider(GENERATOR)
    assert scope.total.fresh == 0
    with pytest.raises(ReplayMiss, match=r"test_qa\[e0\]"):
        scope.check()


def test_a_resumed_rollout_is_answered_from_the_cache_and_else_by_the_provider() -> None:
    scope = Rollout(ROLLOUT, Answers.RESUMED)
    scope.answered_from_cache("a", GENERATOR)
    scope.asks_provider(GENERATOR)
    scope.bypassed_cache(JUDGE, Usage(fresh=1))
    scope.check()
    assert scope.total == Usage(fresh=2, cached=1)


def test_an_lm_without_cache_cannot_be_replayed() -> None:
    fresh, replay = Rollout(ROLLOUT), Rollout(ROLLOUT, Answers.REPLAYED)
    for scope in (fresh, replay):
        scope.bypassed_cache(GENERATOR, Usage(fresh=1))
    fresh.check()
    assert fresh.total.fresh == 1
    with pytest.raises(ReplayMiss, match="cache=False"):
        replay.check()


def test_the_first_problem_is_told() -> None:
    scope = Rollout(ROLLOUT)
    scope.report(StaleAnswer("first"))
    scope.report(ReplayMiss("second"))
    with pytest.raises(StaleAnswer, match="first"):
        scope.check()
