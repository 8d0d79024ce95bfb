"""An answer as lines of a terminal."""

from __future__ import annotations

from typing import Any

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.run_documents import RUN_ID, record

from pytest_pitcheval.command.labelling.lot import Answer, answers
from pytest_pitcheval.command.labelling.view import Frame, Line, cells, lines, text_of, wrapped
from pytest_pitcheval.results.printable import visible


def answer_of(**fields: Any) -> Answer:
    [found] = answers([record("e1", **fields)], RUN_ID, lambda one: one, None)
    return found


def test_inputs_labels_and_answer_and_nothing_of_the_judge() -> None:
    found = lines(answer_of(labels={"topic": "refunds"}, feedback="dreadful", score=0.125, samples=(0.125,)), 60)
    assert found == [
        Line("question", True),
        Line("  question of e1?"),
        Line("in the row: topic", True),
        Line("  refunds"),
        Line("answer: answer", True),
        Line("  answer of e1"),
    ]


def test_what_would_steer_a_terminal_is_shown_as_its_escape() -> None:
    hostile = "\x1b[2J\x1b]0;title\x07\rover\u202ewritten\u200b\x9b31m"
    found = lines(answer_of(inputs={hostile: hostile}, prediction={"answer": [hostile]}), 60)
    text = "".join(line.text for line in found)
    assert text.isprintable()
    assert r"\x1b[2J\x1b]0;title\x07\x0dover\u202ewritten\u200b\x9b31m" in text


def test_escapes_for_what_a_terminal_lacks_are_wrapped_too() -> None:
    def ascii_only(text: str) -> str:
        return text.encode("ascii", "backslashreplace").decode()

    found = lines(answer_of(prediction={"日本": "日本語" * 50}), 60, ascii_only)
    assert max(len(line.text) for line in found) == 60
    assert all(line.text.isascii() for line in found)
    assert "".join(line.text.strip() for line in found).count("\\u65e5") == 51


MEDIUM = {"media": "image/png", "bytes": 2048, "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (3, "3"),
        (None, "null"),
        (True, "true"),
        ("", ""),
        ({"a": [1]}, '{\n "a": [\n  1\n ]\n}'),
        ({"messages": [{"role": "user", "content": "Hi"}]}, "1 user Hi"),
        (MEDIUM, f"[image/png, 2,048 bytes: media/{'0' * 64}.png; --html shows it]"),
    ],
)
def test_values_as_text(value: Any, expected: str) -> None:
    assert text_of(value) == expected


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("a bc def", 5, ["a bc", "def"]),
        ("a\n\nb", 5, ["a", "", "b"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("a abcdefgh", 3, ["a", "abc", "def", "gh"]),
        ("  indented text", 10, ["  indented", "text"]),
        ("\tx", 9, ["    x"]),
        ("日本語", 4, ["日本", "語"]),
        ("日本語", 3, ["日", "本", "語"]),
        ("", 5, [""]),
        ("   ", 2, [""]),
    ],
)
def test_words_are_wrapped(text: str, width: int, expected: list[str]) -> None:
    assert list(wrapped(text, width)) == expected


@given(st.text(st.characters(codec="utf-8"), max_size=200), st.integers(2, 40))
def test_no_line_is_wider_than_the_screen(text: str, width: int) -> None:
    found = list(wrapped(visible(text), width))
    assert max(map(cells, found), default=0) <= width
    assert "".join("".join(found).split()) == "".join(visible(text).split())


def test_a_long_text_is_wrapped_at_once() -> None:
    assert len(list(wrapped("x" * 1_000_000, 100))) == 10_000
    assert len(list(wrapped("word " * 200_000, 100))) == 10_000


@pytest.mark.parametrize("text", ["a", "日本", "e\u0301", "\N{GRINNING FACE}", "ﬁ", "½"])
def test_cells_are_those_of_a_terminal(text: str) -> None:
    screen = pyte.Screen(20, 2)
    pyte.Stream(screen).feed(text)
    assert cells(text) == screen.cursor.x


def test_a_screen_that_is_too_small_for_all_shows_a_part() -> None:
    frame = Frame("1 of 2", [Line(f"line {n}", n == 0) for n in range(30)], ["", "y n"])
    first = frame.text(40, 10, is_plain=False).split("\n")
    assert first[:3] == ["1 of 2", "-" * 40, "\x1b[1mline 0\x1b[0m"]
    assert first[3:7] == [f"line {n}" for n in range(1, 5)]
    assert first[7:] == ["-------- lines 1 to 5 of 30: space, b --", "", "y n"]
    last = frame.at(99, 10).text(40, 10, is_plain=True).split("\n")
    assert last[2:7] == [f"line {n}" for n in range(25, 30)]
    assert frame.at(-5, 10).top == 0
    assert "space" not in frame.text(40, 60, is_plain=True)
