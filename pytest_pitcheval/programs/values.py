"""Values as a fingerprint has them: plain, bounded, and without what is another one in each session."""

from __future__ import annotations

import ast
import datetime
import fractions
import hashlib
import itertools
import os
import pathlib
import re
import string
import tempfile
import time
import uuid
import zlib
from decimal import Decimal
from types import CodeType
from typing import Any, NamedTuple

_LONG = 10_000
"""Characters of a text, or bits of a number, beyond which its hash stands for it."""
_LONGEST = 1_000_000
"""Characters of each end of a text, or bytes, that are hashed where code holds it."""
_LARGE = 100_000
"""Members of a set that code holds, beyond which its size stands for it."""
_RANDOM = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}|(?<=127\.0\.0\.1:)\d+|(?<=localhost:)\d+|(?<=\[::1\]:)\d+", re.IGNORECASE)
"""Of objects in memory, and ports of servers that a session starts."""
_DAY = 86_400.0
_BY_TEXT = (
    *(Decimal, fractions.Fraction, complex, range, slice, uuid.UUID, pathlib.PurePath),
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo),
)
"""Types whose text says all."""


class Bounds(NamedTuple):
    """How much a description has.

    Attributes:
        depth: levels of attributes and closures.
        parts: values that code holds.
        code: functions and classes that are described because code names them.
        items: of a list that code holds, from each end.
    """

    depth: int = 4
    parts: int = 3_000
    code: int = 200
    items: int = 500


BOUNDS = Bounds()
NOT_PLAIN = object()
"""What `plain_value` returns of a value that it does not know."""


def plain_value(value: Any, live: bool) -> Any:
    """A value without parts as JSON has it, or `NOT_PLAIN`.

    Of a ``live`` one, which code holds, moments, random IDs, addresses and places on this machine are left out.
    """
    kind = type(value)
    if value is None or kind is bool:
        return value
    if issubclass(kind, str):
        return text_value(str.__str__(value), live)
    if issubclass(kind, (int, float)):
        return _number(value, live)
    if issubclass(kind, (bytes, bytearray)):
        return _bytes(bytes(value), live)
    if issubclass(kind, re.Pattern):
        return {"pattern": plain_value(value.pattern, False), "flags": value.flags}
    if issubclass(kind, string.Template):
        return {"template": plain_value(value.template, live)}
    return _by_text(value, live) if issubclass(kind, _BY_TEXT) else NOT_PLAIN


def _bytes(content: bytes, live: bool) -> Any:
    if len(content) < _LONG:
        return {"bytes": content.hex()}
    some = content[:_LONGEST] + content[-_LONGEST:] if live and len(content) > 2 * _LONGEST else content
    return {"length": len(content), "bytes": _hash(some)}


def _number(value: Any, live: bool) -> Any:
    if isinstance(value, int) and value.bit_length() >= _LONG:
        return {"number": _hash(hex(value).encode())}
    if live and abs(value - int(time.time())) < _DAY:
        return {"type": "time"}
    return float(value) if isinstance(value, float) else int(value)


def text_value(text: str, live: bool = False) -> Any:
    """A text; its hash if it is long."""
    if live and (kind := _fleeting(text)):
        return {"type": kind}
    if len(text) < _LONG:
        return _ADDRESS.sub("", text) if live else text
    some = text[:_LONGEST] + text[-_LONGEST:] if live and len(text) > 2 * _LONGEST else text
    return {"length": len(text), "text": _hash(some.encode("utf-8", "surrogatepass"))}


def _fleeting(text: str) -> str | None:
    """What a text is that is another one in each session or on each machine."""
    if len(text) > 1_000:
        return None
    if _RANDOM.fullmatch(text):
        return "id"
    if not os.path.isabs(text) or "\0" in text:
        return None
    return "path" if text.startswith(tempfile.gettempdir()) or os.path.lexists(text) else None


def _by_text(value: Any, live: bool) -> Any:
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    is_place = issubclass(kind, pathlib.PurePath) and value.is_absolute()
    if live and (is_place or issubclass(kind, (datetime.date, uuid.UUID))):
        return {"type": name}
    return {"type": name, "text": str(value)}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def array_value(value: Any) -> Any:
    """An array, a number or a table of numpy or pandas, or `NOT_PLAIN`; of large ones, some thousand of its items."""
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    package = name.partition(".")[0]
    if package == "numpy" and hasattr(type(value), "dtype"):
        return _array(value, name)
    if package == "pandas" and hasattr(type(value), "iloc"):
        shape = list(value.shape)
        some = value.iloc[:: max(1, shape[0] // 1_000)]
        return {"type": name, "shape": shape, "content": _hash(some.to_csv().encode("utf-8", "surrogatepass"))}
    return NOT_PLAIN


def _array(value: Any, name: str) -> Any:
    if not value.shape:
        return {"type": name, "number": str(value)}
    flat = value.reshape(-1)[:: max(1, value.size // 100_000)]
    content = None if value.dtype.hasobject else _hash(flat.tobytes())
    return {"type": name, "shape": list(value.shape), "dtype": str(value.dtype), "content": content}


def large_set_value(value: Any) -> Any:
    """The texts in a set that code holds, whatever their order; of a very large one, its size alone."""
    texts = (item for item in itertools.islice(value, _LARGE) if type(item) is str)
    whole = len(value) <= _LARGE  # else which of them come first is another matter in each process
    checks = (zlib.crc32(text.encode("utf-8", "surrogatepass")) for text in texts)
    return {"size": len(value), "texts": sum(checks) if whole else None}


def ends(values: Any, items: int) -> list[Any]:
    """All items of a sequence, or so many from each end."""
    if len(values) <= 2 * items:
        return list(values)
    return [*itertools.islice(values, items), *itertools.islice(values, len(values) - items, None), len(values)]


def bytecode_digest(code: CodeType) -> str:
    """Of the instructions, names and constants of a function."""
    parts: list[str] = [code.co_code.hex(), repr(code.co_names)]
    for constant in code.co_consts:
        parts.append(bytecode_digest(constant) if isinstance(constant, CodeType) else _constant(constant))
    return hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace")).hexdigest()


def _constant(value: Any) -> str:
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


def is_made_of(code: CodeType, node: Any) -> bool:
    """Whether a lambda's ``code`` may be made of ``node``; not so where it uses variables of a function around it."""
    made = compile(ast.Expression(node), "<lambda>", "eval", dont_inherit=True)
    known = bytecode_digest(code)
    return any(isinstance(one, CodeType) and bytecode_digest(one) == known for one in made.co_consts)
