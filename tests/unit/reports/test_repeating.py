"""The command that runs a test again."""

from __future__ import annotations

import pytest

from pytest_pitcheval.reports import repeating
from pytest_pitcheval.storage.run_info import Repeat


@pytest.mark.parametrize(
    ("nodeid", "repeat", "command"),
    [
        ("test_a.py::test_a[x]", Repeat(), "pytest 'test_a.py::test_a[x]'"),
        (
            "test_a.py::test_a",
            Repeat(".", ("--eval-rollouts=2",)),
            "pytest test_a.py::test_a --eval-rollouts=2",
        ),
        ("tests/test_a.py::T::test_a", Repeat(".."), "pytest ../tests/test_a.py::T::test_a"),
        ("a.py::t[a b'c]", Repeat(), """pytest 'a.py::t[a b'"'"'c]'"""),
    ],
)
def test_the_command(nodeid: str, repeat: Repeat, command: str) -> None:
    assert repeating.command(nodeid, repeat) == command


def test_more_options() -> None:
    assert repeating.command("a.py::t", Repeat(options=("--x=1",)), "--y=2") == "pytest a.py::t --x=1 --y=2"
