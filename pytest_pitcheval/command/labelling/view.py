"""An answer as lines of a terminal: as wide as that is, and without what would steer it. Pure text."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pytest_pitcheval.command.labelling.lot import Answer
from pytest_pitcheval.reports import conversations
from pytest_pitcheval.results.media import is_medium, media_in, with_notes
from pytest_pitcheval.results.printable import visible

_INDENT = "  "
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


class Line(NamedTuple):
    """``is_head``: it names what follows."""

    text: str
    is_head: bool = False


def lines(answer: Answer, width: int, writable: Callable[[str], str] = str) -> list[Line]:
    """All that is known of an answer but for what a judge says: inputs, further columns of its row, the answer.

    ``writable`` is a text as the terminal can take it.
    """
    parts = {"": answer.inputs, "in the row: ": answer.labels, "answer: ": answer.fields}
    return [line for before, fields in parts.items() for line in _part(fields, before, width, writable)]


def parts(answer: Answer) -> Iterator[tuple[str, str, list[Any]]]:
    """The same for a page: what each field is of, its name, and its texts and media."""
    of = {"": answer.inputs, "in the row": answer.labels, "answer": answer.fields}
    for kind, fields in of.items():
        for name, value in fields.items():
            is_list = isinstance(value, list) and any(map(is_medium, value))
            several = value if is_list else [value] if is_medium(value) else [value, *media_in(value)]
            yield kind, name, [one if is_medium(one) else text_of(one) for one in several]


def _part(fields: Mapping[str, Any], before: str, width: int, writable: Callable[[str], str]) -> Iterator[Line]:
    for name, value in fields.items():
        yield from (Line(line, True) for line in wrapped(writable(visible(f"{before}{name}")), width))
        text = writable(visible(text_of(value).replace("\r\n", "\n")))
        yield from (Line(_INDENT + line) for line in wrapped(text, width - len(_INDENT)))


def text_of(value: Any) -> str:
    """A value in full: texts as they are, conversations with their turns, of a medium what it is and where."""
    if isinstance(value, str):
        return value
    if is_medium(value):
        return f"{str(with_notes(value, paths=True))[:-1]}; --html shows it]"
    if (found := conversations.conversation(value)) is not None:
        return "\n".join(conversations.lines(found))
    value = with_notes(value, paths=True)
    return json.dumps(value, ensure_ascii=False, indent=1 if isinstance(value, (dict, list)) else None)


def wrapped(text: str, width: int) -> Iterator[str]:
    """The lines of ``text``, none of more than ``width`` cells; words stay whole where they can."""
    for line in text.expandtabs(4).split("\n"):
        yield from _wrapped(line, max(width, 2))


def _wrapped(line: str, width: int) -> Iterator[str]:
    if cells(line) <= width or not line.strip():
        yield line if line.strip() else ""
        return
    current, used = "", 0
    for word in re.findall(r"\s+|\S+", line):
        size = cells(word)
        if used + size > width and used:
            yield current.rstrip()
            current, used = "", 0
            if word.isspace():
                continue
        while size > width:
            piece = _beginning(word, width)
            yield piece
            word = word[len(piece) :]
            size = cells(word)
        current, used = current + word, used + size
    if current.strip():
        yield current.rstrip()


def _beginning(word: str, width: int) -> str:
    """As much of a word as fits, at least one character."""
    if word[:width].isascii():
        return word[:width]
    used = 0
    for position, character in enumerate(word):
        used += cells(character)
        if used > width and position:
            return word[:position]
    return word


def cells(text: str) -> int:
    """How wide a terminal writes ``text``."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Frame(NamedTuple):
    """What fills a screen: a head, as many lines of the body as fit, and what can be pressed.

    ``top`` is the first line of the body that is seen; ``page`` how many there is room for.
    """

    head: str
    body: list[Line]
    foot: list[str]
    top: int = 0

    def page(self, height: int) -> int:
        return max(1, height - len(self.foot) - 3)

    def at(self, top: int, height: int) -> Frame:
        """The same, as far down as there is something to see."""
        return self._replace(top=max(0, min(top, len(self.body) - self.page(height))))

    def text(self, width: int, height: int, is_plain: bool) -> str:
        """The screen, its lines with line feeds between."""
        page = self.page(height)
        shown = self.body[self.top : self.top + page]
        rule, more = "-" * width, ""
        if len(self.body) > page:
            more = f" lines {self.top + 1} to {self.top + len(shown)} of {len(self.body)}: space, b "
        body = [line.text if is_plain or not line.is_head else f"{_BOLD}{line.text}{_PLAIN}" for line in shown]
        below = f"{rule[: max(0, width - len(more) - 2)]}{more}{rule[:2]}"[:width]
        return "\n".join([self.head[:width], rule, *body, below, *(line[:width] for line in self.foot)])
