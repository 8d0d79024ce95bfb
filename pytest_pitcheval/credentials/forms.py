"""A credential as others write it: in addresses, in JSON, in markup, in Python, in base64."""

from __future__ import annotations

import base64
import functools
import html
import re
from collections.abc import Iterable
from json import dumps  # a test may have patched that of the module
from urllib.parse import quote

SHORTEST = 8
"""Characters of the shortest secret that is hidden wherever it stands."""


@functools.lru_cache(maxsize=1_000)
def forms(value: str) -> frozenset[str]:
    """A credential as others write it, and of a key of several lines, each of them."""
    lines = [line.strip() for line in value.splitlines()] if "\n" in value else []
    texts = {dumps(value)[1:-1], dumps(value, ensure_ascii=False)[1:-1]}
    lines = [line for line in lines if len(line) > SHORTEST and not line.startswith("-----")]
    written = {form for text in texts for form in _json_of_others(text)} | _addresses(value) | _markup(value)
    return frozenset({value, *lines, *written, *_literals(value), *_encoded(value)})


def _json_of_others(text: str) -> set[str]:
    """A text within JSON as other libraries write it: PHP escapes slashes, Go what is markup, Gson ``=`` as well."""
    go = re.sub("[<>&]", _in_digits, text)
    return {text, text.replace("/", r"\/"), go, re.sub("[=']", _in_digits, go)}


def _in_digits(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _markup(value: str) -> set[str]:
    """With entities as Python's library has them, and as templates do: Jinja, Mustache, Handlebars."""
    escaped = html.escape(value)
    decimal = escaped.replace("&#x27;", "&#39;")
    more = decimal.replace("/", "&#x2F;").replace("`", "&#x60;").replace("=", "&#x3D;")
    return {escaped, decimal, decimal.replace("&quot;", "&#34;"), more, html.escape(value, quote=False)}


_KEPT_IN_ADDRESSES = ("", "/", "!~*'()", "!$&'()*+,;=:@/")
"""What is left as it is by Python's library, by JavaScript's, and by HTTP clients."""


def _addresses(value: str) -> set[str]:
    quoted = {quote(value, safe=safe, errors="backslashreplace") for safe in _KEPT_IN_ADDRESSES}
    quoted |= {one.replace("%20", "+") for one in quoted}
    return quoted | {re.sub("%..", lambda found: found[0].lower(), one) for one in quoted}


def _literals(value: str) -> set[str]:
    """As Python's ``repr`` and ``ascii`` write it, and ``repr`` of its bytes."""
    return {repr(value)[1:-1], ascii(value)[1:-1], repr(value.encode("utf-8", "surrogateescape"))[2:-1]}


def _encoded(value: str) -> set[str]:
    """In digits, and in base64 within whatever text, as a client shows ``user:key``; short ones stand anywhere."""
    data = value.encode("utf-8", "surrogateescape")
    if len(data) < SHORTEST:
        return set()
    standard = {_in_base64(data, before) for before in range(3)}
    return {data.hex(), data.hex().upper(), *standard, *(one.translate(_FOR_ADDRESSES) for one in standard)}


_FOR_ADDRESSES = str.maketrans("+/", "-_")


def _in_base64(data: bytes, before: int) -> str:
    """The characters that depend on ``data`` alone where so many bytes (0 to 2) stand before it in a group of three."""
    text = base64.b64encode(bytes(before) + data).decode()
    bits = 8 * (before + len(data))
    return text[-(-8 * before // 6) : bits // 6]


def longest_first(values: Iterable[str]) -> list[str]:
    """So that none is replaced within another one."""
    return sorted(values, key=len, reverse=True)
