"""A terminal in which the command runs: a real pseudo-terminal, and what its screen shows."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import selectors
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

import pyte

from support.background import hearing_interrupts

PATIENCE = 60.0
"""Seconds until a screen shows what it is to show, on a busy machine."""


class Terminal:
    """``pitcheval`` with some arguments, in a terminal; ``output`` is all that it wrote, in bytes."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        columns: int = 80,
        lines: int = 24,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._controller, terminal = pty.openpty()
        self._resize(terminal, columns, lines)
        command = [sys.executable, "-c", "import sys; from pytest_pitcheval.cli import main; sys.exit(main())"]
        known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "CI")}
        with hearing_interrupts():
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=folder,
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                env={**known, "TERM": "xterm", **(environment or {})},
                start_new_session=True,
            )
        self.modes = termios.tcgetattr(terminal)
        self._terminal = terminal  # kept open, to see in which state it is left
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.output = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self._terminal)
        os.close(self._controller)

    @staticmethod
    def _resize(terminal: int, columns: int, lines: int) -> None:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns: int, lines: int) -> None:
        """Another size of the window."""
        self._screen.resize(lines, columns)
        self._resize(self._terminal, columns, lines)

    @property
    def shown(self) -> list[str]:
        """The lines of the screen."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.shown).strip()

    def wait_for(self, text: str) -> str:
        """Read what is written until the screen shows ``text``; the screen."""
        end = time.monotonic() + PATIENCE
        while text not in self.text:
            assert time.monotonic() < end, f"{text!r} is not on the screen:\n{self.text}"
            self._read(0.1)
        return self.text

    def _read(self, seconds: float) -> bool:
        with selectors.DefaultSelector() as readers:  # not select.select, which knows files up to number 1,023 only
            readers.register(self._controller, selectors.EVENT_READ)
            ready = readers.select(seconds)
        if ready:
            piece = os.read(self._controller, 65536)
            self.output += piece
            self._stream.feed(piece)
        return bool(ready)

    def press(self, keys: str) -> None:
        """Keys, one after the other."""
        os.write(self._controller, keys.encode())

    def end(self) -> int:
        """The exit code, once it has ended and all that it wrote is on the screen."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end:\n{self.text}"
            self._read(0.05)
        while self._read(0):
            pass
        return int(self.process.returncode)

    def is_as_before(self) -> bool:
        """Whether keys are shown and lines are edited again, as it was before."""
        return bool(termios.tcgetattr(self._terminal)[3] == self.modes[3])
