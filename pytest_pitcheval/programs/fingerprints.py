"""Whether something that decides a result has changed since last time."""

from __future__ import annotations

import hashlib
import inspect
from json import dumps  # a test may have patched that of the module
from typing import Any

from pytest_pitcheval.programs.descriptions import Describer


def fingerprint(value: Any) -> str:
    """32 hexadecimal digits that change when `describe` says something else of ``value``."""
    return digest_of(describe(value))


def digest_of(description: Any) -> str:
    """32 hexadecimal digits of a description."""
    text = dumps(description, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def object_key(value: Any) -> Any:
    """What tells an object from others as long as it is there; a bound method is a new object each time."""
    return (id(value.__self__), id(value.__func__)) if inspect.ismethod(value) else id(value)


def describe(value: Any) -> Any:
    """What decides how ``value`` behaves, as plain values: contents, state, and the source of its code.

    Code counts by whole files: a helper that stands beside a metric decides its scores as well. What it imports
    from elsewhere does not count.
    """
    return Describer(whole_files=True).describe(value)
