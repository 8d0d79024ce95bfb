"""What a metric may return, and the verdict that it is."""

from __future__ import annotations

from collections import UserString
from decimal import Decimal
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from pytest_pitcheval.errors import MetricFailed
from pytest_pitcheval.rollouts.verdicts import Verdict, as_number, read_verdict


class Prediction(dict[str, Any]):
    """Has fields, and compares as a number by its score, as ``dspy.Prediction`` does."""

    def __float__(self) -> float:
        return float(self["score"])


class Refuses:
    def __float__(self) -> float:
        raise SystemExit

    def __repr__(self) -> str:
        raise SystemExit


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0.5, 0.5),
        (1, 1.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (np.bool_(True), 1.0),
        (Decimal("0.5"), 0.5),
        (Prediction(score=0.5), 0.5),
        (None, None),
        ("0.5", None),
        (b"1", None),
        (bytearray(b"1"), None),
        (UserString("1"), None),
        (MagicMock(), None),
        (Refuses(), None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        (1j, None),
        ([0.5], None),
        (object(), None),
    ],
)
def test_as_number(value: Any, number: float | None) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (0.5, Verdict(0.5)),
        (True, Verdict(1.0)),
        (np.float64(0.5), Verdict(0.5)),
        ({"score": 1, "feedback": None}, Verdict(1.0)),
        (Prediction(score=0.5, feedback="good", length=3, note="x"), Verdict(0.5, "good", {"length": 3.0})),
        (Prediction(score=0.5, feedback=["a"], broken=float("nan")), Verdict(0.5, "['a']", {})),
    ],
)
def test_read_verdict(result: Any, verdict: Verdict) -> None:
    assert read_verdict(result) == verdict


@pytest.mark.parametrize(
    "result", [None, "0.7", float("nan"), float("-inf"), 10**400, {}, {"score": "0.7"}, {"feedback": "x"}, object()]
)
def test_no_verdict(result: Any) -> None:
    with pytest.raises(MetricFailed, match=r"^the metric returned .*; expected a finite number, .*$"):
        read_verdict(result)
