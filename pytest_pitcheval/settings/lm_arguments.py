"""Arguments of LMs as ini keys have them: a line each, a name and a JSON value or a text without quotes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

import pytest

from pytest_pitcheval.credentials.naming import is_secret_name
from pytest_pitcheval.options.numbers import number_in

_OF_PYTHON = {"True": "true", "False": "false", "None": "null"}
"""What is written otherwise in JSON: as texts, all of them would count as yes."""


def read_arguments(ini_key: str, lines: Iterable[str], as_texts: bool = False) -> dict[str, Any]:
    """The values by name, those that will be texts ``as_texts``.

    Raises:
        pytest.UsageError: one line: there is no name, or a value that is a number or a word to Python alone.
    """
    found = {}
    for line in lines:
        name, separator, text = line.partition("=")
        name, text = name.strip(), text.strip()
        if not separator or not name.isidentifier():
            raise pytest.UsageError(f"ini key {ini_key}: {line!r}: expected 'name = JSON value'")
        try:
            found[name] = text if as_texts and not text.startswith('"') else _json_or_text(text)
        except _Odd as odd:
            shown = f"{name} = ***" if is_secret_name(name) else line
            raise pytest.UsageError(f"ini key {ini_key}: {shown!r}: expected {odd}") from None
    return found


class _Odd(Exception):
    """What was expected in place of a value."""


def _json_or_text(text: str) -> Any:
    if text in _OF_PYTHON:
        raise _Odd(f"{_OF_PYTHON[text]}, as JSON has it, or a text with quotes")
    try:
        return json.loads(text, parse_constant=_not_finite, parse_float=_finite)
    except ValueError:
        if _is_number_to_python(text):
            raise _Odd("a number as JSON has it, such as 1000 or 0.5, or a text with quotes") from None
        return text


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_finite(text)


def _not_finite(text: str) -> NoReturn:
    raise _Odd(f"a finite number, or a text with quotes: {text} is none")


def _is_number_to_python(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return number_in(text) is None or not text.lstrip("+-").startswith("0")
