"""Did it get worse? Runs held to a baseline, example by example."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from support.openai_server import Failure, Request
from support.suite import TEST, Run, Suite

PASSING = TEST.replace("assert score >= score.threshold", "pass")
"""A test whose own outcome no score changes, so that only gates can fail."""


def number(request: Request) -> int:
    [found] = set(re.findall(r"question (\d+)\?", request.prompt))
    return int(found)


@pytest.fixture
def suite(suite: Suite) -> Suite:
    """Twelve examples, a test that passes, and a baseline in which all scored 0.75."""
    suite.write("test_qa.py", PASSING)
    suite.rows(12)
    suite.run("--eval-update-baseline").result.assert_outcomes(passed=12)
    return suite


def fall(suite: Suite, by: Mapping[int, float] | float) -> None:
    """From now on the judge gives 0.75 minus this, to all or to single examples."""
    suite.scores(lambda request: 0.75 - (by if isinstance(by, float) else by.get(number(request), 0.0)))


def gate(run: Run, name: str = "max_regression") -> dict[str, Any]:
    assert run.document is not None
    [found] = [one for one in run.document["gates"] if one["gate"] == name]
    result: dict[str, Any] = found
    return result


def comparison(run: Run) -> dict[str, Any]:
    assert run.document is not None
    [found] = run.document["comparisons"]
    result: dict[str, Any] = found
    return result


def test_what_is_as_good_passes(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    run = suite.run(*plugin_args)
    assert run.result.ret == pytest.ExitCode.OK
    assert (gate(run)["status"], gate(run)["limit"], gate(run)["value"]) == ("passed", 0.05, 0.0)
    run.result.stdout.fnmatch_lines(
        [
            "compared with pitcheval-baseline.json",
            "  test_qa.py::test_qa ?none?: 0.750, now 0.750",
            "ok   max_regression=0.05 test_qa.py::test_qa ?none?: no difference, 12 examples",
        ]
    )


def test_an_established_drop_fails_with_how_much_and_how_sure(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    fall(suite, dict.fromkeys(range(10), 0.25))
    run = suite.run(*plugin_args)
    run.result.assert_outcomes(passed=12)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    found = gate(run)
    assert (found["status"], found["limit"]) == ("failed", 0.05)
    assert found["value"] == pytest.approx(10 * 0.25 / 12)
    assert found["reason"] == "dropped by 0.208 (95 % 0.147 to 0.27), p < 0.001, 12 examples"
    result = comparison(run)["result"]
    assert result["p_drop"] == 1 / 2**10
    assert result["ci95"] == pytest.approx([-0.27016, -0.14650], abs=1e-5)
    lines = [line for line in run.result.stdout.lines if line.startswith("FAIL ")]
    assert lines == ["FAIL max_regression=0.05 test_qa.py::test_qa [none]: dropped by 0.208 (95 %"]


def test_a_drop_that_may_be_chance_is_inconclusive_and_says_what_would_show(suite: Suite) -> None:
    fall(suite, {0: 0.75, 1: 0.75, 2: -0.25})
    run = suite.run()
    assert run.result.ret == pytest.ExitCode.OK
    assert gate(run)["status"] == "inconclusive"
    reason = gate(run)["reason"]
    assert re.match(
        r"dropped by 0\.104 \(95 % -0\.0928 to 0\.301\), p = 0\.250, 12 examples: not established; ", reason
    )
    assert re.search(r"with 80 % power this shows a drop of 0\.\d+; this drop takes .* examples$", reason)
    run.result.stdout.fnmatch_lines(["[?]    max_regression=0.05 test_qa.py::test_qa ?none?: dropped by 0.104 *"])
    strict = suite.run("--eval-gate=strict")
    assert strict.result.ret == pytest.ExitCode.TESTS_FAILED
    assert gate(strict)["status"] == "failed"


def test_the_largest_drop_that_is_allowed_is_an_option(suite: Suite) -> None:
    fall(suite, 0.25)
    assert suite.run().result.ret == pytest.ExitCode.TESTS_FAILED
    run = suite.run("--eval-max-regression=0.25")
    assert run.result.ret == pytest.ExitCode.OK
    assert (gate(run)["status"], gate(run)["value"]) == ("passed", 0.25)
    suite.write("test_qa.py", PASSING.replace("0.5)", "0.5, max_regression=0.3)"))
    assert suite.run().result.ret == pytest.ExitCode.OK
    assert suite.run("--eval-max-regression=0.2").result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_rise_passes(suite: Suite) -> None:
    fall(suite, -0.25)
    run = suite.run("--eval-max-regression=0")
    assert run.result.ret == pytest.ExitCode.OK
    assert gate(run)["reason"] == "rose by 0.25 (95 % 0.25 to 0.25), 12 examples"


def test_an_example_that_broke_fails_though_the_mean_holds(suite: Suite) -> None:
    suite.run("--eval-update-baseline", "--eval-rollouts=4")
    fall(suite, {3: 0.5, 4: 0.3, 5: -0.25, 6: -0.25, 7: -0.25, 8: -0.05})
    run = suite.run("--eval-max-example-drop=0.4", "--eval-rollouts=4", "--eval-family=none")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert gate(run)["status"] == "passed"
    broken = gate(run, "max_example_drop")
    assert (broken["status"], broken["value"]) == ("failed", 0.5)
    assert broken["reason"] == "1 example fell by more than that: e3, p = 0.014"
    assert (broken["p"], broken["p_adjusted"], broken["among"]) == (1 / 70, 1 / 70, 1)


def test_among_other_examples_that_may_have_changed_it_takes_more_rollouts(suite: Suite) -> None:
    suite.run("--eval-update-baseline", "--eval-rollouts=4")
    fall(suite, {3: 0.5, 4: 0.3, 5: -0.25, 6: -0.25, 7: -0.25, 8: -0.05})
    run = suite.run("--eval-max-example-drop=0.4", "--eval-rollouts=4")
    assert run.result.ret == pytest.ExitCode.OK
    broken = gate(run, "max_example_drop")
    assert broken["status"] == "inconclusive"
    assert broken["reason"] == ("1 example fell by more than that, not established: e3; 6 rollouts both times would do")
    assert suite.run("--eval-max-example-drop=0.4", "--eval-rollouts=4", "--eval-gate=strict").result.ret == 1


def test_one_rollout_establishes_nothing_of_an_example(suite: Suite) -> None:
    fall(suite, {3: 0.75})
    run = suite.run("--eval-max-example-drop=0.4")
    assert run.result.ret == pytest.ExitCode.OK
    assert gate(run, "max_example_drop")["status"] == "inconclusive"


def test_only_shared_examples_with_the_same_row_are_compared(suite: Suite) -> None:
    rows = [{"id": f"e{n}", "question": f"question {n}?"} for n in range(1, 12)]
    rows[0]["question"] = "question 100?"
    rows.append({"id": "new", "question": "question 200?"})
    suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    fall(suite, {100: 0.75, 200: 0.75})
    run = suite.run("-k", "not e11")
    assert run.result.ret == pytest.ExitCode.OK
    found = comparison(run)
    assert found["result"]["examples"] == 9
    lists = ("added", "removed", "changed", "not_run", "unscored")
    assert {name: found[name] for name in lists} == {
        "added": ["new"],
        "removed": ["e0"],
        "changed": ["e1"],
        "not_run": ["e11"],
        "unscored": [],
    }
    run.result.stdout.fnmatch_lines(["    1 added: new; 1 removed: e0; 1 not run; 1 with another row: e1"])
    allowed = suite.run("--eval-baseline-allow=example")
    assert comparison(allowed)["result"]["examples"] == 11


def test_the_mean_of_survivors_passes_no_gate(suite: Suite) -> None:
    suite.server.fail = lambda request: Failure() if request.model == "judge" and number(request) == 1 else None
    run = suite.run("--eval-max-example-drop=0.4")
    run.result.assert_outcomes(passed=11, errors=1)
    assert comparison(run)["unscored"] == ["e1"]
    for name in ("max_regression", "max_example_drop"):
        assert (gate(run, name)["status"], gate(run, name)["value"]) == ("failed", None)
        assert gate(run, name)["reason"] == "no score now, but in the baseline: e1"


def test_tests_that_were_all_skipped_fail_no_gate(suite: Suite) -> None:
    suite.write("test_qa.py", PASSING.replace("@pytest", "@pytest.mark.skipif(True, reason='no key')\n@pytest", 1))
    suite.add("pytest.ini", "eval_min_mean = 0.5\n")
    run = suite.run()
    run.result.assert_outcomes(skipped=12)
    assert run.result.ret == pytest.ExitCode.OK
    assert [(gate(run, name)["status"], gate(run, name)["reason"]) for name in ("min_mean", "max_regression")] == [
        ("inconclusive", "all examples were skipped")
    ] * 2


ANOTHER_JUDGE = ("pytest.ini", "openai/judge", "openai/judge-2")
ANOTHER_METRIC = ("conftest.py", "score=verdict.score,", "score=verdict.score * 1.0,")
ANOTHER_PROGRAM = ("conftest.py", 'dspy.Predict("question -> answer")', 'dspy.ChainOfThought("question -> answer")')


def edit(suite: Suite, name: str, old: str, new: str) -> None:
    text = (suite.path / name).read_text(encoding="utf-8")
    assert old in text
    suite.write(name, text.replace(old, new))


@pytest.mark.parametrize(("role", "change"), [("judge", ANOTHER_JUDGE), ("metric", ANOTHER_METRIC)])
def test_scores_of_another_judge_or_metric_are_not_compared(
    suite: Suite, role: str, change: tuple[str, str, str]
) -> None:
    edit(suite, *change)
    run = suite.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert (gate(run)["status"], comparison(run)["result"]) == ("failed", None)
    assert re.match(rf"not compared: {role} '.*', not '.*' \(--eval-baseline-allow={role} ", gate(run)["reason"])
    allowed = suite.run(f"--eval-baseline-allow={role}")
    assert allowed.result.ret == pytest.ExitCode.OK
    assert (comparison(allowed)["differs"], comparison(allowed)["result"]["examples"]) == ([role], 12)


def test_another_program_in_the_file_of_the_metric_is_compared(suite: Suite) -> None:
    edit(suite, *ANOTHER_PROGRAM)
    run = suite.run()
    assert run.result.ret == pytest.ExitCode.OK
    assert comparison(run)["differs"] == ["program"]
    run.result.stdout.fnmatch_lines(["    changed: program"])


def test_a_judge_that_the_metric_does_not_ask_may_change(suite: Suite) -> None:
    suite.add("conftest.py", "\n\n@pytest.fixture(scope='session')\ndef metric():\n    return lambda *_: 0.5\n")
    suite.run("--eval-update-baseline")
    edit(suite, *ANOTHER_JUDGE)
    run = suite.run()
    assert run.result.ret == pytest.ExitCode.OK
    assert comparison(run)["differs"] == []


def test_another_method_is_compared_with_that_of_the_baseline(suite: Suite) -> None:
    fall(suite, 0.25)
    run = suite.run("--optimization=labeled")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert (gate(run)["optimization"], comparison(run)["against"]) == ("labeled", "none")
    assert gate(run)["reason"].endswith("12 examples against 'none'")


def test_a_further_method_beside_that_of_the_baseline_is_new(suite: Suite) -> None:
    run = suite.run("--optimization=none,labeled")
    assert comparison(run)["optimization"] == "none"
    run.result.stdout.fnmatch_lines(["  test_qa.py::test_qa ?labeled?: not in the baseline"])
    explicit = suite.run("--optimization=none,labeled", "--eval-max-regression=0.1")
    assert explicit.document is not None
    assert [(one["optimization"], one["status"]) for one in explicit.document["gates"]] == [
        ("none", "passed"),
        ("labeled", "inconclusive"),
    ]


def test_a_new_test_passes_and_is_named(suite: Suite) -> None:
    suite.write("test_more.py", "def test_more(record_score):\n    record_score(0.25)\n")
    run = suite.run()
    assert run.result.ret == pytest.ExitCode.OK
    run.result.stdout.fnmatch_lines(["  test_more.py::test_more ?none?: not in the baseline"])


def test_free_form_tests_are_too_few_to_tell(suite: Suite) -> None:
    suite.write("test_more.py", "def test_more(record_score):\n    record_score(0.75)\n")
    suite.run("--eval-update-baseline", "test_more.py")
    edit(suite, "test_more.py", "0.75", "0.25")
    run = suite.run("test_more.py")
    assert gate(run)["status"] == "inconclusive"
    assert gate(run)["reason"].endswith("1 example: not established; fewer than 5 examples show nothing")


ERRORS: dict[str, Callable[[Request], Failure | None]] = {
    "one": lambda request: Failure() if "question 1?" in request.prompt else None,
    "none": lambda request: None,
}


@pytest.mark.parametrize(
    ("errors", "limit", "status"), [("none", 0, "passed"), ("one", 0.08, "failed"), ("one", 0.09, "passed")]
)
def test_the_share_of_examples_without_a_score(suite: Suite, errors: str, limit: float, status: str) -> None:
    suite.server.fail = ERRORS[errors]
    found = gate(suite.run(f"--eval-max-error-rate={limit}"), "max_error_rate")
    assert (found["status"], found["limit"]) == (status, limit)
    assert found["reason"] == f"{int(errors == 'one')} of 12 examples have no score"


@pytest.mark.parametrize("name", ["min_mean", "min_pass_rate"])
def test_options_win_over_markers_and_these_over_the_ini(suite: Suite, name: str) -> None:
    suite.add("pytest.ini", f"eval_{name} = 0.2\n")
    assert gate(suite.run(), name)["limit"] == 0.2
    suite.write("test_qa.py", PASSING.replace("0.5)", f"0.5, {name}=0.3)"))
    assert gate(suite.run(), name)["limit"] == 0.3
    assert gate(suite.run(f"--eval-{name.replace('_', '-')}=0.4"), name)["limit"] == 0.4


def test_several_methods_are_compared_with_the_first(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    def by_method(request: Request) -> float:
        return 0.9 if "trained" in request.prompt else 0.5

    suite.scores(by_method)
    suite.add("conftest.py", ECHO)
    run = suite.run("--optimization=none,labeled,bootstrap", "--eval-max-regression=1", *plugin_args)
    assert run.document is not None
    methods = {one["optimization"]: one for one in run.document["methods"]}
    assert list(methods) == ["none", "labeled", "bootstrap"]
    assert (methods["none"]["result"], methods["none"]["best"]) == (None, False)
    for name in ("labeled", "bootstrap"):
        assert methods[name]["first"] == "none"
        assert methods[name]["result"]["difference"] == pytest.approx(0.4)
        assert methods[name]["result"]["ci95"] == pytest.approx([0.4, 0.4])
        assert methods[name]["best"]
    run.result.stdout.fnmatch_lines(
        [
            "  method    against none    95 % interval       p",
            "  none                 -                -       -",
            "  labeled         +0.400 +0.400 to +0.400 < 0.001 best within noise",
            "  bootstrap       +0.400 +0.400 to +0.400 < 0.001 best within noise",
        ]
    )


ECHO = '''

class Echo(dspy.Module):
    """Answers whether it was shown how."""

    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        self.ask(question=question)
        return dspy.Prediction(answer="as trained" if self.ask.demos else "alone")


@pytest.fixture(scope="session")
def program():
    return Echo()
'''
