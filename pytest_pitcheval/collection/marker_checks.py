"""What is wrong with a test's markers beside what they say: it makes no use of them, or lacks one that it needs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from pytest_pitcheval.collection.exams import NAME as EXAM
from pytest_pitcheval.errors import MarkerError
from pytest_pitcheval.ownership import fixture_names, is_evaluation, params_of

_IDLE = pytest.StashKey[str]()
"""Kept with the test that tells of a marker of a class or module: whose it is."""


def blame(session: pytest.Session, idle: Collection[Any]) -> None:
    """Let the first test of each node tell that no test makes use of the node's evaluation marker.

    Not where only some tests of a file were asked for: others may be those that use it.
    """
    config = session.config
    if any("::" in argument for argument in config.args) or config.getoption("lf", False):
        return
    for node in idle:
        item = next((item for item in session.items if node in item.listchain()), None)
        if item is not None and _IDLE not in item.stash:
            item.stash[_IDLE] = node.nodeid
            item.own_markers.extend(mark for mark in node.own_markers if is_evaluation(mark))


def check_markers(item: pytest.Item) -> None:
    """Raise MarkerError if a marker of ``item`` or its dataset is wrong, or ``evaluation`` not made use of."""
    for parameter in params_of(item).values():
        if isinstance(parameter, MarkerError):
            raise parameter
    marked = {mark.name for mark in item.own_markers}  # a class's or module's may be for others
    _check_exam(item, EXAM in marked)
    if "evaluation" in marked and "example" not in fixture_names(item):
        if whose := item.stash.get(_IDLE, None):
            raise MarkerError(f"evaluation marker: no test of {whose} asks for one of example, prediction and score")
        raise MarkerError("evaluation marker: the test asks for none of example, prediction and score")


def _check_exam(item: pytest.Item, marked: bool) -> None:
    names = set(fixture_names(item))
    if marked and "verdict" not in names:
        raise MarkerError(f"{EXAM} marker: the test does not ask for verdict")
    if "verdict" not in names:
        return
    if item.get_closest_marker(EXAM) is None:
        raise MarkerError(f"verdict: expected a {EXAM} marker on the test, which says where answers and labels are")
    if wrong := names & {"prediction", "score", "compiled_program"}:
        raise MarkerError(f"{EXAM} marker: the test asks for {min(wrong)}; expected verdict, as no program is run")
