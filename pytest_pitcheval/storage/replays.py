"""What a run file says of the recorded answers that its run was made of."""

from __future__ import annotations

import dataclasses

from pytest_pitcheval.results import formats


@dataclasses.dataclass(frozen=True)
class Replayed:
    """Recorded answers.

    Attributes:
        date: when they were recorded, as ``2026-11-25``.
        finished: whether the run that recorded them ended by itself.
        asked: how many that they lacked were asked for; None where that was not allowed.
        unused: how many nobody asked for, of the tests that were run.
    """

    date: str
    finished: bool = True
    asked: int | None = None
    unused: int = 0

    @property
    def text(self) -> str:
        """One line: ``replayed from answers of 2026-11-25, 3 were missing and asked for``."""
        parts = [f"replayed from answers of {self.date}"]
        parts += [] if self.finished else ["of a run that was ended early"]
        parts += [] if self.asked is None else [f"{self.asked} {formats.were(self.asked)} missing and asked for"]
        parts += [f"{formats.count(self.unused, 'answer')} not asked for"] if self.unused else []
        return ", ".join(parts)
