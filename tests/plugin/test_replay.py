"""``--eval-replay`` repeats a run from DSPy's cache, without one LM call."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import dspy
import pytest
from support.suite import Run, Suite

SAME = ("nodeid", "status", "score", "samples", "feedback", "rollout_id", "rollout_key", "inputs", "prediction")

REWARD = """

def reward(inputs, prediction):
    return 0.0


@pytest.fixture(scope="session")
def program():
    return dspy.BestOfN(dspy.Predict("question -> answer"), N=3, reward_fn=reward, threshold=1.0)
"""

PARALLEL = """

class Parallel(dspy.Module):
    def __init__(self):
        super().__init__()
        self.short, self.long = dspy.Predict("question -> answer"), dspy.ChainOfThought("question -> answer")

    def forward(self, question):
        ask = dspy.Parallel(num_threads=2, disable_progress_bar=True)
        inputs = dspy.Example(question=question).with_inputs("question")
        answers = ask([(self.short, inputs), (self.long, inputs)])
        return dspy.Prediction(answer=" and ".join(one.answer for one in answers))


@pytest.fixture(scope="session")
def program():
    return Parallel()
"""

PROGRAMS = {"predict": ("", 1), "best-of-n": (REWARD, 3), "parallel": (PARALLEL, 2)}


def assert_repeats(again: Run, first: Run) -> None:
    """``again`` is what ``first`` was, for nothing."""
    assert again.requests == []
    assert again.result.ret == first.result.ret
    assert [{name: test[name] for name in SAME} for test in again.tests] == [
        {name: test[name] for name in SAME} for test in first.tests
    ]
    for test, before in zip(again.tests, first.tests, strict=True):
        calls = before["lm_calls"]
        assert test["lm_calls"] == {"fresh": 0, "cached": calls["fresh"] + calls["cached"], "failed": 0}
        assert test["tokens"] == {"prompt": 0, "completion": 0}


def run_id(run: Run) -> str:
    assert run.document is not None
    return str(run.document["run"]["id"])


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_replay_gives_the_same_answers_for_nothing(suite: Suite, name: str) -> None:
    code, calls = PROGRAMS[name]
    suite.add("conftest.py", code)
    first = suite.run("--eval-rollouts=2")
    assert len(first.requests) == 3 * 2 * (calls + 1)
    assert_repeats(suite.run("--eval-rollouts=2", "--eval-replay=last"), first)


def test_a_replay_under_any_number_of_workers(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    first = suite.run("-n0")
    assert_repeats(suite.run(*plugin_args, "--eval-replay=last"), first)


def test_a_run_of_workers_is_replayed_without_them(suite: Suite) -> None:
    suite.add("conftest.py", REWARD)
    first = suite.run("-n2")
    first.result.assert_outcomes(passed=3)
    assert_repeats(suite.run("--eval-replay=last"), first)


def test_a_run_is_named_by_id_or_path(suite: Suite) -> None:
    first = suite.run("--eval-json=first.json")
    second = suite.run()
    kept = suite.path / "first.json"
    for reference in (run_id(first), str(kept), "first.json", f".pitcheval/runs/{run_id(first)}.json"):
        assert_repeats(suite.run(f"--eval-replay={reference}"), first)
    assert_repeats(suite.run(f"--eval-replay={run_id(second)}"), second)


def test_a_replay_is_a_run_that_can_be_replayed(suite: Suite) -> None:
    first = suite.run()
    replay = suite.run("--eval-replay=last")
    assert replay.document is not None
    assert replay.document["run"]["id"] != run_id(first)
    assert replay.document["run"]["replay_of"] == replay.document["run"]["timestamp"] == run_id(first)
    assert_repeats(suite.run("--eval-replay=last"), first)


FREE_FORM = """
import dspy


def test_free(generator_lm, record_score):
    topic = generator_lm("name a topic")[0]
    pitch = dspy.Predict("question -> answer")(question=topic).answer
    assert record_score(len(pitch), feedback=f"{topic}: {pitch}") > 0
"""


def test_a_free_form_test_is_replayed(suite: Suite) -> None:
    suite.write("test_qa.py", FREE_FORM)
    first = suite.run()
    assert len(first.requests) == 2
    assert_repeats(suite.run("--eval-replay=last"), first)


COUNTS_TOKENS = """

