"""The cache in front of DSPy's: what it passes on, and what it takes for the key of an answer."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from dspy.clients.cache import Cache
from support.forks import is_true_in_a_fork

from pytest_pitcheval.concurrency.limits.limiter import Limiter
from pytest_pitcheval.errors import ReplayMiss
from pytest_pitcheval.rollouts.cache import CacheThread, RolloutCache
from pytest_pitcheval.rollouts.call_scopes import CallScopes
from pytest_pitcheval.rollouts.lm_calls import LMCalls
from pytest_pitcheval.rollouts.rollout import Answers, Rollout
from pytest_pitcheval.rollouts.rollout_id import RolloutId
from pytest_pitcheval.rollouts.spending import Spending


class NewerCache(Cache):
    """A cache whose methods have gained a keyword."""

    def get(self, request: Any, ignored_args_for_cache_key: Any = None, namespace: str = "") -> Any:
        return super().get(request, ignored_args_for_cache_key)

    def put(self, request: Any, value: Any, *args: Any, namespace: str = "", **kwargs: Any) -> None:
        super().put(request, value, *args, **kwargs)


class OtherCache(Cache):
    """A cache whose key needs more than a request."""

    def cache_key(self, request: Any, ignored_args_for_cache_key: Any, namespace: str) -> str:
        raise AssertionError


@pytest.fixture
def rollout() -> Rollout:
    return Rollout(RolloutId("20261126T000000.000000Z", "test_qa.py::test_qa[e0]"))


@pytest.fixture
def scopes(rollout: Rollout) -> CallScopes:
    """Whatever is called is the rollout's."""
    scopes = CallScopes(contextlib.nullcontext)
    scopes.begin(rollout)
    return scopes


Front = Callable[..., RolloutCache]


@pytest.fixture
def front(scopes: CallScopes, tmp_path: Path) -> Iterator[Front]:
    """Makes our cache in front of one of a kind, which is in memory unless it is to be on ``disk``."""
    thread = CacheThread()

    def make(kind: type[Cache] = Cache, disk: bool = False) -> RolloutCache:
        inner = kind(
            enable_disk_cache=disk,
            enable_memory_cache=not disk,
            disk_cache_dir=str(tmp_path),
            disk_size_limit_bytes=10**7,
            memory_max_entries=100,
        )
        return RolloutCache(
            inner, scopes, LMCalls(scopes, Limiter((), None, lambda: False), Spending.uncapped()), thread
        )

    yield make
    thread.close()


@pytest.mark.parametrize("kind", [Cache, NewerCache])
def test_a_call_that_is_repeated_gets_its_own_first_answer(kind: type[Cache], front: Front, rollout: Rollout) -> None:
    ours, ignored = front(kind), ["api_key"]
    keywords = {"namespace": "n"} if kind is NewerCache else {}
    assert ours.get({"prompt": "p", "api_key": "a"}, ignored, **keywords) is None
    ours.put({"prompt": "p", "api_key": "a"}, {"text": "answer"}, ignored, True, **keywords)
    assert ours.get({"prompt": "p", "api_key": "b"}, ignored_args_for_cache_key=ignored) == {"text": "answer"}
    rollout.check()
    assert (rollout.total.fresh, rollout.total.cached) == (1, 1)


def test_a_request_that_cannot_be_serialized_has_no_key(front: Front, rollout: Rollout) -> None:
    ours = front()
    assert ours.get({"prompt": "p", "tool": object()}) is None
    ours.put({"prompt": "p", "tool": object()}, {"text": "answer"})
    rollout.check()
    assert rollout.total.fresh == 1


def test_a_cache_whose_key_takes_other_arguments_is_an_error(front: Front) -> None:
    with pytest.raises(TypeError, match="namespace"):
        front(OtherCache).get({"prompt": "p"})


def test_what_no_test_asks_goes_by_the_plain_key(front: Front, scopes: CallScopes) -> None:
    ours = front()
    scopes.begin(None)
    ours.put({"prompt": "p"}, {"text": "answer"})
    assert ours.inner.get({"prompt": "p"}) == ours.get({"prompt": "p"}) == {"text": "answer"}


