"""Lines on the terminal while a test runs, past pytest's capturing and from workers too."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from contextlib import AbstractContextManager
from typing import TextIO

import pytest

from pytest_pitcheval.results.printable import printable_line

_ROOM_BELOW = "\x1bD\x1bM"
"""One line down, which scrolls if it must, and back up in the same column."""
_SAVE, _RESTORE, _NEXT_LINE, _CLEAR = "\x1b7", "\x1b8", "\x1b[1B\r", "\x1b[K"


_STREAM = pytest.StashKey[TextIO]()


class Progress:
    """Says what takes long, on standard error; silent with ``-q`` (`show`) or ``-qq`` (`say`)."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.is_shown = False
        """Whether a text stands below pytest's own."""

    @functools.cached_property
    def is_terminal(self) -> bool:
        """Whether somebody looks at a terminal; while pytest captures output, standard error is a file."""
        return self._stream.isatty()

    def say(self, text: str) -> None:
        """One line, from any process: xdist's workers share standard error with the controller."""
        text = printable_line(text)
        if self._config.get_verbosity() >= -1:
            self._write(f"\npitcheval: {text}\n" if self.is_terminal else f"pitcheval: {text}\n")

    def show(self, text: str) -> None:
        """On a terminal ``text`` stands below the line that pytest is writing until `erase`; else it is a line."""
        if self._config.get_verbosity() < 0:
            return
        if self.is_terminal:
            self.is_shown = True
            self._write(f"{_ROOM_BELOW}{_SAVE}{_NEXT_LINE}pitcheval: {text}{_CLEAR}{_RESTORE}")
        else:
            self.say(text)

    def erase(self) -> None:
        """Take away what is shown: pytest is going to write."""
        if self.is_shown:
            self.is_shown = False
            self._write(f"{_SAVE}{_NEXT_LINE}{_CLEAR}{_RESTORE}")

    def open(self) -> None:
        """Before tests run: what programs print in threads just then would not be captured."""
        if _STREAM not in self._config.stash:
            with self._uncaptured():
                stream = self._config.stash[_STREAM] = _standard_error()
            if stream is not sys.__stderr__ and stream is not sys.stderr:
                self._config.add_cleanup(stream.close)

    @property
    def _stream(self) -> TextIO:
        self.open()
        return self._config.stash[_STREAM]

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def _uncaptured(self) -> AbstractContextManager[None]:
        capture = self._config.pluginmanager.getplugin("capturemanager")
        if capture is None:
            return contextlib.nullcontext()
        uncaptured: AbstractContextManager[None] = capture.global_and_fixture_disabled()
        return uncaptured


def _standard_error() -> TextIO:
    """Standard error as it is now, opened anew, so that pytest's capturing need not end for each line."""
    real = sys.__stderr__ or sys.stderr
    try:
        number = os.dup(real.fileno())
    except (OSError, ValueError):  # it is none of the operating system's
        return real
    return os.fdopen(number, "w", encoding=real.encoding, errors="backslashreplace")
