"""Items that DSPy leaves out because they failed: ``dspy.Parallel``, ``dspy.Evaluate`` and ``Module.batch`` go on.

The program hears of no exception, only of a result that is None. So what it asks next makes up for nothing, unless it
asks the same again.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Collection, Iterator
from typing import Any

from dspy.utils.parallelizer import ParallelExecutor

from pytest_pitcheval.rollouts.threads.replacing import replaced

Tell = Callable[[Collection[BaseException]], object]


@contextlib.contextmanager
def told(tell: Tell) -> Iterator[None]:
    """Within it, ``tell`` hears in the thread of whoever asked for several items why some of them are left out."""
    execute = ParallelExecutor.execute

    @functools.wraps(execute)
    def executed(self: ParallelExecutor, function: Callable[[Any], Any], data: Any) -> Any:
        failed: dict[int, BaseException] = {}

        def noting(item: Any) -> Any:
            try:
                result = function(item)
            except Exception as error:
                failed[id(item)] = error
                raise
            failed.pop(id(item), None)  # DSPy asks twice for an item that takes long
            return result

        results = execute(self, noting, data)
        if failed:
            tell(list(failed.values()))
        return results

    with replaced(ParallelExecutor, "execute", executed):
        yield
