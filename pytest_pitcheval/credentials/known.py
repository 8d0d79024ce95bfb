"""The credentials of a process: those of its environment, and of the arguments of LMs."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_pitcheval.credentials.addresses import in_uri
from pytest_pitcheval.credentials.forms import SHORTEST, forms, longest_first
from pytest_pitcheval.credentials.naming import is_secret_name

_WORD = re.compile(r"[A-Za-z]{1,16}|\d{1,10}")
"""What may stand in any text: a password that is a word is hidden with its user alone."""


def secret_values(values: Mapping[str, Any]) -> set[str]:
    """The credentials in an LM's arguments or a process's environment.

    Those that are credentials by their name (of a header, at any depth), and those in addresses.
    """
    found: set[str] = set()
    for name, value in values.items():
        found |= _secrets_in(value, is_secret_name(str(name)))
    return found


def _secrets_in(value: Any, named: bool) -> set[str]:
    if isinstance(value, Mapping):
        return {one for name, item in value.items() for one in _secrets_in(item, named or is_secret_name(str(name)))}
    if isinstance(value, (list, tuple)):
        return {one for item in value for one in _secrets_in(item, named)}
    if not isinstance(value, str):  # no number is a credential
        return set()
    if named:
        return (
            {value, *_scheme_less(value), *_of_json(value), *_of_cookie(value)} - {""}
            if not value.startswith(("/", "~", "./"))
            else set()
        )
    return in_uri(value) if "://" in value else set()


def _scheme_less(value: str) -> list[str]:
    """``Bearer abc`` is shown as ``abc`` too."""
    scheme, space, rest = value.partition(" ")
    return [rest.strip()] if space and scheme.lower() in ("bearer", "basic", "token", "apikey", "api-key") else []


def _of_cookie(value: str) -> list[str]:
    """``session=abc; theme=dark`` is shown in its parts too."""
    pairs = (pair.strip().partition("=") for pair in value.split(";"))
    return [text for name, _, text in pairs if name.isidentifier()]


def _of_json(value: str) -> set[str]:
    """Those in a file of credentials that is given as its text, such as a service account's."""
    if not value.lstrip().startswith("{"):
        return set()
    try:
        return _secrets_in(json.loads(value), False)
    except (ValueError, RecursionError):
        return set()


def secrets(arguments: Iterable[Mapping[str, Any]], seen: Iterable[str]) -> tuple[str, ...]:
    """The credentials of the environment, of the ``arguments`` of LMs, and those ``seen`` in use, longest first.

    Short ones and words are none: they stand in texts that have nothing to do with them.
    """
    environment = (_in_variable(name, value) for name, value in os.environ.items())
    known = set(seen).union(*environment, *map(secret_values, arguments))
    return tuple(longest_first({form for value in filter(_is_hidden, known) for form in forms(value)}))


@functools.lru_cache(maxsize=1_000)
def _in_variable(name: str, value: str) -> frozenset[str]:
    return frozenset(_secrets_in(value, is_secret_name(name)))


def argument_secrets(arguments: Iterable[str]) -> list[str]:
    """The credentials in addresses among a command line's ``arguments``, longest first."""
    texts = (str(argument) for argument in arguments)
    return longest_first(
        {secret for text in texts for part in {text, text.partition("=")[2]} for secret in in_uri(part)}
    )


def _is_hidden(value: str) -> bool:
    if ":" in value:  # user:password is no word
        return len(value) > 2
    return len(value) >= SHORTEST and not _WORD.fullmatch(value)
