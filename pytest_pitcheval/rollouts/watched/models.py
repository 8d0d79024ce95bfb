"""Which models programs and metrics ask: where these have LMs of their own, what an option names is not asked."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Any

from pytest_pitcheval.names import GENERATOR

CHOSEN = "pitcheval_chosen"
"""The attribute of LMs that an option names; copies keep it."""

_SAID = {True: ("--generator-model", "program", "generator_lm"), False: ("--evaluator-model", "metric", "evaluator_lm")}


class ModelsAsked:
    """What the calls of all rollouts were to, by the LM that their program or metric was given."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], set[str]] = {}
        self._mutex = threading.Lock()

    def add(self, part: str, lm: Any, models: Collection[str]) -> None:
        """A rollout's program or metric, as ``part`` says, was given ``lm``, and has asked these ``models``."""
        if getattr(lm, CHOSEN, False):
            with self._mutex:
                self._asked.setdefault((part, lm.model), set()).update(models)

    def lines(self) -> list[str]:
        """A line for each LM that was never asked, although another one was."""
        with self._mutex:
            return [_line(*key, asked) for key, asked in self._asked.items() if asked and key[1] not in asked]


def _line(part: str, model: str, asked: Collection[str]) -> str:
    option, caller, fixture = _SAID[part == GENERATOR]
    own = ", ".join(sorted(asked))
    return (
        f"{option}: {model!r} was not asked: the {caller} asks an LM of its own, {own}; "
        f"expected one that asks {fixture}, if its scores are to be of {model!r}"
    )
