"""The cache in front of DSPy's: what it passes on, and what it takes for the key of an answer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dspy
import pytest
from dspy.clients.cache import Cache

from pytest_pitcheval.concurrency.limiter import Limiter
from pytest_pitcheval.rollouts.cache import RolloutCache, Rollouts
from pytest_pitcheval.rollouts.rollout_id import RolloutId
from pytest_pitcheval.rollouts.scopes import RolloutScope


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
def scope() -> RolloutScope:
    return RolloutScope(RolloutId("20261126T000000.000000Z", "test_qa.py::test_qa[e0]"))


@pytest.fixture
def rollouts(scope: RolloutScope, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rollouts]:
    monkeypatch.setattr(dspy, "cache", dspy.cache)
    made = Rollouts(Limiter((), None, lambda: False), contextlib.nullcontext)
    made.begin(scope)
    yield made
    made.uninstall()


def cache(kind: type[Cache], rollouts: Rollouts, folder: Path) -> RolloutCache:
    inner = kind(
        enable_disk_cache=False,
        enable_memory_cache=True,
        disk_cache_dir=str(folder),
        disk_size_limit_bytes=0,
        memory_max_entries=100,
    )
    return RolloutCache(inner, rollouts)


@pytest.mark.parametrize("kind", [Cache, NewerCache])
def test_a_call_that_is_repeated_gets_its_own_first_answer(
    kind: type[Cache], rollouts: Rollouts, scope: RolloutScope, tmp_path: Path
) -> None:
    ours, ignored = cache(kind, rollouts, tmp_path), ["api_key"]
    keywords = {"namespace": "n"} if kind is NewerCache else {}
    assert ours.get({"prompt": "p", "api_key": "a"}, ignored, **keywords) is None
    ours.put({"prompt": "p", "api_key": "a"}, {"text": "answer"}, ignored, True, **keywords)
    assert ours.get({"prompt": "p", "api_key": "b"}, ignored_args_for_cache_key=ignored) == {"text": "answer"}
    scope.check()
    assert (scope.total.fresh, scope.total.cached) == (1, 1)


def test_a_request_that_cannot_be_serialized_has_no_key(
    rollouts: Rollouts, scope: RolloutScope, tmp_path: Path
) -> None:
    ours = cache(Cache, rollouts, tmp_path)
    assert ours.get({"prompt": "p", "tool": object()}) is None
    ours.put({"prompt": "p", "tool": object()}, {"text": "answer"})
    scope.check()
    assert scope.total.fresh == 1


def test_a_cache_whose_key_takes_other_arguments_is_an_error(rollouts: Rollouts, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="namespace"):
        cache(OtherCache, rollouts, tmp_path).get({"prompt": "p"})
