"""``judge_rollouts=K``: several verdicts on one prediction, and what they say of where the noise is."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import dspy
import pytest
from support.command_line import Command
from support.junit_file import properties_of, read_suite
from support.openai_server import Failure, Request
from support.suite import Run, Suite

EXAMPLES = 6
TEST = """
import pytest


@pytest.mark.evaluation("data.jsonl", inputs=["question"]{})
def test_qa(score):
    assert len(score.verdicts) == len(score.samples)
"""
NOISE = re.compile(
    r"noise of the mean: examples (\d+) %, program (\d+) %, judge (\d+) %; ±0\.\d{3} now, narrowed most by "
    r"6 examples more: ±0\.\d{3}, 48 calls; then "
)


def use(suite: Suite, arguments: str = "rollouts=2, judge_rollouts=3") -> None:
    """Six examples, and a judge that changes its mind with each request."""
    suite.rows(EXAMPLES)
    suite.write("test_qa.py", TEST.format(f", {arguments}" if arguments else ""))
    suite.scores(lambda request: 0.3 + 0.01 * (request.number * 7 % 50))


def verdicts_of(run: Run) -> dict[str, Any]:
    return {test["example_id"]: test["verdicts"] for test in run.tests}


def flat(text: str) -> str:
    return " ".join(text.split())


def test_each_prediction_is_judged_several_times_afresh(
    suite: Suite, command: Command, plugin_args: tuple[str, ...]
) -> None:
    use(suite)
    run = suite.run(*plugin_args, "--junit-xml=junit.xml", "--eval-markdown=run.md", "--eval-html=run.html")
    run.result.assert_outcomes(passed=EXAMPLES)
    assert Counter(request.prompt for request in run.by("generator")).most_common(1)[0][1] == 2
    asked = Counter(request.prompt for request in run.by("judge"))
    assert (len(asked), set(asked.values())) == (2 * EXAMPLES, {3})
    for test in run.tests:
        assert [len(one) for one in test["verdicts"]] == [3, 3]
        assert len({score for one in test["verdicts"] for score in one}) > 1
        assert test["samples"] == [pytest.approx(statistics.mean(one)) for one in test["verdicts"]]
        assert test["score"] == pytest.approx(statistics.mean(test["samples"]))
        assert (test["generator"]["lm_calls"]["fresh"], test["judge"]["lm_calls"]["fresh"]) == (2, 6)
        assert sum(test["metrics"]["tokens"]) == test["tokens"]["prompt"] + test["tokens"]["completion"]
        assert len(test["later_rollouts"]) == 1

    assert run.document is not None
    [summary] = run.document["summary"]
    shares = {source: f"{100 * share:.0f}" for source, share in summary["noise"]["shares"].items()}
    assert sum(summary["noise"]["shares"].values()) == pytest.approx(1)
    found = NOISE.search(flat(run.text))
    assert found, run.text
    assert list(found.groups()) == list(shares.values())
    assert {step["what"] for step in summary["noise"]["steps"]} == {"6 examples more", "rollouts=4", "judge_rollouts=7"}
    xml = properties_of(read_suite(suite.path / "junit.xml"))
    assert xml["pitcheval.noise.judge test_qa.py::test_qa [none]"] == str(summary["noise"]["shares"]["judge"])
    for report in ("run.md", "run.html"):
        assert NOISE.search(flat((suite.path / report).read_text(encoding="utf-8"))), report
    first = run.tests[0]
    shown = "\n".join(command("show", "last", first["nodeid"]).lines)
    assert f"of {' and '.join(f'{score:.3g}' for score in first['verdicts'][0])}" in flat(shown)

    replay = suite.run(*plugin_args, "--eval-replay=last")
    assert (replay.requests, verdicts_of(replay)) == ([], verdicts_of(run))


def test_verdicts_are_recorded_in_a_file_and_made_again_without_a_provider(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(suite)
    run = suite.run("-n2", "--eval-record=run.zip")
    suite.server.close()
    monkeypatch.setenv("DSPY_CACHEDIR", str(tmp_path / "empty"))
    dspy.cache.disk_cache.close()
    dspy.configure_cache(disk_cache_dir=str(tmp_path / "empty"))
    for arguments in ((), ("--eval-concurrency=1",)):
        replay = suite.run("--eval-replay=run.zip", *arguments)
        replay.result.assert_outcomes(passed=EXAMPLES)
        assert verdicts_of(replay) == verdicts_of(run)


def test_a_verdict_that_fails_is_an_error_and_a_resumed_run_asks_for_that_alone(suite: Suite) -> None:
    use(suite)
    seen = Counter[str]()

    def fail(request: Request) -> Failure | None:
        """The third verdict on the prediction that is judged first."""
        if request.model != "judge":
            return None
        seen[request.prompt] += 1
        return Failure() if seen[request.prompt] == 3 and next(iter(seen)) == request.prompt else None

    suite.server.fail = fail
    run = suite.run()
    run.result.assert_outcomes(passed=EXAMPLES - 1, errors=1)
    [failed] = (test for test in run.tests if test["status"] == "error")
    assert "verdicts" not in failed
    assert failed["judge"]["lm_calls"] == {"fresh": 6, "cached": 0, "failed": 1}
    suite.server.fail = lambda request: None
    resumed = suite.run("--eval-resume=last")
    resumed.result.assert_outcomes(passed=EXAMPLES)
    assert [request.model for request in resumed.requests] == ["judge"]
    known = verdicts_of(resumed)
    assert {name: known[name] for name in known if name != failed["example_id"]} == {
        test["example_id"]: test["verdicts"] for test in run.tests if test is not failed
    }


PLAIN_METRIC = """

@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: len(pred.answer) / 100
"""


def test_a_metric_that_asks_no_lm_gains_nothing_and_that_is_said(suite: Suite) -> None:
    use(suite, "judge_rollouts=2")
    suite.add("conftest.py", PLAIN_METRIC)
    run = suite.run("--eval-markdown=run.md")
    run.result.assert_outcomes(passed=EXAMPLES)
    assert "judge_rollouts=2 gains nothing: the metric asks no LM [none]" in flat(run.text)
    assert "judge_rollouts=2 gains nothing" in (suite.path / "run.md").read_text(encoding="utf-8")
    assert len(run.requests) == EXAMPLES


def test_without_judge_rollouts_nothing_is_different(suite: Suite) -> None:
    use(suite, "rollouts=2")
    suite.write("test_qa.py", (suite.path / "test_qa.py").read_text(encoding="utf-8").replace("verdicts", "samples"))
    run = suite.run("--eval-html=run.html")
    assert run.document is not None
    assert "noise" not in run.document["summary"][0]
    assert not [test for test in run.tests if "verdicts" in test]
    assert "noise of the mean" not in run.text


def test_estimates_know_of_verdicts(suite: Suite, command: Command) -> None:
    use(suite, "")
    suite.write("test_qa.py", (suite.path / "test_qa.py").read_text(encoding="utf-8").replace("verdicts", "samples"))
    suite.run()
    use(suite, "rollouts=2, judge_rollouts=5")
    said = "\n".join(command("estimate", "test_qa.py").lines)
    assert f"about {EXAMPLES * 2 * (1 + 5)} LM calls" in said, said
