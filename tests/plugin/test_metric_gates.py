"""Gates on the numbers that a metric returns beside the score, and on what each rollout took."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.openai_server import Request, chat_format, dspy_answer
from support.suite import DYING, Run, Suite

METRIC = """

@pytest.fixture(scope="session")
def metric(evaluator_lm):
    judge = dspy.Predict("question, answer -> score: float, relevancy: float, words: int")
    judge.set_lm(evaluator_lm)

    def verdict(example, pred, trace=None):
        told = judge(question=example.question, answer=pred.answer)
        lacking = {} if "LACKING" in example.question else {"relevancy": told.relevancy}
        return dspy.Prediction(score=told.score, words=told.words, polite=told.words < 30, **lacking)

    return verdict
"""


def use(suite: Suite, arguments: str = "", rows: int = 6, rollouts: int = 1) -> None:
    """A test whose metric returns ``words`` and ``polite``, and ``relevancy`` too; it asserts nothing."""
    suite.add("conftest.py", METRIC)
    suite.rows(rows)
    marker = f'@pytest.mark.evaluation("data.jsonl", inputs=["question"], rollouts={rollouts}, {arguments})'
    suite.write("test_qa.py", f"import pytest\n\n\n{marker}\ndef test_qa(score):\n    pass\n")


def judged(suite: Suite, relevancy: float = 0.7, words: int = 20, score: float = 0.75) -> None:
    def answer(request: Request) -> str:
        if request.model != "judge":
            return dspy_answer(request)
        return chat_format(score=score, relevancy=relevancy, words=words)

    suite.server.answer = answer


def gates_of(run: Run) -> dict[tuple[str, str], dict[str, Any]]:
    assert run.document is not None, run.text
    return {(gate["gate"], gate["metric"]): gate for gate in run.document["gates"]}


def statuses(run: Run) -> dict[tuple[str, str], str]:
    return {name: gate["status"] for name, gate in gates_of(run).items()}


def lines(run: Run) -> str:
    """What was printed of gates, unwrapped."""
    return " ".join(run.text.split())


MIXED = 'min_mean={"score": 0.8, "relevancy": 0.6, "polite": 1}, max_mean={"words": 15, "tokens": 1000, "seconds": 60}'


def test_each_metric_has_a_gate_of_its_own(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    use(suite, MIXED, rollouts=2)
    judged(suite)
    run = suite.run(*plugin_args)
    run.result.assert_outcomes(passed=6)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert len(run.requests) == 24
    assert statuses(run) == {
        ("min_mean", "score"): "failed",
        ("min_mean", "relevancy"): "passed",
        ("min_mean", "polite"): "passed",
        ("max_mean", "words"): "failed",
        ("max_mean", "tokens"): "passed",
        ("max_mean", "seconds"): "passed",
    }
    assert "FAIL max_mean=15 words test_qa.py::test_qa [none]: mean 20 is above 15" in lines(run)
    assert "ok min_mean=0.6 relevancy test_qa.py::test_qa [none]: mean 0.7 reaches 0.6" in lines(run)
    [test, *_] = run.tests
    assert {name: len(values) for name, values in test["metrics"].items()} == dict.fromkeys(
        ("seconds", "cost", "tokens", "words", "polite", "relevancy"), 2
    )
    assert (test["metrics"]["words"], test["metrics"]["polite"]) == ([20.0, 20.0], [1.0, 1.0])
    assert sum(test["metrics"]["tokens"]) == test["tokens"]["prompt"] + test["tokens"]["completion"]
    assert sum(test["metrics"]["seconds"]) == pytest.approx(test["seconds"], abs=1e-3)
    assert run.document is not None
    [summary] = run.document["summary"]
    assert (summary["metrics"]["words"]["mean"], summary["metrics"]["words"]["scored"]) == (20.0, 6)


def test_the_command_line_wins_for_each_metric_by_itself(suite: Suite) -> None:
    use(suite, 'min_mean={"score": 0.8, "relevancy": 0.6}')
    suite.add("pytest.ini", "eval_min_mean = 0.1,words=5,relevancy=0.1\neval_max_mean = words=1\n")
    judged(suite)
    run = suite.run("--eval-min-mean=relevancy=0.9", "--eval-max-mean=tokens=9999")
    assert {name: (gate["limit"], gate["status"]) for name, gate in gates_of(run).items()} == {
        ("min_mean", "score"): (0.8, "failed"),
        ("min_mean", "words"): (5.0, "passed"),
        ("min_mean", "relevancy"): (0.9, "failed"),
        ("max_mean", "words"): (1.0, "failed"),
        ("max_mean", "tokens"): (9999.0, "passed"),
    }


def test_an_example_that_lacks_a_metric_fails_its_gate_and_no_other(suite: Suite) -> None:
    use(suite, 'min_mean={"relevancy": 0.5, "words": 5, "relevance": 0.5}')
    rows = [{"id": f"e{n}", "question": f"question {n}?{' LACKING' if n == 2 else ''}"} for n in range(6)]
    suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    judged(suite)
    found = gates_of(suite.run())
    assert found["min_mean", "words"]["status"] == "passed"
    assert found["min_mean", "relevancy"]["reason"] == "1 of 6 examples have no relevancy"
    assert (found["min_mean", "relevance"]["status"], found["min_mean", "relevance"]["reason"]) == (
        "failed",
        "no example has the metric 'relevance'; there are score, seconds, tokens, words, polite, relevancy",
    )


REGRESSION = 'max_regression={"relevancy": 0.05, "words": 2, "tokens": 0.5}, lower_is_better="words"'


def test_metrics_are_compared_with_the_baseline_each_in_its_own_direction(
    suite: Suite, plugin_args: tuple[str, ...]
) -> None:
    use(suite, REGRESSION)
    judged(suite)
    assert suite.run("--eval-update-baseline").result.ret == pytest.ExitCode.OK
    text = (suite.path / "pitcheval-baseline.json").read_text(encoding="utf-8")
    assert '"relevancy": [0.7]' in text
    assert statuses(suite.run(*plugin_args)) == dict.fromkeys(
        [("max_regression", name) for name in ("score", "relevancy", "words", "tokens")], "passed"
    )
    judged(suite, relevancy=0.5, words=25)
    worse = suite.run(*plugin_args, "--eval-family=none")
    assert worse.result.ret == pytest.ExitCode.TESTS_FAILED
    assert statuses(worse)["max_regression", "score"] == "passed"
    found = gates_of(worse)
    assert found["max_regression", "relevancy"]["reason"].startswith("dropped by 0.2 (95 % 0.2 to 0.2), p = 0.016")
    assert found["max_regression", "words"]["reason"].startswith("rose by 5 (95 % 5 to 5), p = 0.016")
    judged(suite, relevancy=0.9, words=5)
    better = suite.run(*plugin_args)
    assert set(statuses(better).values()) == {"passed"}


def test_all_metrics_of_a_session_have_one_error_rate(suite: Suite) -> None:
    use(suite, 'max_regression={"relevancy": 0.05, "words": 2}, max_example_drop={"relevancy": 0.1}')
    judged(suite)
    suite.run("--eval-update-baseline")
    judged(suite, relevancy=0.5)
    found = gates_of(suite.run())
    alone = found["max_regression", "relevancy"]
    assert (alone["p"], alone["p_adjusted"], alone["among"]) == (1 / 64, 1 / 64, 1)
    judged(suite, relevancy=0.5, words=10, score=0.25)
    found = gates_of(suite.run())
    assert {name: gate["among"] for name, gate in found.items()} == {
        ("max_regression", "score"): 3,
        ("max_regression", "relevancy"): 3,
        ("max_regression", "words"): 3,
        ("max_example_drop", "relevancy"): 3,
    }
    assert found["max_regression", "score"]["p_adjusted"] == 3 / 64
    assert "p = 0.016, 0.047 among 3, 6 examples" in found["max_regression", "score"]["reason"]


def test_a_baseline_without_the_metric_says_so(suite: Suite) -> None:
    use(suite, 'max_regression={"relevancy": 0.05}')
    judged(suite)
    suite.run("--eval-update-baseline")
    path = suite.path / "pitcheval-baseline.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    for example in document["tests"]["test_qa.py::test_qa"]["none"]["examples"].values():
        del example["metrics"]
    path.write_text(json.dumps({**document, "schema_version": 1}), encoding="utf-8")
    gate = gates_of(suite.run())["max_regression", "relevancy"]
    assert (gate["status"], gate["value"]) == ("inconclusive", None)
    assert gate["reason"] == "the baseline has no relevancy of these examples; --eval-update-baseline writes it"


def test_a_finished_run_is_held_to_other_metrics(suite: Suite, command: Any) -> None:
    use(suite, 'min_mean={"relevancy": 0.6}')
    judged(suite)
    run = suite.run()
    assert run.result.ret == pytest.ExitCode.OK
    said = command("decide", "last", "--eval-min-mean=relevancy=0.9", "--eval-max-mean=words=30")
    assert said.code == pytest.ExitCode.TESTS_FAILED
    assert "FAIL min_mean=0.9 relevancy test_qa.py::test_qa [none]: mean 0.7 is below 0.9" in " ".join(said.lines)
    assert "ok max_mean=30 words" in " ".join(" ".join(said.lines).split())
    assert run.document is not None
    judged(suite, words=25)
    suite.run()
    against = ("decide", "last", f"--eval-baseline={run.document['run']['id']}", "--eval-max-regression=words=2")
    assert command(*against).code == pytest.ExitCode.OK
    said = command(*against, "--eval-lower-is-better=words")
    assert said.code == pytest.ExitCode.TESTS_FAILED
    assert "max_regression=2 words test_qa.py::test_qa [none]: rose by 5" in " ".join(" ".join(said.lines).split())
    assert len(suite.server.requests) == 24


def measured(run: Run) -> dict[str, dict[str, Any]]:
    return {
        test["nodeid"]: {name: test["metrics"][name] for name in ("seconds", "cost", "tokens")} for test in run.tests
    }


TAKEN = 'max_mean={"tokens": 1000, "seconds": 60}, max_regression={"tokens": 0.1, "seconds": 9}'


def test_a_replay_took_what_the_run_took_that_it_repeats(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    use(suite, TAKEN, rollouts=2)
    judged(suite)
    suite.run("--eval-update-baseline")
    run = suite.run(*plugin_args)
    asked = len(suite.server.requests)
    replay = suite.run("--eval-replay=last", *plugin_args)
    again = suite.run("--eval-replay=last", *plugin_args)
    assert len(suite.server.requests) == asked
    assert measured(replay) == measured(again) == measured(run)
    assert min(tokens for test in measured(run).values() for tokens in test["tokens"]) > 0
    assert {name: gate["value"] for name, gate in gates_of(replay).items()} == {
        name: gate["value"] for name, gate in gates_of(run).items()
    }


def test_what_a_killed_run_took_is_known_when_it_is_continued(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    use(suite, TAKEN)
    judged(suite)
    suite.add("conftest.py", DYING)
    suite.run("-pno:xdist", "--eval-concurrency=1", subprocess=True)
    [journal] = (suite.path / ".pitcheval" / "runs").glob("*.jsonl")
    _, *records = map(json.loads, journal.read_text(encoding="utf-8").splitlines())
    before = {one["nodeid"]: one["metrics"] for one in records}
    assert len(before) == 2
    monkeypatch.setenv("SPARED", "1")
    run = suite.run("--eval-resume=last")
    now = measured(run)
    assert {nodeid: now[nodeid]["seconds"] for nodeid in before} == {n: one["seconds"] for n, one in before.items()}
    assert all(test["tokens"][0] > 0 for test in now.values())
    assert gates_of(run)["max_mean", "tokens"]["status"] == "passed"
    assert len(run.by("generator")) == 4


def test_a_test_that_calls_by_itself_has_no_seconds(suite: Suite) -> None:
    use(suite)
    suite.write("test_qa.py", "import pytest\n\n\ndef test_alone(record_score):\n    record_score(0.5)\n")
    found = gates_of(suite.run("--eval-max-mean=seconds=1,tokens=5"))
    assert (
        found["max_mean", "seconds"]["reason"] == "no example has the metric 'seconds'; there are score, cost, tokens"
    )
    assert found["max_mean", "tokens"]["status"] == "passed"
