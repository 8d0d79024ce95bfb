"""Our own exceptions."""

from __future__ import annotations

import pytest

from pytest_pitcheval import errors
from pytest_pitcheval.errors import StaleAnswer, one_line

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_can_be_told_from_anybody_elses(kind: type[BaseException]) -> None:
    """One ``except`` catches our complaints; warnings are the users' to filter."""
    assert issubclass(kind, (errors.PitchevalError, errors.PitchevalWarning))
    assert not issubclass(kind, errors.PitchevalError) or not issubclass(kind, Warning)


def test_a_warning_is_a_users_warning() -> None:
    assert issubclass(errors.PitchevalWarning, UserWarning)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a\n  b"), "ValueError: a b"),
        (KeyError("a"), "KeyError: 'a'"),
        (StaleAnswer("ours\nalone"), "ours alone"),
        ("a text", "a text"),
        (ValueError(), "ValueError:"),
    ],
)
def test_one_line(error: object, line: str) -> None:
    assert one_line(error) == line


def test_one_line_is_at_most_300_characters() -> None:
    assert len(one_line("x" * 300)) == 300
    assert one_line("x" * 301) == "x" * 299 + "\u2026"
