"""What is secret, by names, in LMs' arguments, in the environment, in addresses; and texts and records without it."""

from __future__ import annotations

import base64
import functools
import html
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

_SECRET_NAME = re.compile(
    r"(api|access|secret|private|signing|encryption|subscription|account|auth|master)[_-]?keys?$"
    r"|(?<!key)tokens?$|secrets?$|passwords?$|passwd$|passphrase$|[_-](pass|pwd)$"
    r"|credentials?$|authorization$|[_-]auth$|cookie$|bearer$|(sas|connection)[_-]?(token|string|url)$",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"(^|[_-])tokens$", re.IGNORECASE)
_OF_TEXTS = re.compile(
    r"(^|[_-])(bos|eos|eot|pad|sep|cls|unk|unknown|mask|stop|start|end|first|last|next|special|max|min|num|n|image"
    r"|audio|tool|think|thinking|prompt|completion|input|output|total|per|count|budget|cost)[_-]token$",
    re.IGNORECASE,
)
_SECRET_TOKENS = re.compile(r"(api|access|auth|bearer|secret|refresh|session)[_-]?tokens$", re.IGNORECASE)
_QUERY = {"key", "sig", "signature", "code", "auth", "pass", "pwd"}
"""Parameters of an address that hold credentials, besides those whose names say so."""

_SHORTEST_SECRET = 8
_WORD = re.compile(r"[A-Za-z]{1,16}|\d{1,10}")
"""What may stand in any text: a password that is a word is hidden with its user alone."""


@functools.cache
def is_secret_name(name: str) -> bool:
    """Whether a setting, header or environment variable of this name holds a credential.

    ``max_tokens``, ``eos_token`` and their like count or name tokens of a text.
    """
    if _COUNTED.search(name):
        return bool(_SECRET_TOKENS.search(name))
    return bool(_SECRET_NAME.search(name)) and not _OF_TEXTS.search(name)


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


@functools.lru_cache(maxsize=1_000)
def _forms(value: str) -> frozenset[str]:
    """A credential as addresses, JSON and markup write it, and of a key of several lines, each of them."""
    lines = [line.strip() for line in value.splitlines()] if "\n" in value else []
    texts = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    lines = [line for line in lines if len(line) > _SHORTEST_SECRET and not line.startswith("-----")]
    written = {form for text in texts for form in _json_of_others(text)} | _addresses(value) | _markup(value)
    return frozenset({value, *lines, *written})


def _json_of_others(text: str) -> set[str]:
    """A text within JSON as other libraries write it: PHP escapes slashes, Go what is markup, Gson ``=`` as well."""
    go = re.sub("[<>&]", _in_digits, text)
    return {text, text.replace("/", r"\/"), go, re.sub("[=']", _in_digits, go)}


def _in_digits(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _markup(value: str) -> set[str]:
    """With entities as Python's library has them, and as templates do."""
    escaped = html.escape(value)
    return {escaped, escaped.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")}


def _addresses(value: str) -> set[str]:
    quoted = {quote(value, safe=safe, errors="backslashreplace") for safe in ("", "/")}
    return quoted | {re.sub("%..", lambda found: found[0].lower(), one) for one in quoted}


def secrets(arguments: Iterable[Mapping[str, Any]], seen: Iterable[str]) -> tuple[str, ...]:
    """The credentials of the environment, of the ``arguments`` of LMs, and those ``seen`` in use, longest first.

    Short ones and words are none: they stand in texts that have nothing to do with them.
    """
    environment = (_in_variable(name, value) for name, value in os.environ.items())
    known = set(seen).union(*environment, *map(secret_values, arguments))
    return tuple(longest_first({form for value in filter(_is_hidden, known) for form in _forms(value)}))


@functools.lru_cache(maxsize=1_000)
def _in_variable(name: str, value: str) -> frozenset[str]:
    return frozenset(_secrets_in(value, is_secret_name(name)))


def argument_secrets(arguments: Iterable[str]) -> list[str]:
    """The credentials in addresses among a command line's ``arguments``, longest first."""
    texts = (str(argument) for argument in arguments)
    return longest_first(
        {secret for text in texts for part in {text, text.partition("=")[2]} for secret in in_uri(part)}
    )


def longest_first(values: Iterable[str]) -> list[str]:
    """So that none is replaced within another one."""
    return sorted(values, key=len, reverse=True)


def _is_hidden(value: str) -> bool:
    if ":" in value:  # user:password is no word
        return len(value) > 2
    return len(value) >= _SHORTEST_SECRET and not _WORD.fullmatch(value)


def in_uri(uri: str | None) -> set[str]:
    """User and password of a URI, and passwords in its query; with what a server gets to see of them."""
    try:
        parts = urlsplit(uri or "")
        userinfo, password = parts.netloc.rpartition("@")[0], parts.password or ""
    except ValueError:  # no address
        return set()
    query = (one.partition("=") for one in parts.query.split("&"))
    secret = (value for name, _, value in query if is_secret_name(name) or name.lower() in _QUERY)
    written = {userinfo, password, *secret}
    return _known({*written, *map(unquote, written), _basic(unquote(userinfo))})


def in_environment() -> set[str]:
    """What MLflow's client shows a server besides."""
    names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
    user, password, token = (os.environ.get(name, "") for name in names)
    return _known({password, token, _basic(f"{user}:{password}")})


def without_credentials(uri: str) -> str:
    """``uri`` without user and password, and without its query, where databases may have them too."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="")) if parts.netloc else uri


def _basic(userinfo: str) -> str:
    """User and password as HTTP's basic authentication encodes them."""
    return base64.b64encode(userinfo.encode()).decode()


def _known(found: set[str]) -> set[str]:
    """``found`` without the empty text and its encodings, which would be found everywhere."""
    return found - {"", _basic(""), _basic(":")}


_PART = 8
"""Characters of a secret that are too many to be shown where a text was cut."""

_CUT = re.compile(r"\s*(…|\.\.\.|\[\.\.\.|$)")
_CUT_BEFORE = re.compile(r"(…|\.\.\.|\.\.\.\]|more \.\.\.\])\s*$")


def redact(value: Any, secrets: Iterable[str], names: bool = True) -> Any:
    """``value`` (plain types) with every secret in its strings replaced by ``***``; in names of mappings if asked.

    Where a text was cut, a part of a secret goes too.
    """
    if isinstance(value, str):
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


def _without(text: str, secret: str) -> str:
    if secret in text:
        text = text.replace(secret, "***")
    if len(secret) < 2 * _PART:
        return text
    text = _without_beginning(text, secret)
    return _without_end(text, secret)


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
    return (
        redact(value, sorted(in_uri(value), key=len, reverse=True))
        if isinstance(value, str) and "://" in value
        else value
    )


def hide(text: str, uri: str | None) -> str:
    """``text`` without what is secret: a server may repeat what it was sent."""
    return str(redact(text, longest_first(in_uri(uri) | in_environment())))
