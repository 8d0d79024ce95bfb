"""What scores come from, in a few digits: objects and their state, and all code of the user's that they lead to.

Other than the fingerprints of `identities`, which say whether two scores mean the same, these must change with whatever
may change a score: where they are the same, nobody is asked again.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from types import SimpleNamespace
from typing import Any

from pytest_pitcheval.errors import one_line
from pytest_pitcheval.programs import sources
from pytest_pitcheval.programs.descriptions import Describer
from pytest_pitcheval.programs.fingerprints import digest_of, object_key
from pytest_pitcheval.programs.origins.closures import Closure
from pytest_pitcheval.programs.origins.modules import Modules
from pytest_pitcheval.programs.values import NOT_PLAIN, Bounds, plain_value

_BOUNDS = Bounds(depth=12, parts=30_000, code=5_000, items=15_000)
_SHORT = 12
_KEPT = 64
_NEVER_COUNT = frozenset({"pytest", "_pytest", "pluggy", "xdist", "pytest_pitcheval"})
"""Packages whose version makes no difference to an answer."""


class Unseen(Exception):
    """Something cannot be described or followed: nobody knows whether it is the same; the message says what."""


class Origins:
    """Those of the objects of one process; each is described when it is seen first, before calls can change it."""

    def __init__(self) -> None:
        self._modules = Modules()
        self._known: dict[tuple[Any, ...], tuple[str | Unseen, Any]] = {}

    def of_objects(self, *values: Any, with_lms: bool = True) -> str:
        """Digits that change with what ``values`` are and with their code.

        Raises:
            Unseen: not all of it can be seen.
        """
        return self._once((with_lms, *map(object_key, values)), values, lambda: self._describe(values, with_lms))

    def of_body(self, function: Any) -> str:
        """Of a function without its decorators, and what it names. Raises as `of_objects`."""
        return self._once(("body", id(function)), function, lambda: self._of_body(function))

    def of_makers(self, functions: Iterable[Any]) -> str:
        """Of functions that make what is described itself: what they call, and what they call that with.

        Raises as `of_objects`.
        """
        own = [one for one in map(sources.unwrapped, functions) if inspect.isfunction(one) and sources.is_own(one)]
        return self._once(("makers", *map(id, own)), own, lambda: self._of_makers(own))

    def _once(self, key: tuple[Any, ...], kept: Any, make: Callable[[], str]) -> str:
        if key not in self._known:
            if len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            self._known[key] = _attempt(make), kept  # holding the values keeps their IDs taken
        found = self._known[key][0]
        if isinstance(found, Unseen):
            raise found
        return found

    def _describe(self, values: Any, with_lms: bool) -> str:
        describer, closure = Describer(with_lms=with_lms, bounds=_BOUNDS), Closure(self._modules)
        described = [describer.describe(value) for value in values]
        closure.follow(describer.code)
        return _digest(closure, [described, *self._of_values(closure)], describer)

    def _of_body(self, function: Any) -> str:
        closure = Closure(self._modules)
        closure.follow_body(sources.unwrapped(function))
        return _digest(closure, list(self._of_values(closure)))

    def _of_makers(self, functions: Iterable[Any]) -> str:
        closure = Closure(self._modules, of_makers=True)
        for function in functions:
            closure.follow_body(function)
        plain = {name: closure.values[name] for name in sorted(closure.values) if _is_plain(closure.values[name])}
        return _digest(closure, Describer(bounds=_BOUNDS).describe(SimpleNamespace(**plain)))

    def _of_values(self, closure: Closure) -> Iterator[Any]:
        """What the names in the code are, which may lead to further code."""
        known: set[str] = set()
        while new := sorted(closure.values.keys() - known):
            known.update(new)
            describer = Describer(bounds=_BOUNDS)
            yield describer.describe(SimpleNamespace(**{name: closure.values[name] for name in new}))
            _check(describer)
            closure.follow(describer.code)


def _attempt(make: Callable[[], str]) -> str | Unseen:
    try:
        return make()
    except Unseen as unseen:
        return unseen
    except Exception as error:  # whatever users' objects do when they are looked at is no error of a test
        return Unseen(one_line(error))


def _check(describer: Describer) -> None:
    if describer.unknown:
        raise Unseen(describer.unknown[0])
    if describer.is_cut:
        raise Unseen("it holds more than can be described")


def _digest(closure: Closure, described: Any, describer: Describer | None = None) -> str:
    if describer is not None:
        _check(describer)
    if closure.unseen:
        raise Unseen(closure.unseen[0])
    variables = {name: os.environ.get(name) for name in closure.variables}
    return digest_of([described, sorted(closure.texts), variables, _versions(closure.libraries)])[:_SHORT]


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, (*value, *value.values())))
    return plain_value(value, True) is not NOT_PLAIN


def _versions(packages: Iterable[str]) -> Mapping[str, str | None]:
    counting = {"dspy", *packages} - _NEVER_COUNT - sys.stdlib_module_names
    return {package: _version(package) for package in counting}


@functools.cache
def _version(package: str) -> str | None:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    told = getattr(sys.modules.get(package), "__version__", None)
    if isinstance(told, str):  # else all packages' lists of files are read, which takes a while
        return told
    with contextlib.suppress(metadata.PackageNotFoundError, LookupError):  # yaml is a package of PyYAML
        return metadata.version(_distributions()[package][0])
    return None


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def around() -> tuple[Any, ...]:
    """What decides how DSPy asks, wherever it was set."""
    import dspy

    return tuple(dspy.settings.get(name) for name in ("adapter", "rm", "interpreter_factory"))
