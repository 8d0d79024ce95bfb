"""Several models of one role: which of them a test runs with, and how its ID calls it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_UNSAFE = re.compile(r"[^\w.-]+", re.ASCII)
"""What an ID does without: slashes, colons, spaces."""


class Model(NamedTuple):
    """One of several models, as the parameter of a test.

    Attributes:
        name: as the option has it.
        id: what stands for it in the test's ID; no other one of its role has the same.
    """

    name: str
    id: str


def models_of(names: Sequence[str | None]) -> tuple[Model, ...]:
    """The models that tests run with, each by itself; none where there is one alone, which is no parameter."""
    named = [name for name in names if name is not None]
    return tuple(map(Model, named, _ids(named))) if len(named) > 1 else ()


def _ids(names: Sequence[str]) -> list[str]:
    """The last part of each name (``llama-3.3-70b``) where that is its own, else all of it (``groq_llama-3.3-70b``)."""
    short = [_safe(name.rpartition("/")[2].removesuffix(".gguf")) for name in names]
    whole = [_safe(name) for name in names]
    chosen = [one if short.count(one) == 1 else all_of_it for one, all_of_it in zip(short, whole, strict=True)]
    return [one if chosen.count(one) == 1 else f"{one}.{place}" for place, one in enumerate(chosen, 1)]


def _safe(name: str) -> str:
    return _UNSAFE.sub("_", name).strip("_") or "model"
