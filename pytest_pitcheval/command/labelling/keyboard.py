"""A terminal that gives each key as it is pressed, and shows a screen at a time."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import select
import signal
import sys
from collections.abc import Iterator
from typing import Any

from pytest_pitcheval.errors import PitchevalError

UP, DOWN, PAGE_UP, PAGE_DOWN, ENTER, BACKSPACE = "up", "down", "page up", "page down", "enter", "backspace"
REDRAW, END = "redraw", "end"
"""What is no key: the screen is to be drawn anew; nobody is there any more."""

_KEYS = {
    "\x1b[A": UP,
    "\x1bOA": UP,
    "\x1b[B": DOWN,
    "\x1bOB": DOWN,
    "\x1b[5~": PAGE_UP,
    "\x1b[6~": PAGE_DOWN,
    "\r": ENTER,
    "\n": ENTER,
    "\x7f": BACKSPACE,
    "\x08": BACKSPACE,
    "\x0c": REDRAW,
    "\x04": END,
}
_KEY = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|\x1b.|.", re.DOTALL)
_TICK = 0.25
"""Seconds between two looks at the size of the terminal."""
_CLEAR = "\x1b[H\x1b[2J"


class Keyboard:
    """Standard input and output, as they are between `reading` and its end.

    Raises:
        PitchevalError: one of them is no terminal.
    """

    def __init__(self) -> None:
        for name, stream in (("input", sys.stdin), ("output", sys.stdout)):
            if not stream.isatty():
                raise PitchevalError(f"standard {name} is no terminal: expected one, or --html=PATH for a page")
        self._file = sys.stdin.fileno()
        self._decoder = codecs.getincrementaldecoder(sys.stdin.encoding or "utf-8")("replace")
        self._waiting: list[str] = []
        self._size = self.size
        self._was_away = False
        self.is_plain = os.environ.get("TERM", "dumb") == "dumb"

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines; one column less than there are, as some terminals go on after the last."""
        try:
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except OSError:  # the terminal was closed
            columns, rows = 0, 0
        return max(20, (columns or 80) - 1), max(8, rows or 24)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Keys come one by one, and are not shown; afterwards the terminal is as it was."""
        import termios

        before = termios.tcgetattr(self._file)
        on_return = signal.signal(signal.SIGCONT, self._returned)
        try:
            self._one_by_one()
            yield
        finally:
            signal.signal(signal.SIGCONT, on_return)
            termios.tcsetattr(self._file, termios.TCSADRAIN, before)

    def _one_by_one(self) -> None:
        import termios

        modes: list[Any] = termios.tcgetattr(self._file)
        modes[3] &= ~(termios.ECHO | termios.ICANON)
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._file, termios.TCSADRAIN, modes)

    def _returned(self, *_: object) -> None:
        """After Ctrl-Z, the shell has set the terminal its own way."""
        self._one_by_one()
        self._was_away = True

    def key(self) -> str:
        """The next one: a character, or one of the names above."""
        while not self._waiting:
            ready, _, _ = select.select([self._file], [], [], _TICK)
            if self._was_away or self.size != self._size:
                self._was_away, self._size = False, self.size
                return REDRAW
            if ready:
                text = self._read()
                if not text:
                    return END
                self._waiting = _KEY.findall(self._decoder.decode(text))
        found = self._waiting.pop(0)
        return _KEYS.get(found, found)

    def _read(self) -> bytes:
        try:
            return os.read(self._file, 4096)
        except OSError:  # the terminal was closed
            return b""

    def show(self, text: str) -> None:
        """Have the screen show ``text`` and nothing else; where it cannot be cleared, below the rest."""
        written = self.writable(text)
        with contextlib.suppress(OSError):
            sys.stdout.write(f"{written}\n" if self.is_plain else f"{_CLEAR}{written} ")
            sys.stdout.flush()

    def writable(self, text: str) -> str:
        """A text with escapes for what the terminal's encoding lacks."""
        encoding = sys.stdout.encoding or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)

    def clear(self) -> None:
        """Have the screen show nothing, for what comes after."""
        with contextlib.suppress(OSError):
            sys.stdout.write("\n" if self.is_plain else _CLEAR)
            sys.stdout.flush()
