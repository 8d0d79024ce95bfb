"""The fixtures' side of an evaluation: predict, judge, and put the rollouts' scores together."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pytest_pitcheval.errors import LMCallFailed, PitchevalError, PitchevalWarning, one_line
from pytest_pitcheval.evaluation import judges
from pytest_pitcheval.evaluation.affected.origins import origin_of
from pytest_pitcheval.evaluation.in_turn import ONE_PREDICTION
from pytest_pitcheval.evaluation.runner import Runner
from pytest_pitcheval.evaluation.running_test import RunningTest
from pytest_pitcheval.lm.language_models import cannot_vary
from pytest_pitcheval.names import GENERATOR, JUDGE, METRIC, ORIGIN, PROGRAM
from pytest_pitcheval.ownership import is_overridden
from pytest_pitcheval.results.exams.exam import Answer, Conditions, agrees
from pytest_pitcheval.results.plain import text_of
from pytest_pitcheval.results.score import Score
from pytest_pitcheval.rollouts.program_and_metric import GIVEN_ANSWERS, Generator, Judge
from pytest_pitcheval.rollouts.verdicts import Verdict, as_number, mean_of


def predict_example(
    runner: Runner, request: pytest.FixtureRequest, running: RunningTest, program: Any, example: Any
) -> Any:
    """The program's answer to the example, in the test's first rollout."""
    __tracebackhide__ = True
    lm = request.getfixturevalue("generator_lm")
    generator, identities = Generator(program, lm), runner.identities
    marks = {PROGRAM: identities.program(program), GENERATOR: identities.generator(lm)}
    if "program" not in running.origin:  # a fixture compiled_program of the user's own
        running.comes_from(runner.unchanged.origins.of_program(program))
    running.comes_from(runner.unchanged.origins.of_generator(lm))
    running.predicted_with(generator, example, marks)
    prediction = runner.rollout_maker.predict(running, generator)
    running.predicted(prediction)
    return prediction


def score_example(
    runner: Runner,
    request: pytest.FixtureRequest,
    running: RunningTest,
    example: Any,
    prediction: Any,
    metric: Any,
    evaluator_lm: Any,
) -> Score:
    """The score of all rollouts: the given prediction is the first, the program makes the others."""
    __tracebackhide__ = True
    evaluator_lm = judges.for_test(request, evaluator_lm, runner.process.settings.evaluator)
    identities = runner.identities
    marks = {METRIC: identities.metric(metric), JUDGE: identities.judge(metric, evaluator_lm)}
    running.comes_from({**runner.unchanged.origins.of_metric(metric), **runner.unchanged.origins.of_test(running.item)})
    if origin := origin_of(running.origin):
        marks[ORIGIN] = origin
    running.judged_with(marks)
    if running.rollout_count > 1:
        if is_overridden(running.item, "prediction"):
            raise PitchevalError(ONE_PREDICTION)
        _warn_if_it_cannot_vary("generator_lm", request.getfixturevalue("generator_lm"))
    if running.judge_rollouts > 1:
        _warn_if_it_cannot_vary("evaluator_lm", evaluator_lm)
    verdicts = runner.rollout_maker.judge(running, Judge(metric, evaluator_lm), example, prediction)
    score = make_score(verdicts, _threshold(runner, running), prediction, running.judge_rollouts)
    running.scored(score, example, prediction)
    return score


def judge_answer(
    runner: Runner, request: pytest.FixtureRequest, running: RunningTest, example: Any, metric: Any, evaluator_lm: Any
) -> Score:
    """What the metric says, in all rollouts, of the answer that the row gives: a judge's exam, without any program.

    The test is skipped where nothing has changed since the exam that the baseline has.
    """
    __tracebackhide__ = True
    given, settings = running.given, runner.process.settings
    if given is None:
        raise PitchevalError("verdict: expected the plugin's own example, with a row of the judge_exam marker")
    evaluator_lm = judges.for_test(request, evaluator_lm, settings.evaluator)
    marks = {METRIC: runner.identities.metric(metric), JUDGE: runner.identities.judge(metric, evaluator_lm)}
    threshold = judges.threshold_of_exam(_threshold(runner, running), metric, given.grades)
    now = Conditions(marks[METRIC], marks[JUDGE], given.dataset, running.rollout_count, threshold, "")
    if omission := judges.omission(runner.process, running.about.key, now):
        running.left_out(omission)
        pytest.skip(omission.reason)
    generator = Generator(GIVEN_ANSWERS, evaluator_lm)
    running.compiled(GIVEN_ANSWERS)
    running.predicted_with(generator, example, {})
    prediction = runner.rollout_maker.predict(running, generator)
    running.predicted(prediction)
    running.judged_with(marks)
    if running.rollout_count > 1:
        _warn_if_it_cannot_vary("evaluator_lm", evaluator_lm)
    verdicts = runner.rollout_maker.judge(running, Judge(metric, evaluator_lm), example, prediction)
    score = make_score(verdicts, threshold, prediction)
    score.label = statistics.mean(given.people)
    score.agrees = agrees(Answer(given.people, score.samples, threshold), given.grades)
    running.scored(score, example, prediction)
    return score


def _warn_if_it_cannot_vary(fixture: str, lm: Any) -> None:
    if cannot_vary(lm):
        text = f"{fixture} samples at temperature 0: rollouts are asked afresh, but cannot differ"
        warnings.warn(PitchevalWarning(text), stacklevel=2)


def _threshold(runner: Runner, running: RunningTest, given: float | None = None) -> float | None:
    if given is not None:
        running.asserts(given)
    return runner.process.settings.threshold.chosen(running.own_threshold)


def make_score(
    verdicts: Sequence[Verdict], threshold: float | None, prediction: Any = None, judge_rollouts: int = 1
) -> Score:
    """The mean of the rollouts' verdicts, of which there are so many on each prediction."""
    each = [verdicts[first : first + judge_rollouts] for first in range(0, len(verdicts), judge_rollouts)]
    rollouts = [mean_of(one) for one in each]
    names = dict.fromkeys(name for rollout in rollouts for name in rollout.metrics)
    return Score(
        statistics.mean(rollout.score for rollout in rollouts),  # rounded once: equal scores have that mean
        threshold=threshold,
        feedback=verdicts[0].feedback,
        samples=tuple(rollout.score for rollout in rollouts),
        verdicts=tuple(tuple(verdict.score for verdict in one) for one in each) if judge_rollouts > 1 else (),
        by_rollout={name: tuple(rollout.metrics.get(name) for rollout in rollouts) for name in names},
        prediction=prediction,
    )


