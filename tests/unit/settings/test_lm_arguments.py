"""Arguments of LMs in ini keys: JSON, or a text without quotes."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pitcheval.settings.lm_arguments import read_arguments


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("false", False),
        ("null", None),
        ('"False"', "False"),
        ('"1_000"', "1_000"),
        ('{"X-Team": "a"}', {"X-Team": "a"}),
        ("sk-without-quotes", "sk-without-quotes"),
        ("0123456789", "0123456789"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert read_arguments("generator_settings", [f" name = {text}"]) == {"name": value}


@pytest.mark.parametrize(
    "text", ["True", "False", "None", "1_000", ".5", "+1", "nan", "NaN", "-Infinity", "1e999", "\u0663"]
)
def test_what_is_a_value_to_python_alone(text: str) -> None:
    with pytest.raises(pytest.UsageError) as raised:
        read_arguments("generator_settings", [f"cache = {text}"])
    assert str(raised.value).startswith(f"ini key generator_settings: {f'cache = {text}'!r}: expected ")
    assert read_arguments("eval_mlflow_tags", [f"cache = {text}"], as_texts=True) == {"cache": text}


def test_a_wrong_key_is_not_shown() -> None:
    with pytest.raises(pytest.UsageError, match=r"^ini key generator_settings: 'api_key = \*\*\*': expected a number"):
        read_arguments("generator_settings", ["api_key = 1_000"])