class Counting(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        with dspy.track_usage() as used:
            answers = [self.ask(question=question).answer for again in range(2)]
        return dspy.Prediction(answer=" ".join(answers), tokens=used.get_total_tokens())


@pytest.fixture(scope="session")
def program():
    return Counting()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred: 1 / sum(of_model["total_tokens"] for of_model in pred.tokens.values())
"""


@pytest.mark.parametrize("option", ["--eval-replay=last", "--eval-resume=last", "--eval-replay=run.zip"])
def test_a_metric_that_looks_at_tokens_scores_the_same(suite: Suite, option: str) -> None:
    """The second call of each rollout asks the same, and takes no token, in the first run and in the other."""
    suite.add("conftest.py", COUNTS_TOKENS)
    first = suite.run("--eval-rollouts=2", "--eval-threshold=0", "--eval-record=run.zip")
    again = suite.run("--eval-rollouts=2", "--eval-threshold=0", option)
    assert len(first.requests) == 2 * 3
    assert again.requests == []
    assert [test["samples"] for test in again.tests] == [test["samples"] for test in first.tests]
    assert [test["prediction"] for test in again.tests] == [test["prediction"] for test in first.tests]
    assert {sum(test["tokens"].values()) for test in again.tests} == {0}


def test_a_failed_score_fails_again(suite: Suite) -> None:
    first = suite.run("--eval-threshold=0.9")
    first.result.assert_outcomes(failed=3)
    again = suite.run("--eval-threshold=0.9", "--eval-replay=last")
    again.result.assert_outcomes(failed=3)
    assert_repeats(again, first)


def assert_missed(run: Run, tests: list[dict[str, Any]]) -> None:
    """These tests are errors that name their rollout, and no one was asked."""
    assert run.requests == []
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert tests
    for test in tests:
        assert (test["status"], test["score"]) == ("error", None)
        assert f"rollout {test['rollout_id']}" in test["error"]
        assert "not in DSPy's cache" in test["error"]


def test_calls_that_the_cache_has_lost_are_errors(suite: Suite) -> None:
    suite.run()
    dspy.cache.reset_memory_cache()
    dspy.cache.disk_cache.clear()
    run = suite.run("--eval-replay=last")
    run.result.assert_outcomes(errors=3)
    assert_missed(run, run.tests)


def test_a_changed_prompt_is_an_error(suite: Suite) -> None:
    suite.run()
    conftest = (suite.path / "conftest.py").read_text(encoding="utf-8")
    suite.write("conftest.py", conftest.replace("answer=pred.answer)", 'answer="changed " + pred.answer)'))
    run = suite.run("--eval-replay=last")
    assert_missed(run, run.tests)
    assert [test["generator"]["lm_calls"]["cached"] for test in run.tests] == [1, 1, 1]


def test_a_changed_example_alone_is_an_error(suite: Suite) -> None:
    suite.run()
    rows = (suite.path / "data.jsonl").read_text(encoding="utf-8")
    suite.write("data.jsonl", rows.replace("question 1?", "another question?"))
    run = suite.run("--eval-replay=last")
    run.result.assert_outcomes(passed=2, errors=1)
    assert_missed(run, [test for test in run.tests if test["example_id"] == "e1"])


SWALLOWS = """

class Swallows(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        try:
            return self.ask(question=question)
        except Exception:
            return dspy.Prediction(answer="no idea")


@pytest.fixture(scope="session")
def program():
    return Swallows()
"""


def test_a_program_cannot_hide_that_a_call_is_missing(suite: Suite) -> None:
    suite.add("conftest.py", SWALLOWS)
    suite.run()
    dspy.cache.reset_memory_cache()
    shutil.rmtree(dspy.cache.disk_cache_dir)
    dspy.configure_cache(disk_cache_dir=dspy.cache.disk_cache_dir)
    run = suite.run("--eval-replay=last")
    run.result.assert_outcomes(errors=3)
    assert_missed(run, run.tests)


UNCACHED = """

@pytest.fixture(scope="session")
def generator_lm():
    return dspy.LM("openai/own", api_base={url!r}, api_key="sk-of-its-own", cache=False)
"""


def test_an_lm_without_a_cache_cannot_be_replayed(suite: Suite) -> None:
    suite.add("conftest.py", UNCACHED.format(url=suite.server.url))
    suite.run().result.assert_outcomes(passed=3)
    run = suite.run("--eval-replay=last")
    run.result.assert_outcomes(errors=3)
    assert all("cache=False cannot be replayed" in test["error"] for test in run.tests)


def usage_error(suite: Suite, reference: str, *arguments: str) -> str:
    """The one line with which pytest refuses to replay ``reference``."""
    run = suite.run(f"--eval-replay={reference}", *arguments)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert run.requests == []
    assert run.document is None
    (line,) = [line for line in run.result.errlines if line]
    assert line.startswith(f"ERROR: --eval-replay: {reference!r}: ")
    return line


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["alone", "n2"])
def test_an_unknown_run_is_a_usage_error(suite: Suite, arguments: tuple[str, ...]) -> None:
    assert "expected a run ID of" in usage_error(suite, "19990101T000000.000000Z", *arguments)


def test_there_is_no_last_run_yet(suite: Suite) -> None:
    assert "no run in" in usage_error(suite, "last")


def corrupt(path: Path, how: str) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    texts = {
        "empty": "",
        "cut": json.dumps(document)[:-20],
        "a list": "[]",
        "newer": json.dumps({**document, "schema_version": 99}),
        "no timestamp": json.dumps({**document, "run": {}}),
        "binary": "\x00\x01",
    }
    path.write_text(texts[how], encoding="utf-8")


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ("empty", "not JSON"),
        ("cut", "not JSON"),
        ("binary", "not JSON"),
        ("a list", "schema_version None; expected 1, 2, 3 or 4"),
        ("newer", "schema_version 99; expected 1, 2, 3 or 4"),
        ("no timestamp", "not a run file"),
    ],
)
def test_a_run_file_that_cannot_be_read_is_a_usage_error(suite: Suite, how: str, complaint: str) -> None:
    suite.rows(1)
    run = suite.run()
    corrupt(suite.path / ".pitcheval" / "runs" / f"{run_id(run)}.json", how)
    assert complaint in usage_error(suite, run_id(run))
