"""Programs and metrics in all the forms that they are called in: plain, async, streaming. Knows nothing of DSPy."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable
from typing import Any

from pytest_pitcheval.errors import NoPrediction, one_line

Run = Callable[[Any], Any]
"""Runs a coroutine to its end."""


def called(function: Callable[..., Any], run: Run, *args: Any, **kwargs: Any) -> Any:
    """What ``function`` returns, awaited if need be; of an async-only module of DSPy what its ``acall`` returns.

    Raises whatever it raises.
    """
    __tracebackhide__ = True
    kind = type(function)  # DSPy warns of whoever looks at an instance's forward
    only_async = hasattr(kind, "aforward") and not hasattr(kind, "forward")
    return awaited(function.acall(*args, **kwargs) if only_async else function(*args, **kwargs), run)  # type: ignore[attr-defined]


def awaited(result: Any, run: Run) -> Any:
    """``result``, or what comes of it: of a coroutine, as async functions and ``dspy.asyncify`` give it, or a task."""
    __tracebackhide__ = True
    while inspect.isawaitable(result):
        result = run(result if inspect.iscoroutine(result) else _wait_for(result))
    return result


async def _wait_for(work: Awaitable[Any]) -> Any:
    return await work


def last_prediction(result: Any, is_prediction: Callable[[Any], bool], run: Run) -> Any:
    """The last prediction of a stream, as ``dspy.streamify`` gives it in both its forms; else ``result`` itself.

    What else is in the stream is left out. Raises NoPrediction if there is no prediction in it.
    """
    __tracebackhide__ = True
    last = _Last(is_prediction)
    if isinstance(result, AsyncGenerator) or _defines(result, "__aiter__"):
        run(last.of_async(result))
    elif isinstance(result, Generator) or _defines(result, "__next__"):
        last.of(result)
    else:
        return result
    return last.found()


class _Last:
    """Goes through a stream."""

    def __init__(self, is_prediction: Callable[[Any], bool]) -> None:
        self._is_prediction = is_prediction
        self._prediction: Any = None
        self._other: Any = None
        self._count = 0

    async def of_async(self, stream: AsyncIterable[Any]) -> None:
        async for item in stream:
            self._see(item)

    def of(self, stream: Iterable[Any]) -> None:
        for item in stream:
            self._see(item)

    def _see(self, item: Any) -> None:
        self._count += 1
        if self._is_prediction(item):
            self._prediction = item
        else:
            self._other = item

    def found(self) -> Any:
        if self._prediction is not None:
            return self._prediction
        about = f"{self._count} items, the last {one_line(repr(self._other))}" if self._count else "nothing"
        raise NoPrediction(
            f"the program streamed {about}; expected a dspy.Prediction at its end, which "
            "include_final_prediction_in_output_stream=False leaves out"
        )


def _defines(value: Any, method: str) -> bool:
    """Whether ``method`` is a function of its class: a mock has whatever it is asked for."""
    return inspect.isfunction(inspect.getattr_static(type(value), method, None))
