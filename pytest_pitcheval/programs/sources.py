"""The source of users' code: of a function or class alone, of its whole file, and what it changes while it runs."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import inspect
import linecache
import sys
import sysconfig
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from pytest_pitcheval.programs.values import bytecode_digest, is_made_of

_OWN = __name__.partition(".")[0]
_LIBRARIES = frozenset({"dspy", "pydantic", "pydantic_core", "pytest", "_pytest", "pluggy", "xdist", _OWN})
_PATHS = tuple(str(Path(path)) for name, path in sysconfig.get_paths().items() if name.endswith(("stdlib", "lib")))
_MUTATORS = frozenset(
    {
        *("add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem"),
        *("popleft", "put", "remove", "reverse", "setdefault", "sort", "subtract", "update", "write"),
    }
)
"""Methods that change the list, set, dict or log that they are called on."""
_SETS_UP = ("__init__", "__new__", "__post_init__", "__set", "_set", "set", "with", "configure", "load", "_load")
"""How functions are named whose assignments make settings, not what changes while scoring."""
_RACES = 10
"""How often a file is parsed again where another thread parses too."""
_SELF = ("self", "cls")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Source(NamedTuple):
    """The text of a function or class, the names in it, and what changes while code of its file runs.

    Attributes:
        changing: names, and ``.attribute`` or (of the class itself) ``self.attribute``, that functions assign to or
            change in place.
    """

    text: str
    names: frozenset[str]
    changing: frozenset[str]


class SourceFile:
    """One file's text, parsed once."""

    def __init__(self, text: str) -> None:
        tree = parse(text)
        self._lines = text.splitlines(keepends=True) if "\f" not in text else text.split("\n")
        self._functions: dict[int, list[ast.AST]] = {}
        self._classes: dict[str, ast.ClassDef] = {}
        for name, node in _definitions(tree, ""):
            if isinstance(node, ast.ClassDef):
                self._classes[name] = node
            else:
                self._functions.setdefault(first_line(node), []).append(node)
        self._changing = frozenset(name for name in changes(tree) if not name.startswith("self."))

    def of_class(self, kind: type) -> Source | None:
        """The source of a class by its qualified name."""
        node = self._classes.get(kind.__qualname__)
        return None if node is None else self._source([node])

    def of_function(self, code: CodeType) -> Source | None:
        """The source of a function; of lambdas that begin on one line, of those that are compiled to the same."""
        nodes = self._functions.get(code.co_firstlineno, [])
        is_lambda = code.co_name == "<lambda>"
        nodes = [node for node in nodes if isinstance(node, ast.Lambda) is is_lambda]
        if is_lambda and len(nodes) > 1:
            nodes = [node for node in nodes if is_made_of(code, node)] or nodes
        return self._source(nodes) if nodes else None

    def _source(self, nodes: list[ast.AST]) -> Source:
        names = {inner.id for node in nodes for inner in ast.walk(node) if isinstance(inner, ast.Name)}
        own = (name for node in nodes for name in changes(node) if name.startswith("self."))
        return Source("\n".join(map(self._text, nodes)), frozenset(names), self._changing.union(own))

    def _text(self, node: Any) -> str:
        first, last = first_line(node) - 1, node.end_lineno
        lines = self._lines[first:last]
        if isinstance(node, ast.Lambda):  # a part of its lines; columns are of bytes
            lines[-1] = lines[-1].encode()[: node.end_col_offset].decode()
            lines[0] = lines[0].encode()[node.col_offset :].decode()
        return textwrap.dedent("".join(lines))


def first_line(node: Any) -> int:
    """Its line number, or that of the first of its decorators; from 1."""
    lines: list[int] = [node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))]
    return min(lines)


def _definitions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.AST]]:
    """Functions and classes below ``node``, with their qualified names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield prefix + child.name, child
            yield from _definitions(child, f"{prefix}{child.name}.")
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + child.name, child
            yield from _definitions(child, f"{prefix}{child.name}.<locals>.")
        else:
            if isinstance(child, ast.Lambda):
                yield prefix + "<lambda>", child
            yield from _definitions(child, prefix)


def changes(tree: ast.AST) -> Iterator[str]:
    """What the functions in ``tree`` change: ``name``, ``self.attribute``, or ``.attribute`` of anything else."""
    for node in ast.walk(tree):
        if not isinstance(node, _FUNCTIONS):
            continue
        inside = list(ast.walk(node))
        outer = {name for part in inside if isinstance(part, (ast.Global, ast.Nonlocal)) for name in part.names}
        local = {part.id for part in inside if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
        local |= {part.arg for part in inside if isinstance(part, ast.arg)}
        if not _sets_up(node):
            found = (pair for part in inside for target in _targets(part) for pair in _changed(target))
            # What a function does to its own variables and arguments makes them: only others change.
            yield from (name for root, name in found if root in _SELF or root in outer or root not in local)


def _sets_up(function: Any) -> bool:
    if isinstance(function, ast.Lambda):
        return False
    return function.name.startswith(_SETS_UP) or any("setter" in ast.dump(one) for one in function.decorator_list)


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    """What a statement assigns to or deletes, and what a call changes in place."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS:
        yield node.func.value
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        yield node.target
    elif isinstance(node, (ast.Assign, ast.Delete)):
        for target in node.targets:
            yield from target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]


