"""Any value as a plain one, that survives JSON, xdist and JUnit: bounded, and whatever its own methods do.

What programs, metrics and tests hand over may be deep, cyclic, enormous, or raise from any of its methods. No value
raises here, and a note stands where one was cut.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple


class Bounds(NamedTuple):
    """How much of a value is kept: levels of containers, items in all of them, characters in all texts.

    ``note`` says at each cut where the rest is, after a comma.
    """

    depth: int
    items: int
    characters: int
    note: str = " ..."


VALUE = Bounds(depth=50, items=100_000, characters=4_000_000)
"""Of what a user's code handed over. Readers of JSON take 200 levels, and a record stands some levels deep itself."""

WHOLE = Bounds(depth=150, items=1 << 62, characters=1 << 62)
"""Of what must not be cut, such as a program's state."""

_LARGEST_BITS = 1023
"""Larger whole numbers are beyond all floats, and those of 4,300 digits beyond what Python writes."""

_RAISED = (Exception, SystemExit)
"""What a value's own method may raise; an interrupt and what pytest raises are none of them."""


Keep = Callable[[Any], Any]
"""What a text or bytes become in place of themselves, as plain values; None where they stay what they are."""


def plain(value: Any, bounds: Bounds = VALUE, keep: Keep | None = None) -> Any:
    """``value`` as JSON types only; what has no such form becomes its ``str()``, and NaN and infinities None.

    ``keep`` is asked of all texts in it, and of bytes.
    """
    kind = type(value)
    if keep is not None and kind is str and (kept := keep(value)) is not None:
        return kept
    if value is None or kind is bool or (kind is str and len(value) <= bounds.characters and value.isascii()):
        return value  # as most there is
    return _Plain(bounds, keep).of(value, bounds.depth)


