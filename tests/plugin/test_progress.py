"""How far a session is: a line below pytest's own on a terminal, now and then a line elsewhere, nothing with -q."""

from __future__ import annotations

import contextlib
import os
import pty
import struct
import subprocess
import sys
from collections.abc import Iterator

import pyte
import pytest
from support.suite import Suite

if sys.platform == "win32":  # pragma: no cover
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

COLUMNS, LINES = 80, 24


def on_a_terminal(suite: Suite, *arguments: str) -> Iterator[list[str]]:
    """Run pytest in a terminal of 80 x 24; the screen after each piece of output, the last one at its end."""
    import fcntl
    import termios

    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "CI")}
    environment |= {"TERM": "xterm", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=suite.path, stdin=terminal, stdout=terminal, stderr=terminal, env=environment
    )
    os.close(terminal)
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    with contextlib.suppress(OSError):  # that is how the end of a pseudo-terminal shows
        while piece := os.read(controller, 4096):
            stream.feed(piece)
            yield [line.rstrip() for line in screen.display]
    os.close(controller)
    assert process.wait() == pytest.ExitCode.OK


@pytest.fixture
def slow(suite: Suite) -> Suite:
    suite.rows(24)
    suite.server.latency = 0.3
    return suite


@pytest.mark.parametrize("arguments", ["-p no:xdist", "-p no:xdist -v", "-n2", "-n2 -v"])
def test_a_line_below_the_output_that_leaves_nothing_behind(slow: Suite, arguments: str) -> None:
    screens = list(on_a_terminal(slow, *arguments.split(), "--eval-concurrency=4"))
    lines = [line for screen in screens for line in screen if line.startswith("pitcheval: ") and "in flight" in line]
    assert lines
    assert all(len(line) <= COLUMNS for line in lines)
    assert any("/24 done" in line and "queued" in line for line in lines)
    assert not any("in flight" in line for line in screens[-1])
    assert any("24 passed" in line for line in screens[-1])
    if "-v" not in arguments and "-n2" not in arguments:
        assert any(line.startswith("test_qa.py ........................") for line in screens[-1])


def test_nothing_with_q(slow: Suite) -> None:
    screens = list(on_a_terminal(slow, "-q", "-p", "no:xdist"))
    assert not any("in flight" in line for screen in screens for line in screen)


def test_waits_for_the_rate_limit_are_said(slow: Suite) -> None:
    slow.rows(6)
    screens = list(on_a_terminal(slow, "-p", "no:xdist", "--eval-rate-limit=2/s"))
    assert any("waiting for the rate limit" in line for screen in screens for line in screen)
