"""Progress bars in several threads: ``dspy.Parallel`` and ``dspy.Evaluate`` forget those of all others.

They call ``tqdm.tqdm._instances.clear()``, for notebooks. A bar that is just being made in another thread then fails
with a KeyError, or "Set changed size during iteration".
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

import tqdm

from pytest_pitcheval.rollouts.threads.replacing import replaced


class _Instances(weakref.WeakSet[Any]):
    """The bars there are; each goes when it is closed or lost, not all at once."""

    def clear(self) -> None:
        """Keep them."""

    def remove(self, item: Any) -> None:
        """Forget a bar, if it is not forgotten."""
        self.discard(item)

    def __iter__(self) -> Iterator[Any]:
        references = self.data.copy()  # type: ignore[attr-defined]  # a set, copied at once
        return iter([instance for reference in references if (instance := reference()) is not None])


@contextlib.contextmanager
def kept_apart() -> Iterator[None]:
    """Within it, one thread's progress bars are no other's business."""
    with replaced(tqdm.tqdm, "_instances", _Instances(tqdm.tqdm._instances)):
        yield
