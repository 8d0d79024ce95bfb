"""LM calls that ask no cache: they pass nothing of ours but DSPy's callbacks, which cannot refuse a call."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dspy

from pytest_pitcheval.rollouts.threads.replacing import replaced

Admit = Callable[[Any, Mapping[str, Any]], object]


@contextlib.contextmanager
def admitted(admit: Admit) -> Iterator[None]:
    """Within it, ``admit`` is given each LM and the arguments of its call, which is not made if it raises."""
    call, acall = dspy.BaseLM.__call__, dspy.BaseLM.acall

    @functools.wraps(call)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        admit(self, kwargs)
        return call(self, *args, **kwargs)

    @functools.wraps(acall)
    async def acalled(self: Any, *args: Any, **kwargs: Any) -> Any:
        admit(self, kwargs)
        return await acall(self, *args, **kwargs)

    with replaced(dspy.BaseLM, "__call__", called), replaced(dspy.BaseLM, "acall", acalled):
        yield