def _changed(target: ast.expr) -> Iterator[tuple[str, str]]:
    """The variable that ``target`` begins with, and each name or attribute that is another one afterwards."""
    attributes: list[str] = []
    while isinstance(target, (ast.Subscript, ast.Attribute, ast.Starred)):
        if isinstance(target, ast.Attribute):
            attributes.append(target.attr)
        target = target.value
    root = target.id if isinstance(target, ast.Name) else ""
    if root and not attributes:
        yield root, root
    if root in _SELF and attributes:
        yield root, f"self.{attributes.pop()}"
    yield from ((root, f".{name}") for name in attributes)


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> SourceFile | None:
    try:
        return SourceFile(text)
    except (SyntaxError, ValueError, RecursionError):
        return None


def parse(text: str) -> ast.Module:
    """The syntax tree of a file's text. Raises what Python's parser raises."""
    for _ in range(_RACES):
        try:
            return ast.parse(text)
        except SystemError:  # CPython 3.11, where another thread parses at the same time (python/cpython#106905)
            continue
    return ast.parse(text)


def source_file(path: str, namespace: Mapping[str, Any] | None = None) -> SourceFile | None:
    """The file at ``path`` (or the cell of a notebook); None where that has no text that can be parsed."""
    linecache.checkcache(path)
    text = "".join(linecache.getlines(path, dict(namespace or {})))
    return _parsed(text) if text else None


def source_of(code: Any) -> Source | None:
    """The source of a function (of a wrapper that of itself) or class; None where it has none."""
    path = path_of(code)
    file = source_file(path, namespace_of(code)) if path else None
    if file is None:
        return None
    return file.of_class(code) if isinstance(code, type) else file.of_function(code.__code__)


def source_digest(code: Any) -> str | None:
    """The SHA-256 of the whole file that ``code`` is from; None where that has no file."""
    path = path_of(code)
    if path is None or not Path(path).is_file():
        return None
    return _file_digest(path, Path(path).stat().st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _file_digest(path: str, changed: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def without_source(function: FunctionType) -> str:
    """Digits of a function that has none, as ``exec`` makes them."""
    return bytecode_digest(function.__code__)


def unwrapped(code: Any) -> Any:
    """Without decorators: those have names in the source."""
    for _ in range(20):
        inner = _attribute(code, "__func__") or _attribute(code, "__wrapped__")
        if inner is None or not callable(inner):
            return code
        code = inner
    return code


def _attribute(value: Any, name: str) -> Any:
    try:
        return getattr(value, name, None) if inspect.isroutine(value) else None
    except Exception:  # a descriptor of somebody's own
        return None


def path_of(code: Any) -> str | None:
    """The file that a function or class is from; its own, where several had the module's name in turn."""
    if not isinstance(code, type):
        return code.__code__.co_filename if isinstance(code, FunctionType) else None
    for member in _functions(code):
        path: str = member.__code__.co_filename
        if not path.startswith("<"):  # which methods of dataclasses are from
            return path
    file = getattr(sys.modules.get(code.__module__), "__file__", None)
    return file if isinstance(file, str) else None


def _functions(kind: type) -> Iterator[Any]:
    """The functions that are defined in a class."""
    for member in vars(kind).values():
        function = unwrapped(getattr(member, "fget", None) if isinstance(member, property) else member)
        if isinstance(function, FunctionType) and function.__module__ == kind.__module__:
            yield function


def namespace_of(code: Any) -> Mapping[str, Any]:
    """The names of the module that ``code`` is from."""
    function = next(_functions(code), None) if isinstance(code, type) else code
    if isinstance(function, FunctionType):
        return function.__globals__
    return vars(sys.modules.get(getattr(code, "__module__", None) or "", object))


def is_own(code: Any) -> bool:
    """Whether a function or class is the user's: of no library, wherever it is installed."""
    # Not a function's ``__module__``, which ``functools.wraps`` makes another's.
    module = code.__globals__.get("__name__") if isinstance(code, FunctionType) else getattr(code, "__module__", None)
    if not isinstance(module, str):
        return isinstance(code, FunctionType)
    return _may_be_own(module) and is_own_module(module, path_of(code))


def is_own_module(name: str, path: str | None) -> bool:
    """Whether a module is the user's; ``path`` is its file or folder, None where it has none."""
    return _may_be_own(name) and (path is None or not _is_installed(path) or _is_installed_from_here(_package(name)))


def _may_be_own(module: str) -> bool:
    package = _package(module)
    return package not in _LIBRARIES and (package == "__main__" or package not in sys.stdlib_module_names)


def _package(module: str) -> str:
    return module.partition(".")[0]


def _is_installed(path: str) -> bool:
    return path.startswith(_PATHS) or "site-packages" in path


@functools.cache
def _is_installed_from_here(package: str) -> bool:
    """Whether a package comes from a folder or repository: it is the project itself, as ``tox`` installs that."""
    try:
        return importlib.metadata.distribution(package).read_text("direct_url.json") is not None
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError):
        return False
