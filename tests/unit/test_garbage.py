from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from pytest_pitcheval import garbage


class Node:
    """Refers to itself, so that only the garbage collector frees it."""

    def __init__(self) -> None:
        self.myself = self


@pytest.fixture(autouse=True)
def _nothing_frozen() -> Iterator[None]:
    garbage.thaw()
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_what_is_frozen_stays_until_it_is_thawed() -> None:
    node = Node()
    there = weakref.ref(node)
    garbage.freeze()
    del node
    gc.collect()
    assert there() is not None
    garbage.thaw()
    gc.collect()
    assert there() is None


def test_what_somebody_else_has_frozen_stays_so() -> None:
    gc.freeze()
    garbage.thaw()
    assert gc.get_freeze_count()
