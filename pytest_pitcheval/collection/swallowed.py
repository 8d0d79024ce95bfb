"""Evaluation markers that pytest takes for decorators.

A marker that is called with one callable and nothing else marks that callable, which is then called with the test
function; the test's name means what it returned, and the test has vanished (pytest#8499).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_pitcheval.errors import MarkerError

_DECORATOR = "pytest takes a marker that is called with one callable for a decorator; expected "
_INSTEAD = {
    "evaluation": "evaluation({argument}, inputs=[...]), or evaluation(lambda: {argument}())",
    "optimization": "optimization('package.module:Optimizer')",
}
"""What to write in place of a marker with one ``argument``."""
HINT = f"evaluation marker: {_DECORATOR}{_INSTEAD['evaluation'].format(argument='DATASET')}"
"""For a module that could not be imported because of it."""


class SwallowedTest(pytest.Item):
    """Stands for a test that has vanished, and fails in one line."""

    def __init__(self, *, complaint: str, line: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.complaint = complaint
        self.line = line

    def runtest(self) -> None:
        raise MarkerError(self.complaint)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.line - 1, self.name


def swallowed(collector: pytest.Collector, names: frozenset[str]) -> Iterator[SwallowedTest]:
    """The tests of a module or class that are none any more; ``names``: what looks like a test and cannot be called."""
    source = collector.path.read_bytes()
    if not any(f"{name}(".encode() in source for name in _INSTEAD):
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in names:
            for marker, argument in filter(None, map(_only_argument, node.decorator_list)):
                instead = f"{_DECORATOR}{_INSTEAD[marker].format(argument=argument)}"
                complaint = f"{marker} marker: {marker}({argument}): {instead}"
                yield SwallowedTest.from_parent(collector, name=node.name, complaint=complaint, line=node.lineno)


def _only_argument(decorator: ast.expr) -> tuple[str, str] | None:
    """Name and argument of ``@pytest.mark.evaluation(dataset)``, as they are written, where nothing else is given."""
    if not isinstance(decorator, ast.Call) or decorator.keywords or len(decorator.args) != 1:
        return None
    name = decorator.func.attr if isinstance(decorator.func, ast.Attribute) else getattr(decorator.func, "id", "")
    return (name, ast.unparse(decorator.args[0])) if name in _INSTEAD else None
