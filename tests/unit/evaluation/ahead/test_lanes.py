from __future__ import annotations

import ast
import gc
import weakref
from pathlib import Path

import pytest

import pytest_pitcheval
from pytest_pitcheval.evaluation.ahead.flights import JudgeToCome
from pytest_pitcheval.evaluation.ahead.lanes import OURS, obstacle
from pytest_pitcheval.rollouts.program_and_metric import Judge

USUAL = ["_pitcheval_test", "_dspy_settings", "example", "optimization", "compiled_program", "prediction"]


@pytest.mark.parametrize(
    ("fixtures", "found"),
    [
        ([], None),
        (USUAL, None),
        (["database", *USUAL], "database"),
        ([*USUAL, "cleaned"], "cleaned"),
        ([*USUAL, "metric"], "metric"),
        ([*USUAL, "prediction"], "prediction"),
        (["_xunit_setup_method_fixture_TestQA", *USUAL], "setup_method"),
    ],
)
def test_obstacle(fixtures: list[str], found: str | None) -> None:
    assert obstacle(fixtures) == found


class Waiting:
    def __init__(self) -> None:
        self.heard: list[Judge] = []

    def hear(self, judge: Judge) -> None:
        self.heard.append(judge)


def test_who_has_waited_for_a_judge_hears_of_it_once_and_is_not_kept() -> None:
    judge, to_come, early, late = Judge(len, None), JudgeToCome(), Waiting(), Waiting()
    to_come.then(early.hear)
    assert early.heard == []
    to_come.open(judge)
    to_come.then(late.hear)
    assert early.heard == late.heard == [judge]
    gone = weakref.ref(early)
    del early
    gc.collect()
    assert gone() is None


def test_all_function_fixtures_of_the_plugin_are_known() -> None:
    """One that is missing among these would end looking ahead wherever it is used."""
    source = Path(pytest_pitcheval.__file__).with_name("fixtures.py").read_text(encoding="utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    marks = {node.name: [ast.unparse(mark) for mark in node.decorator_list] for node in functions}
    assert {name for name, decorators in marks.items() if "pytest.fixture" in decorators} == OURS
