"""What the adapter for small LMs sends, and what it makes of their answers; no LM is asked."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator
from typing import Any, Literal

import dspy
import pydantic
import pytest
from dspy.utils.exceptions import AdapterParseError
from support.openai_server import OpenAIServer

from pytest_pitcheval.lm.plain_adapter import PlainAdapter, constrained

Signature = type[dspy.Signature]

PITCH: Signature = dspy.Signature("facts -> pitch", "Write a pitch.")
CHAT: Signature = dspy.Signature("history: dspy.History, question: str -> answer: str", "Answer.")


class Company(pydantic.BaseModel):
    name: str
    founded: datetime.date


class Judge(dspy.Signature):
    """Rate the pitch."""

    pitch: str = dspy.InputField()
    target_group: str = dspy.InputField(desc="who will read it")
    score: float = dspy.OutputField(desc="from 0 to 1", ge=0, le=1)
    reason: str = dspy.OutputField()


class Sourced(dspy.Signature):
    """Answer."""

    question: str = dspy.InputField()
    answer: str = dspy.OutputField()
    sources: list[str] = dspy.OutputField(default_factory=list)


def contents(signature: Signature, inputs: dict[str, Any], demos: list[dict[str, Any]] | None = None) -> list[str]:
    return [f"{m['role']}: {m['content']}" for m in PlainAdapter().format(signature, demos or [], inputs)]


def test_one_input_is_its_value_and_the_instructions_are_the_system_message() -> None:
    assert contents(PITCH, {"facts": "Acme, solar"}) == ["system: Write a pitch.", "user: Acme, solar"]


def test_several_inputs_are_named_and_outputs_other_than_one_text_are_keys() -> None:
    system, user = contents(Judge, {"pitch": "Buy.", "target_group": "farmers"})
    assert system == (
        "system: Rate the pitch.\n\nTarget group: who will read it\nScore: from 0 to 1\n\n"
        'Answer with a JSON object with the keys "score", "reason".'
    )
    assert user == "user: Pitch: Buy.\nTarget group: farmers"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is\n", "as it is\n"),
        (3, "3"),
        (0.25, "0.25"),
        (True, "yes"),
        (False, "no"),
        (datetime.date(2024, 5, 6), "2024-05-06"),
        (["sun", "wind"], "sun, wind"),
        (("sun, wind", "rain"), "- sun, wind\n- rain"),
        ({"company_name": "Acme", "staff": 3}, "Company name: Acme\nStaff: 3"),
        ({"acme": {"staff": 3, "open": True}}, "Acme:\nStaff: 3\nOpen: yes"),
        ({"products": ["roofs", "cells"]}, "Products: roofs, cells"),
        ([{"a": 1, "b": 2}, {"a": 3, "b": 4}], "- A: 1\n  B: 2\n- A: 3\n  B: 4"),
        (Company(name="Acme", founded=datetime.date(1999, 1, 1)), "Name: Acme\nFounded: 1999-01-01"),
        ({}, ""),
    ],
)
def test_values_are_readable(value: Any, text: str) -> None:
    assert contents(PITCH, {"facts": value})[-1] == f"user: {text}"


def test_a_value_nothing_is_known_about_is_shown_as_text() -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd one"

    assert contents(PITCH, {"facts": {"thing": Odd()}})[-1] == "user: Thing: odd one"


@pytest.mark.parametrize(
    ("demo", "messages"),
    [
        ({"facts": "a", "pitch": "A!", "augmented": True}, ["user: a", "assistant: A!"]),
        ({"facts": "a"}, []),
        ({"facts": "a", "pitch": None}, []),
        ({"pitch": "A!"}, []),
        ({}, []),
    ],
)
def test_demos_are_turns(demo: dict[str, Any], messages: list[str]) -> None:
    assert contents(PITCH, {"facts": "b"}, [demo]) == ["system: Write a pitch.", *messages, "user: b"]


def test_a_demo_shows_the_fields_it_has_in_json_where_the_answer_is_json() -> None:
    demo = dspy.Example(pitch="Buy.", score=0.5)
    assert contents(Judge, {"pitch": "x", "target_group": "y"}, [demo])[1:3] == [
        "user: Pitch: Buy.",
        'assistant: {"score": 0.5}',
    ]


def test_a_history_is_turns_and_no_input() -> None:
    history = dspy.History(messages=[{"question": "One?", "answer": "1"}, {"question": "Two?"}, {"answer": "2"}])
    assert contents(CHAT, {"history": history, "question": "Three?"}) == [
        "system: Answer.",
        "user: One?",
        "assistant: 1",
        "user: Two?",
        "assistant: 2",
        "user: Three?",
    ]


def test_a_history_may_be_left_out() -> None:
    assert contents(CHAT, {"question": "One?"}) == ["system: Answer.", "user: One?"]


def test_formatting_leaves_the_inputs_as_they_are() -> None:
    inputs = {"history": dspy.History(messages=[{"question": "One?", "answer": "1"}]), "question": "Two?"}
    before = dict(inputs)
    contents(CHAT, inputs)
    assert inputs == before


@pytest.mark.parametrize("completion", ["A pitch.", "  A pitch.\n", "\n\nA pitch."])
def test_one_text_output_is_the_whole_answer(completion: str) -> None:
    assert PlainAdapter().parse(PITCH, completion) == {"pitch": "A pitch."}


@pytest.mark.parametrize(
    "completion",
    [
        '{"score": 0.5, "reason": "short"}',
        '{\n  "score"\n : 0.5,\n  "reason": "short"\n}',
        '```json\n{"score": "0.5", "reason": "short"}\n```',
        '{"score": 0.5, "reason": "short',
        '{"score": 0.5, "reason": "short", "more": 1}',
    ],
    ids=["plain", "spaced", "fenced", "cut off", "one key more"],
)
def test_typed_outputs_are_read_from_json(completion: str) -> None:
    assert PlainAdapter().parse(Judge, completion) == {"score": 0.5, "reason": "short"}


@pytest.mark.parametrize(
    ("completion", "problem"),
    [
        ("I like it.", "not a JSON object"),
        ("[1, 2]", "not a JSON object"),
        ('{"score": 0.5}', "reason: Field required"),
        ('{"score": "high", "reason": "short"}', "score: Input should be a valid number"),
        ('{"score": 7, "reason": "short"}', "score: Input should be less than or equal to 1"),
    ],
)
def test_what_does_not_fit_is_a_parse_error(completion: str, problem: str) -> None:
    with pytest.raises(AdapterParseError, match=problem):
        PlainAdapter().parse(Judge, completion)


@pytest.mark.parametrize(
    ("annotation", "completion", "value"),
    [
        ("int", '{"x": 3}', 3),
        ("bool", '{"x": true}', True),
        ("list[str]", '{"x": ["a", "b"]}', ["a", "b"]),
        ("dict[str, float]", '{"x": {"a": 1}}', {"a": 1.0}),
        ("Optional[str]", '{"x": null}', None),
        ("Literal['good', 'bad']", '{"x": "bad"}', "bad"),
    ],
)
def test_one_output_of_another_type_is_json_too(annotation: str, completion: str, value: Any) -> None:
    signature = dspy.Signature(f"question -> x: {annotation}")
    assert PlainAdapter().parse(signature, completion) == {"x": value}


def test_a_model_as_output() -> None:
    signature = dspy.Signature("text -> company").with_updated_fields("company", type_=Company)
    completion = '{"company": {"name": "Acme", "founded": "1999-01-01"}}'
    assert PlainAdapter().parse(signature, completion) == {
        "company": Company(name="Acme", founded=datetime.date(1999, 1, 1))
    }


def test_an_output_with_a_default_may_be_missing() -> None:
    assert PlainAdapter().parse(Sourced, '{"answer": "4"}') == {"answer": "4", "sources": []}


def test_text_answers_are_not_constrained() -> None:
    assert constrained({"temperature": 1.0}, PITCH) == {"temperature": 1.0}


def test_other_answers_are_constrained_to_the_outputs_in_their_order() -> None:
    signature = dspy.Signature("pitch -> verdict", "Judge.").with_updated_fields(
        "verdict", type_=Literal["good", "bad"]
    )
    arguments = constrained({"temperature": 1.0}, signature.append("score", dspy.OutputField(), float))
    assert arguments["temperature"] == 1.0
    assert arguments["response_format"]["type"] == "json_schema"
    schema = arguments["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["verdict"]["enum"] == ["good", "bad"]
    assert schema["properties"]["score"]["type"] == "number"
    assert list(schema["properties"]) == schema["required"] == ["verdict", "score"]
    assert schema["additionalProperties"] is False


def test_bounds_are_in_the_schema() -> None:
    schema = constrained({}, Judge)["response_format"]["json_schema"]["schema"]
    assert (schema["properties"]["score"]["minimum"], schema["properties"]["score"]["maximum"]) == (0, 1)


def test_texts_end_before_the_answer_is_cut_off() -> None:
    signature = dspy.Signature("pitch -> reasoning, share: float, word: Literal['yes', 'no'], reason", "Judge.")
    signature = signature.append("line", dspy.OutputField(max_length=20), str)
    properties = constrained({}, signature, 100)["response_format"]["json_schema"]["schema"]["properties"]
    lengths = {name: field.get("maxLength") for name, field in properties.items()}
    assert lengths == {"reasoning": 150, "share": None, "word": None, "reason": 150, "line": 20}


def test_a_response_format_of_the_caller_stays() -> None:
    arguments = {"response_format": {"type": "json_object"}}
    assert constrained(arguments, Judge) == arguments


@pytest.fixture
def answering() -> Iterator[OpenAIServer]:
    with OpenAIServer(
        answer=lambda request: '{"reasoning": "It is short.", "score": 0.5, "reason": "short"}'
    ) as server:
        yield server


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_the_schema_reaches_the_provider(answering: OpenAIServer, asynchronous: bool) -> None:
    lm = dspy.LM("openai/small", api_base=answering.url, api_key="none", cache=False, num_retries=0, max_tokens=40)
    program = dspy.ChainOfThought(Judge)
    inputs = {"pitch": "Buy.", "target_group": "farmers"}
    with dspy.context(lm=lm, adapter=PlainAdapter()):
        prediction = asyncio.run(program.acall(**inputs)) if asynchronous else program(**inputs)
    assert (prediction.reasoning, prediction.score, prediction.reason) == ("It is short.", 0.5, "short")
    (request,) = answering.requests
    schema = request.body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["reasoning", "score", "reason"]
    assert schema["properties"]["reasoning"]["maxLength"] == 60


STEPS = (
    '{"next_thought": "I look.", "next_tool_name": "price_of", "next_tool_args": {"item": "kettle"}}',
    '{"next_thought": "Done.", "next_tool_name": "finish", "next_tool_args": {}}',
    '{"reasoning": "It says so.", "answer": "24 dollars"}',
)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_an_agent_is_told_its_steps(asynchronous: bool) -> None:
    def price_of(item: str) -> str:
        return {"kettle": "24 dollars"}[item]

    with OpenAIServer(answer=lambda request: STEPS[request.number - 1]) as server:
        lm = dspy.LM("openai/small", api_base=server.url, api_key="none", cache=False, num_retries=0)
        agent = dspy.ReAct("question -> answer", tools=[price_of])
        with dspy.context(lm=lm, adapter=PlainAdapter()):
            question = "What is the price?"
            prediction = asyncio.run(agent.acall(question=question)) if asynchronous else agent(question=question)
    assert prediction.answer == "24 dollars"
    first, second, third = (str(request.messages[-1]["content"]) for request in server.requests)
    assert first == "Question: What is the price?\nTrajectory: "
    told = "Thought 0: I look.\nTool name 0: price_of\nTool args 0: Item: kettle\nObservation 0: 24 dollars"
    assert second == f"Question: What is the price?\nTrajectory:\n{told}"
    assert third.startswith(second)
