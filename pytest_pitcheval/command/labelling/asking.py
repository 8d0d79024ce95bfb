"""One answer after the other in the terminal: a key labels it, and what was said is kept at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pytest_pitcheval.command.labelling import keyboard, view
from pytest_pitcheval.command.labelling.lot import Chosen
from pytest_pitcheval.command.labelling.view import Frame

SKIP, UNDO, STOP = "s", "u", "q"
_STEPS = {keyboard.UP: -1, keyboard.DOWN: 1, "k": -1, "j": 1}
_PAGES = {keyboard.PAGE_UP: -1, keyboard.PAGE_DOWN: 1, "b": -1, " ": 1}


class Keys(Protocol):
    """Where keys come from, and what shows a screen."""

    is_plain: bool

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""

    def key(self) -> str:
        """The next key."""

    def show(self, text: str) -> None:
        """Show a screen."""

    def writable(self, text: str) -> str:
        """A text as the screen can show it."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """What can be said of an answer: labels by key, and what the keys mean, for people."""

    values: Mapping[str, int | float]
    told: str

    @classmethod
    def of(cls, label: str, grades: int | None) -> Scale:
        """Yes or no, or ``grades`` digits from the worst to the best, which are labels from 0 to 1."""
        if grades is None:
            return cls({"y": 1, "n": 0}, f"{label}?  y yes  n no")
        values = {str(digit): (digit - 1) / (grades - 1) for digit in range(1, grades + 1)}
        return cls(values, f"{label}?  1 worst to {grades} best")


class Asking:
    """The answers that are left, those that were said or skipped, and where we are.

    ``keep`` writes a label of an answer down, ``take_back`` takes the last one of it away.
    """

    def __init__(
        self,
        left: Sequence[Chosen],
        scale: Scale,
        by: str,
        keep: Callable[[Chosen, int | float], None],
        take_back: Callable[[Chosen], None],
    ) -> None:
        self._left = left
        self._scale = scale
        self._by = by
        self._keep = keep
        self._take_back = take_back
        self._said: list[bool] = []
        """Of each answer that was shown: whether it was labelled, else it was skipped."""
        self._note = ""
        self._body: tuple[object, list[view.Line]] | None = None

    @property
    def labelled(self) -> int:
        """How many answers have a label now."""
        return sum(self._said)

    def run(self, keys: Keys) -> None:
        """Ask until the last answer is labelled and that is confirmed, or somebody stops."""
        top = 0
        while True:
            frame = self._frame(keys, top)
            keys.show(frame.text(*keys.size, keys.is_plain))
            key = keys.key()
            if key in (keyboard.END, STOP) or (self._is_over and key == keyboard.ENTER):
                return
            page = frame.page(keys.size[1])
            if key in _STEPS or key in _PAGES:
                top = frame.top + _STEPS.get(key, 0) + _PAGES.get(key, 0) * page
            elif key != keyboard.REDRAW:
                self._press(key.lower())
                top = 0

    @property
    def _is_over(self) -> bool:
        return len(self._said) == len(self._left)

    def _press(self, key: str) -> None:
        self._note = ""
        if key in (UNDO, keyboard.BACKSPACE):
            self._undo()
        elif self._is_over:
            self._note = f"{key!r} is none of the keys below"
        elif key == SKIP:
            self._said.append(False)
        elif key in self._scale.values:
            self._keep(self._left[len(self._said)], self._scale.values[key])
            self._said.append(True)
        else:
            self._note = f"{key!r} is none of the keys below"

    def _undo(self) -> None:
        if not self._said:
            self._note = "nothing to undo"
        elif self._said.pop():
            self._take_back(self._left[len(self._said)])

    def _frame(self, keys: Keys, top: int) -> Frame:
        width, height = keys.size
        if self._is_over:
            skipped = len(self._said) - self.labelled
            text = f"That was the last: {self.labelled} labelled, {skipped} skipped."
            frame = Frame(self._by, [view.Line(text)], [self._note, "u undo  q or Enter ends"])
            return frame.at(top, height)
        number = len(self._said)
        if self._body is None or self._body[0] != (number, width):  # what is long takes a moment
            self._body = (number, width), view.lines(self._left[number].answer, width, keys.writable)
        head = f"{number + 1} of {len(self._left)}, {self.labelled} labelled by {self._by}"
        foot = [self._note, f"{self._scale.told}  s skip  u undo  q stop (saved)"]
        return Frame(head, self._body[1], foot).at(top, height)
