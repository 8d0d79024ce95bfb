"""A cap beside answers in a file, and beside what is unchanged since the baseline."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.suite import Run, Suite

PRICE = "--eval-price=openai/*=1000/1000"
"""So that a call of these tests costs some cents."""
FILL = ("--eval-replay=answers", "--eval-record=answers")
WORKERS = pytest.mark.parametrize("plugin_args", [("-pno:xdist",), ("-n2",)], ids=["without-xdist", "n2"])


def left_out(run: Run, why: str = "budget") -> set[str]:
    return {test["example_id"] for test in run.tests if test["left_out"] == why}


def cost(run: Run) -> float:
    assert run.document is not None, run.text
    return float(run.document["run"]["budget"]["cost"])


def files_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in (folder / "answers").glob("*.jsonl")}


@WORKERS
def test_what_is_recorded_costs_nothing_and_what_is_missing_is_capped(
    suite: Suite, plugin_args: tuple[str, ...]
) -> None:
    suite.rows(4)
    suite.run("--eval-record=answers", *plugin_args)
    committed = files_of(suite.path / "answers")
    suite.rows(16)
    first = suite.run(*FILL, PRICE, "--eval-max-cost=0.5", "--eval-concurrency=1", *plugin_args)
    assert first.result.ret == pytest.ExitCode.TESTS_FAILED
    assert 0.5 <= cost(first) < 1
    assert left_out(first).isdisjoint({"e0", "e1", "e2", "e3"})
    assert 0 < len(left_out(first)) < 12
    assert committed.items() <= files_of(suite.path / "answers").items()
    second = suite.run(*FILL, PRICE, "--eval-max-cost=100", *plugin_args)
    assert second.result.ret == pytest.ExitCode.OK, second.text
    assert len(first.requests) + len(second.requests) == 2 * 12  # nothing was paid for twice
    strict = suite.run("--eval-replay=answers", PRICE, "--eval-max-cost=0", *plugin_args)
    assert (strict.requests, strict.result.ret) == ([], pytest.ExitCode.OK)
    assert [one["prediction"] for one in strict.tests] == [one["prediction"] for one in second.tests]


def test_a_recording_that_was_cut_off_is_a_run_that_was_cut_off(suite: Suite) -> None:
    suite.rows(16)
    capped = (PRICE, "--eval-max-cost=0.5", "--eval-concurrency=1", "--eval-min-mean=0.1")
    first = suite.run("--eval-record=run.zip", *capped)
    assert left_out(first)
    again = suite.run("--eval-replay=run.zip", "--eval-min-mean=0.1")
    assert (again.requests, again.result.ret) == ([], pytest.ExitCode.TESTS_FAILED)
    assert left_out(again) == left_out(first)
    assert again.document is not None
    assert first.document is not None
    assert [gate["reason"] for gate in again.document["gates"]] == [gate["reason"] for gate in first.document["gates"]]
    filled = suite.run("--eval-replay=run.zip", "--eval-record=whole.zip", "--eval-min-mean=0.1")
    assert filled.result.ret == pytest.ExitCode.OK, filled.text
    assert len(filled.requests) == 2 * 16 - len(first.requests)
    whole = suite.run("--eval-replay=whole.zip", "--eval-min-mean=0.1")
    assert (whole.requests, whole.result.ret) == ([], pytest.ExitCode.OK)


@WORKERS
def test_what_changed_is_asked_under_a_cap(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.rows(16)
    suite.scores(lambda request: 0.95)
    suite.run("--eval-update-baseline")
    suite.scores(lambda request: 0.55)
    rows = (suite.path / "data.jsonl").read_text(encoding="utf-8")
    options = ("--eval-affected", PRICE, "--eval-min-mean=0.9", "--eval-concurrency=1", *plugin_args)
    suite.write("data.jsonl", rows.replace("question 3?", "another question 3?"))
    one = suite.run(*options, "--eval-max-cost=0.5")  # enough for it
    assert len(one.requests) == 2
    assert (left_out(one), len(left_out(one, "unchanged"))) == (set(), 15)
    assert one.document is not None
    assert {gate["gate"]: gate["status"] for gate in one.document["gates"]}["min_mean"] == "passed"
    suite.write("data.jsonl", rows.replace('"question ', '"another question '))
    every = suite.run(*options, "--eval-max-cost=0.5")
    assert every.result.ret == pytest.ExitCode.TESTS_FAILED
    assert 0 < len(left_out(every)) < 16
    assert every.document is not None
    reason = f"not decided: budget: $0.50 reached after {16 - len(left_out(every))} of 16 examples"
    assert {gate["reason"] for gate in every.document["gates"]} == {reason}


def test_a_replay_makes_all_examples_again_and_what_changed_is_filled_in(suite: Suite) -> None:
    suite.rows(4)
    suite.run("--eval-update-baseline", "--eval-record=answers")
    replay = ("--eval-affected", "--eval-replay=answers")
    unchanged = suite.run(*replay)
    unchanged.result.assert_outcomes(passed=4)
    rows = (suite.path / "data.jsonl").read_text(encoding="utf-8")
    suite.write("data.jsonl", rows.replace("question 3?", "another question 3?"))
    changed = suite.run(*replay)
    assert changed.requests == []
    changed.result.assert_outcomes(passed=3, errors=1)
    assert "[-question-]{+another question+} 3?" in changed.text
    filled = suite.run(*replay, "--eval-record=answers")
    assert len(filled.requests) == 2
    filled.result.assert_outcomes(passed=4)
    assert suite.run("--eval-replay=answers").result.ret == pytest.ExitCode.OK


OWN_LM = """
import types


class OwnLM(dspy.BaseLM):
    \"\"\"Has no cache; tells tokens as providers do.\"\"\"

    def forward(self, prompt=None, messages=None, **kwargs):
        with open("asked.txt", "a") as file:
            print("asked", file=file)
        message = types.SimpleNamespace(content="[[ ## answer ## ]]\\nown\\n\\n[[ ## completed ## ]]")
        choice = types.SimpleNamespace(message=message, finish_reason="stop")
        usage = {"prompt_tokens": 50, "completion_tokens": 50, "total_tokens": 100}
        return types.SimpleNamespace(choices=[choice], usage=usage, model="own")


@pytest.fixture(scope="session")
def generator_lm():
    return OwnLM(model="mine/own")


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred: 1.0
"""


def test_what_is_recorded_of_an_lm_without_a_cache_costs_nothing(suite: Suite) -> None:
    suite.rows(2)
    suite.add("conftest.py", OWN_LM)
    suite.add("pytest.ini", "filterwarnings =\n    ignore::DeprecationWarning\n    ignore::FutureWarning\n")
    asked = suite.path / "asked.txt"
    suite.run("--eval-record=answers", "-pno:xdist")
    suite.rows(6)
    options = (*FILL, "--eval-price=mine/*=1000/1000", "--eval-concurrency=1", "-pno:xdist")
    first = suite.run(*options, "--eval-max-cost=0")
    first.result.assert_outcomes(passed=2, skipped=4)
    second = suite.run(*options, "--eval-max-cost=0.15")  # a call costs 0.10
    second.result.assert_outcomes(passed=4, skipped=2)
    assert cost(second) == pytest.approx(0.2)
    assert asked.read_text(encoding="utf-8").count("asked") == 4