def score_recorder(runner: Runner, running: RunningTest) -> Callable[..., Score]:
    """The ``record_score`` of one test."""

    def record_score(
        value: Any, threshold: float | None = None, feedback: str | None = None, name: str | None = None
    ) -> Score:
        """Record a score, and return it to assert on.

        The score without a ``name`` is the test's own; one with a name is kept beside it, in the record's metrics.

        Raises:
            PitchevalError: ``value`` is not a finite number or bool.
            LMCallFailed: an LM call of the test has failed, and none that was made after it was answered.
        """
        number = as_number(value)
        if number is None:
            raise PitchevalError(f"record_score: {text_of(value)!r}: expected a finite number or a bool")
        if threshold is not None and as_number(threshold) is None:
            raise PitchevalError(f"record_score: threshold={text_of(threshold)!r}: expected a finite number")
        threshold = as_number(threshold)
        feedback = None if feedback is None else text_of(feedback)
        failure = running.first.failure(forgiving=True)
        if failure is not None:
            raise LMCallFailed(
                f"record_score: {value!r} after an LM call of the test had failed: {one_line(failure)}; expected no "
                "score where a call has no answer"
            ) from failure
        own_threshold = threshold if name else _threshold(runner, running, threshold)
        recorded = Score(number, threshold=own_threshold, feedback=feedback)
        running.recorded(recorded, name)
        return recorded

    return record_score
