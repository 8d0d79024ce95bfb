"""Scopes: whose LM calls are counted, and which answers a rollout may not have."""

from __future__ import annotations

import threading

import pytest

from pytest_pitcheval.errors import ReplayMiss, StaleAnswer
from pytest_pitcheval.names import GENERATOR, JUDGE
from pytest_pitcheval.results.records import Usage
from pytest_pitcheval.rollouts.rollout_id import RolloutId
from pytest_pitcheval.rollouts.scopes import Answers, RolloutScope, Scope

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


def test_remembers_the_last_failure_until_a_call_goes_well() -> None:
    scope, error = Scope(), ConnectionError("down")
    scope.ended(GENERATOR, error)
    assert (scope.failure, scope.usage(GENERATOR).failed) == (error, 1)
    scope.ended(JUDGE, None)
    assert (scope.failure, scope.total.failed) == (None, 1)


def test_the_key_of_a_rollout_has_its_number() -> None:
    keyed = RolloutScope(ROLLOUT).keyed({"model": "m", "timeout": 9})
    assert keyed == {"model": "m", "rollout_id": int(ROLLOUT)}


def test_the_key_of_a_rollout_mixes_in_the_programs_own_number() -> None:
    scope = RolloutScope(ROLLOUT)
    numbers = [scope.keyed({"model": "m", "rollout_id": number})["rollout_id"] for number in (None, 1, 2)]
    assert numbers == [int(ROLLOUT), ROLLOUT.key(1), ROLLOUT.key(2)]
    assert len(set(numbers)) == 3


def test_keying_leaves_the_request_alone() -> None:
    request = {"model": "m", "timeout": 9}
    RolloutScope(ROLLOUT).keyed(request)
    assert request == {"model": "m", "timeout": 9}


def test_an_answer_of_its_own_may_come_again_from_the_cache() -> None:
    scope = RolloutScope(ROLLOUT)
    scope.stored("a", GENERATOR, ANSWER)
    scope.answered_from_cache("a", JUDGE)
    scope.check()


@pytest.mark.parametrize("key", ["b", None])
def test_an_answer_of_another_rollout_is_found_out(key: str | None) -> None:
    scope = RolloutScope(ROLLOUT)
    scope.stored("a", GENERATOR, ANSWER)
    scope.answered_from_cache(key, GENERATOR)
    with pytest.raises(StaleAnswer, match=r"test_qa\[e0\]"):
        scope.check()


def test_a_replay_is_answered_from_the_cache() -> None:
    scope = RolloutScope(ROLLOUT, Answers.REPLAYED)
    scope.answered_from_cache("a", GENERATOR)
    scope.check()
    assert scope.total == Usage(cached=1)


def test_a_replay_does_not_ask_the_provider_even_if_the_program_swallows_the_error() -> None:
    scope = RolloutScope(ROLLOUT, Answers.REPLAYED)
    with pytest.raises(ReplayMiss):
        scope.asks_provider(GENERATOR)
    assert scope.total.fresh == 0
    with pytest.raises(ReplayMiss, match=r"test_qa\[e0\]"):
        scope.check()


def test_a_resumed_rollout_is_answered_from_the_cache_and_else_by_the_provider() -> None:
    scope = RolloutScope(ROLLOUT, Answers.RESUMED)
    scope.answered_from_cache("a", GENERATOR)
    scope.asks_provider(GENERATOR)
    scope.bypassed_cache(JUDGE, Usage(fresh=1))
    scope.check()
    assert scope.total == Usage(fresh=2, cached=1)


def test_an_lm_without_cache_cannot_be_replayed() -> None:
    fresh, replay = RolloutScope(ROLLOUT), RolloutScope(ROLLOUT, Answers.REPLAYED)
    for scope in (fresh, replay):
        scope.bypassed_cache(GENERATOR, Usage(fresh=1))
    fresh.check()
    assert fresh.total.fresh == 1
    with pytest.raises(ReplayMiss, match="cache=False"):
        replay.check()


def test_the_first_problem_is_told() -> None:
    scope = RolloutScope(ROLLOUT)
    scope.report(StaleAnswer("first"))
    scope.report(ReplayMiss("second"))
    with pytest.raises(StaleAnswer, match="first"):
        scope.check()
