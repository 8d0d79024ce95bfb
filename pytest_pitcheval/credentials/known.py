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

_WORD = re.compile(r"[A-Za-z]{1,16}|\d{1,10}|(sk-)?no(t|[-_](api[-_])?key)[-_](needed|required|used|set)")
"""What may stand in any text: a password that is a word is hidden with its user alone, a key that is none nowhere."""

_LIKE_A_KEY = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w.+/=~-]{20,}", re.ASCII)
"""What makes a credential of a variable of the environment such as ``AZURE_OPENAI_KEY``, and not of ``SORT_KEY``."""


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
        return {
            one
            for name, item in value.items()
            for one in (_in_schema(item) if name == _SCHEMA else _secrets_in(item, named or is_secret_name(str(name))))
        }
    if isinstance(value, (list, tuple)):
        return {one for item in value for one in _secrets_in(item, named)}
    text = _text_of(value)
    if text is None:  # no number is a credential
        return set()
    if named:
        parts = {text, *_scheme_less(text), *_of_json(text), *_of_cookie(text)}
        return set() if _is_path(text) else parts - {""}
    return in_uri(text) if "://" in text else set()


_SCHEMA = "properties"
"""What in the schema of a tool or an answer says which fields there are: none of these is a credential."""


def _in_schema(fields: Any) -> set[str]:
    return _secrets_in(list(fields.values()), False) if isinstance(fields, Mapping) else set()


def _text_of(value: Any) -> str | None:
    """A text, bytes that are one, or what pydantic's ``SecretStr`` hides; None of anything else."""
    if callable(getattr(type(value), "get_secret_value", None)):
        value = value.get_secret_value()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def _is_path(text: str) -> bool:
    """Whether it names a file: keys in base64 may begin with a slash too."""
    if not text.startswith(("/", "~", "./")):
        return False
    return bool(os.path.splitext(text)[1]) or os.path.lexists(os.path.expanduser(text))


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
    is_key = name.upper().endswith("_KEY") and bool(_LIKE_A_KEY.fullmatch(value))
    return frozenset(_secrets_in(value, is_key or is_secret_name(name)))


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
