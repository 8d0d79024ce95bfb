"""Exams of judges in runs that are cut off, continued, repeated, capped, split, and told to all that read them."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
from support.background import Background, wait_until
from support.command_line import Command
from support.exams import ANSWERS, exam_of, flat, gates_of, judge, reword, use, with_program
from support.junit_file import properties_of, read_suite
from support.markdown_tables import tables
from support.suite import Run, Suite

PRICE = "--eval-price=openai/*=1000/1000"
EXAMPLES = 3
QUALIFIED = ("passed", "kappa 1 (95 % 0.775 to 1) reaches 0.6")


@pytest.fixture
def suite(suite: Suite) -> Suite:
    """With a judge's exam, and a test whose scores are of that judge."""
    use(suite)
    with_program(suite)
    judge(suite)
    return suite


def usage(run: Run) -> tuple[int, float]:
    """LM calls and dollars of all tests."""
    fresh = sum(test["lm_calls"]["fresh"] for test in run.tests)
    return fresh, sum(test["cost"] for test in run.tests)


def test_an_exam_is_continued(suite: Suite, background: Callable[..., Background], command: Command) -> None:
    """After Ctrl-C in the midst of it: what was asked is not asked again, and until all is there nothing qualifies."""
    with suite.held(verdicts=10):
        run = background("test_judge.py", "test_qa.py", "--eval-concurrency=2")
        wait_until(lambda: run.records > 5)
        run.process.send_signal(signal.SIGINT)
        assert run.wait() == pytest.ExitCode.INTERRUPTED
    asked, [cut] = len(suite.server.requests), run.documents
    assert asked < ANSWERS + 2 * EXAMPLES
    gates = {gate["gate"]: (gate["status"], gate["reason"]) for gate in cut["gates"]}
    assert gates["min_kappa"][0] in ("inconclusive", "failed")
    assert "kappa" not in gates["min_kappa"][1]
    resumed = suite.run("--eval-resume=last", "-n2")
    resumed.result.assert_outcomes(passed=ANSWERS + EXAMPLES)
    assert gates_of(resumed)["min_kappa"] == QUALIFIED
    assert gates_of(resumed)["min_mean"][0] == "passed"
    assert asked + len(resumed.requests) <= ANSWERS + 2 * EXAMPLES + 2  # those in flight when it was cut off
    assert len({request.prompt for request in suite.server.requests}) == ANSWERS + 2 * EXAMPLES


def test_an_exam_that_a_failure_ends_qualifies_nobody(suite: Suite) -> None:
    test = (suite.path / "test_judge.py").read_text(encoding="utf-8")
    suite.write("test_judge.py", test + "    assert verdict.agrees\n")
    judge(suite, wrong=[9])
    run = suite.run("test_judge.py", "test_qa.py", "-x", "--eval-concurrency=2")
    assert run.result.ret != pytest.ExitCode.OK
    assert gates_of(run)["min_kappa"] == ("failed", "undefined: 14 of 24 answers have no verdict")
    judge(suite)
    resumed = suite.run("test_judge.py", "test_qa.py", "--eval-resume=last")
    assert exam_of(resumed)["figures"]["agreement"]["of"] == ANSWERS


