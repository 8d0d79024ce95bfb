"""A credential as others write it: in addresses, in JSON, in markup."""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

SHORTEST = 8
"""Characters of the shortest secret that is hidden wherever it stands."""


@functools.lru_cache(maxsize=1_000)
def forms(value: str) -> frozenset[str]:
    """A credential as addresses, JSON and markup write it, and of a key of several lines, each of them."""
    lines = [line.strip() for line in value.splitlines()] if "\n" in value else []
    texts = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    lines = [line for line in lines if len(line) > SHORTEST and not line.startswith("-----")]
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


def longest_first(values: Iterable[str]) -> list[str]:
    """So that none is replaced within another one."""
    return sorted(values, key=len, reverse=True)
