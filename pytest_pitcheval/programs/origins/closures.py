"""All code of the user's own that some code can come to: what it names, and what that names, in whatever file."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from pytest_pitcheval.programs import sources
from pytest_pitcheval.programs.attributes import is_code
from pytest_pitcheval.programs.origins.modules import Module, Modules, Unreadable
from pytest_pitcheval.programs.origins.statements import ALL, Import, Name, Statement


class Closure:
    """Follows names and imports, those within functions too, as far as they lead to the user's own modules.

    ``of_makers``: of code that makes objects, which are described themselves: only what it calls is followed, and no
    class.

    Attributes:
        texts: the statements that were come to.
        values: by name, what is no code of what they set or use, where their module has been imported.
        variables: of the environment, that they read.
        libraries: the packages of others that they import.
        unseen: what could not be followed, and why.
    """

    def __init__(self, modules: Modules, of_makers: bool = False) -> None:
        self._modules = modules
        self._of_makers = of_makers
        self._visited: set[tuple[Module, Statement]] = set()
        self._entered: set[Module] = set()
        self._being_taken: set[tuple[Module, Name]] = set()
        self._taken_names: set[tuple[Module, Name]] = set()
        self._waiting: list[tuple[Module, Statement]] = []
        self.texts: dict[str, None] = {}
        self.values: dict[str, Any] = {}
        self.variables: set[str] = set()
        self.libraries: set[str] = set()
        self.unseen: list[str] = []

    def follow(self, code: Iterable[Any]) -> None:
        """Functions and classes, and what they come to."""
        for one in code:
            self._root(one)
        self._work()

    def follow_body(self, function: Any) -> None:
        """A function without its decorators, and what it comes to."""
        if module := self._module_of(function):
            self._add(module, module.statements.body_at(function.__code__.co_firstlineno))
        self._work()

    def _root(self, code: Any) -> None:
        code = sources.unwrapped(code)
        if not sources.is_own(code) or not (module := self._module_of(code)):
            return
        if isinstance(code, type):
            found = module.statements.of(code.__qualname__.partition(".")[0])
        else:
            at = module.statements.at(code.__code__.co_firstlineno)
            found = [at] if at else []
        for statement in found:
            self._add(module, statement)

    def _module_of(self, code: Any) -> Module | None:
        try:
            return self._modules.of_code(code)
        except Unreadable as error:
            self.unseen.append(str(error))
            return None

    def _add(self, module: Module, statement: Statement | None) -> None:
        if statement is None or (module, statement) in self._visited:
            return
        if statement.is_class and self._of_makers:
            return
        self._visited.add((module, statement))
        self._waiting.append((module, statement))

    def _work(self) -> None:
        while self._waiting:
            self._visit(*self._waiting.pop())

    def _visit(self, module: Module, statement: Statement) -> None:
        self._enter(module)
        if not statement.is_import:
            self.texts[statement.text] = None
        self.variables |= statement.variables
        if statement.hides:
            self.unseen.append(f"{module.path}: it imports a module whose name is not written there")
        local = {one.alias: one for one in statement.imports}
        for name in statement.calls if self._of_makers else statement.uses:
            if name[0] in local:
                self._imported(module, local[name[0]], name[1:], late=not statement.is_import)
            else:
                self._named(module, name)
        for one in statement.imports:
            if one.name == ALL:
                self._imported(module, one, (), late=not statement.is_import)
        known = {name[0] for name in statement.uses} if self._of_makers else statement.binds
        for bound in () if statement.is_import else known:
            self._value(module, bound)

    def _enter(self, module: Module) -> None:
        """What happens when the module is imported, for whatever name."""
        if module in self._entered:
            return
        self._entered.add(module)
        for statement in module.statements.all:
            if statement.acts:
                self._add(module, statement)
        for one in module.statements.unused_imports():
            name = module.absolute(one) if one.name is None else f"{module.absolute(one)}.{one.name}"
            found = self._found(name, _is_late(module, one))
            if isinstance(found, Module):
                self._enter(found)

    def _value(self, module: Module, name: str) -> None:
        """What a name is in the module that was imported: it may be something else than its text tells."""
        value = module.namespace.get(name)
        self._valued(module, name, value, name in module.statements.changing)
        if isinstance(value, type) and sources.is_own(value) and not self._of_makers:
            changing = module.statements.changing
            for attribute, member in list(vars(value).items()):
                if not attribute.startswith("__"):
                    is_changing = not changing.isdisjoint({f".{attribute}", f"self.{attribute}"})
                    self._valued(module, f"{name}.{attribute}", member, is_changing)

    def _valued(self, module: Module, name: str, value: Any, is_changing: bool) -> None:
        """Of what changes while code runs, as memos and registers do, the code counts that was put into it."""
        if isinstance(value, type) or is_code(value):
            if not self._of_makers:
                self._root(value)
        elif is_changing:
            for one in _items(value):
                if isinstance(one, type) or is_code(one):
                    self._valued(module, name, one, True)
        elif value is not None and not isinstance(value, ModuleType):
            self.values[f"{module.name}.{name}"] = value

    # Names

    def _named(self, module: Module, name: Name) -> None:
        """A name as code of ``module`` uses it, with the attributes that it asks for."""
        statements = module.statements.of(name[0])
        for statement in statements:
            for one in statement.imports:
                if one.alias == name[0]:
                    self._imported(module, one, name[1:], _is_late(module, one))
            if not statement.is_import:
                self._add(module, statement)
        if not statements and name[0] in module.namespace and not name[0].startswith("__"):
            self._elsewhere(module, name[0])

    def _elsewhere(self, module: Module, name: str) -> None:
        """A name that stands nowhere in the module's text: it comes of an import of all, or was set from elsewhere."""
        self._value(module, name)
        for statement in module.statements.all:
            for one in statement.imports:
                if statement.is_import and one.name == ALL:
                    self._taken(self._found(module.absolute(one), module.is_late), (name,))

    def _imported(self, module: Module, one: Import, rest: Name, late: bool) -> None:
        found = self._found(module.absolute(one), late or module.is_late)
        if one.name is None:
            self._taken(found, rest)
        elif one.name == ALL:
            self._taken(found, ())
        else:
            self._taken(found, (one.name, *rest))

    def _taken(self, found: Module | str | None, name: Name) -> None:
        """``name`` of a module; the whole of it where that is used by itself, or has no such name in its text."""
        if isinstance(found, str):
            self.libraries.add(found)
        if not isinstance(found, Module) or (found, name) in self._taken_names:
            return
        self._enter(found)
        if (found, name) in self._being_taken:  # ``from . import words`` in a package: its module of that name
            self._taken(self._found(f"{found.name}.{name[0]}", found.is_late), name[1:])
            return
        self._being_taken.add((found, name))
        self._take(found, name)
        self._being_taken.discard((found, name))
        self._taken_names.add((found, name))

    def _take(self, found: Module, name: Name) -> None:
        if name and found.statements.of(name[0]):
            self._named(found, name)
        elif name and (below := self._found(f"{found.name}.{name[0]}", found.is_late)) is not None:
            self._taken(below, name[1:])
        elif name and name[0] in found.namespace and not found.statements.is_dynamic:
            self._elsewhere(found, name[0])
        elif not name or not name[0].startswith("__"):
            self._whole(found)

    def _whole(self, module: Module) -> None:
        for statement in module.statements.all:
            self._add(module, statement)

    def _found(self, name: str, late: bool) -> Module | str | None:
        try:
            return self._modules.find(name, late)
        except Unreadable as error:
            self.unseen.append(str(error))
            return None


def _is_late(module: Module, one: Import) -> bool:
    """Whether an import at the top of a module was not done when that was imported: it is for types, say."""
    return module.is_late or one.alias not in module.namespace


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else []
