"""Python's garbage collector, kept away from what stays to the end of a session.

DSPy brings some hundred thousand objects. Python looks through them again and again while they are imported, and pytest
ten times when it ends. Together that costs as much time as preparing hundreds of LM calls.
"""

from __future__ import annotations

import gc

_RARELY = 200_000
"""New objects between two collections while modules are imported: DSPy is imported in two."""

_frozen = False
_usual: tuple[int, int, int] | None = None


def put_off() -> None:
    """Collect rarely until `resume`: what is imported now stays."""
    global _usual
    if _usual is None:
        _usual = gc.get_threshold()
        gc.set_threshold(max(_RARELY, _usual[0]) if _usual[0] else 0, *_usual[1:])


def resume() -> None:
    """Collect as usual again, unless somebody has said meanwhile how often they want it."""
    global _usual
    if _usual is not None and gc.get_threshold()[0] == _RARELY:
        gc.set_threshold(*_usual)
    _usual = None


def freeze() -> None:
    """Leave what there is now out of all further collections, until the next session of this process.

    Before any test has run: what tests leave behind is still found.
    """
    global _frozen
    gc.freeze()
    _frozen = True


def thaw() -> None:
    """Let what `freeze` kept be collected after all: the session that it belonged to is over."""
    global _frozen
    if _frozen:
        gc.unfreeze()
        _frozen = False
