"""A file of the user's as its top-level statements: what each binds, refers to and imports. Pure.

Statements are taken as Python writes them down again, so that comments and line breaks do not count.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pytest_pitcheval.programs.sources import changes, first_line, parse

ALL = "*"
"""Imported, or used, in place of single names."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.Lambda, ast.ClassDef)
_IMPORTERS = ("import_module", "__import__")

Name = tuple[str, ...]
"""A dotted name, as in ``helpers.text.clean``."""


class Import(NamedTuple):
    """One name that an import binds.

    Attributes:
        module: as it is written, without leading dots, of which there are ``level``.
        name: what is taken from the module; None: it itself; `ALL`.
        alias: the name that it has here; empty where it has none.
    """

    module: str
    level: int
    name: str | None
    alias: str


@dataclasses.dataclass(frozen=True, eq=False)
class Statement:
    """A statement with all that is in it.

    Attributes:
        binds: names of the module that it sets or changes.
        uses: names that it refers to, whatever they are; ``calls`` are those of them that it calls.
        acts: it may change what is no name of its module, as a call does that nothing is done with.
        variables: of the environment, that it reads by their names.
        hides: it imports a module whose name is not written there.
    """

    text: str
    binds: frozenset[str]
    uses: frozenset[Name]
    calls: frozenset[Name]
    imports: tuple[Import, ...] = ()
    acts: bool = False
    variables: frozenset[str] = frozenset()
    hides: bool = False
    is_import: bool = False
    is_class: bool = False


class Statements:
    """Those of one file.

    Attributes:
        all: in their order.
        changing: the names that functions of the file give other values, as counters and memos have them.
    """

    def __init__(self, text: str) -> None:
        """Raises SyntaxError, ValueError or RecursionError, as Python's parser does."""
        self._tree = parse(text)
        nodes = [node for node in self._tree.body if not _is_idle(node)]
        assigned = {name for node in nodes if not isinstance(node, _IMPORT) for name in _bound(node)}
        self.all = [_statement(node, assigned) for node in nodes]
        self.changing = frozenset(changes(self._tree))
        self._lines = [(first_line(node), node.end_lineno or 0) for node in nodes]
        self._by_name: dict[str, list[Statement]] = {}
        for statement in self.all:
            for name in statement.binds:
                self._by_name.setdefault(name, []).append(statement)

    def of(self, name: str) -> list[Statement]:
        """The statements that bind a name of the module."""
        return self._by_name.get(name, [])

    @property
    def is_dynamic(self) -> bool:
        """Whether the module answers for names that stand nowhere in it."""
        return "__getattr__" in self._by_name

    def at(self, line: int) -> Statement | None:
        """The statement that the code at ``line`` belongs to."""
        spans = zip(self._lines, self.all, strict=True)
        return next((statement for (first, last), statement in spans if first <= line <= last), None)

    def body_at(self, line: int) -> Statement | None:
        """The function that begins there, wherever it stands, without its decorators."""
        functions = (node for node in ast.walk(self._tree) if isinstance(node, _FUNCTIONS))
        for function in functions:
            if first_line(function) == line:
                bare = copy.copy(function)
                bare.decorator_list = []
                return dataclasses.replace(_statement(bare, set()), binds=frozenset())
        return None

    def unused_imports(self) -> Iterator[Import]:
        """The imports of modules that nothing in the file refers to: they are there for what importing them does."""
        used = {name[0] for statement in self.all for name in statement.uses}
        for statement in self.all:
            if statement.is_import:
                yield from (one for one in statement.imports if one.alias not in used)


_IMPORT = (ast.Import, ast.ImportFrom)


def _is_idle(node: ast.stmt) -> bool:
    """A docstring, or what runs only where the file is run by itself."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    return isinstance(node, ast.If) and "__name__" in {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}


def _statement(node: ast.stmt, assigned: set[str]) -> Statement:
    inside = list(ast.walk(node))
    roots = set(_changed(node))
    here, elsewhere = roots & assigned, roots - assigned
    imported, hides = _called_imports(inside)
    return Statement(
        text=_text(node),
        binds=frozenset({*_bound(node), *here}),
        uses=frozenset(_uses(node)),
        calls=frozenset(name for part in inside if isinstance(part, ast.Call) and (name := _dotted(part.func))),
        imports=(*(one for part in inside if isinstance(part, _IMPORT) for one in _imports(part)), *imported),
        acts=bool(elsewhere),
        variables=frozenset(_variables(inside)),
        hides=hides,
        is_import=isinstance(node, _IMPORT),
        is_class=isinstance(node, ast.ClassDef),
    )


def _text(node: ast.AST) -> str:
    try:
        return ast.unparse(node)
    except RecursionError:  # a sum of a thousand texts
        return ast.dump(node)


def _at_top(node: ast.AST) -> Iterator[ast.AST]:
    """``node`` and what runs with it: the parts of functions and classes do not."""
    yield node
    if not isinstance(node, _SCOPES):
        for child in ast.iter_child_nodes(node):
            yield from _at_top(child)


def _bound(node: ast.AST) -> Iterator[str]:
    for part in _at_top(node):
        if isinstance(part, (*_FUNCTIONS, ast.ClassDef)):
            yield part.name
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, _IMPORT):
            yield from (one.alias for one in _imports(part))


def _changed(node: ast.AST) -> Iterator[str]:
    """The first name of what it changes in place or calls for its effect; empty where that has none."""
    for part in _at_top(node):
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            name = _dotted(part.value.func)
            yield name[0] if len(name) > 1 else ""
        elif isinstance(part, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete)):
            targets = getattr(part, "targets", None) or [getattr(part, "target", None)]
            yield from (_root(one) for one in targets if isinstance(one, (ast.Attribute, ast.Subscript)))


def _root(node: ast.expr) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _uses(node: ast.AST) -> Iterator[Name]:
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (ast.Name, ast.Attribute)) and (name := _dotted(part)):
            yield name
        else:
            waiting.extend(ast.iter_child_nodes(part))


def _dotted(node: ast.AST) -> Name:
    """``helpers.text.clean``; empty where it begins with something else than a name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ()


def _imports(node: ast.AST) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for one in node.names:
            module = one.name if one.asname else one.name.partition(".")[0]
            yield Import(module, 0, None, one.asname or module)
    elif isinstance(node, ast.ImportFrom):
        for one in node.names:
            yield Import(node.module or "", node.level, one.name, "" if one.name == ALL else one.asname or one.name)


def _called_imports(inside: Iterable[ast.AST]) -> tuple[list[Import], bool]:
    """The modules that ``importlib.import_module`` is called with, and whether it is called with no text."""
    found, hides = [], False
    for part in inside:
        if isinstance(part, ast.Call) and (name := _dotted(part.func)) and name[-1] in _IMPORTERS:
            text = _first_text(part)
            hides = hides or text is None
            if text is not None:
                module = text.lstrip(".")
                found.append(Import(module, len(text) - len(module), ALL, ""))
    return found, hides


def _variables(inside: Iterable[ast.AST]) -> Iterator[str]:
    """``os.environ["X"]``, ``os.environ.get("X")``, ``os.getenv("X")``."""
    for part in inside:
        text = None
        if isinstance(part, ast.Subscript) and _dotted(part.value)[-1:] == ("environ",):
            text = part.slice.value if isinstance(part.slice, ast.Constant) else None
        elif isinstance(part, ast.Call) and (name := _dotted(part.func)):
            text = _first_text(part) if name[-1] == "getenv" or name[-2:-1] == ("environ",) else None
        if isinstance(text, str):
            yield text


def _first_text(call: ast.Call) -> str | None:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
