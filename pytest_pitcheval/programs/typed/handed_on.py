"""What a module's code does with its inputs: declares their types, hands them on, or makes use of them."""

from __future__ import annotations

import ast
import inspect
import textwrap
import typing
from collections.abc import Iterator
from typing import Any, NamedTuple

from pytest_pitcheval.programs import sources

_CALLED = ("forward", "aforward", "__call__")
_OF_JSON = frozenset(name for kind in (str, list, dict, int) for name in dir(kind))
"""Attributes that values of files have: who asks for another one expects an object."""


class Parameters(NamedTuple):
    """The parameters of a module's ``forward``.

    Attributes:
        declared: types by name, of those that have one.
        used: names of those that the code does more with than to hand them on under their own names.
        names: all of them.
        uses_rest: whether it does more with ``**inputs``, where it has such a parameter.
    """

    declared: dict[str, Any]
    used: frozenset[str]
    names: frozenset[str]
    uses_rest: bool

    def makes_use_of(self, name: str) -> bool:
        """Whether an input of this name may have to be what it is in the file."""
        return name in self.used if name in self.names else self.uses_rest


def parameters_of(program: Any) -> Parameters | None:
    """The parameters of a module of the user's own, or of a function; None of what is neither."""
    function = program
    if not inspect.isroutine(program):
        kind = type(program)  # DSPy warns of whoever looks at an instance's forward
        function = next(filter(None, (getattr(kind, name, None) for name in _CALLED)), None)
    if not inspect.isroutine(function) or not sources.is_own(function):
        return None
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return None
    hints = _hints(function)
    named = [p for p in signature.parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    rest = next((p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD), None)
    names = frozenset(parameter.name for parameter in named)
    declared = {name: hints[name] for name in names if hints.get(name, Any) is not Any}
    used = _used(function, names, rest)
    return Parameters(declared, used & names, names, rest in used)


def _hints(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # of a name that is there for type checkers alone
        own = getattr(function, "__annotations__", {})
        return {name: annotation for name, annotation in own.items() if not isinstance(annotation, str)}


def _used(function: Any, parameters: frozenset[str], rest: str | None) -> frozenset[str]:
    """Those of the names that stand anywhere but where they are handed on; all of them where there is no source."""
    names = parameters if rest is None else parameters | {rest}
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return names
    harmless = set(map(id, _harmless(tree, rest)))
    read = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    return frozenset(node.id for node in read if node.id in names and id(node) not in harmless)


def _harmless(tree: ast.AST, rest: str | None) -> Iterator[ast.expr]:
    """The places where a value may be an object: handed on, asked for an object's attribute, or whether it is there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (word.value for word in node.keywords if _is_name(word.value, word.arg or rest))
            if isinstance(node.func, ast.Attribute) and _begins_with_self(node.func):
                yield from node.args
        elif isinstance(node, ast.Attribute) and node.attr not in _OF_JSON:
            yield node.value
        elif isinstance(node, (ast.If, ast.IfExp)):
            yield node.test
        elif isinstance(node, ast.Compare) and all(isinstance(operator, (ast.Is, ast.IsNot)) for operator in node.ops):
            yield node.left


def _is_name(value: ast.expr, name: str | None) -> bool:
    return isinstance(value, ast.Name) and value.id == name


def _begins_with_self(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id == "self"
