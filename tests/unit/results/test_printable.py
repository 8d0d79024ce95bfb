"""Text from outside as it may be printed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pitcheval.results.printable import printable, printable_line

few = settings(max_examples=50, deadline=None, database=None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nof two lines", "plain\ttext\nof two lines"),
        ("caf\u00e9 \U0001f600 \u65e5\u672c", "caf\u00e9 \U0001f600 \u65e5\u672c"),
        ("man \U0001f468\u200d\U0001f469", "man \U0001f468\u200d\U0001f469"),
        ("\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("a\r\nb\rc", "a\nb\\x0dc"),
        ("\x00", "\\x00"),
        ("\ud83d", "\\ud83d"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("\u2066a\u2069", "\\u2066a\\u2069"),
        ("a\u2028::error::b", "a\\u2028::error::b"),
        ("\U000e0041", "\\U000e0041"),
        ("::error::forged", "\\::error::forged"),
        ("no\n  ::add-mask::e", "no\n  \\::add-mask::e"),
        ("a::b", "a::b"),
        ("text ##[error]forged", "text #\\#[error]forged"),
        ("##vso[task.complete]", "#\\#vso[task.complete]"),
        ("##teamcity[testFailed]", "#\\#teamcity[testFailed]"),
        ("## A heading", "## A heading"),
        ("section_start:1:a\r\x1b[0K", "\\section_start:1:a\\x0d\\x1b[0K"),
        ("\nsection_end:1:a", "\n\\section_end:1:a"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@few
@given(st.text(st.characters(), max_size=40))
def test_whatever_is_printed_obeys_nothing(text: str) -> None:
    shown = printable(text)
    shown.encode("utf-8")
    assert not any(unicodedata.category(one) in ("Cc", "Zl", "Zp", "Cs") for one in shown if one not in "\t\n")
    assert not any(line.strip().startswith("::") for line in shown.splitlines())
    assert printable(shown) == shown


@few
@given(st.text(st.characters(), max_size=40))
def test_a_line_is_one(text: str) -> None:
    assert len(printable_line(text).splitlines()) <= 1
