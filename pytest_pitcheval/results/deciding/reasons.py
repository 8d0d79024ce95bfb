"""Why a gate is decided as it is."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pytest_pitcheval.results.significance.families import Adjusted

GateStatus = Literal["passed", "failed", "inconclusive"]


class Reason(NamedTuple):
    """A gate's status, the value it was decided on, why, and of a drop its p-value, alone and among others."""

    status: GateStatus
    value: float | None
    text: str
    p: float | None = None
    adjusted: Adjusted | None = None
