"""A judge's exam: answers with people's labels, put to the metric; what qualifies it, and what waits for that."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from support.command_line import Command
from support.exams import ANSWERS, NUMBER, exam_of, flat, gates_of, judge, reword, use, with_program
from support.junit_file import properties_of, read_suite
from support.markdown_tables import tables
from support.openai_server import Failure, Request, chat_format
from support.suite import Suite


def test_an_exam_asks_the_judge_alone_and_a_test_an_answer(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    use(suite, "max_false_pass=0.1")
    judge(suite, wrong=[4])
    run = suite.run("test_judge.py", "--junit-xml=junit.xml", *plugin_args)
    run.result.assert_outcomes(passed=ANSWERS)
    assert (len(run.by("judge")), len(run.by("generator"))) == (ANSWERS, 0)
    record = next(test for test in run.tests if test["example_id"] == "j4")
    assert (record["people"], record["score"], record["threshold"]) == ([1.0], 0.2, 0.5)
    assert (record["prediction"], record["labels"]) == ({"answer": "given 4"}, {"good": 1})
    assert "good" not in run.by("judge")[0].prompt
    figures = exam_of(run)["figures"]
    assert (figures["agreement"]["count"], figures["agreement"]["of"]) == (ANSWERS - 1, ANSWERS)
    assert figures["kappa"]["value"] == pytest.approx(1 - 1 / 12)
    assert (figures["false pass"]["count"], figures["false fail"]["count"]) == (0, 1)
    assert gates_of(run) == {
        "min_kappa": ("passed", "kappa 0.917 (95 % 0.642 to 1) reaches 0.6"),
        "max_false_pass": ("passed", "false pass 0 (95 % 0 to 0.242) is at most 0.1"),
    }
    assert run.document is not None
    assert run.document["summary"][0]["mean"] is None
    assert run.result.ret == pytest.ExitCode.OK


def test_the_program_and_its_lm_are_not_needed(suite: Suite) -> None:
    use(suite)
    judge(suite)
    conftest = (suite.path / "conftest.py").read_text(encoding="utf-8")
    suite.write("conftest.py", conftest.replace("def program", "def no_program"))
    ini = (suite.path / "pytest.ini").read_text(encoding="utf-8")
    suite.write("pytest.ini", ini.replace("generator_model = openai/generator", ""))
    suite.run("test_judge.py").result.assert_outcomes(passed=ANSWERS)


def test_a_verdict_that_cannot_be_read_and_a_call_that_failed_are_errors_and_no_fails(suite: Suite) -> None:
    use(suite)
    judge(suite)
    known = suite.server.answer

    def answer(request: Request) -> str:
        return chat_format(feedback="Well.") if "exam 3?" in request.prompt else known(request)

    suite.server.answer = answer
    suite.server.fail = lambda request: Failure() if "exam 5?" in request.prompt else None
    run = suite.run("test_judge.py")
    run.result.assert_outcomes(passed=ANSWERS - 2, errors=2)
    assert exam_of(run)["figures"]["agreement"]["of"] == ANSWERS - 2
    assert gates_of(run) == {"min_kappa": ("failed", "undefined: 2 of 24 answers have no verdict")}
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    ("rows", "good", "reason"),
    [
        (19, lambda n: n % 2, "undefined: 19 labels, fewer than 20"),
        (20, lambda n: 1, "undefined: people pass all of 20 answers"),
        (21, lambda n: [0, 1] if n < 2 else n % 2, "undefined: 19 labels, fewer than 20"),
        (20, lambda n: 0.5, "undefined: people give all of 20 answers the grade 0.5"),
    ],
)
def test_what_says_nothing_does_not_qualify(suite: Suite, rows: int, good: Callable[[int], Any], reason: str) -> None:
    use(suite, rows=rows, good=good)
    run = suite.run("test_judge.py")
    assert gates_of(run) == {"min_kappa": ("failed", reason)}
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED


def test_rollouts_several_people_grades_and_slices(suite: Suite) -> None:
    use(
        suite,
        "rollouts=2, slices=['topic'], min_kappa=None",
        good=lambda n: [(0, 0.5, 1)[n % 3], (0, 0.5, 1)[(n + n // 9) % 3]],
        topic=lambda n: "refunds" if n < 12 else "delivery",
    )
    suite.scores(lambda request: 0.95 if int(NUMBER.findall(request.prompt)[-1]) < 12 else 0.05)
    run = suite.run("test_judge.py")
    exam, figures = exam_of(run), exam_of(run)["figures"]
    assert len(run.by("judge")) == 2 * ANSWERS
    assert set(figures) == {"agreement", "kappa", "AC2", "bias", "self-consistency", "people's alpha"}
    assert figures["self-consistency"]["value"] == 1
    assert exam["slices"]["topic=refunds"]["value"] > 0 > exam["slices"]["topic=delivery"]["value"]
    assert "the judge's bias changes sign: topic=refunds +0." in flat(run.text)
    assert gates_of(run) == {}


def test_gates_wait_for_a_judge_that_qualifies_in_all_reports(
    suite: Suite, command: Command, plugin_args: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(suite)
    with_program(suite)
    judge(suite, wrong=range(18))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    reports = ("--eval-html=page.html", "--eval-markdown=summary.md", "--junit-xml=junit.xml")
    run = suite.run(*reports, *plugin_args)
    run.result.assert_outcomes(passed=ANSWERS + 3)
    reason = gates_of(run)["min_mean"][1]
    assert reason.startswith("judge not qualified: kappa -0.5 (95 % ")
    assert reason.endswith(" is below 0.6 (test_judge.py::test_judge)")
    assert gates_of(run)["min_mean"] == ("failed", reason)
    assert gates_of(run)["max_error_rate"][0] == "passed"
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.document is not None
    means = {summary["test"]: summary["mean"] for summary in run.document["summary"]}
    assert means == {"test_qa.py::test_qa": pytest.approx(0.9), "test_judge.py::test_judge": None}
    assert f"FAIL min_mean=0.5 test_qa.py::test_qa [none]: {reason}" in flat(run.text)
    assert f"::error title=pitcheval%3A min_mean failed::min_mean=0.5 test_qa.py::test_qa [none]: {reason}" in (
        run.text.replace("%25", "%")
    )
    markdown = tables((suite.path / "summary.md").read_text(encoding="utf-8"))
    assert reason in [cell for table in markdown for row in table for cell in row]
    assert ["kappa", "test_judge.py::test_judge", "-0.500"] in [row[:3] for table in markdown for row in table]
    assert reason in (suite.path / "page.html").read_text(encoding="utf-8")
    xml = read_suite(suite.path / "junit.xml")
    assert properties_of(xml)["pitcheval.judge.kappa test_judge.py::test_judge [none]"] == "-0.5"
    failures = [case[0].text for case in xml.iter("testcase") if case.get("classname") == "pitcheval.gates"]
    assert any(str(failure).endswith(reason) for failure in failures)
    before = len(suite.server.requests)
    assert reason in flat("\n".join(command("decide", "last").lines))
    assert "kappa -0.500" in flat("\n".join(command("show", "last").lines))
    replay = suite.run("--eval-replay=last", *plugin_args)
    assert gates_of(replay) == gates_of(run)
    assert len(suite.server.requests) == before


def test_an_exam_holds_until_something_changes(suite: Suite, plugin_args: tuple[str, ...], command: Command) -> None:
    use(suite)
    with_program(suite)
    judge(suite)
    first = suite.run("--eval-update-baseline", *plugin_args)
    assert first.result.ret == pytest.ExitCode.OK
    baseline = json.loads((suite.path / "pitcheval-baseline.json").read_text(encoding="utf-8"))
    kept = baseline["tests"]["test_judge.py::test_judge"]["none"]
    assert kept["exam"]["governs"] == ["test_qa.py::test_qa"]
    assert kept["exam"]["figures"]["kappa"]["value"] == 1
    assert set(kept["fingerprints"]) == {"metric", "judge"}

    again = suite.run(*plugin_args)
    assert (len(again.by("judge")), len(again.by("generator"))) == (3, 3)
    again.result.assert_outcomes(passed=3, skipped=ANSWERS)
    assert again.result.ret == pytest.ExitCode.OK
    assert re.match(r"kappa 1 .* reaches 0.6, as of 20", gates_of(again)["min_kappa"][1])
    assert gates_of(again)["min_mean"][0] == gates_of(again)["max_regression"][0] == "passed"
    before = len(suite.server.requests)
    assert gates_of(suite.run("--eval-replay=last", *plugin_args)) == gates_of(again)
    assert "reaches 0.6, as of 20" in flat("\n".join(command("decide", "last").lines))
    assert len(suite.server.requests) == before
    assert len(suite.run("--eval-judge-exam=always").by("judge")) == ANSWERS + 3

    reword(suite, "Be strict.")
    for arguments in (("--eval-judge-exam=off",), ("test_qa.py",)):
        stale = suite.run(*arguments, *plugin_args)
        for gate in ("min_mean", "max_regression"):
            assert gates_of(stale)[gate][0] == "failed"
            assert gates_of(stale)[gate][1].startswith("judge not examined since it changed: metric '")
        assert stale.result.ret == pytest.ExitCode.TESTS_FAILED
        assert len(stale.by("judge")) == 3
    changed = suite.run("--eval-baseline-allow=metric", *plugin_args)
    assert len(changed.by("judge")) == ANSWERS + 3
    assert gates_of(changed)["min_mean"][0] == "passed"
    assert changed.result.ret == pytest.ExitCode.OK


def test_a_judge_that_is_not_examined_goes_on_being_governed(suite: Suite) -> None:
    """Also where scores are written to the baseline without an exam."""
    use(suite)
    with_program(suite)
    judge(suite)
    suite.run("--eval-update-baseline")
    reword(suite, "Be kind.")
    suite.run("--eval-update-baseline", "test_qa.py")
    stale = suite.run("test_qa.py")
    assert gates_of(stale)["min_mean"][1].startswith("judge not examined since it changed: metric '")
    assert stale.result.ret == pytest.ExitCode.TESTS_FAILED


def test_another_metric_without_an_exam_is_decided_as_ever(suite: Suite) -> None:
    use(suite)
    with_program(suite)
    suite.add(
        "test_qa.py",
        """

