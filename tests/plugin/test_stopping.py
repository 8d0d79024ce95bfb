"""``--eval-stop=decided``: no further calls once the gates of a test are decided."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from support.background import Background, wait_until
from support.command_line import Command
from support.openai_server import Failure, Request
from support.suite import TEST, Run, Suite

STOP = "--eval-stop=decided"
PASSING = TEST.replace("assert score >= score.threshold", "pass")
"""A test whose own outcome no score changes, so that only gates can fail."""
EXAMPLES = 100
BEYOND = 8
"""The rollouts that may be in flight when a test is decided: no further ones are begun."""


def number(request: Request) -> int:
    [found] = set(re.findall(r"question (\d+)\?", request.prompt))
    return int(found)


@pytest.fixture
def suite(suite: Suite) -> Suite:
    """A hundred examples of a test that passes; all score 0.75."""
    suite.write("test_qa.py", PASSING)
    suite.rows(EXAMPLES)
    return suite


def gated(suite: Suite, gates: str, test: str = PASSING) -> None:
    suite.write("test_qa.py", test.replace("threshold=0.5", f"threshold=0.5, {gates}"))


def summary(run: Run) -> dict[str, Any]:
    assert run.document is not None, run.text
    [found] = run.document["summary"]
    result: dict[str, Any] = found
    return result


def gates(run: Run) -> dict[str, tuple[str, str]]:
    assert run.document is not None, run.text
    return {gate["gate"]: (gate["status"], gate["reason"]) for gate in run.document["gates"]}


def ran(run: Run) -> set[str]:
    return {test["example_id"] for test in run.tests if not test["left_out"]}


def test_an_established_drop_leaves_the_rest_out(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.run("--eval-update-baseline")
    suite.scores(lambda request: 0.3)
    run = suite.run(STOP, *plugin_args)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    scored = summary(run)["scored"]
    assert 10 <= scored <= 10 + 2 * BEYOND
    assert len(run.requests) == 2 * scored
    assert (summary(run)["examples"], summary(run)["left_out"], summary(run)["unscored"]) == (100, 100 - scored, [])
    run.result.assert_outcomes(passed=scored, skipped=100 - scored)
    assert gates(run)["max_regression"] == (
        "failed",
        "dropped by 0.45 (95 % 0.45 to 0.45), p < 0.001, 0.010 at 4 looks, 10 examples, at the look after 10 of 100",
    )
    [(status, score, error)] = {
        (test["status"], test["score"], test["error"]) for test in run.tests if test["left_out"]
    }
    assert (status, score) == ("skipped", None)
    assert re.fullmatch(r"decided after 1\d of 100", error)
    run.result.stdout.fnmatch_lines([f"  mean of {scored} of 100: {100 - scored} were left out, as the gates *"])


def test_what_is_as_good_runs_to_its_end(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.run("--eval-update-baseline")
    run = suite.run(STOP, "--eval-min-mean=0.1", *plugin_args)
    assert run.result.ret == pytest.ExitCode.OK
    run.result.assert_outcomes(passed=EXAMPLES)
    assert gates(run)["max_regression"] == ("passed", "no difference, 100 examples")


@pytest.mark.parametrize(
    ("gate", "status", "needed", "reason"),
    [
        ("min_mean=0.3", "passed", 41, "mean 0.75 of {} of 100 reaches 0.3, whatever the rest scores"),
        ("min_mean=0.9", "failed", 41, "mean 0.75 of {} of 100 is below 0.9, whatever the rest scores"),
        ("min_pass_rate=0.2", "passed", 21, "pass rate 1 of {} of 100 reaches 0.2, whatever the rest scores"),
    ],
)
def test_an_absolute_gate_that_the_rest_cannot_change(
    suite: Suite, gate: str, status: str, needed: int, reason: str
) -> None:
    gated(suite, gate)
    run = suite.run(STOP)
    assert run.result.ret == (pytest.ExitCode.OK if status == "passed" else pytest.ExitCode.TESTS_FAILED)
    scored = summary(run)["scored"]
    assert needed <= scored <= needed + BEYOND
    assert len(run.requests) == 2 * scored
    assert gates(run)[gate.partition("=")[0]] == (status, reason.format(scored))
    assert f"decided after {needed} of 100" in {test["error"] for test in run.tests}


def test_one_gate_that_fails_for_good_is_enough(suite: Suite) -> None:
    suite.run("--eval-update-baseline")
    gated(suite, "min_mean=0.9, max_example_drop=0.5")
    run = suite.run(STOP)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert summary(run)["left_out"] > EXAMPLES // 3
    found = gates(run)
    assert found["min_mean"][0] == "failed"
    left_out = f"before {summary(run)['left_out']} examples were left out"
    assert found["max_regression"] == ("inconclusive", f"not established {left_out}")
    assert found["max_example_drop"][0] == "inconclusive"
    assert found["max_example_drop"][1].endswith(left_out)


def test_an_example_without_a_score_decides_its_mean(suite: Suite) -> None:
    gated(suite, "min_mean=0.1")
    suite.server.fail = lambda request: Failure() if request.model == "judge" else None
    run = suite.run(STOP)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert len(run.requests) <= 2 * (1 + BEYOND)
    assert gates(run)["min_mean"][0] == "failed"
    assert "decided after 1 of 100" in {test["error"] for test in run.tests}


@pytest.mark.parametrize("gate", ["", "min_mean=0.3"], ids=["no gate", "a score above 1"])
def test_where_nothing_is_decided_all_run(suite: Suite, gate: str) -> None:
    gated(suite, gate)
    suite.rows(30)
    suite.scores(lambda request: 1.5 if gate else 0.75)
    run = suite.run(STOP)
    run.result.assert_outcomes(passed=30)


def test_the_order_is_random_and_the_ids_are_the_same(suite: Suite) -> None:
    suite.rows(30)
    gated(suite, "min_mean=0.7")
    orders = [
        [test["example_id"] for test in suite.run(STOP, *arguments).tests]
        for arguments in ((), (), ("--eval-seed=1",), ("--optimization=none,labeled", "-k", "none"))
    ]
    assert orders[0] == orders[1] == orders[3]
    assert len({tuple(order) for order in orders}) == 2
    assert all(sorted(order) == sorted(f"e{n}" for n in range(30)) for order in orders)


def test_a_resumed_run_is_finished(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    gated(suite, "min_mean=0.3")
    first = suite.run(STOP, *plugin_args)
    assert summary(first)["left_out"]
    second = suite.run(STOP, "--eval-resume=last", *plugin_args)
    second.result.assert_outcomes(passed=EXAMPLES)
    assert len(second.requests) == 2 * summary(first)["left_out"]
    assert (summary(second)["left_out"], summary(second)["scored"]) == (0, EXAMPLES)
    assert gates(second)["min_mean"] == ("passed", "mean 0.75 reaches 0.3")


def test_a_replayed_run_leaves_the_same_out(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.run("--eval-update-baseline")
    suite.scores(lambda request: 0.3)
    first = suite.run(STOP, *plugin_args)
    second = suite.run("--eval-replay=last", *plugin_args)
    assert second.requests == []
    assert second.result.ret == first.result.ret
    assert ran(second) == ran(first)
    assert gates(second) == gates(first)


def test_a_killed_run_goes_on_until_it_is_decided(suite: Suite, background: Callable[..., Background]) -> None:
    gated(suite, "min_mean=0.3")
    suite.server.latency = 0.05
    with suite.held(verdicts=20):
        run = background(STOP)
        wait_until(lambda: run.records > 9)
        run.process.kill()
        run.wait()
    wait_until(lambda: suite.server.in_flight == 0)
    before = len(suite.server.requests)
    resumed = suite.run(STOP, "--eval-resume=last")
    assert 41 <= summary(resumed)["scored"] <= 41 + BEYOND
    assert 0 < len(resumed.requests) < 2 * summary(resumed)["scored"] - 10
    assert before + len(resumed.requests) <= 2 * (41 + 2 * BEYOND)


def test_no_baseline_is_made_of_a_part(suite: Suite) -> None:
    gated(suite, "min_mean=0.3")
    run = suite.run(STOP, "--eval-update-baseline")
    assert run.result.ret == pytest.ExitCode.OK
    left_out = summary(run)["left_out"]
    line = f"baseline: pitcheval-baseline.json: not written, as {left_out} examples were left out (--eval-stop)"
    assert line in run.result.stdout.lines
    assert not (suite.path / "pitcheval-baseline.json").exists()


def test_each_method_is_decided_by_itself(suite: Suite) -> None:
    suite.scores(lambda request: 0.9 if "train" in request.prompt else 0.1)
    gated(suite, "min_mean=0.5")
    run = suite.run(STOP, "--optimization=none,labeled")
    assert run.document is not None
    by_method = {one["optimization"]: one for one in run.document["summary"]}
    assert all(20 < one["scored"] < EXAMPLES for one in by_method.values())
    assert run.document["methods"][1]["result"]["examples"] == min(one["scored"] for one in by_method.values())


def test_a_decided_run_is_decided_again(suite: Suite, command: Command) -> None:
    suite.run("--eval-update-baseline")
    suite.scores(lambda request: 0.3)
    suite.run(STOP)
    said = command("decide", "last")
    assert said.code == 1
    assert "at the look after 10 of 100" in " ".join(" ".join(said.lines).split())
    said = command("decide", "last", "--eval-max-regression=0.6", "--eval-min-mean=0.2")
    assert said.code == 0
    lines = " ".join(" ".join(said.lines).split())
    assert "? max_regression=0.6" in lines
    assert "? min_mean=0.2" in lines
    assert "which the rest could change" in lines
