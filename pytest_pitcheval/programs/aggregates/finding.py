"""The functions of the fixture ``aggregates``, found by where it stands, in a process that runs no tests."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_pitcheval.errors import one_line
from pytest_pitcheval.results.aggregates.computation import Computation, Item, Prepare, Undefined


class Functions:
    """A `computation.Find` of suites below ``root``; a function may take ``patience`` seconds for one value."""

    def __init__(self, root: Path, patience: float) -> None:
        self._root, self._patience = root, patience
        self._given: dict[str, Mapping[str, Any]] = {}

    def __call__(self, source: str, name: str) -> Prepare:
        if source not in self._given:
            self._given[source] = self._called(source)
        function = self._given[source].get(name)
        if not callable(function):
            raise Undefined(f"{source} gives no function {name!r} here")

        def prepare(items: Sequence[Item]) -> Computation:
            from pytest_pitcheval.programs.aggregates.calling import Function  # DSPy takes a second to import

            return Function(name, function, items, self._patience)

        return prepare

    def _called(self, source: str) -> Mapping[str, Any]:
        """What the fixture gives."""
        where, _, qualified = source.partition("::")
        try:
            found: Any = _module(self._root, where, qualified)
            for part in qualified.split("."):
                owner, found = found, inspect.getattr_static(found, part)
            function = getattr(found, "__wrapped__", found)  # pytest's own of it cannot be called
            value = function(owner()) if isinstance(owner, type) else function()
            value = next(value) if inspect.isgenerator(value) else value
        except Undefined:
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            raise Undefined(f"the fixture {source} cannot be called: {one_line(error)}") from error
        return value if isinstance(value, Mapping) else {}


def _module(root: Path, where: str, qualified: str) -> ModuleType:
    is_file = where.endswith(".py")
    spec = None if is_file else importlib.util.find_spec(where)
    file = ((root / where) if is_file else Path(spec.origin if spec and spec.origin else "")).resolve()
    if not file.is_file() or (is_file and not file.is_relative_to(root.resolve())):
        raise Undefined(f"there is no {where}{f' below {root}' if is_file else ''}, whose fixture gives its function")
    if not _has_fixture(file, qualified):
        raise Undefined(f"{where} has no fixture {qualified} any more")
    if not is_file:
        return importlib.import_module(where)
    loaded = (one for one in list(sys.modules.values()) if _is_of(one, file))
    return next(loaded, None) or _imported(file)


def _is_of(module: ModuleType, file: Path) -> bool:
    name = getattr(module, "__file__", None)
    return isinstance(name, str) and name.endswith(file.name) and Path(name).resolve() == file


def _has_fixture(file: Path, qualified: str) -> bool:
    """Whether there is such a fixture in it: a run file that somebody sent makes nobody import whatever it names."""
    try:
        body: list[Any] = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return False
    for part in qualified.split("."):
        node = next((one for one in _statements(body) if getattr(one, "name", None) == part), None)
        body = getattr(node, "body", [])
    return isinstance(node, ast.FunctionDef) and any("fixture" in ast.unparse(one) for one in node.decorator_list)


def _statements(body: list[Any]) -> Iterator[Any]:
    """Those of a module or class, within ``if`` and ``try`` too."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            inner = (*node.body, *getattr(node, "orelse", ()), *getattr(node, "finalbody", ()))
            yield from _statements([*inner, *(one for part in getattr(node, "handlers", ()) for one in part.body)])


def _imported(file: Path) -> ModuleType:
    """The module of a file as pytest imports it: its package by name, else with its folder on ``sys.path``."""
    folder, names = file.parent, [file.stem]
    while (folder / "__init__.py").exists():
        folder, names = folder.parent, [folder.name, *names]
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # it stays there: a function may import when it is called
    if len(names) > 1:
        return importlib.import_module(".".join(names))
    name = f"pitcheval_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:12]}"  # there may be many conftests
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None  # a file that ends in .py has a loader
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
