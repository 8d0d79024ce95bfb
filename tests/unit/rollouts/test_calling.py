"""Programs and metrics in the forms that they are called in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import MagicMock

import pytest

from pytest_pitcheval.errors import NoPrediction
from pytest_pitcheval.rollouts.calling import called, last_prediction


async def add(left: int, right: int) -> int:
    await asyncio.sleep(0)
    return left + right


class Adder:
    async def __call__(self, left: int, right: int) -> int:
        return await add(left, right)


async def begin(left: int, right: int) -> Any:
    return asyncio.ensure_future(add(left, right))


@pytest.mark.parametrize("function", [add, Adder(), begin, lambda left, right: add(left, right), int.__add__])
def test_whatever_is_to_be_awaited_is(function: Callable[..., Any]) -> None:
    with asyncio.Runner() if hasattr(asyncio, "Runner") else _Runner() as runner:
        assert called(function, runner.run, 1, 2) == 3


class _Runner:
    """As of Python 3.11."""

    def __enter__(self) -> _Runner:
        self._loop = asyncio.new_event_loop()
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.close()

    def run(self, work: Any) -> Any:
        return self._loop.run_until_complete(work)


class Stream:
    def __iter__(self) -> Stream:
        return self

    def __init__(self) -> None:
        self.items = ["a", 1, "b", 2, "c"]

    def __next__(self) -> Any:
        if not self.items:
            raise StopIteration
        return self.items.pop(0)


class AsyncStream:
    async def __aiter__(self) -> AsyncIterator[Any]:
        for item in Stream():
            yield item


def generate() -> Iterator[Any]:
    yield from Stream()


def generate_nothing() -> Iterator[Any]:
    yield from ()


@pytest.mark.parametrize("make", [Stream, AsyncStream, generate, lambda: AsyncStream().__aiter__()])
def test_of_a_stream_the_last_prediction_is_left(make: Callable[[], Any]) -> None:
    assert last_prediction(make(), lambda item: isinstance(item, int), asyncio.run) == 2


@pytest.mark.parametrize(
    "made", [MagicMock(), "text", [1], {"a": 1}, map(str, [1]), None], ids=lambda one: type(one).__name__
)
def test_what_is_no_stream_stays_what_it_is(made: Any) -> None:
    assert last_prediction(made, lambda item: True, asyncio.run) is made


def test_a_stream_without_a_prediction_says_what_was_in_it() -> None:
    with pytest.raises(
        NoPrediction, match=r"^the program streamed 5 items, the last 'c'; expected a dspy.Prediction at"
    ):
        last_prediction(Stream(), lambda item: False, asyncio.run)
    with pytest.raises(NoPrediction, match=r"^the program streamed nothing; expected"):
        last_prediction(generate_nothing(), lambda item: True, asyncio.run)