@pytest.fixture(scope="module")
def metric():
    return lambda example, pred, trace=None: 1.0
""",
    )
    judge(suite, wrong=range(18))
    run = suite.run()
    assert gates_of(run)["min_mean"][0] == "passed"
    assert gates_of(run)["min_kappa"][0] == "failed"


def test_changed_rows_are_asked_again_and_parts_of_an_exam_decide_nothing(suite: Suite, command: Command) -> None:
    use(suite)
    judge(suite)
    suite.run("--eval-update-baseline", "test_judge.py")
    use(suite, note=lambda n: "new" if n == 3 else "")
    assert len(suite.run("test_judge.py").by("judge")) == ANSWERS
    part = suite.run("test_judge.py", "-k", "j1", "--eval-json=part-1.json")
    assert gates_of(part) == {"min_kappa": ("inconclusive", "11 of 24 answers are in this run")}
    suite.run("test_judge.py", "-k", "not j1", "--eval-json=part-2.json")
    said = flat("\n".join(command("merge", "part-1.json", "part-2.json").lines))
    assert "ok min_kappa=0.6 test_judge.py::test_judge [none]: kappa 1 (95 %" in said


WRONG = {
    'label="goood"': "label='goood': None in row 'j0'; expected 0 or 1, true or false, or a grade from 0 to 1",
    'label="answer"': "label='answer': 'given 0' in row 'j0'; expected 0 or 1",
    'label="good", min_kappa=2': "min_kappa=2: expected a number from 0 to 1",
    'label="good", max_false_pass=True': "max_false_pass=True: expected a number from 0 to 1",
    'label="good", rollouts=0': "rollouts=0: expected a whole number, 1 or more",
    'label="good", slices=["topik"]': "slices='topik': no row of judge.jsonl has that label",
    'label="good", outputs=[]': "outputs=[]: expected a list of field names",
    'label="good", outputs=["anwer"]': "outputs: no field 'anwer' in row 'j0'; its fields are 'id', 'question'",
    'label="good", treshold=0.5': "got an unexpected keyword argument 'treshold'",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_marker_fails_its_test_in_one_line(suite: Suite, arguments: str) -> None:
    use(suite)
    outputs = "" if "outputs" in arguments else ', outputs=["answer"]'
    marker = f'judge_exam("judge.jsonl", inputs=["question"]{outputs}, {arguments})'
    suite.write("test_judge.py", f"import pytest\n\n\n@pytest.mark.{marker}\ndef test_judge(verdict):\n    pass\n")
    run = suite.run("test_judge.py")
    run.result.assert_outcomes(failed=1)
    assert f"judge_exam marker: {WRONG[arguments]}" in flat(run.text)
    assert run.requests == []


def test_fixtures_and_markers_that_do_not_go_together(suite: Suite) -> None:
    use(suite)
    suite.write(
        "test_judge.py",
        """
import pytest

exam = pytest.mark.judge_exam("judge.jsonl", inputs=["question"], outputs=["answer"], label="good")


@exam
def test_no_verdict(example):
    pass


@exam
def test_score(verdict, score):
    pass


def test_no_marker(verdict):
    pass
""",
    )
    text = flat(suite.run("test_judge.py").text)
    assert "judge_exam marker: the test does not ask for verdict" in text
    assert "judge_exam marker: the test asks for compiled_program; expected verdict, as no program is run" in text
    assert "expected a judge_exam marker on the test, which says where answers and labels are" in text