def test_an_exam_is_made_again_from_a_file(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    first = suite.run("--eval-record=answers", "-n2")
    assert gates_of(first)["min_kappa"] == QUALIFIED
    monkeypatch.setenv("DSPY_CACHEDIR", str(suite.path / "empty"))
    for arguments in ((), ("-n2",)):
        again = suite.run("--eval-replay=answers", *arguments)
        again.result.assert_outcomes(passed=ANSWERS + EXAMPLES)
        assert (again.requests, gates_of(again)) == ([], gates_of(first))
        assert exam_of(again)["figures"] == exam_of(first)["figures"]
    reword(suite, "Be strict.")
    changed = suite.run("--eval-replay=answers", "test_judge.py")
    changed.result.assert_outcomes(errors=ANSWERS)
    assert gates_of(changed)["min_kappa"] == ("failed", "undefined: 24 of 24 answers have no verdict")


@pytest.mark.parametrize("wrong", [(), range(18)], ids=["qualified", "not qualified"])
def test_shards_are_decided_as_one(suite: Suite, command: Command, wrong: Any) -> None:
    """An exam that is split over them, beside a test of one of them."""
    judge(suite, wrong=wrong)
    parts = {"test_qa.py or j1": "a.json", "test_judge.py and not j1": "b.json"}
    for part, name in parts.items():
        shard = suite.run("-k", part, f"--eval-json={name}")
        assert gates_of(shard)["min_kappa"][0] == "inconclusive"
        assert len(shard.by("generator")) == (EXAMPLES if name == "a.json" else 0)
    said = command("merge", *parts.values())
    whole = suite.run("-n4")
    merged = flat("\n".join(said.lines))
    assert said.code == whole.result.ret == (pytest.ExitCode.TESTS_FAILED if wrong else pytest.ExitCode.OK)
    for reason in (gates_of(whole)["min_mean"][1], gates_of(whole)["min_kappa"][1]):
        assert reason in merged


def test_calls_of_exams_count_against_a_cap_that_qualifies_nobody(suite: Suite) -> None:
    whole = suite.run(PRICE, "test_judge.py")
    calls, cost = usage(whole)
    assert calls == ANSWERS
    run = suite.run(PRICE, f"--eval-max-cost={cost / 2:.3f}", "--eval-concurrency=1", "-n2")
    assert run.document is not None
    assert run.document["run"]["budget"]["reached"] == f"budget: ${cost / 2:.2f} reached"
    assert cost / 2 <= run.document["run"]["budget"]["cost"] < cost
    status, reason = gates_of(run)["min_kappa"]
    assert status == "failed"
    assert reason.endswith(f" answers have no verdict: budget: ${cost / 2:.2f} reached")
    assert gates_of(run)["min_mean"][0] == "failed"
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    resumed = suite.run(PRICE, "--eval-max-cost=1000", "--eval-resume=last")
    assert gates_of(resumed)["min_kappa"] == QUALIFIED
    assert gates_of(resumed)["min_mean"][0] == "passed"


def test_no_earlier_exam_stands_in_for_one_that_a_cap_cut_off(suite: Suite) -> None:
    """Neither for its gates, nor in the baseline."""
    suite.run("--eval-update-baseline")
    path = suite.path / "pitcheval-baseline.json"
    before = path.read_text(encoding="utf-8")
    reword(suite, "Be strict.")
    nothing = suite.run(PRICE, "--eval-max-cost=0")
    assert gates_of(nothing)["min_kappa"] == ("failed", "not decided: budget: $0.00 reached after 0 of 24 answers")
    assert gates_of(nothing)["min_mean"][0] == "failed"
    some = suite.run(PRICE, "--eval-max-cost=1", "--eval-concurrency=1", "--eval-update-baseline", "test_judge.py")
    status, reason = gates_of(some)["min_kappa"]
    assert (status, some.result.ret) == ("failed", pytest.ExitCode.TESTS_FAILED)
    assert "answers have no verdict: budget: $1.00 reached" in reason
    assert path.read_text(encoding="utf-8") == before


def test_only_what_has_changed_is_asked_and_the_exam_goes_on_holding(suite: Suite) -> None:
    suite.run("--eval-update-baseline")
    nothing = suite.run("--eval-affected")
    assert (nothing.requests, nothing.result.ret) == ([], pytest.ExitCode.OK)
    assert gates_of(nothing)["min_kappa"][1].startswith("kappa 1 ")
    assert gates_of(nothing)["min_mean"][0] == "passed"
    use(suite, good=lambda n: 1 - n % 2 if n else 0)  # another label: another exam
    labels = suite.run("--eval-affected")
    assert (len(labels.by("judge")), len(labels.by("generator"))) == (ANSWERS, 0)
    assert gates_of(labels)["min_kappa"][1].startswith("kappa 0.9")
    assert gates_of(labels)["min_mean"][0] == "passed"
    use(suite)
    reword(suite, "Be kind.")
    wording = suite.run("--eval-affected", "--eval-baseline-allow=metric")
    assert (len(wording.by("judge")), len(wording.by("generator"))) == (ANSWERS + EXAMPLES, EXAMPLES)
    assert gates_of(wording)["min_mean"][0] == "passed"


def test_an_answer_that_is_judged_again_has_its_last_verdict(suite: Suite) -> None:
    test = (suite.path / "test_judge.py").read_text(encoding="utf-8")
    suite.write("test_judge.py", test + "    assert verdict.agrees\n")
    asked: dict[str, int] = {}
    judge(suite)
    known = suite.server.answer

    def answer(request: Any) -> str:
        asked[request.prompt] = asked.get(request.prompt, 0) + 1
        if "exam 3?" in request.prompt and asked[request.prompt] == 1:
            return known(request).replace("0.2", "0.9")
        return known(request)

    suite.server.answer = answer
    run = suite.run("test_judge.py", "--reruns=2", "-n2")
    assert run.result.parseoutcomes() == {"passed": ANSWERS, "rerun": 1}
    assert exam_of(run)["figures"]["agreement"]["count"] == ANSWERS
    assert sum(asked.values()) == ANSWERS + 1


def test_a_judge_whose_prompt_was_changed_is_told_in_all_reports_until_it_has_passed(
    suite: Suite, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the run file, the terminal, markdown, the page, JUnit and GitHub: a line each, and exit code 1."""
    suite.run("--eval-update-baseline")
    reword(suite, "Be strict.")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    reports = ("--eval-html=page.html", "--eval-markdown=summary.md", "--junit-xml=junit.xml")
    run = suite.run("test_qa.py", "--eval-family=none", *reports)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.assert_outcomes(passed=EXAMPLES)
    status, reason = gates_of(run)["min_mean"]
    assert status == "failed"
    assert reason.startswith("judge not examined since it changed: metric '")
    assert "test_judge.py::test_judge, 20" in reason
    assert flat(run.text).count(f"FAIL min_mean=0.5 test_qa.py::test_qa [none]: {reason}") == 1
    github = [line for line in run.text.replace("%25", "%").splitlines() if line.startswith("::error")]
    assert len([line for line in github if "min_mean" in line and reason in line]) == 1
    markdown = tables((suite.path / "summary.md").read_text(encoding="utf-8"))
    assert len([cell for table in markdown for row in table for cell in row if cell == reason]) >= 1
    page = (suite.path / "page.html").read_text(encoding="utf-8")
    assert reason.replace("'", "&#39;") in page
    xml = read_suite(suite.path / "junit.xml")
    failures = [str(case[0].text) for case in xml.iter("testcase") if case.get("classname") == "pitcheval.gates"]
    assert len([one for one in failures if one.endswith(reason)]) == 2  # min_mean, and max_regression
    assert reason in flat("\n".join(command("decide", "last").lines))

    monkeypatch.delenv("GITHUB_ACTIONS")
    bad = suite.run("--eval-baseline-allow=metric")
    judge(suite, wrong=range(18))
    bad = suite.run("--eval-baseline-allow=metric")
    assert gates_of(bad)["min_mean"][1].startswith("judge not qualified: kappa -0.5 ")
    assert bad.result.ret == pytest.ExitCode.TESTS_FAILED
    judge(suite)
    good = suite.run("--eval-baseline-allow=metric", "--eval-update-baseline", "--junit-xml=junit.xml")
    assert (gates_of(good)["min_mean"][0], gates_of(good)["min_kappa"]) == ("passed", QUALIFIED)
    after = suite.run()
    assert (len(after.by("judge")), after.result.ret) == (EXAMPLES, pytest.ExitCode.OK)
    assert gates_of(after)["max_regression"][0] == "passed"
    told = properties_of(read_suite(suite.path / "junit.xml"))
    assert float(told["pitcheval.judge.kappa test_judge.py::test_judge [none]"]) == 1
