"""What a score is of: fingerprints that tell whether two runs measured the same thing in the same way.

Other than the fingerprints of compiled programs, which may well change too often, these must not change with what
is merely near: an edit of the program in the file that also has the metric is no other metric.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from pytest_pitcheval.errors import one_line
from pytest_pitcheval.names import GENERATOR, JUDGE, METRIC, PROGRAM
from pytest_pitcheval.programs.descriptions import Describer
from pytest_pitcheval.programs.fingerprints import digest_of, object_key

_SHORT = 12
_KEPT = 64
"""How many objects are kept with their fingerprints: a function-scoped fixture makes a new one for each test."""

UNKNOWN = "unknown"
"""The fingerprint of what cannot be described."""


class Identities:
    """The fingerprints of this process's fixtures.

    An object is described when it is seen first, before its calls can have changed it, and not again. ``note`` is
    told what cannot be described, which is no error of a test.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self._known: dict[tuple[Any, ...], tuple[str, tuple[Any, ...]]] = {}
        self._told: set[str] = set()
        self._note = note

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
        key = (role, *map(object_key, values))
        if key not in self._known:
            if len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            mark, unknown = _identity(role, values)
            self._known[key] = mark, values  # holding the values keeps their IDs taken
            if unknown and unknown not in self._told:
                self._told.add(unknown)
                self._note(f"{role}: not all of it can be described, so a change is not seen: {one_line(unknown)}")
        return self._known[key][0]


def identity(role: str, *values: Any) -> str:
    """12 hexadecimal digits; of an LM its model's name and 8 digits, as one wants to read those."""
    return _identity(role, values)[0]


def _identity(role: str, values: tuple[Any, ...]) -> tuple[str, str | None]:
    """The fingerprint, and what of the values could not be described and why."""
    describer = Describer(with_lms=role == PROGRAM)
    try:
        mark = _mark(role, describer, values)
    except Exception as error:  # whatever users' objects do when they are looked at is no error of a test
        return UNKNOWN, one_line(error)
    return mark, next(iter(describer.unknown), None)


def _mark(role: str, describer: Describer, values: tuple[Any, ...]) -> str:
    description = [describer.describe(value) for value in values]
    if role not in (GENERATOR, JUDGE):
        return digest_of(description)[:_SHORT]
    models = dict.fromkeys(str(lm["model"]) for lm in describer.lms)
    settings = sorted({digest_of(lm) for lm in describer.lms})
    return f"{'+'.join(models)} {digest_of(settings)[:8]}".lstrip()


def keys_in(value: Any) -> set[str]:
    """The credentials of all LMs that ``value`` may ask, as far as it can be looked at."""
    describer = Describer()
    with contextlib.suppress(Exception):  # whatever users' objects do then
        describer.describe(value)
    return describer.keys


def example_identity(values: Mapping[str, Any]) -> str:
    """Of all fields of a row, labels too."""
    return digest_of(Describer().describe(dict(values), exact=True))[:_SHORT]
