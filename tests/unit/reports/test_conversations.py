"""Conversations, steps of agents and tool calls, known by their shape."""

from __future__ import annotations

from typing import Any

import dspy
import pytest

from pytest_pitcheval.reports.conversations import conversation, last_steps, lines, text_of
from pytest_pitcheval.results.plain import plain

REACT = {
    "thought_0": "I need the price.",
    "tool_name_0": "price",
    "tool_args_0": {"item": "tea", "many": 2},
    "observation_0": 'Execution error in price: \nTraceback (most recent call last):\n  File "x.py"\nOSError: no',
    "thought_1": "Again.",
    "tool_name_1": "price",
    "tool_args_1": {"item": "tea"},
    "observation_1": "4.20",
    "thought_2": "I know it.",
    "tool_name_2": "finish",
    "tool_args_2": {},
    "observation_2": "Completed.",
}
HISTORY = plain(dspy.History(messages=[{"question": "Why?", "answer": "So."}, {"question": "And?", "answer": "Yes."}]))
CHAT = [
    {"role": "user", "content": [{"type": "text", "text": "How much?"}, {"type": "image_url"}]},
    {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "price", "arguments": '{"item": 1}'}}]},
    {"role": "tool", "tool_call_id": "1", "content": "4.20"},
]
CALLS = plain(dspy.ToolCalls.from_dict_list([{"name": "search", "args": {"query": "tea"}}]))
REPL = [{"reasoning": "Count.", "code": "print(1)", "output": "1"}]


def test_turns_of_a_history() -> None:
    found = conversation(HISTORY)
    assert found is not None
    assert (found.kind, found.acts) == ("turns", False)
    assert lines(found) == ["1 question Why?", "  answer   So.", "2 question And?", "  answer   Yes."]
    assert text_of(HISTORY) == "2 turns, the last: question: And?, answer: Yes."


def test_turns_of_a_chat_have_its_tool_calls() -> None:
    found = conversation(CHAT)
    assert found is not None
    assert found.acts
    assert lines(found) == ["1 user How much?", "       [image_url]", "2 tool price(item=1)", "3 tool 4.20"]


def test_steps_of_an_agent() -> None:
    found = conversation(REACT)
    assert found is not None
    assert [name for name, _ in found.entries[0]] == ["thought", "tool", "arguments", "result"]
    assert last_steps(found, 5) == [
        "(1 step before)",
        "2 Again.",
        '  price(item="tea") -> 4.20',
        "3 I know it.",
        "  finish() -> Completed.",
    ]
    assert last_steps(found, 6)[:2] == [
        "1 I need the price.",
        '  price(item="tea", many=2) -> Execution error in price: OSError: no',
    ]


@pytest.mark.parametrize("most", range(1, 7))
def test_steps_take_no_more_than_their_lines(most: int) -> None:
    found = conversation(REACT)
    assert found is not None
    assert len(last_steps(found, most)) <= max(most, 2)


def test_tool_calls_and_code() -> None:
    assert text_of(CALLS) == '1 call, the last: tool: search(query="tea")'
    found = conversation(REPL)
    assert found is not None
    assert last_steps(found, 5) == ["1 Count.", "  print(1) -> 1"]


@pytest.mark.parametrize(
    "value",
    [
        "text",
        None,
        {},
        [],
        [1],
        {"messages": "none"},
        {"messages": [], "other": 1},
        [{"role": "founder", "content": "x"}],
        {"thought_0": "x", "answer": "y"},
        {"tool_calls": 1},
        {"tool_calls": [{"args": {}}]},
        [{"code": "x"}],
        [{"function": None}],
        {"messages": [{"a": 1}, 2]},
    ],
)
def test_anything_else_is_none(value: Any) -> None:
    assert conversation(value) is None
