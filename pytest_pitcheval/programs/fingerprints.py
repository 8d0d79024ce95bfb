"""Whether something that decides a result has changed since last time."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import pickle
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytest_pitcheval.results.plain import WHOLE, plain

_DEPTH = 4
_OWN = __name__.partition(".")[0]
_OF_PYTEST = frozenset({"_pytest", "pluggy", "pytest", "xdist"})
Digest = Callable[[Any], str]
"""Of the source of a function or class."""


def fingerprint(value: Any) -> str:
    """32 hexadecimal digits that change when `describe` says something else of ``value``."""
    return digest_of(describe(value))


def digest_of(description: Any) -> str:
    """32 hexadecimal digits of a description."""
    text = json.dumps(description, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def describe(value: Any) -> Any:
    """What decides how ``value`` behaves, as plain values: contents, state, and the source of its code.

    Code counts by whole files: a helper that stands beside a metric decides its scores as well. What it imports
    from elsewhere does not count.
    """
    return Describer(source_digest).describe(value)


class Describer:
    """Describes values; ``digest`` says what of their code counts, ``with_lms`` whether the LMs in them do.

    Attributes:
        lms: descriptions of the LMs that were left out.
    """

    def __init__(self, digest: Digest, with_lms: bool = True) -> None:
        self._digest = digest
        self._with_lms = with_lms
        self.lms: list[Any] = []

    def describe(self, value: Any, depth: int = _DEPTH) -> Any:
        """``value`` as plain values, ``depth`` levels of attributes deep."""
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, Mapping):
            return {str(key): self.describe(item, depth) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.describe(item, depth) for item in value]
        if isinstance(value, (set, frozenset)):
            items = (self.describe(item, depth) for item in value)
            return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
        if isinstance(value, (bytes, bytearray)):
            return {"bytes": value.hex()}
        if isinstance(value, re.Pattern):
            return {"pattern": self.describe(value.pattern), "flags": value.flags}
        if isinstance(value, functools.partial):
            return [self.describe(part, depth) for part in (value.func, value.args, value.keywords)]
        if inspect.isroutine(value) or isinstance(value, type):
            return self._describe_code(value, depth)
        return self._describe_object(value, depth)

    def _describe_code(self, code: Any, depth: int) -> dict[str, Any]:
        cells = [cell.cell_contents for cell in getattr(code, "__closure__", None) or () if _is_filled(cell)]
        bound = getattr(code, "__self__", None)
        belongs = depth and bound is not None and not inspect.ismodule(bound)
        return {
            "name": _name(code),
            "source": self._digest(code),
            "closure": [self.describe(cell, depth - 1) for cell in cells] if depth else [],
            "self": self.describe(bound, depth - 1) if belongs else None,
        }

    def _describe_object(self, value: Any, depth: int) -> Any:
        if callable(getattr(value, "toDict", None)):  # dspy.Example and dspy.Prediction
            return self.describe(value.toDict(), depth)
        kinds = [kind for kind in type(value).__mro__ if not _is_library(kind)]
        name = _kind_name(type(value))
        if name.partition(".")[0] in _OF_PYTEST:  # a fixture's request leads to all of the session
            return {"type": name}
        described: dict[str, Any] = {
            "type": name,
            "source": [self._digest(kind) for kind in kinds],
        }
        if callable(getattr(value, "named_sub_modules", None)):
            described |= self._describe_program(value)
        elif hasattr(value, "model") and hasattr(value, "kwargs"):
            return self._describe_lm(value, described)
        elif depth:
            attributes = sorted(_attributes(value).items())
            described["state"] = {name: self.describe(item, depth - 1) for name, item in attributes}
        return described

    def _describe_lm(self, lm: Any, described: dict[str, Any]) -> Any:
        from pytest_pitcheval.lm.language_models import describe_lm

        described["lm"] = plain(describe_lm(lm))
        if self._with_lms:
            return described
        self.lms.append(described["lm"])
        return None

    def _describe_program(self, program: Any) -> dict[str, Any]:
        kinds = {type(module) for _, module in program.named_sub_modules()}
        sources = {self._digest(kind) for kind in kinds if not _is_library(kind)}
        lms = {name: self.describe(predictor.lm) for name, predictor in program.named_predictors()}
        state = plain(program.dump_state(), WHOLE)
        for part in (state, *state.values()):  # the state has the LM's address too; of one predictor, at the top
            if isinstance(part, dict):
                part.pop("lm", None)
        return {"state": state, "sources": sorted(sources), "lms": lms}


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # an empty cell
        return False


def _attributes(value: Any) -> dict[str, Any]:
    """Its ``__dict__``; where it has none (a date, a Path, an array, slots), what pickling keeps of it."""
    if hasattr(value, "__dict__"):
        return dict(value.__dict__)
    try:
        return {"kept": value.__reduce_ex__(2)[1:3]}
    except (TypeError, AttributeError, NotImplementedError, pickle.PicklingError):  # it cannot be pickled
        return {}


def _name(code: Any) -> str:
    return f"{getattr(code, '__module__', 'builtins')}.{code.__qualname__}"  # str.upper has no module


def _kind_name(kind: type) -> str:
    """The name of the class, or of the first that it is derived from and that is not this package's own.

    No edit and no move of our own files may make users pay for compiling again.
    """
    other = next(base for base in kind.__mro__ if _package(base) != _OWN)
    return f"{other.__module__}.{other.__qualname__}"


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _is_library(kind: type) -> bool:
    """Python's own classes too: reading Enum's source takes a second, for each value of one in a row."""
    package = _package(kind)
    return package in {"dspy", "pydantic", _OWN} or package in sys.stdlib_module_names


def source_digest(code: Callable[..., Any] | type) -> str:
    """The SHA-256 of the file that ``code`` is from; its name where that has no file."""
    try:
        path = inspect.getsourcefile(inspect.unwrap(code) if not isinstance(code, type) else code)
    except TypeError:
        path = None
    if path is None or not Path(path).is_file():
        return _name(code)
    return _file_digest(path, Path(path).stat().st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _file_digest(path: str, changed: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
