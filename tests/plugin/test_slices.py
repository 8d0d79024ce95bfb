"""Slices: examples by the values of their labels, each with gates of its own; examples that must pass."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from support.openai_server import Failure, Request, chat_format, dspy_answer
from support.suite import DYING, Run, Suite

TOPICS = ["refunds"] * 6 + ["delivery"] * 4
MARKER = '@pytest.mark.evaluation("data.jsonl", inputs=["question"], threshold=0.5{})'


def use(
    suite: Suite, arguments: str, topics: Sequence[str] = TOPICS, body: str = "pass", **labels: Mapping[int, Any]
) -> None:
    """Rows with a topic each, and further labels by position."""
    rows: list[dict[str, Any]] = [
        {"id": f"e{n}", "question": f"question {n}?", "topic": topic} for n, topic in enumerate(topics)
    ]
    for label, values in labels.items():
        for position, value in values.items():
            rows[position][label] = value
    suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    marker = MARKER.format(f", {arguments}" if arguments else "")
    suite.write("test_qa.py", f"import pytest\n\n\n{marker}\ndef test_qa(score):\n    {body}\n")


def judged(suite: Suite, scores: Mapping[int, float], others: float = 0.9) -> None:
    """The scores of single questions, and of all others."""

    def answer(request: Request) -> str:
        if request.model != "judge":
            return dspy_answer(request)
        return chat_format(score=next((s for n, s in scores.items() if f"question {n}?" in request.prompt), others))

    suite.server.answer = answer
    suite.add("conftest.py", JUDGE)


JUDGE = """

@pytest.fixture(scope="session")
def metric(evaluator_lm):
    judge = dspy.Predict("question, answer -> score: float")
    judge.set_lm(evaluator_lm)
    return lambda example, pred, trace=None: judge(question=example.question, answer=pred.answer).score
