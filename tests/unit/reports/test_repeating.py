"""The command that runs a test again."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pitcheval.reports import repeating


@pytest.mark.parametrize(
    ("nodeid", "repeat", "command"),
    [
        ("test_a.py::test_a[x]", {}, "pytest 'test_a.py::test_a[x]'"),
        (
            "test_a.py::test_a",
            {"folder": ".", "options": ["--eval-rollouts=2"]},
            "pytest test_a.py::test_a --eval-rollouts=2",
        ),
        ("tests/test_a.py::T::test_a", {"folder": "..", "options": []}, "pytest ../tests/test_a.py::T::test_a"),
        ("a.py::t", {"folder": None, "options": None}, "pytest a.py::t"),
        ("a.py::t[a b'c]", {}, """pytest 'a.py::t[a b'"'"'c]'"""),
    ],
)
def test_the_command(nodeid: str, repeat: dict[str, Any], command: str) -> None:
    assert repeating.command(nodeid, repeat) == command


def test_more_options() -> None:
    assert repeating.command("a.py::t", {"options": ["--x=1"]}, "--y=2") == "pytest a.py::t --x=1 --y=2"
