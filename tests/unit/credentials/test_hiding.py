"""Plain values without secrets."""

from __future__ import annotations

import pytest

from pytest_pitcheval.credentials.hiding import redact


def test_redacts_keys_and_values_at_any_depth() -> None:
    value = {"sk-one": ["a sk-one b sk-two", 3, None, {"x": "sk-two"}]}
    assert redact(value, ("sk-one", "sk-two")) == {"***": ["a *** b ***", 3, None, {"x": "***"}]}


def test_redacts_nothing_without_secrets() -> None:
    assert redact({"a": ["b"]}, ()) == {"a": ["b"]}


@pytest.mark.parametrize("length", [0, 1_000])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the key sk-0123456789abcdef is wrong", "the key *** is wrong"),
        ("the key sk-01234567...", "the key ***..."),
        ("... 89abcdef is wrong", "... *** is wrong"),
        ("two sk-0123456789abcdefsk-0123456789abcdef", "two ******"),
        ("sk-01234567 is another one", "sk-01234567 is another one"),
    ],
)
def test_texts_of_any_length_are_treated_alike(text: str, shown: str, length: int) -> None:
    padding = "x" * length
    assert redact(f"{padding} {text}", ["sk-0123456789abcdef"]) == f"{padding} {shown}"
