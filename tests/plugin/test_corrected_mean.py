"""``score.corrected``: what a mean would be if people had judged, shown in all reports and gated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from support.command_line import Command
from support.junit_file import properties_of, read_suite
from support.openai_server import Request
from support.suite import Run, Suite

EXAMPLES = 30
EVALUATION = """
import pytest


@pytest.mark.evaluation("data.jsonl", inputs=["question"]{})
def test_qa(score):
    pass
"""
EXAM = """
import pytest


@pytest.mark.judge_exam("judge.jsonl", inputs=["question"], outputs=["answer"], label="good", min_kappa=None)
def test_judge(verdict):
    pass
"""
GATE = 'min_mean={"score.corrected": 0.5}'
NUMBER = re.compile(r"(exam|question) (\d+)\?")


def use(suite: Suite, arguments: str = GATE) -> None:
    """Thirty examples, of which the judge passes all but each fifth, at 0.9."""
    suite.rows(EXAMPLES)
    suite.write("test_qa.py", EVALUATION.format(f", {arguments}" if arguments else ""))
    suite.scores(judged)


def judged(request: Request) -> float:
    """In the exam, whose even answers are good: 18 of 20 good ones pass, and 6 of 20 bad ones."""
    kind, text = NUMBER.findall(request.prompt)[-1]
    number = int(text)
    if kind == "question":
        return 0.9 if number % 5 else 0.1
    passes = number not in (0, 2) if number % 2 == 0 else number < 12
    return 0.9 if passes else 0.1


def use_exam(suite: Suite, rows: int = 40) -> None:
    found = [{"id": f"j{n}", "question": f"exam {n}?", "answer": "given", "good": 1 - n % 2} for n in range(rows)]
    write_labels(suite, found)


def write_labels(suite: Suite, rows: list[dict[str, Any]]) -> None:
    suite.write("judge.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    suite.write("test_judge.py", EXAM)


def label_answers(suite: Suite, run: Run, count: int, good: Callable[[int], int], **labelled: Any) -> None:
    """Write what somebody says of the answers of a run, of so many examples."""
    rows = []
    for number in range(count):
        test = next(one for one in run.tests if one["example_id"] == f"e{number}")
        of = {"run": test["rollout_id"].partition("/")[0], "test": test["test"], "optimization": "none"}
        known = {"by": "Ana", **of, "example": f"e{number}", "rollout": 1, "drawn": "at random", **labelled}
        row = {"question": f"question {number}?", "answer": test["prediction"]["answer"], "good": good(number)}
        rows.append({"id": f"e{number}-1", **row, "labelled": known})
    write_labels(suite, rows)


def summary_of(document: Mapping[str, Any] | None) -> dict[str, Any]:
    assert document is not None
    [found] = [one for one in document["summary"] if one["test"].endswith("test_qa")]
    return dict(found)


def gate_of(run: Run) -> tuple[str, str]:
    assert run.document is not None
    [gate] = [one for one in run.document["gates"] if one["metric"] == "score.corrected"]
    return gate["status"], gate["reason"]


def flat(text: str) -> str:
    return " ".join(text.split())


CORRECTED = (24 / 30 + 0.7 - 1) / (0.9 + 0.7 - 1)


def test_the_exam_of_its_judge_corrects_a_mean_in_all_reports(suite: Suite, command: Command) -> None:
    use(suite)
    use_exam(suite)
    reports = ("--junit-xml=junit.xml", "--eval-markdown=run.md", "--eval-html=run.html")
    run = suite.run("-n2", *reports, "--eval-update-baseline")
    found = summary_of(run.document)
    assert found["mean"] == pytest.approx(0.74)
    assert found["metrics"]["score.corrected"]["mean"] == pytest.approx(CORRECTED)
    low, high = found["metrics"]["score.corrected"]["ci95"]
    assert low < CORRECTED < high
    assert found["corrected"]["how"] == "Rogan-Gladen"
    status, reason = gate_of(run)
    assert status == "passed"
    assert reason.startswith("corrected mean 0.833333 reaches 0.5")
    assert reason.endswith("(Rogan-Gladen, 40 labels)")
    said = "score.corrected: Rogan-Gladen, 40 labels (test_judge.py::test_judge)"
    assert said in flat(run.text)
    assert re.search(r"score\.corrected +30/30 +0\.833 ", run.text)
    for name in ("run.md", "run.html"):
        text = (suite.path / name).read_text(encoding="utf-8")
        assert said in flat(text)
        assert "0.833" in text
    xml = properties_of(read_suite(suite.path / "junit.xml"))
    assert xml["pitcheval.metric.score.corrected test_qa.py::test_qa [none]"] == str(found["corrected"]["mean"])

    replay = suite.run("--eval-replay=last")
    assert replay.requests == []
    assert summary_of(replay.document)["corrected"] == found["corrected"]
    alone = suite.run("test_qa.py")  # the baseline has the exam
    assert summary_of(alone.document)["corrected"] == found["corrected"]
    unchanged = summary_of(suite.run("--eval-affected").document)  # nothing is asked, and it is as the baseline has it
    assert (unchanged["unchanged"], unchanged["metrics"]["score.corrected"]["scored"]) == (EXAMPLES, EXAMPLES)
    assert unchanged["corrected"] == found["corrected"]
    page = command("report", "last", "--markdown")
    assert said in flat("\n".join(page.lines))
    decided = flat("\n".join(command("decide", "last").lines))
    assert "ok min_mean=0.5 score.corrected test_qa.py::test_qa [none]: corrected mean 0.833333" in decided


def test_labels_of_a_runs_own_answers_correct_its_mean(suite: Suite) -> None:
    """People fail each fourth of those that the judge passes; all others are as it says."""
    use(suite)
    run = suite.run()
    assert gate_of(run) == (
        "failed",
        "undefined: no labels of its answers, and no exam of its judge with labels of 0 and 1",
    )
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    label_answers(suite, run, 24, lambda number: int(number % 5 > 0 and number % 4 > 0))
    replay = suite.run("-n2", "--eval-replay=last", "--eval-judge-exam=off")
    assert replay.requests == []
    found = summary_of(replay.document)
    assert found["mean"] == pytest.approx(0.74)
    assert (found["corrected"]["how"], found["corrected"]["labels"]) == ("prediction-powered", 24)
    low, high = found["corrected"]["ci95"]
    assert low < 0.6 < high
    assert found["corrected"]["mean"] == pytest.approx(0.6, abs=0.05)
    status, reason = gate_of(replay)
    assert status == "passed"
    assert reason.endswith("(prediction-powered, 24 labels)")
    again = suite.run("--eval-replay=last", "--eval-judge-exam=off")
    assert summary_of(again.document)["corrected"] == found["corrected"]


@pytest.mark.parametrize(
    ("count", "labelled", "reason"),
    [
        (12, {}, "undefined: 12 labels of its answers, fewer than 20"),
        (
            24,
            {"drawn": "near the threshold"},
            "undefined: no labels of its answers, and no exam of its judge with labels of 0 and 1",
        ),
    ],
)
def test_too_few_labels_and_chosen_answers_pass_no_gate(
    suite: Suite, count: int, labelled: dict[str, Any], reason: str
) -> None:
    use(suite)
    run = suite.run()
    label_answers(suite, run, count, lambda number: 1, **labelled)
    replay = suite.run("--eval-replay=last", "--eval-judge-exam=off")
    assert gate_of(replay) == ("failed", reason)
    assert replay.result.ret == pytest.ExitCode.TESTS_FAILED
    assert f"FAIL min_mean=0.5 score.corrected test_qa.py::test_qa [none]: {reason}" in flat(replay.text)


def test_shards_come_together_to_a_corrected_mean(suite: Suite, command: Command) -> None:
    use(suite)
    use_exam(suite)
    for number, part in enumerate(("e1 or e2 or j1 or j2", "not (e1 or e2 or j1 or j2)")):
        run = suite.run("-k", part, f"--eval-json=shard-{number}.json")
        assert gate_of(run) == (
            "inconclusive",
            "undefined: some answers alone of test_judge.py::test_judge are in this run",
        )
    command("merge", "shard-0.json", "shard-1.json")
    merged = json.loads(max((suite.path / ".pitcheval" / "runs").glob("*.json")).read_text(encoding="utf-8"))
    assert summary_of(merged)["corrected"]["mean"] == pytest.approx(CORRECTED)


def test_a_judge_that_fails_its_exam_holds_no_corrected_mean_up(suite: Suite) -> None:
    use(suite, 'min_mean={"score": 0.5, "score.corrected": 0.5}')
    use_exam(suite)
    suite.write("test_judge.py", EXAM.replace("min_kappa=None", "min_kappa=0.9"))
    run = suite.run()
    assert run.document is not None
    found = {gate["metric"]: gate for gate in run.document["gates"] if gate["gate"] == "min_mean"}
    assert found["score"]["reason"].startswith("judge not qualified: kappa 0.6")
    assert found["score.corrected"]["status"] == "passed"
