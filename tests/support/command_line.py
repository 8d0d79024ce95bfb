"""The ``pitcheval`` command in the process of the tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_pitcheval import cli

if TYPE_CHECKING:
    from support.suite import Suite


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    lines: list[str]
    errors: list[str]


def exit_code(arguments: Sequence[str]) -> int:
    """That of the command; argparse ends with an exception."""
    try:
        return cli.main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


class Command:
    """``pitcheval`` in the suite's folder, in this process."""

    def __init__(self, suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
        self._suite = suite
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Said:
        self._capsys.readouterr()
        asked = len(self._suite.server.requests)
        code = exit_code(arguments)
        printed = self._capsys.readouterr()
        assert len(self._suite.server.requests) == asked
        return Said(code, printed.out.splitlines(), [line for line in printed.err.splitlines() if line])