def may_be_cut(value: Any, bounds: Bounds = VALUE) -> bool:
    """Whether plain values may have been larger than what `plain` has kept of them."""
    characters, items, waiting = bounds.characters, bounds.items, [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        if isinstance(one, str):
            characters -= len(one)
        elif isinstance(one, (list, tuple, Mapping)):
            items -= len(one)
            inner = one.values() if isinstance(one, Mapping) else one
            waiting += ((each, depth + 1) for each in inner)
        if characters <= 0 or items <= 0 or depth > bounds.depth:
            return True
    return False


def text_of(value: Any) -> str:
    """``str(value)`` as far as it goes, and as UTF-8 can hold it; a note where it raises."""
    short = type(value) is str and len(value) <= VALUE.characters and value.isascii()
    return value if short else _Plain(VALUE).described(value)


class _Plain:
    """The way through one value: what room is left, and the containers that it is in."""

    def __init__(self, bounds: Bounds, keep: Keep | None = None) -> None:
        self._keep = keep
        self._note = bounds.note
        self._items = bounds.items
        self._characters = bounds.characters
        self._within: set[int] = set()

    def of(self, value: Any, depth: int) -> Any:
        kind = type(value)  # what an object says of its class need not be so: a mock with a spec says that it is a str
        if value is None or kind is bool:
            return value
        if issubclass(kind, str):
            return self._kept(str.__str__(value)) or self.text(value)
        if issubclass(kind, int):
            return self._integer(int.__int__(value))
        if issubclass(kind, float):
            return number if math.isfinite(number := float.__float__(value)) else None
        if issubclass(kind, enum.Enum):
            return self.of(value.value, depth)
        if id(value) in self._within:
            return f"[a {kind.__name__} that contains itself]"
        if depth == 0:
            return f"[a {kind.__name__}: nested too deeply]"
        self._within.add(id(value))
        try:
            return self._container(value, depth - 1)
        except _RAISED:  # of its items or its conversion: what it says of itself may still do
            return self.described(value)
        finally:
            self._within.discard(id(value))

    def _container(self, value: Any, depth: int) -> Any:
        if isinstance(value, (list, tuple)):
            return self._list(value, depth)
        if isinstance(value, (set, frozenset)):
            items = self._list(value, depth)
            return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))  # the same in every process
        if isinstance(value, memoryview):
            return self._container(bytes(value), depth)
        if isinstance(value, (bytes, bytearray)):
            if (kept := self._kept(bytes(value))) is not None:
                return kept
            return self.text(repr(value[: self._characters // 4]))
        if isinstance(value, Mapping):
            return self._dict(value.items(), depth)
        if self._keep is not None and (picture := _as_png(value)) is not None:
            return self._kept(picture) or self._described(value)
        if _has(type(value), "tolist") and value.size > self._items:
            return self._list(value, depth)
        converted = _converted(value)
        if isinstance(converted, _Pairs):
            return self._dict(converted.pairs, depth)
        return self._described(value) if converted is value else self.of(converted, depth)

    def _list(self, values: Iterable[Any], depth: int) -> list[Any]:
        return [self.of(item, depth) for item in self._bounded(values, lambda: f"[... further items{self._note}]")]

    def _dict(self, pairs: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        found = {}
        for key, item in self._bounded(pairs, lambda: ("[...]", f"further items{self._note}")):
            name = self.text(key) if issubclass(type(key), str) else self.described(key)
            while name in found:  # 1 beside "1", say
                name = f"{name} ({type(key).__name__})"
            found[name] = self.of(item, depth)
        return found

    def _bounded(self, values: Iterable[Any], note: Callable[[], Any]) -> Iterator[Any]:
        iterator = iter(values)
        for value in iterator:
            if self._items <= 0:
                yield note()
                return
            self._items -= 1
            yield value

    def text(self, value: str) -> str:
        """As UTF-8 can hold it: halves of surrogate pairs are written as escapes, so that texts stay different."""
        length = str.__len__(value)
        kept = str.__getitem__(value, slice(0, max(self._characters, 0)))
        if not kept.isascii():
            kept = kept.encode("utf-8", "backslashreplace").decode("utf-8")
        if length <= self._characters:
            self._characters -= length
            return kept
        cut, self._characters = length - max(self._characters, 0), 0
        return f"{kept}[... {cut:,} characters more{self._note}]"

    def _integer(self, value: int) -> Any:
        if value.bit_length() <= _LARGEST_BITS:
            return value
        return str(value) if value.bit_length() < 10_000 else f"[a whole number of {value.bit_length():,} bits]"

    def _kept(self, value: str | bytes) -> Any:
        return None if self._keep is None else self._keep(value)

    def _described(self, value: Any) -> Any:
        if self._keep is None:
            return self.described(value)
        return self._kept(text := str.__str__(str(value))) or self.text(text)

    def described(self, value: Any) -> str:
        """What it says of itself."""
        try:
            return self.text(str.__str__(str(value)))
        except _RAISED as error:
            return f"[a {type(value).__name__}, whose str() raised {type(error).__name__}]"


def _converted(value: Any) -> Any:
    """What a value is made of, as a container or a plain value; ``value`` itself if that cannot be told.

    Methods are looked up in its class: a mock has each that it is asked for, and a field may be named as one.
    """
    kind = type(value)
    if isinstance(value, type):
        return value
    if _has(kind, "keys") and _has(kind, "items") and not _has(kind, "tolist"):
        return _Pairs(value.items())
    for method, expected in _CONVERSIONS.items():
        if _has(kind, method) and isinstance(converted := getattr(value, method)(), expected):
            return converted
    if dataclasses.is_dataclass(kind):
        return _Pairs((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    return value


def _as_png(value: Any) -> bytes | None:
    """A picture of Pillow's as the bytes of a file; None of anything else."""
    if not type(value).__module__.startswith("PIL.") or not _has(type(value), "_repr_png_"):
        return None
    png = value._repr_png_()
    return png if isinstance(png, bytes) else None


def _has(kind: type, method: str) -> bool:
    return callable(getattr(kind, method, None))


class _Pairs:
    """Names and values, that need not be a mapping: those of a ``dspy.Example``, a DataFrame or a dataclass."""

    def __init__(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        self.pairs = pairs


_CONVERSIONS: dict[str, tuple[type, ...]] = {
    "model_dump": (Mapping,),  # pydantic
    "toDict": (Mapping,),  # as DSPy calls it
    "tolist": (list, str, int, float, type(None)),  # numpy, pandas
}
