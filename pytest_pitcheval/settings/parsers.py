"""What values options and ini keys take, by kind: parsers whose ValueError says what was expected."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from pytest_pitcheval.names import ALLOWED, SCORE, BaselineUpdate
from pytest_pitcheval.options.extras import missing_package
from pytest_pitcheval.options.numbers import number_in, whole_number_in
from pytest_pitcheval.options.option import Kind
from pytest_pitcheval.settings.budgets import parse_prices, parse_tokens
from pytest_pitcheval.settings.methods import check_method
from pytest_pitcheval.settings.rate_limits import parse_rate_limits


def _methods(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(check_method(name.strip()) for name in text.split(",")))


def _model(text: str) -> str:
    if not text.strip() or text.strip() in {"local:", "/"}:
        raise ValueError("expected a model name such as groq/llama-3.3-70b-versatile, local or local:PATH.gguf")
    return text.strip()


def _models(text: str) -> tuple[str, ...]:
    """One model, or several with commas between them, each once."""
    names = tuple(name.strip() for name in text.split(","))
    if len(names) == 1:
        return (_model(text),)
    if "" in names:
        raise ValueError("expected model names with one comma between them: there is an empty one")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"expected each model once: {twice[0]!r} is there {names.count(twice[0])} times")
    return tuple(map(_model, names))


def _number(kind: type, least: float, what: str, below: bool = False, most: float = math.inf) -> Callable[[str], Any]:
    read = whole_number_in if kind is int else number_in

    def parse(text: str) -> Any:
        value = read(text)
        if value is None or value < least or (below and value == least):
            raise ValueError(f"expected {what}")
        if value > most:
            raise ValueError(f"expected {what}, {most:,.0f} at most")
        return value

    return parse


_LONGEST = 1_000_000_000
"""Seconds that every clock of Python and of operating systems can wait."""


def _share(text: str) -> float:
    value: float = _number(float, 0, "a share, 0 to 1")(text)
    if value > 1:
        raise ValueError("expected a share, 0 to 1")
    return value


_A_SCORE = "a score, 0 or more, or one for each metric: 0.8,relevancy=0.6"
_AN_AGGREGATE = "a number for each metric of the whole set: f1_macro=0.8,pearson=0.5"


def _limits(expected: str, named_least: float = 0) -> Callable[[str], dict[str, float]]:
    """Of the score, and of metrics by name: ``0.8,relevancy=0.6``; those of metrics are at least ``named_least``."""

    def parse(text: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for part in text.split(","):
            name, separator, number = part.rpartition("=")
            name = name.strip() if separator else SCORE
            if not name or name in found:
                raise ValueError(f"expected {expected}")
            found[name] = _number(float, 0 if name == SCORE else named_least, expected)(number)
        return found

    return parse


def _limits_of_aggregates(text: str) -> dict[str, float]:
    """Of metrics of the whole set: ``f1_macro=0.8,pearson=0.5``; what built-in ones need must be installed."""
    found = _limits(_AN_AGGREGATE, -sys.float_info.max)(text)
    if SCORE in found:
        raise ValueError(f"expected {_AN_AGGREGATE}")
    for missing in filter(None, map(missing_package, found)):
        raise ValueError(missing)
    return found


def _share_of_all(text: str) -> dict[str, float]:
    """A share of a test's examples: a limit of theirs that is of no metric, and stands with the score's."""
    return {SCORE: _share(text)}


OWN_TEMPERATURE = "null"
"""The temperature that is none: a model samples as it does by itself."""


_a_temperature = _number(float, 0, f"a temperature, 0 or more, or {OWN_TEMPERATURE} for a model that takes none")


def _temperature(text: str) -> Any:
    return text if text == OWN_TEMPERATURE else _a_temperature(text)


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            others = f"{', '.join(words[:-1])} or " if words[:-1] else ""
            raise ValueError(f"expected {others}{words[-1]}")
        return text

    return parse


def _allowed(text: str) -> frozenset[str]:
    found = frozenset(name.strip() for name in text.split(","))
    if not found <= set(ALLOWED):
        raise ValueError(f"expected one or more of {', '.join(ALLOWED)}")
    return found


def _metrics(text: str) -> frozenset[str]:
    found = frozenset(name.strip() for name in text.split(","))
    if "" in found or SCORE in found:
        raise ValueError("expected names of metrics beside the score")
    return found


def _names(text: str) -> tuple[str, ...]:
    found = tuple(name.strip() for name in text.split(","))
    if "" in found:
        raise ValueError("expected names or patterns, such as clock,search_*")
    return found


def _slice(text: str) -> tuple[str, str]:
    label, separator, value = text.partition("=")
    if not separator or not label:
        raise ValueError("expected a label and its value, such as topic=refunds")
    return label, value


def _baseline_update(value: bool | str) -> BaselineUpdate | Literal[False]:
    """Of the flag, of its word, or of the ini key, whose words for yes and no are pytest's."""
    if value is True or str(value).lower() in ("true", "yes", "on", "y", "t", "1"):
        return "replace"
    if str(value).lower() in ("false", "no", "off", "n", "f", "0"):
        return False
    if value == "add":
        return "add"
    raise ValueError("expected true, false or add")


def _text(text: str) -> str:
    if not text:
        raise ValueError("expected a value")
    return text


PARSERS: Mapping[Kind, Callable[[Any], Any]] = MappingProxyType(
    {
        "flag": bool,
        "text": _text,
        "methods": _methods,
        "models": _models,
        "examples": _number(int, 1, "a whole number of examples, 1 or more"),
        "count": _number(int, 1, "a whole number, 1 or more"),
        "seed": _number(int, 0, "a whole number, 0 or more"),
        "seconds": _number(float, 0, "a number of seconds above 0", below=True, most=_LONGEST),
        "score": _number(float, 0, "a score, 0 or more"),
        "share": _share_of_all,
        "limits of means": _limits(_A_SCORE, -sys.float_info.max),
        "limits of drops": _limits(_A_SCORE),
        "limits of aggregates": _limits_of_aggregates,
        "temperature": _temperature,
        "rate limits": parse_rate_limits,
        "dollars": _number(float, 0, "US dollars, 0 or more, such as 5 or 0.50"),
        "tokens": parse_tokens,
        "prices": parse_prices,
        "gate mode": _one_of("normal", "established", "strict"),
        "family": _one_of("holm", "none"),
        "slice": _slice,
        "baseline update": _baseline_update,
        "days": _number(float, 0, "a number of days, 0 or more"),
        "stop": _one_of("decided"),
        "judge exam": _one_of("changed", "always", "off"),
        "allowed": _allowed,
        "metrics": _metrics,
        "names": _names,
    }
)
