"""The exam of the example suite: the embedded LM fails it as its README says, made again from what it said once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.markdown_blocks import ROOT, blocks

EXAM = ROOT / "example_suite" / "judge"


def test_the_embedded_lm_fails_its_exam_as_the_readme_shows(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own, without a model: asked anew, it takes a minute, and its figures differ."""
    monkeypatch.setenv("COLUMNS", "80")
    shutil.copytree(ROOT / "example_suite", pytester.path / "example_suite", ignore=shutil.ignore_patterns(".*", "ml*"))
    command = ("example_suite/judge/exam.py", "--eval-replay=example_suite/judge/recorded", "--eval-mlflow=off")
    assert all(word in (EXAM / "README.md").read_text(encoding="utf-8") for word in command[:2])
    run = pytester.runpytest_subprocess("-pno:cacheprovider", *command)
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    run.assert_outcomes(passed=24)
    [shown] = blocks(Path(EXAM / "README.md"))
    printed = iter(run.outlines)
    assert [line for line in shown.lines if line not in printed] == []


def test_the_other_suites_are_run_without_it(pytester: pytest.Pytester) -> None:
    shutil.copytree(EXAM, pytester.path / "example_suite" / "judge")
    run = pytester.runpytest_subprocess("-pno:cacheprovider", "example_suite")
    assert run.ret == pytest.ExitCode.NO_TESTS_COLLECTED
