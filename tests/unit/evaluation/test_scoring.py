"""What becomes of a prediction: verdicts into a score, scores that tests record themselves. No pytest run."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator
from typing import Any

import dspy
import pytest

from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.concurrency.process import Process
from pytest_pitcheval.errors import LMCallFailed, PitchevalError
from pytest_pitcheval.evaluation.runner import Runner
from pytest_pitcheval.evaluation.running_test import RUNNING, RunningTest
from pytest_pitcheval.evaluation.scoring import make_score, predict_example, score_example, score_recorder
from pytest_pitcheval.rollouts.verdicts import Verdict
from pytest_pitcheval.settings.choices import Choice
from pytest_pitcheval.settings.settings import read_settings

RUN_ID = "20261126T010203.000004Z"


def program(question: str) -> str:
    return question.upper()


def length(example: Any, prediction: str) -> Any:
    return dspy.Prediction(score=len(prediction) / 10, feedback=f"{example.question} is short", words=1)


class Fixtures:
    """The fixtures of one running test, and its runner: what scoring is given."""

    def __init__(self, request: pytest.FixtureRequest, rollouts: int = 1, threshold: float | None = None) -> None:
        settings = read_settings(request.config)._replace(
            concurrency=1, rollouts=Choice(command_line=rollouts), threshold=Choice(command_line=threshold)
        )
        process = Process(settings, RUN_ID, RUN_ID, 1, request.config.rootpath / "never-made")
        item = self._item(request)
        self.runner = Runner(process, request.config, [item], lambda: None)
        self.runner.start(item)
        self.running: RunningTest = item.stash[RUNNING]
        self.lm = dspy.LM("openai/never-asked", api_key="sk-for-tests-only")

    @staticmethod
    def _item(request: pytest.FixtureRequest) -> pytest.Item:
        def test(score: float) -> None: ...

        item = pytest.Function.from_parent(request.node.parent, name="test_qa[e0]", callobj=test)
        item.fixturenames = ["_pitcheval_test", "example", "prediction", "score"]
        row = Row("e0", {"question": "why?"}, ("question",))
        item.callspec = types.SimpleNamespace(params={"example": row})  # type: ignore[assignment]
        return item

    def getfixturevalue(self, name: str) -> Any:
        assert name == "generator_lm"
        return self.lm

    @property
    def request(self) -> Any:
        return self

    def score(self, metric: Any = length) -> Any:
        example = self.running.make_example()
        self.running.compiled(program)
        prediction = predict_example(self.runner, self.request, self.running, program, example)
        return score_example(self.runner, self.request, self.running, example, prediction, metric, self.lm)

    def record(self, *args: Any, **kwargs: Any) -> Any:
        return score_recorder(self.runner, self.running)(*args, **kwargs)


@pytest.fixture
def fixtures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fixtures]:
    """Takes ``rollouts`` and ``threshold`` from a parameter, if there is one."""
    monkeypatch.setattr(dspy, "cache", dspy.cache)
    made = Fixtures(request, **getattr(request, "param", {}))
    yield made
    made.runner.close()


def having(**options: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fixtures", [options], indirect=True)


def test_a_score_is_the_mean_of_the_verdicts_and_metrics_of_those_that_have_them() -> None:
    verdicts = [Verdict(0.25, "first", {"words": 2.0}), Verdict(0.75, "second", {"words": 4.0, "links": 1.0})]
    score = make_score(verdicts, 0.5, "the prediction")
    assert (float(score), score.samples, score.threshold, score.passed) == (0.5, (0.25, 0.75), 0.5, True)
    assert score.by_rollout == {"words": (2.0, 4.0), "links": (None, 1.0)}
    assert (score.feedback, score.metrics, score.prediction) == (
        "first",
        {"words": 3.0, "links": 1.0},
        "the prediction",
    )


def test_several_verdicts_on_one_prediction_are_one_sample() -> None:
    verdicts = [Verdict(score, text, {"words": 2 * score}) for score, text in ((0.25, "a"), (0.75, "b"), (1.0, "c"))]
    last = Verdict(0.0, "d", {"links": 1.0})
    score = make_score([*verdicts, last], 0.5, judge_rollouts=2)
    assert (float(score), score.samples, score.verdicts) == (0.5, (0.5, 0.5), ((0.25, 0.75), (1.0, 0.0)))
    assert (score.feedback, score.by_rollout) == ("a", {"words": (1.0, None)})


def test_equal_verdicts_have_exactly_that_mean() -> None:
    assert float(make_score([Verdict(0.1)] * 3, None)) == 0.1


def test_the_prediction_and_the_score_of_an_example(fixtures: Fixtures) -> None:
    score = fixtures.score()
    assert (float(score), score.prediction, score.feedback) == (0.4, "WHY?", "why? is short")
    record = fixtures.running.record()
    assert (record.score, record.samples, record.further) == (0.4, (0.4,), {"words": 1.0})
    assert record.metrics == {"seconds": (pytest.approx(record.seconds, abs=1e-4),), "cost": (0.0,), "tokens": (0,)} | {
        "words": (1.0,)
    }
    assert (record.inputs, record.prediction) == ({"question": "why?"}, {"value": "WHY?"})
    assert set(record.fingerprints) == {"example", "program", "generator", "metric", "origin"}


@having(rollouts=3)
def test_each_rollout_is_predicted_and_judged(fixtures: Fixtures) -> None:
    score = fixtures.score()
    assert score.samples == (0.4, 0.4, 0.4)
    assert [one["prediction"] for one in fixtures.running.record().later_rollouts] == [{"value": "WHY?"}] * 2


@having(rollouts=2)
def test_rollouts_at_temperature_0_are_said_to_be_equal(fixtures: Fixtures) -> None:
    fixtures.lm = dspy.LM("openai/never-asked", temperature=0, api_key="sk-for-tests-only")
    with pytest.warns(UserWarning, match="generator_lm samples at temperature 0"):
        fixtures.score()


@having(threshold=0.5)
def test_the_threshold_of_the_command_line_decides(fixtures: Fixtures) -> None:
    score = fixtures.score()
    assert (score.threshold, score.passed) == (0.5, False)


@pytest.mark.parametrize("value", [True, 0, 1.5, -0.5])
def test_a_test_records_a_score_of_its_own(fixtures: Fixtures, value: float) -> None:
    score = fixtures.record(value, threshold=0.5, feedback="as counted")
    assert (float(score), score.feedback, score.passed) == (float(value), "as counted", value >= 0.5)
    record = fixtures.running.record()
    assert (record.score, record.own_threshold, record.samples) == (float(value), 0.5, (float(value),))


def test_a_named_one_stands_beside_it(fixtures: Fixtures) -> None:
    fixtures.record(0.5)
    fixtures.record(12, name="words")
    record = fixtures.running.record()
    assert (record.score, record.further) == (0.5, {"words": 12.0})


@pytest.mark.parametrize("value", ["0.5", None, float("nan"), float("inf"), [1], object()])
def test_what_is_no_finite_number_is_no_score(fixtures: Fixtures, value: Any) -> None:
    with pytest.raises(PitchevalError, match=r"^record_score: .*: expected a finite number or a bool$"):
        fixtures.record(value)
    assert fixtures.running.record().score is None


def test_nor_is_its_threshold(fixtures: Fixtures) -> None:
    with pytest.raises(PitchevalError, match=r"^record_score: threshold='high': expected a finite number$"):
        fixtures.record(0.5, threshold="high")


def test_no_score_stands_where_a_call_has_no_answer(fixtures: Fixtures) -> None:
    fixtures.running.first.ended("generator", ConnectionError("refused"))
    with pytest.raises(LMCallFailed, match="after an LM call of the test had failed: ConnectionError: refused"):
        fixtures.record(0.0)


def test_what_the_metric_raises_is_the_examples_error(fixtures: Fixtures) -> None:
    def broken(example: Any, prediction: Any) -> float:
        raise KeyError("answer")

    with contextlib.suppress(PitchevalError):
        fixtures.score(broken)
    assert fixtures.running.record().score is None
