"""Texts, plain values and records without credentials."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_pitcheval.credentials.addresses import in_environment, in_uri
from pytest_pitcheval.credentials.forms import longest_first
from pytest_pitcheval.credentials.naming import is_secret_name

_PART = 8
"""Characters of a secret that are too many to be shown where a text was cut."""

_CUT = re.compile(r"\s*(…|\.\.\.|\[\.\.\.|$)")
_CUT_BEFORE = re.compile(r"(…|\.\.\.|\.\.\.\]|more \.\.\.\])\s*$")


def redact(value: Any, secrets: Iterable[str], names: bool = True) -> Any:
    """``value`` (plain types) with every secret in its strings replaced by ``***``; in names of mappings if asked.

    Where a text was cut, a part of a secret goes too.
    """
    if isinstance(value, str):
        if len(value) < _SHORT_TEXT and not _beginnings(tuple(secrets)).search(value):
            return value
        for secret in secrets:
            value = _without(value, secret)
        return value
    if isinstance(value, dict):
        return {redact(key, secrets) if names else key: redact(item, secrets, names) for key, item in value.items()}
    if isinstance(value, list):
        return [redact(item, secrets, names) for item in value]
    return value


_CONTENT = ("feedback", "error")
_CONTENT_BY_NAME = ("inputs", "labels", "prediction")


def redact_content(record: Mapping[str, Any], secrets: Sequence[str]) -> dict[str, Any]:
    """A record (plain values) with `redact` applied to what was said in it.

    What it is of stays as it is, or no run could be compared, continued or replayed: node ID, names of fields.
    """
    found = {**record, **{name: redact(record[name], secrets) for name in _CONTENT if name in record}}
    for part in (found, *(later := [dict(rollout) for rollout in record.get("later_rollouts", ())])):
        part |= {name: _fields(part[name], secrets) for name in _CONTENT_BY_NAME if name in part}
        part |= {"feedback": redact(part.get("feedback"), secrets)}
    return {**found, "later_rollouts": later}


def _fields(values: Any, secrets: Sequence[str]) -> Any:
    return {name: redact(value, secrets) for name, value in values.items()} if isinstance(values, dict) else values


_SHORT_TEXT = 200
"""Characters up to which looking for all secrets at once is faster than for one after the other."""


@functools.lru_cache(maxsize=100)
def _beginnings(secrets: tuple[str, ...]) -> re.Pattern[str]:
    """Something of what a text must have that shows one of the secrets, or a part of it."""
    parts = {part for secret in secrets for part in (secret[:_PART], secret[-_PART:])}
    return re.compile("|".join(map(re.escape, sorted(parts))) or r"(?!)")


def _without(text: str, secret: str) -> str:
    if secret[:_PART] in text:
        text = text.replace(secret, "***")
        if len(secret) >= 2 * _PART:
            text = _without_beginning(text, secret)
    if len(secret) >= 2 * _PART and secret[-_PART:] in text:
        text = _without_end(text, secret)
    return text


def _without_beginning(text: str, secret: str) -> str:
    """``text`` without the beginning of ``secret`` where a cut follows it."""
    start, beginning = 0, secret[:_PART]
    while (start := text.find(beginning, start)) >= 0:
        end = start + _alike(text[start : start + len(secret)], secret)
        if _CUT.match(text, end):
            text, end = f"{text[:start]}***{text[end:]}", start
        start = max(end, start + 1)
    return text


def _without_end(text: str, secret: str) -> str:
    """``text`` without the end of ``secret`` where a cut precedes it."""
    position, ending = 0, secret[-_PART:]
    while (position := text.find(ending, position)) >= 0:
        end = position + _PART
        start = end - _alike(text[max(end - len(secret), 0) : end][::-1], secret[::-1])
        if _CUT_BEFORE.search(text, max(start - 12, 0), start):
            text, end = f"{text[:start]}***{text[end:]}", start + 3
        position = end
    return text


def _alike(one: str, other: str) -> int:
    """How many characters from the beginning are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))


def without_secrets(value: Any) -> Any:
    """``value`` (plain types: an LM's arguments) without what is a credential by its name; addresses without theirs."""
    if isinstance(value, Mapping):
        kept = {name: item for name, item in value.items() if not is_secret_name(str(name))}
        return {name: without_secrets(item) for name, item in kept.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item) for item in value]
    return redact(value, longest_first(in_uri(value))) if isinstance(value, str) and "://" in value else value


def hide(text: str, uri: str | None) -> str:
    """``text`` without what is secret: a server may repeat what it was sent."""
    return str(redact(text, longest_first(in_uri(uri) | in_environment())))
