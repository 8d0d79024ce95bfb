from __future__ import annotations

from typing import Any

import pytest

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.programs.effect import WatchedMetric, check_metric
from pytest_pitcheval.settings.methods import Optimization


def test_an_optimizer_whose_demos_are_rows_of_the_trainset_asks_no_metric() -> None:
    metric = WatchedMetric(lambda example, pred, trace=None: 1.0)
    check_metric(Optimization("bootstrap", {"max_bootstrapped_demos": 0}), metric)
    settings: dict[str, Any]
    for settings in ({}, {"max_bootstrapped_demos": 1}):
        with pytest.raises(PitchevalError, match="the metric was not asked once"):
            check_metric(Optimization("bootstrap", settings), metric)
