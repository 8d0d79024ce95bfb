"""Which group something belongs to: a test, its method, and its models where a session has several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

_MODELS = ("model", "evaluator")


class Key(NamedTuple):
    """A group: one test function (with parameters of the user's own), one method, and one model of each role.

    Attributes:
        optimization: the method's name.
        model: the generator's name; empty where the session has no more than one.
        evaluator: the judge's, likewise.
    """

    test: str
    optimization: str
    model: str = ""
    evaluator: str = ""

    @property
    def models(self) -> str:
        """``openai/a, judge openai/b``; empty where the session has one of each."""
        return ", ".join(filter(None, (self.model, f"judge {self.evaluator}" if self.evaluator else "")))

    @property
    def variant(self) -> str:
        """What the group is among those of its test: ``bootstrap``, or ``openai/a bootstrap, judge openai/b``."""
        judge = f", judge {self.evaluator}" if self.evaluator else ""
        return (f"{self.model} " if self.model else "") + self.optimization + judge

    @property
    def name(self) -> str:
        """The whole of it, for people: ``test_qa.py::test_qa [bootstrap]``."""
        return f"{self.test} [{self.variant}]"

    def to_dict(self) -> dict[str, str]:
        """As files have it: nothing of models where the session has one of each."""
        return without_unnamed(self._asdict())


def without_unnamed(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` of a group as files have it: with one model, they are what they were before there could be several."""
    return {name: value for name, value in data.items() if value or name not in _MODELS}


class Keyed:
    """What belongs to a group."""

    __slots__ = ()

    test: str
    optimization: str
    model: str
    evaluator: str

    @property
    def key(self) -> Key:
        """The group that it belongs to."""
        return Key(self.test, self.optimization, self.model, self.evaluator)
