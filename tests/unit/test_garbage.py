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
def _as_python_begins() -> Iterator[None]:
    """Whatever runs inside this process have left: one that is refused before it is configured never resumes."""
    garbage.thaw()
    garbage.resume()
    gc.unfreeze()
    wanted = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*wanted)
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


def test_collections_are_put_off_and_resumed() -> None:
    garbage.put_off()
    garbage.put_off()
    assert gc.get_threshold()[0] > 100 * 700
    garbage.resume()
    assert gc.get_threshold() == (700, 10, 10)
    garbage.resume()
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("wanted", [(50, 5, 5), (0, 10, 10), (10**9, 10, 10)])
def test_what_somebody_else_wants_of_the_collector_stays_so(wanted: tuple[int, int, int]) -> None:
    garbage.put_off()
    gc.set_threshold(*wanted)
    garbage.resume()
    assert gc.get_threshold() == wanted
    garbage.put_off()
    assert gc.get_threshold() == (max(wanted[0], garbage._RARELY) if wanted[0] else 0, *wanted[1:])
    garbage.resume()
    assert gc.get_threshold() == wanted
