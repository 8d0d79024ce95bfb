"""An exception that was recorded, raised again: of the same class to whoever catches it, and with the same text."""

from __future__ import annotations

import sys
from typing import Any, cast

from pytest_pitcheval.lm.failures import Recorded
from pytest_pitcheval.storage.answers.answer import Failure


class RecordedError(Recorded):
    """What an LM or a tool raised when its answers were recorded."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        self.args = (failure.text,)
        self.message = failure.text  # as DSPy's and LiteLLM's have it

    def __str__(self) -> str:
        return self.failure.text


def as_error(failure: Failure) -> RecordedError:
    """The exception, as an instance of the class that it had where that is imported here, too."""
    name = failure.type.rpartition(".")[2]
    bases: tuple[Any, ...] = (RecordedError, *_class_of(failure.type))
    try:
        return cast(RecordedError, type(name, bases, {"__module__": failure.type.rpartition(".")[0]})(failure))
    except TypeError:  # of a class that cannot be derived from beside another one
        return cast(RecordedError, type(name, (RecordedError,), {})(failure))


def _class_of(path: str) -> tuple[type[Exception], ...]:
    module, names = path, list[str]()
    while module and module not in sys.modules:  # a file makes nothing be imported
        module, _, name = module.rpartition(".")
        names.insert(0, name)
    found: Any = sys.modules.get(module)
    for name in names:
        found = getattr(found, name, None)
    if isinstance(found, type) and issubclass(found, Exception) and found is not Exception:
        return (found,)
    return ()