"""


def gates_of(run: Run) -> dict[tuple[str, str | None], tuple[str, str]]:
    assert run.document is not None, run.text
    return {(gate["gate"], gate["slice"]): (gate["status"], gate["reason"]) for gate in run.document["gates"]}


def slices_of(run: Run) -> dict[str, tuple[int, int, int, float | None]]:
    assert run.document is not None, run.text
    [summary] = run.document["summary"]
    return {
        f"{one['label']}={one['value']}": (one["examples"], one["scored"], one["passed"], one["mean"])
        for one in summary["slices"]
    }


def flat(text: str) -> str:
    return " ".join(text.split())


def test_each_value_of_a_label_is_a_row_of_its_own_and_no_gate(suite: Suite) -> None:
    use(suite, 'slices=["topic"]')
    judged(suite, {6: 0.1, 7: 0.1, 8: 0.3, 9: 0.3})
    run = suite.run()
    run.result.assert_outcomes(passed=10)
    assert slices_of(run) == {"topic=refunds": (6, 6, 6, 0.9), "topic=delivery": (4, 4, 4, 0.2)}
    assert gates_of(run) == {}


def test_a_whole_class_that_fails_inside_a_good_mean_fails_its_gate(
    suite: Suite, plugin_args: tuple[str, ...], command: Any
) -> None:
    use(suite, 'min_mean=0.6, slices={"topic": {"min_mean": 0.6, "min_pass_rate": 0.5}}', body="assert score.passed")
    judged(suite, {6: 0.1, 7: 0.1, 8: 0.3, 9: 0.3})
    run = suite.run(*plugin_args)
    assert len(run.requests) == 20
    assert gates_of(run) == {
        ("min_mean", None): ("passed", "mean 0.62 reaches 0.6, not established (95 % 0.357 to 0.883)"),
        ("min_mean", "topic=refunds"): ("passed", "mean 0.9 reaches 0.6, 6 examples"),
        ("min_pass_rate", "topic=refunds"): ("passed", "pass rate 1 reaches 0.5, 6 examples"),
        ("min_mean", "topic=delivery"): ("failed", "mean 0.2 is below 0.6, 4 examples"),
        ("min_pass_rate", "topic=delivery"): ("failed", "pass rate 0 is below 0.5, 4 examples"),
    }
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    line = "FAIL min_mean=0.6 topic=delivery test_qa.py::test_qa [none]: mean 0.2 is below 0.6, 4 examples"
    assert line in flat(run.text)
    before = len(suite.server.requests)
    assert line in flat("\n".join(command("decide", "last").lines))
    said = flat("\n".join(command("decide", "last", "--eval-gate=established").lines))
    assert "? min_mean=0.6 topic=delivery" in said  # under five examples nothing is established
    assert "ok min_mean=0.6 topic=refunds" in said
    replay = suite.run("--eval-replay=last", *plugin_args)
    assert gates_of(replay) == gates_of(run)
    assert len(suite.server.requests) == before


BASELINE = 'slices={"topic": {"max_regression": 0.05}}, max_example_drop=0.5, rollouts=3'


def test_a_slice_that_got_worse_is_found_and_one_of_four_examples_is_not(
    suite: Suite, plugin_args: tuple[str, ...]
) -> None:
    use(suite, BASELINE)
    judged(suite, {})
    assert suite.run("--eval-update-baseline").result.ret == pytest.ExitCode.OK
    assert {status for status, _ in gates_of(suite.run(*plugin_args)).values()} == {"passed"}
    judged(suite, dict.fromkeys(range(6), 0.5))
    found = gates_of(suite.run(*plugin_args, "--eval-family=none"))
    assert found["max_regression", "topic=refunds"] == (
        "failed",
        "dropped by 0.4 (95 % 0.4 to 0.4), p = 0.016, 6 examples",
    )
    assert found["max_regression", "topic=delivery"] == ("passed", "no difference, 4 examples")
    judged(suite, dict.fromkeys(range(6, 10), 0.5))
    status, reason = gates_of(suite.run(*plugin_args, "--eval-family=none"))["max_regression", "topic=delivery"]
    assert (status, reason.partition(": ")[2]) == (
        "inconclusive",
        "not established; fewer than 5 examples show nothing",
    )


def test_a_slice_of_a_label_that_is_true_or_a_number_and_examples_without_one(suite: Suite) -> None:
    use(suite, 'slices=["vip", "level"]', TOPICS[:4], vip={0: True, 1: False}, level={0: 1, 1: 2.5, 2: 1, 3: None})
    judged(suite, {})
    assert {name: found[0] for name, found in slices_of(suite.run()).items()} == {
        "vip=true": 1,
        "vip=false": 1,
        "level=1": 2,
        "level=2.5": 1,
    }


WRONG = {
    'slices=["topik"]': "slices='topik': no row of data.jsonl has that label; its labels are 'topic', 'critical'",
    'slices=["question"]': "slices='question': no row of data.jsonl has that label; its labels are 'topic', 'critical'",
    "slices=3": "slices=3: expected a list of labels, or a mapping of labels to gates",
    'slices={"topic": 0.6}': "slices={'topic': 0.6}: expected a list of labels, or a mapping of labels to gates",
    'slices={"topic": {"min_meen": 0.6}}': "slices={'topic': {'min_meen': 0.6}}: 'min_meen' is no gate",
    'slices={"topic": {"min_mean": "high"}}': "slices={'topic': {'min_mean': 'high'}}: expected a number, 0 or",
    'must_pass="kritical"': "must_pass='kritical': no row of data.jsonl has that label; its labels are",
    'must_pass="topic"': "must_pass='topic': 'refunds' in row 'e0'; expected true or false",
    "must_pass=True": "must_pass=True: expected the name of a label",
    'max_mean={"words": "few"}': "max_mean={'words': 'few'}: expected a number, 0 or more, or a mapping of metrics",
    'lower_is_better=["score"]': "lower_is_better=['score']: expected a list of metrics beside the score",
}


def test_what_is_wrong_is_told_in_one_line_before_any_call(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    use(suite, "", critical={0: True})
    tests = [f"{MARKER.format(f', {wrong}')}\ndef test_{n}(score):\n    pass\n" for n, wrong in enumerate(WRONG)]
    suite.write("test_qa.py", "\n\n".join(["import pytest", *tests]))
    run = suite.run(*plugin_args)
    run.result.assert_outcomes(failed=len(WRONG))
    assert run.requests == []
    errors = {test["nodeid"]: test["error"] for test in run.tests}
    for n, line in enumerate(WRONG.values()):
        assert errors[f"test_qa.py::test_{n}[wrong-marker]"].startswith(f"evaluation marker: {line}")


def test_a_label_of_many_values_makes_no_slices(suite: Suite) -> None:
    use(suite, 'slices=["topic"]', [f"topic {n}" for n in range(101)])
    run = suite.run()
    assert run.requests == []
    assert run.tests[0]["error"] == (
        "evaluation marker: slices='topic': 101 values in data.jsonl; expected a label with at most 100"
    )


MUST = 'must_pass="critical"'


def test_what_must_pass_fails_the_run_though_the_mean_is_good(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    use(suite, f"{MUST}, min_mean=0.5", body="assert score.passed", critical={0: True, 1: 1, 2: False, 3: "yes"})
    judged(suite, {2: 0.1})
    run = suite.run(*plugin_args)
    run.result.assert_outcomes(passed=9, failed=1)
    assert gates_of(run)["must_pass", "critical"] == ("passed", "all of 3 examples passed")
    judged(suite, {2: 0.1, 3: 0.2})
    run = suite.run(*plugin_args)
    assert gates_of(run)["min_mean", None][0] == "passed"
    assert gates_of(run)["must_pass", "critical"] == ("failed", "1 of 3 examples failed: e3")
    assert "FAIL must_pass=0 critical test_qa.py::test_qa [none]: 1 of 3 examples failed: e3" in flat(run.text)
    assert run.document is not None
    [gate] = [gate for gate in run.document["gates"] if gate["gate"] == "must_pass"]
    assert (gate["value"], gate["limit"]) == (1, 0)
    assert slices_of(run) == {}


def test_what_must_pass_and_is_lost_or_in_error_has_failed(suite: Suite) -> None:
    use(suite, MUST, TOPICS[:4], critical={1: True, 2: True, 3: True})
    suite.add("conftest.py", DYING)
    suite.server.fail = lambda request: (
        Failure() if request.model == "judge" and "question 1?" in request.prompt else None
    )
    run = suite.run("-n2")
    assert gates_of(run)["must_pass", "critical"] == ("failed", "2 of 3 examples failed: e1, e2")


def test_what_must_pass_and_is_skipped_or_not_of_this_run(suite: Suite) -> None:
    use(suite, MUST, TOPICS[:4], critical={1: True, 2: True})
    judged(suite, {})
    assert gates_of(suite.run("-k", "e0 or e3")) == {
        ("must_pass", "critical"): ("passed", "this run has none of these examples")
    }
    suite.add("conftest.py", "\n\ndef pytest_runtest_setup(item):\n    if 'e1' in item.name:\n        pytest.skip()\n")
    run = suite.run()
    assert gates_of(run) == {("must_pass", "critical"): ("inconclusive", "1 of 2 examples were skipped")}
    assert suite.run("--eval-gate=strict").result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_killed_run_that_is_continued_has_all_its_slices(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    use(suite, f'slices={{"topic": {{"min_mean": {{"score": 0.6}}}}}}, {MUST}', critical={0: True})
    judged(suite, {})
    suite.add("conftest.py", DYING)
    suite.run("-pno:xdist", subprocess=True)
    monkeypatch.setenv("SPARED", "1")
    run = suite.run("--eval-resume=last")
    assert slices_of(run) == {"topic=refunds": (6, 6, 6, 0.9), "topic=delivery": (4, 4, 4, 0.9)}
    assert {status for status, _ in gates_of(run).values()} == {"passed"}


def test_the_parts_of_a_suite_have_their_slices_together(suite: Suite, command: Any) -> None:
    use(
        suite,
        f'slices={{"topic": {{"min_mean": 0.6}}}}, {MUST}',
        body="assert score.passed",
        critical={0: True, 9: True},
    )
    judged(suite, {8: 0.1, 9: 0.1})
    ids = []
    for part in ("e0 or e1 or e2 or e6 or e7", "e3 or e4 or e5 or e8 or e9"):
        run = suite.run("-k", part)
        assert run.document is not None
        ids.append(run.document["run"]["id"])
    said = command("merge", *ids)
    assert said.code == pytest.ExitCode.TESTS_FAILED
    text = flat("\n".join(said.lines))
    assert "FAIL min_mean=0.6 topic=delivery test_qa.py::test_qa [none]: mean 0.5 is below 0.6, 4 examples" in text
    assert "ok min_mean=0.6 topic=refunds test_qa.py::test_qa [none]: mean 0.9 reaches 0.6, 6 examples" in text
    assert "FAIL must_pass=0 critical test_qa.py::test_qa [none]: 1 of 2 examples failed: e9" in text


def test_a_slice_that_is_gone_from_the_dataset_is_named_and_its_gates_are_not_decided(
    suite: Suite, plugin_args: tuple[str, ...], command: Any
) -> None:
    use(suite, 'slices={"topic": {"min_mean": 0.6}}')
    judged(suite, {})
    suite.run("--eval-update-baseline")
    text = (suite.path / "pitcheval-baseline.json").read_text(encoding="utf-8")
    assert '"slices": {"topic": ["refunds", "delivery"]}' in text
    assert ("min_mean", "topic=delivery") not in gates_of(suite.run("-k", "e0 or e1"))  # not run, not gone
    use(suite, 'slices={"topic": {"min_mean": 0.6}}', TOPICS[:6])
    run = suite.run(*plugin_args)
    assert slices_of(run) == {"topic=refunds": (6, 6, 6, 0.9), "topic=delivery": (0, 0, 0, None)}
    assert gates_of(run)["min_mean", "topic=delivery"] == (
        "inconclusive",
        "no example of the dataset has it any more",
    )
    assert suite.run(*plugin_args, "--eval-gate=strict").result.ret == pytest.ExitCode.TESTS_FAILED
    assert "topic=delivery gone" in flat("\n".join(command("show", "last").lines))
    suite.run("--eval-update-baseline")
    assert slices_of(suite.run()) == {"topic=refunds": (6, 6, 6, 0.9)}