def test_what_an_earlier_rollout_was_told_is_asked_again(front: Front, scopes: CallScopes, rollout: Rollout) -> None:
    ours = front()
    ours.put({"prompt": "p"}, {"text": "answer"})
    other = Rollout(rollout.rollout_id.with_sample(1))
    scopes.begin(other)
    assert ours.get({"prompt": "p"}) is None
    assert (other.total.fresh, rollout.total.fresh) == (1, 0)


def test_a_replay_is_told_what_the_rollout_was(front: Front, scopes: CallScopes, rollout: Rollout) -> None:
    ours = front(disk=True)
    ours.put({"prompt": "p"}, {"text": "answer"})
    replay = Rollout(rollout.rollout_id, Answers.REPLAYED)
    scopes.begin(replay)
    assert ours.get({"prompt": "p"}) == {"text": "answer"}
    with pytest.raises(ReplayMiss):
        ours.get({"prompt": "q"})
    assert (replay.total.fresh, replay.total.cached) == (0, 1)


@pytest.mark.parametrize(
    ("function", "is_counted"),
    [
        ("dspy.clients.lm.litellm_completion", True),
        ("dspy.clients.lm15.complete.async", True),
        ("dspy.clients.embedding._cached_compute_embeddings", False),
        ("dspy.dsp.colbertv2.colbertv2_get_request_v2_wrapped", False),
        ("tools.weather", False),
    ],
)
def test_only_lms_are_asked_for_each_rollout(front: Front, rollout: Rollout, function: str, is_counted: bool) -> None:
    ours, request = front(), {"prompt": "p", "_fn_identifier": function}
    assert ours.get(request) is None
    ours.put(request, {"text": "answer"})
    assert (ours.inner.get(request) is None) is is_counted
    assert rollout.total.fresh == int(is_counted)


def test_the_tokens_of_an_answer_are_the_rollouts(front: Front, rollout: Rollout) -> None:
    ours = front()
    ours.get({"prompt": "p"})
    ours.put({"prompt": "p"}, {"usage": {"prompt_tokens": 3, "completion_tokens": 2}, "cost": 0.5})
    assert (rollout.total.prompt_tokens, rollout.total.completion_tokens, rollout.total.cost) == (3, 2, 0.5)


def test_everything_else_is_that_of_the_cache_behind(front: Front) -> None:
    ours = front()
    ours.put({"prompt": "p"}, {"text": "answer"})
    ours.restrict = True
    assert ours.inner.restrict
    assert ours.memory_cache is ours.inner.memory_cache
    [key] = ours.memory_cache
    assert key in ours
    ours.reset_memory_cache()
    assert key not in ours


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_is_told_nothing_old(front: Front) -> None:
    """It may stay for other rollouts than the one that it was forked in."""
    ours = front()
    ours.put({"prompt": "p"}, {"text": "answer"})
    assert ours.get({"prompt": "p"}) == {"text": "answer"}
    assert is_true_in_a_fork(lambda: ours.get({"prompt": "p"}) is None)


def test_all_work_is_done_in_one_thread_and_comes_back() -> None:
    keeper = CacheThread()
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: keeper.do(lambda: (n, threading.get_ident())), range(50)))
    keeper.close()
    assert [n for n, _ in done] == list(range(50))
    [thread] = {thread for _, thread in done}
    assert thread != threading.get_ident()


def test_what_is_raised_is_raised_for_the_caller() -> None:
    keeper = CacheThread()
    with pytest.raises(ZeroDivisionError):
        keeper.do(lambda: 1 / 0)
    keeper.close()


def test_once_it_is_closed_the_caller_works() -> None:
    keeper = CacheThread()
    keeper.do(lambda: None)
    keeper.close()
    assert keeper.do(threading.get_ident) == threading.get_ident()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_in_a_forked_process_the_caller_works() -> None:
    keeper = CacheThread()
    keeper.do(lambda: None)
    assert is_true_in_a_fork(lambda: keeper.do(threading.get_ident) == threading.get_ident())
    keeper.close()
