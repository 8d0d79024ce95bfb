"""What decides how a program or a metric behaves, as plain values: its code, its prompts, its settings.

A description is bounded in depth and size, and asks nothing of what it describes: it reads attributes where they are
stored. A live object (a module, client, lock, logger, model, open file) counts by its type alone, and what changes
while code runs (counters, memos, moments) does not count at all.
"""

from __future__ import annotations

import collections
import enum
import functools
import json
import types
from typing import Any, get_args, get_origin

from pytest_pitcheval.credentials.known import secret_values
from pytest_pitcheval.credentials.naming import is_secret_name
from pytest_pitcheval.errors import one_line
from pytest_pitcheval.programs import attributes as stored
from pytest_pitcheval.programs import sources
from pytest_pitcheval.programs.values import BOUNDS, NOT_PLAIN, Bounds, array_value, ends, large_set_value, plain_value

_NESTING = 50
"""Levels of lists and dicts."""
_OF_PYTEST = frozenset({"_pytest", "pluggy", "pytest", "xdist"})
_OF_DSPY = frozenset({"dspy_uuid", "dspy_split"})
"""Random fields that ``dspy.datasets`` puts into examples."""
_GROWING = (collections.Counter, collections.defaultdict, collections.deque)


class Describer:
    """Describes values for one fingerprint.

    Args:
        whole_files: whether code counts with the whole file that it is from, or by itself with what it names there.
        with_lms: whether the LMs in what is described count.

    Attributes:
        lms: descriptions of the LMs that were left out.
        keys: the credentials of all LMs that were met.
        code: the user's own functions and classes that were met.
        unknown: what could not be described, and why.
        is_cut: whether there is more than the ``bounds`` allow.
    """

    def __init__(self, whole_files: bool = False, with_lms: bool = True, bounds: Bounds = BOUNDS) -> None:
        self._whole_files, self._with_lms, self._bounds = whole_files, with_lms, bounds
        self._parts, self._nesting, self._in_program = bounds.parts, 0, False
        self._path: set[int] = set()
        self._seen: dict[int, Any] = {}
        self._uses: dict[str, Any] = {}
        self._pending: collections.deque[tuple[str, Any]] = collections.deque()
        self.lms, self.code, self.unknown = list[Any](), list[Any](), list[str]()
        self.keys: set[str] = set()
        self.is_cut = False

    def describe(self, value: Any, exact: bool = False) -> Any:
        """``value`` and what its code names, as JSON types; ``exact`` for data, where dates and paths count."""
        described = self._describe(value, self._bounds.depth, live=False, exact=exact)
        while self._pending:
            name, used = self._pending.popleft()
            self._uses[name] = self._describe(used, self._bounds.depth, live=True)
        return {"value": described, "uses": self._uses} if self._uses else described

    def _describe(self, value: Any, depth: int, live: bool, exact: bool = False) -> Any:
        """``live`` are values that code holds: they are bounded, and fleeting ones do not count."""
        if value is None or type(value) is bool:
            return value
        self._parts -= live
        if self._parts < 0 and live:
            self.is_cut = True
            return {"type": stored.kind_name(type(value))}
        if id(value) in self._path or self._nesting > _NESTING:
            return {"within": stored.kind_name(type(value))}
        self._path.add(id(value))
        self._nesting += 1
        try:
            return self._by_kind(value, depth, live, exact)
        except Exception as error:
            self.unknown.append(f"{stored.kind_name(type(value))}: {one_line(error)}")
            return {"unknown": stored.kind_name(type(value))}
        finally:
            self._nesting -= 1
            self._path.discard(id(value))

    def _by_kind(self, value: Any, depth: int, live: bool, exact: bool) -> Any:
        kind = type(value)
        if issubclass(kind, enum.Enum):
            return {"type": stored.kind_name(kind), "name": str(value._name_), "source": self._sources(kind)}
        if (plain := plain_value(value, live)) is not NOT_PLAIN:
            return plain
        if issubclass(kind, _GROWING) and live:
            return {"type": stored.kind_name(kind)}
        if issubclass(kind, (dict, types.MappingProxyType)):
            return self._mapping(value, depth, live, exact)
        if issubclass(kind, (list, tuple)):
            return [self._describe(item, depth, live, exact) for item in (self._ends(value) if live else value)]
        if issubclass(kind, (set, frozenset)):
            return self._set(value, depth, live, exact)
        if issubclass(kind, (functools.partial, functools.partialmethod)):
            return [self._describe(part, depth, True) for part in (value.func, value.args, value.keywords)]
        if issubclass(kind, type):
            return self._class(value, depth)
        if stored.is_code(value):
            return self._routine(value, depth)
        if kind.__module__ in ("typing", "types") and get_origin(value) is not None:  # list[Answer], Literal["a"]
            return {
                "annotation": str(get_origin(value)),
                "of": [self._describe(a, depth, True) for a in get_args(value)],
            }
        return self._object(value, depth, live, exact)

    def _mapping(self, value: Any, depth: int, live: bool, exact: bool) -> Any:
        items = dict.items(value) if isinstance(value, dict) else value.items()
        items = self._ends(list(items)) if live else items
        described = {}
        for key, item in items:
            name = key if isinstance(key, str) else json.dumps(self._describe(key, depth, live, exact), sort_keys=True)
            if not (live and is_secret_name(name)):
                described[str.__str__(name)] = self._describe(item, depth, live, exact)
        return {**described, "": len(value)} if live and len(value) > len(described) else described

    def _set(self, value: Any, depth: int, live: bool, exact: bool) -> Any:
        if live and len(value) > 2 * self._bounds.items:
            self.is_cut = True
            return large_set_value(value)
        items = (self._describe(item, depth, live, exact) for item in value)
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))

    def _ends(self, values: Any) -> list[Any]:
        self.is_cut = self.is_cut or len(values) > 2 * self._bounds.items
        return ends(values, self._bounds.items)

    # Code

    def _routine(self, code: Any, depth: int) -> dict[str, Any]:
        """A function, method or builtin; where it stands a second time, its name."""
        described: dict[str, Any] = {"name": stored.code_name(code)}
        if id(code) in self._seen:
            return described
        self._seen[id(code)] = code  # which keeps the ID taken
        bound, inner = getattr(code, "__self__", None), getattr(code, "__func__", getattr(code, "__wrapped__", None))
        if bound is not None and not isinstance(bound, types.ModuleType) and depth:
            described["self"] = self._describe(bound, depth - 1, True)
        if inner is not None and depth:
            described["function"] = self._describe(inner, depth - 1, True)
        if isinstance(code, types.FunctionType) and sources.is_own(code):
            described |= self._function(code, depth)
        return described

    def _function(self, code: types.FunctionType, depth: int) -> dict[str, Any]:
        source = self._source(code)
        changing: frozenset[str] = source.changing if source else frozenset()
        cells = zip(code.__code__.co_freevars, code.__closure__ or (), strict=False)
        held = {name: cell.cell_contents for name, cell in cells if stored.is_filled(cell)}
        held = stored.without_changing(held, changing, "")
        defaults = [*(code.__defaults__ or ()), *(code.__kwdefaults__ or {}).items()]
        attributes = {name: value for name, value in vars(code).items() if not name.startswith("__")}
        attributes = stored.without_changing(attributes, changing, ".")
        return {
            "source": self._digest(code, source),
            "closure": {name: self._describe(value, depth - 1, True) for name, value in held.items()} if depth else {},
            "defaults": [self._describe(value, depth - 1, True) for value in defaults] if depth else [],
            "attributes": self._mapping(attributes, depth - 1, True, False) if depth else {},
        }

    def _source(self, code: Any) -> sources.Source | None:
        """The source of ``code`` itself; what it names in its module is to be described as well."""
        self.code.append(code)
        source = sources.source_of(code)
        if source is not None and not self._whole_files:
            namespace = sources.namespace_of(code)
            own = code.__code__ if isinstance(code, types.FunctionType) else None
            local = {*own.co_varnames, *own.co_freevars} if own else set()
            for name in sorted(source.names - local):
                self._use(name, namespace.get(name), code, source)
        return source

    def _use(self, name: str, value: Any, code: Any, source: sources.Source) -> None:
        key = f"{code.__module__}.{name}"
        if key in self._uses or value is None or len(self._uses) >= self._bounds.code:
            return
        if issubclass(type(value), (type, *stored.ROUTINES)):
            wanted = sources.unwrapped(value).__module__ == code.__module__ and value is not code
        else:
            wanted = not isinstance(value, types.ModuleType) and bool(
                stored.without_changing({name: value}, source.changing)
            )
        if wanted:
            self._uses[key] = None  # taken
            self._pending.append((key, value))

    def _digest(self, code: types.FunctionType, source: sources.Source | None) -> str:
        if self._whole_files and (digest := sources.source_digest(code)):
            return digest
        return source.text if source else sources.without_source(code)

    def _sources(self, kind: type) -> list[Any]:
        """Of a class and those that it is derived from, as far as they are the user's own."""
        described = []
        for base in kind.__mro__:
            if sources.is_own(base):
                source = self._source(base)
                if source is None:
                    described.append(self._members(base))
                else:
                    described.append((self._whole_files and sources.source_digest(base)) or source.text)
        return described

    def _members(self, kind: type) -> Any:
        """A class that was made while the program ran."""
        if id(kind) in self._seen:
            return kind.__qualname__
        self._seen[id(kind)] = kind
        plain = stored.constants_of(kind)
        return {"name": kind.__qualname__, "members": self._mapping(plain, 1, True, False)}

    def _class(self, kind: type, depth: int) -> Any:
        if isinstance(getattr(kind, "input_fields", None), dict):  # a dspy.Signature
            return self._signature(kind, depth)
        described: dict[str, Any] = {"name": stored.kind_name(kind), "source": self._sources(kind)}
        fields = vars(kind).get("__pydantic_fields__")
        if isinstance(fields, dict) and sources.is_own(kind) and depth:
            described["fields"] = {name: self._describe(f.annotation, depth - 1, True) for name, f in fields.items()}
        return described

    # Objects

    def _object(self, value: Any, depth: int, live: bool, exact: bool) -> Any:
        kind = type(value)
        name = stored.kind_name(kind)
        if name.partition(".")[0] in _OF_PYTEST:  # a fixture's request leads to all of the session
            return {"type": name}
        if stored.is_field(kind, "toDict"):  # dspy.Example and dspy.Prediction
            fields = value.toDict()
            return self._mapping({k: v for k, v in fields.items() if k not in _OF_DSPY}, depth, live, True)
        if (array := array_value(value)) is not NOT_PLAIN:
            return array
        described: dict[str, Any] = {"type": name, "source": self._sources(kind)}
        if stored.is_field(kind, "named_sub_modules"):
            return self._program(value, depth, described)
        attributes = stored.attributes_of(value)
        if stored.is_lm(value):
            return self._lm(value, described)
        holds_values = sources.is_own(kind) or stored.is_record(kind)
        self.is_cut = self.is_cut or bool(not depth and holds_values and attributes)
        if depth and (holds_values or (exact and attributes)):
            exact = exact and holds_values
            settings = attributes if exact else stored.settings_of(kind, attributes)
            described["state"] = self._mapping(settings, depth - 1, not exact, exact)
        elif depth and not live and attributes:  # a library's metric is its settings
            public = {name: item for name, item in attributes.items() if not name.startswith("_")}
            described["state"] = self._mapping(public, depth - 1, True, False)
        elif depth and not live:
            described["kept"] = self._describe(stored.kept_by_pickling(value), depth - 1, live, exact)
        return described

    def _lm(self, lm: Any, described: dict[str, Any]) -> Any:
        self.keys |= secret_values(getattr(lm, "kwargs", None) or {})
        described["lm"] = self._mapping(stored.describe_lm(lm), 2, True, False)
        if self._with_lms:
            return described
        self.lms.append(described["lm"])
        return None

    # DSPy's programs

    def _program(self, program: Any, depth: int, described: dict[str, Any]) -> Any:
        if self._in_program:  # each of a program's modules is described once, by its name in it
            return {"program": described["type"]}
        self._in_program = True
        try:
            modules = {name: self._module(module) for name, module in program.named_sub_modules()}
        finally:
            self._in_program = False
        return {**described, "modules": modules}

    def _module(self, module: Any) -> Any:
        kind, attributes = type(module), stored.attributes_of(module)
        described = {
            "type": stored.kind_name(kind),
            "source": self._sources(kind),
            "settings": self._mapping(stored.settings_of_module(module), self._bounds.depth - 1, True, False),
        }
        if "demos" in attributes:
            described["demos"] = self._describe(attributes["demos"], self._bounds.depth, False, True)
        if "lm" in attributes:
            described["lm"] = self._describe(attributes["lm"], self._bounds.depth, True)
        return described

    def _signature(self, signature: Any, depth: int) -> Any:
        described = {
            "instructions": plain_value(signature.instructions, False),
            "inputs": list(signature.input_fields),
        }
        for name, field in {**signature.input_fields, **signature.output_fields}.items():
            kind = self._describe(field.annotation, max(depth - 1, 0), True)
            described[f"field {name}"] = [kind, *stored.texts_of(field.json_schema_extra)]
        return described
