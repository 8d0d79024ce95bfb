"""Numbers as people write and say them: 250,000, $250K, a quarter million, eight percent."""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?|[^\W\d_]+|[%,.;:!?]")
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate([*_ONES.split(), "sixteen", "seventeen", "eighteen", "nineteen"])}
_SMALL |= {word: value for value, word in zip(range(20, 100, 10), _TENS.split(), strict=True)}
_SCALES = {"k": 1e3, "thousand": 1e3, "grand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "billion": 1e9}
_FRACTIONS = {"half": 0.5, "quarter": 0.25}


class Number(NamedTuple):
    value: float
    is_percentage: bool


def numbers_in(text: str) -> list[Number]:
    """All numbers of the text, in order."""
    tokens = _TOKEN.findall(text.casefold())
    found: list[Number] = []
    at = 0
    while at < len(tokens):
        value, end = _fraction_of_scale(tokens, at) or _number(tokens, at)
        if end > at:
            found.append(Number(round(value, 4), _is_percentage(tokens, end)))
        at = max(end, at + 1)
    return found


def _is_percentage(tokens: list[str], at: int) -> bool:
    return tokens[at : at + 1] in (["%"], ["percent"], ["pct"]) or tokens[at : at + 2] == ["per", "cent"]


def _fraction_of_scale(tokens: list[str], at: int) -> tuple[float, int] | None:
    """`half a million`, `quarter of a million`: the value and the position after it."""
    fraction = _FRACTIONS.get(tokens[at])
    end = at + 1
    while end < len(tokens) and tokens[end] in ("of", "a"):
        end += 1
    if fraction is None or end == len(tokens) or tokens[end] not in _SCALES:
        return None
    return fraction * _SCALES[tokens[end]], end + 1


def _number(tokens: list[str], at: int) -> tuple[float, int]:
    """The number that starts at `at` and the position after it, which is `at` if none starts there."""
    total = current = 0.0
    end = at
    while end < len(tokens):
        token = tokens[end]
        if token[0].isdecimal() and end == at:
            current = float(token.replace(",", ""))
        elif token in _SMALL:
            current += _SMALL[token]
        elif token == "hundred":
            current = (current or 1) * 100
        elif token in _SCALES and (end > at or len(token) > 1):
            total, current = total + (current or 1) * _SCALES[token], 0.0
        elif end > at and tokens[end : end + 3] == ["and", "a", "half"]:
            current, end = current + 0.5, end + 2
        elif not (end > at and token == "and" and tokens[end + 1 : end + 2] and tokens[end + 1] in _SMALL):
            break
        end += 1
    return total + current, end
