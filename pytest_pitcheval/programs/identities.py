"""What a score is of: fingerprints that tell whether two runs measured the same thing in the same way.

Other than the fingerprints of compiled programs, which may well change too often, these must not change with what
is merely near: an edit of the program in the file that also has the metric is no other metric.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_pitcheval.names import GENERATOR, JUDGE, METRIC, PROGRAM
from pytest_pitcheval.programs.fingerprints import Describer, digest_of, source_digest

_SHORT = 12
_CONSTANTS = (str, bytes, int, float, tuple, list, dict, set, frozenset, re.Pattern)


class Identities:
    """The fingerprints of this process's fixtures; an object that is seen again is not described again."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[tuple[Any, ...], str]] = {}

    def program(self, program: Any) -> str:
        return self._once(PROGRAM, program)

    def generator(self, lm: Any) -> str:
        return self._once(GENERATOR, lm)

    def metric(self, metric: Any) -> str:
        """Of the metric without the LMs in it: those are the judge."""
        return self._once(METRIC, metric)

    def judge(self, metric: Any, evaluator_lm: Any) -> str:
        """Of all LMs that the metric may ask."""
        return self._once(JUDGE, metric, evaluator_lm)

    def _once(self, role: str, *values: Any) -> str:
        last = self._last.get(role)
        if last is None or any(old is not new for old, new in zip(last[0], values, strict=True)):
            last = self._last[role] = values, identity(role, *values)
        return last[1]


def identity(role: str, *values: Any) -> str:
    """12 hexadecimal digits; of an LM its model's name and 8 digits, as one wants to read those."""
    describer = Describer(own_source, with_lms=role == PROGRAM)
    description = [describer.describe(value) for value in values]
    if role not in (GENERATOR, JUDGE):
        return digest_of(description)[:_SHORT]
    models = dict.fromkeys(str(lm["model"]) for lm in describer.lms)
    settings = sorted({digest_of(lm) for lm in describer.lms})
    return f"{'+'.join(models)} {digest_of(settings)[:8]}".lstrip()


def example_identity(values: Mapping[str, Any]) -> str:
    """Of all fields of a row, labels too."""
    return digest_of(Describer(own_source).describe(values))[:_SHORT]


def own_source(code: Any) -> str:
    """The SHA-256 of a function's or class's source, with what it uses of its own module; else of its whole file."""
    return _own_source(code, set())


def _own_source(code: Any, seen: set[str]) -> str:
    try:
        sources = dict(_sources("", _unwrapped(code), seen))
    except (OSError, TypeError, SyntaxError):  # built in, from a shell, or part of a line
        return source_digest(code)
    return hashlib.sha256("\n".join(sources[name] for name in sorted(sources)).encode()).hexdigest()


def _sources(name: str, code: Any, seen: set[str]) -> Iterator[tuple[str, str]]:
    """The source of ``code`` and of the functions, classes and constants of its module that it names, by name."""
    source, namespace = textwrap.dedent(inspect.getsource(code)), _namespace(code)
    yield name, source
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    for other in sorted(names - seen):
        seen.add(other)
        value = namespace.get(other)
        if isinstance(value, _CONSTANTS):
            describer = Describer(lambda used: _own_source(used, seen))
            yield other, f"{other} = {digest_of(describer.describe(value))}"
        elif _is_code_of(used := _unwrapped(value), code.__module__) and used is not code:
            yield from _sources(other, used, seen)


def _unwrapped(code: Any) -> Any:
    """Without decorators such as ``functools.cache``: those have names in the source."""
    return inspect.unwrap(code) if inspect.isfunction(getattr(code, "__wrapped__", None)) else code


def _namespace(code: Any) -> Mapping[str, Any]:
    """The names of the module that ``code`` is from; several files may have had the module's own name in turn."""
    members = [code] if inspect.isfunction(code) else [getattr(one, "__func__", one) for one in vars(code).values()]
    for member in members:
        if inspect.isfunction(member) and member.__module__ == code.__module__:
            return member.__globals__
    return vars(sys.modules.get(code.__module__, object))


def _is_code_of(value: Any, module: str) -> bool:
    return (inspect.isfunction(value) or isinstance(value, type)) and value.__module__ == module
