"""Python's garbage collector, kept away from what stays to the end of a session.

DSPy brings some hundred thousand objects. pytest looks through all of them ten times when it ends, and Python itself
now and then before. Together that costs as much time as preparing hundreds of LM calls.
"""

from __future__ import annotations

import gc

_frozen = False


def freeze() -> None:
    """Leave what there is now out of all further collections, until the next session of this process.

    Before any test has run: what tests leave behind is still found.
    """
    global _frozen
    gc.freeze()
    _frozen = True


def thaw() -> None:
    """Let it be collected after all: the session that it belonged to is over."""
    global _frozen
    if _frozen:
        gc.unfreeze()
        _frozen = False
