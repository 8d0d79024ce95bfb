"""Which group something belongs to: a test, its method, and its models where a session has several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

_MODELS = ("model", "evaluator")


def function_of(test: str) -> str:
    """The test function's node ID, without parameters of the user's own."""
    path, separator, name = test.partition("::")  # a folder or a parameter may have brackets and colons too
    return path + separator + name.partition("[")[0]


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
    def function(self) -> str:
        """The test function, of which there are several tests where the user has given it parameters."""
        return function_of(self.test)

    @property
    def parameters(self) -> str:
        """The user's own, as pytest writes them in an ID: ``react-0.7``; empty where there are none."""
        return self.test[len(self.function) + 1 : -1]

    @property
    def models(self) -> str:
        """``openai/a, judge openai/b``; empty where the session has one of each."""
        return self._with_judge([self.model])

    @property
    def variant(self) -> str:
        """What the group is among those of its test: ``bootstrap``, or ``openai/a bootstrap, judge openai/b``."""
        return self._with_judge([self.model, self.optimization])

    @property
    def setting(self) -> str:
        """What the group is among those of its test function, but for its method: ``openai/a react``."""
        return self._with_judge([self.model, self.parameters])

    @property
    def member(self) -> str:
        """What the group is among those of its test function: ``openai/a react bootstrap, judge openai/b``."""
        return self._with_judge([self.model, self.parameters, self.optimization])

    def _with_judge(self, words: Iterable[str]) -> str:
        judge = f"judge {self.evaluator}" if self.evaluator else ""
        return ", ".join(filter(None, (" ".join(filter(None, words)), judge)))

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
