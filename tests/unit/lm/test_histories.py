"""What LMs remember of calls with pictures."""

from __future__ import annotations

from typing import Any

import dspy
import pydantic
import pytest
from support.openai_server import OpenAIServer

from pytest_pitcheval.lm.histories import Histories, without_media

LONG = "A" * 20_000
URL = f"data:image/png;base64,{LONG}"


class Pair(pydantic.BaseModel):
    first: dspy.Image


def shown(url: str) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": url}}]}
    ]


def heard(data: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]}]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (shown(URL), shown("[image/png, 20,022 characters]")),
        (heard(LONG), heard("[base64, 20,000 characters]")),
        (shown("https://host/a.png"), shown("https://host/a.png")),
        ("a long text, " * 5_000, "a long text, " * 5_000),
        (None, None),
    ],
)
def test_what_is_left_of_messages(value: Any, expected: Any) -> None:
    assert without_media(value) == expected


def test_what_is_left_of_what_a_program_was_given() -> None:
    given = ("?", {"pairs": [Pair(first=dspy.Image(url=URL))]})
    left = without_media(given)
    assert type(left) is tuple
    assert left[1]["pairs"][0].first.url == "[image/png, 20,022 characters]"
    assert given[1]["pairs"][0].first.url == URL


def test_what_contains_itself_has_an_end() -> None:
    endless: list[Any] = [URL]
    endless.append(endless)
    assert without_media(endless)[1][0] == "[image/png, 20,022 characters]"


def test_calls_long_past_lose_their_pictures_wherever_they_are_remembered(server: OpenAIServer) -> None:
    lm = dspy.LM("openai/m", api_base=server.url, api_key="none", cache=False)
    histories = Histories(whole=2)
    program = dspy.Predict("question, picture: dspy.Image -> answer")
    for number in range(4):
        with dspy.context(lm=lm):
            program(question=f"{number}?", picture=dspy.Image(url=URL))
        entry = lm.history[-1]
        histories.answered(lm, [None, entry["messages"], None], entry["outputs"])
    with dspy.context(lm=lm):
        program(question="4?", picture=dspy.Image(url="https://host/a.png"))
    assert [LONG in str(entry["messages"]) for entry in lm.history] == [False, False, True, True, False]
    assert all(entry["outputs"] for entry in lm.history)
    assert LONG not in str(program.history[0])
    assert all(LONG in str(request.messages) for request in server.requests[:4])


def test_an_lm_that_remembers_nothing(server: OpenAIServer) -> None:
    Histories().answered(object(), [shown(URL)], ["x"])
