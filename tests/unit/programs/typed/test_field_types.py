"""The types that programs declare, or whose code leaves no doubt of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dspy
import pydantic
import pytest

from pytest_pitcheval.programs.typed.field_types import FieldTypes, field_types


class Facts(pydantic.BaseModel):
    name: str


class Ask(dspy.Signature):
    """Answer."""

    facts: Facts = dspy.InputField()
    history: dspy.History = dspy.InputField()
    answer: Facts = dspy.OutputField()


class Other(dspy.Signature):
    """Ask otherwise."""

    facts: list[Facts] = dspy.InputField()
    answer: Facts = dspy.OutputField()


class _Module(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ask = dspy.ChainOfThought(Ask)


class HandsOn(_Module):
    def forward(self, facts, history):  # type: ignore[no-untyped-def]
        if history is None or not history.messages:
            return None
        return self.ask(facts=facts, history=history)


class HandsAllOn(_Module):
    def forward(self, **inputs):  # type: ignore[no-untyped-def]
        return self.ask(**inputs)


class Builds(_Module):
    def forward(self, facts, history):  # type: ignore[no-untyped-def]
        return self.ask(facts=Facts(**facts), history=history)


class LooksIn(_Module):
    def forward(self, **inputs):  # type: ignore[no-untyped-def]
        return self.ask(facts=inputs["facts"], history=inputs["history"])


class Declares(_Module):
    def forward(self, facts: dict[str, str], history: dspy.History, text: Facts):  # type: ignore[no-untyped-def]
        return self.ask(facts=Facts(name=facts["name"]), history=history)


class Outer(dspy.Module):
    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, facts, history):  # type: ignore[no-untyped-def]
        return self.inner(facts, history=history)


class Two(_Module):
    def __init__(self) -> None:
        super().__init__()
        self.other = dspy.Predict(Other)

    def forward(self, facts, history):  # type: ignore[no-untyped-def]
        return self.ask(facts=facts, history=history)


def function(facts: Facts, history, count: int = 3):  # type: ignore[no-untyped-def]
    return None


class Odd:
    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)

    __call__: Callable[..., Any] = None  # type: ignore[assignment]


BOTH = {"facts", "history"}


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (dspy.Predict(Ask), BOTH),
        (dspy.ChainOfThought(Ask), BOTH),
        (dspy.ReAct(Ask, tools=[]), BOTH),
        (dspy.BestOfN(dspy.Predict(Ask), N=2, reward_fn=lambda args, pred: 1.0, threshold=1.0), BOTH),
        (HandsOn(), BOTH),
        (HandsAllOn(), BOTH),
        (Builds(), {"history"}),
        (LooksIn(), set()),
        (Outer(HandsOn()), BOTH),
        (Outer(Builds()), {"history"}),
        (Two(), {"history"}),
        (pytest.param(Odd(), set(), id="odd")),
        (None, set()),
        (len, set()),
    ],
)
def test_inputs(program: Any, expected: set[str]) -> None:
    types = {"facts": Facts, "history": dspy.History}
    found = field_types(program).inputs
    assert {name: found[name] for name in found if name in types} == {name: types[name] for name in expected}


def test_a_declaration_of_forward_counts_more_than_predictors() -> None:
    declared = field_types(Declares()).inputs
    assert declared == {"facts": dict[str, str], "history": dspy.History, "text": Facts}


def test_a_function_declares_by_its_annotations() -> None:
    assert field_types(function) == FieldTypes({"facts": Facts, "count": int})


def test_outputs_are_those_on_which_predictors_agree() -> None:
    assert field_types(Two()).outputs["answer"] is Facts
