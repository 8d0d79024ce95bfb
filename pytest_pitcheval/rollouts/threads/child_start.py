"""What a child process does first: no LM call of it is answered from its memory. Imported there, so nothing heavy."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Afresh:
    """The target of a process that lives longer than a rollout, perhaps: DSPy keeps no answers there."""

    def __init__(self, target: Callable[..., Any]) -> None:
        self.target = target

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        dspy = sys.modules.get("dspy")
        if dspy is not None:
            _keep_nothing(dspy)
        else:
            sys.meta_path.insert(0, _Importing())
        return self.target(*args, **kwargs)


class _Importing(importlib.abc.MetaPathFinder):
    """Waits for DSPy to be imported, which may never be."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "dspy":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = _and_then(spec.loader.exec_module)  # type: ignore[method-assign, assignment]
        return spec


def _and_then(execute: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def executed(module: ModuleType) -> None:
        execute(module)
        _keep_nothing(module)

    return executed


def _keep_nothing(dspy: Any) -> None:
    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
