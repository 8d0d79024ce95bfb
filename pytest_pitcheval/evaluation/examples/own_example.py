"""The example that the plugin makes of a test's row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.programs.identities import example_identity
from pytest_pitcheval.programs.typed.field_types import FieldTypes
from pytest_pitcheval.results.media import has_media
from pytest_pitcheval.results.plain import Keep, plain

if TYPE_CHECKING:
    from pytest_pitcheval.programs.typed.casting import Casting


class OwnExample:
    """A test's ``dspy.Example`` of its row, with values as its program takes them.

    Attributes:
        row: None where the test has none.
        types: what the test's marker says of the values, None where that leaves it to the program.
        declared: what its program says of them, as far as `cast_with` was told.
        made: the example, None as long as nobody has asked for it.
    """

    def __init__(self, row: Row | None, types: Mapping[str, Any] | None) -> None:
        self.row, self.types = row, types
        self.declared = FieldTypes()
        self.made: Any = None
        self._casting: Casting | None = None
        self._cast: Mapping[str, Any] = {}
        self._answer: Mapping[str, Any] = {}

    def cast_with(self, declared: FieldTypes, casting: Casting | None) -> None:
        """The row's values are to be cast in this way; an example that was made in another one is forgotten."""
        self.declared = declared
        if casting != self._casting:
            self._casting, self.made = casting, None
            self._cast, self._answer = {}, {}

    def make(self) -> Any:
        """The same object each time. Raises MarkerError for a value that does not fit."""
        if self.made is None and self.row is not None:
            if self._casting is not None:
                self._cast, self._answer = self._casting.values_of(self.row), self._casting.answer_of(self.row)
            self.made = _example(self.row, self._cast, self._answer)
        return self.made

    @property
    def may_be_large(self) -> bool:
        """Whether there are pictures, sounds or documents in it, which are in files as long as nobody needs them."""
        return self._casting is not None and bool(self._casting.turns)

    def for_flight(self) -> Any:
        """The example as a rollout ahead of its test is made of: a large one is made for it alone, and not kept.

        Raises as `make`.
        """
        if self.made is not None or not self.may_be_large or self.row is None or self._casting is None:
            return self.make()
        return _example(self.row, self._casting.values_of(self.row), self._casting.answer_of(self.row))

    def forget(self) -> None:
        """Nobody asks for it any more."""
        self.made, self._cast, self._answer = None, {}, {}

    def identity(self, keep: Keep) -> str | None:
        """The fingerprint of its row, None without one: of a picture in a file beside it counts what is in that."""
        if self.row is None:
            return None
        kept = {name: plain(value, keep=keep) for name, value in {**self._cast, **self._answer}.items()}
        media = {name: value for name, value in kept.items() if has_media(value)}
        return example_identity({**self.row.all_values, **media})

    def replace(self, example: Any) -> None:
        """Let ``example``, which somebody has, be the one that is made, with its values cast in place."""
        if self.row is not None and self._casting is not None:
            self._cast = self._casting.values_of(self.row)
            for name, value in self._cast.items():
                example[name] = value
        self.made = example


def _example(row: Row, cast: Mapping[str, Any], answer: Mapping[str, Any]) -> Any:
    from pytest_pitcheval.programs.trainsets import as_example

    return as_example(row, cast, answer)
