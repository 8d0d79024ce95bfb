"""Our own exceptions."""

from __future__ import annotations

import pytest

from pytest_pitcheval import errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_can_be_told_from_anybody_elses(kind: type[BaseException]) -> None:
    """One ``except`` catches our complaints; warnings are the users' to filter."""
    assert issubclass(kind, (errors.PitchevalError, errors.PitchevalWarning))
    assert not issubclass(kind, errors.PitchevalError) or not issubclass(kind, Warning)


def test_a_warning_is_a_users_warning() -> None:
    assert issubclass(errors.PitchevalWarning, UserWarning)
