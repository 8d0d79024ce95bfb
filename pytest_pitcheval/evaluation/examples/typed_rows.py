"""Rows with the types of their programs: a dataset is looked through before anything of it is asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pitcheval.collection.collected import asked_by
from pytest_pitcheval.errors import FixtureNotDefined, MarkerError
from pytest_pitcheval.evaluation.examples.own_example import OwnExample
from pytest_pitcheval.ownership import fixture_names, is_ours
from pytest_pitcheval.programs.typed.field_types import FieldTypes, field_types
from pytest_pitcheval.results.formats import count
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.storage.media import MediaFolder

if TYPE_CHECKING:
    from pytest_pitcheval.collection.rows import Row
    from pytest_pitcheval.programs.typed.casting import Casting

_KEPT = 16
"""How many programs are kept with what they declare: a function-scoped fixture makes a new one for each test."""


class TypedRows:
    """What the rows of the tests ``items`` of one process are cast to, and which of them cannot be."""

    def __init__(self, items: Sequence[pytest.Item], settings: Settings) -> None:
        self._items = items
        self._settings = settings
        self._declared: dict[int, tuple[FieldTypes, Any]] = {}
        self._wrong: dict[str, tuple[Casting, dict[str, str]]] = {}
        self._identities: dict[str, tuple[Casting | None, str | None]] = {}

    def settle(self, own: OwnExample, request: pytest.FixtureRequest) -> None:
        """Let a test have its ``own`` example as its program takes it.

        Raises:
            MarkerError: a value of its row does not fit; one line.
            pytest.skip.Exception: one of another row of its dataset does not, whose test tells it.
        """
        __tracebackhide__ = True
        if own.row is None:
            return
        if own.row.given is None:
            program = _program_of(request)
        else:  # a judge's exam
            program = _program_beside(request) if own.types is None else None
        complaint, elsewhere = self.look(own, request.node, self._declared_by(program))
        if complaint is not None:
            raise MarkerError(complaint)
        if elsewhere:
            pytest.skip(f"{count(len(elsewhere), 'row')} of its dataset cannot be read: see {next(iter(elsewhere))}")

    def settle_late(self, own: OwnExample, request: pytest.FixtureRequest, example: Any) -> None:
        """Cast the values of an ``example`` that was made before its program was, which was made for it."""
        __tracebackhide__ = True
        if own.made is example and own.declared == FieldTypes():
            self.settle(own, request)
            own.replace(example)

    def look(self, own: OwnExample, item: pytest.Item, declared: FieldTypes) -> tuple[str | None, Mapping[str, str]]:
        """What is wrong with the row of ``item``, and, by node ID, with those of other tests of its dataset."""
        casting = _casting(own, declared)
        own.cast_with(declared, casting)
        if casting is None or own.row is None:
            return None, {}
        wrong = self._wrong_rows(asked_by(item, self._settings).about.test, casting)
        return wrong.get(item.nodeid) or casting.complaint(own.row), wrong

    def identity(self, item: pytest.Item) -> str | None:
        """The fingerprint of the row of ``item``, None without one: as records have it, once its dataset is known."""
        asked = asked_by(item, self._settings)
        known = self._wrong.get(asked.about.test)
        casting = known[0] if known is not None and item.nodeid not in known[1] else None
        if item.nodeid not in self._identities or self._identities[item.nodeid][0] != casting:
            own = OwnExample(asked.row, asked.types)
            if casting is not None:
                own.cast_with(FieldTypes(), casting)
                with contextlib.suppress(MarkerError):  # its test tells it
                    own.make()
            self._identities[item.nodeid] = casting, own.identity(MediaFolder(self._settings.directory).kept)
        return self._identities[item.nodeid][1]

    def _declared_by(self, program: Any) -> FieldTypes:
        if program is None:
            return FieldTypes()
        if id(program) not in self._declared:
            if len(self._declared) >= _KEPT:
                del self._declared[next(iter(self._declared))]
            self._declared[id(program)] = field_types(program), program  # holding it keeps its ID taken
        return self._declared[id(program)][0]

    def _wrong_rows(self, test: str, casting: Casting) -> dict[str, str]:
        """By node ID, what is wrong with the rows of a test function; looked for once."""
        known = self._wrong.get(test)
        if known is None or known[0] != casting:
            looked = ((item.nodeid, casting.complaint(row)) for item, row in self._rows(test))
            known = self._wrong[test] = casting, {nodeid: text for nodeid, text in looked if text}
        return known[1]

    def _rows(self, test: str) -> Iterator[tuple[pytest.Item, Row]]:
        """Those whose tests run, and so tell what is wrong with them."""
        for item in self._items:
            if is_ours(item) and not any(item.iter_markers("skip")) and not any(item.iter_markers("skipif")):
                asked = asked_by(item, self._settings)
                if asked.about.test == test and asked.row is not None:
                    yield item, asked.row


def _casting(own: OwnExample, declared: FieldTypes) -> Casting | None:
    if not own.types and declared == FieldTypes():
        return None
    from pytest_pitcheval.programs.typed.casting import casting

    return casting(own.types or {}, declared)


def _program_of(request: pytest.FixtureRequest) -> Any:
    """The program of the test; None where the test asks for none, or the program itself for the example."""
    names = fixture_names(request.node)
    name = next((name for name in ("program", "compiled_program") if name in names), None)
    if name is None:
        return None
    try:
        return request.getfixturevalue(name)
    except (pytest.FixtureLookupError, FixtureNotDefined):  # which would go round in a circle
        return None


def _program_beside(request: pytest.FixtureRequest) -> Any:
    """The program whose answers a judge's exam has; None where there is none for that test alone.

    It is not run: what is wrong with it, or keeps it from being made, its own tests tell.
    """
    try:
        return request.getfixturevalue("program")
    except (Exception, pytest.fail.Exception, pytest.skip.Exception):
        return None
