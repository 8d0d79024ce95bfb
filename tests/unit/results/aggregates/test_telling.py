"""Metrics of the whole set as text."""

from __future__ import annotations

from pytest_pitcheval.results.aggregates.figures import Aggregate
from pytest_pitcheval.results.aggregates.telling import undefined_together


def test_what_holds_of_several_groups_is_said_once() -> None:
    broken, known = Aggregate("x", undefined="broken raised KeyError"), Aggregate("accuracy", (0.5,))
    other = Aggregate("x", undefined="1 of 2 examples has no prediction: a")
    groups = [("a", {"f1": broken, "right": known}), ("b", {"f1": other}), ("c", {"f1": broken})]
    assert undefined_together(groups) == {
        "f1 is undefined: broken raised KeyError": ["a", "c"],
        "f1 is undefined: 1 of 2 examples has no prediction: a": ["b"],
    }
    assert undefined_together([("a", {"right": known})]) == {}
