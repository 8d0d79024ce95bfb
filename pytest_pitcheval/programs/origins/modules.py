"""The modules that code imports: whose they are, and where their text is. Nothing is imported for that."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import linecache
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from pytest_pitcheval.programs import sources
from pytest_pitcheval.programs.origins.statements import Import, Statements


class Module:
    """A module of the user's own.

    Attributes:
        name: as it is imported.
        package: the one that its relative imports start from.
        statements: what its text says.
        namespace: what its names are; nothing where it is late.
        folders: where its submodules are, if it is a package.
        is_late: whether it is imported only while code runs, so that its names may not be there yet. Whether they are
            must make no difference: another program may have had it imported.
    """

    def __init__(
        self,
        name: str,
        path: str | None,
        package: str,
        statements: Statements,
        namespace: Mapping[str, Any] = MappingProxyType({}),
        folders: Iterable[str] = (),
        is_late: bool = False,
    ) -> None:
        self.name, self.path, self.package, self.statements = name, path, package, statements
        self.namespace, self.folders, self.is_late = namespace, tuple(folders), is_late

    def absolute(self, one: Import) -> str:
        """The whole name of the module that an import names."""
        if not one.level:
            return one.module
        base = self.package.split(".")
        kept = base[: len(base) - one.level + 1]
        return ".".join([*kept, *([one.module] if one.module else [])])


class Unreadable(Exception):
    """A module of the user's own has no text that Python can parse; the message names it."""


class Modules:
    """Those that were looked for, by name or by file."""

    def __init__(self) -> None:
        self._named: dict[tuple[str, bool], Module | str | None] = {}
        self._by_path: dict[tuple[str, bool], Module] = {}
        self._statements: dict[str, Statements] = {}

    def of_code(self, code: Any) -> Module | None:
        """That of a function or class; None where that was made while a program ran.

        Raises:
            Unreadable: its text cannot be parsed.
        """
        path = sources.path_of(code)
        if path is None or not (Path(path).is_file() or linecache.getlines(path)):
            return None
        if (path, False) not in self._by_path:
            namespace = sources.namespace_of(code)
            name, package = namespace.get("__name__") or "", namespace.get("__package__") or ""
            folders = namespace.get("__path__") or ()
            text = self._text_of(path)
            self._by_path[path, False] = Module(name, path, package, text, namespace, map(str, folders))
        return self._by_path[path, False]

    def find(self, name: str, late: bool = False) -> Module | str | None:
        """The module; the name of its package where that is a library; None where there is no such module.

        ``late``: it is imported only while code runs.

        Raises:
            Unreadable: it is the user's own, and has no text that can be parsed.
        """
        if (name, late) not in self._named:
            self._named[name, late] = self._find(name, late)
        return self._named[name, late]

    def _find(self, name: str, late: bool) -> Module | str | None:
        loaded = sys.modules.get(name)
        if isinstance(loaded, ModuleType):
            path, folders = getattr(loaded, "__file__", None), getattr(loaded, "__path__", ())
            namespace: Mapping[str, Any] = MappingProxyType({}) if late else vars(loaded)
        else:
            spec = self._spec(name)
            if spec is None:
                return None
            path, folders, namespace = spec.origin, spec.submodule_search_locations or (), MappingProxyType({})
        places = list(map(str, folders))
        path = path if isinstance(path, str) and (path.endswith(".py") or not Path(path).is_file()) else None
        if not sources.is_own_module(name, path or next(iter(places), None)):
            return name.partition(".")[0]
        if path is None and not places:
            raise Unreadable(name)
        package = name if places else name.rpartition(".")[0]
        if path is None:
            return Module(name, None, package, Statements(""), namespace, places, late)
        if (path, late) not in self._by_path:
            text = self._text_of(path)
            self._by_path[path, late] = Module(name, path, package, text, namespace, places, late)
        return self._by_path[path, late]

    def _text_of(self, path: str) -> Statements:
        if path not in self._statements:
            self._statements[path] = _statements(path)
        return self._statements[path]

    def _spec(self, name: str) -> importlib.machinery.ModuleSpec | None:
        """Where a module that is not imported yet would be found; its package is not imported for that."""
        parent, _, _ = name.rpartition(".")
        try:
            if not parent:
                return importlib.util.find_spec(name)
            package = self.find(parent)
            folders = package.folders if isinstance(package, Module) else _folders(parent)
            return importlib.machinery.PathFinder.find_spec(name, list(folders)) if folders else None
        except (ImportError, ValueError, AttributeError):
            return None


def _folders(name: str) -> tuple[str, ...]:
    """Of a library's package, where it is imported."""
    return tuple(map(str, getattr(sys.modules.get(name), "__path__", ())))


def _statements(path: str) -> Statements:
    linecache.checkcache(path)
    text = "".join(linecache.getlines(path))
    try:
        return Statements(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise Unreadable(f"{path}: {type(error).__name__}") from None
