"""The fixtures' side of an evaluation: predict, judge, and put the rollouts' scores together."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pytest_pitcheval import evaluation
from pytest_pitcheval.errors import PitchevalError, PitchevalWarning
from pytest_pitcheval.evaluation import Verdict
from pytest_pitcheval.language_models import cannot_vary, dspy_settings
from pytest_pitcheval.names import GENERATOR, JUDGE, METRIC, PROGRAM
from pytest_pitcheval.running_test import RunningTest
from pytest_pitcheval.scopes import RolloutScope
from pytest_pitcheval.scores import Score
from pytest_pitcheval.session import get_session


def predict_example(request: pytest.FixtureRequest, running: RunningTest, program: Any, example: Any) -> Any:
    """The program's answer to the example, in the test's first rollout."""
    __tracebackhide__ = True
    identities = get_session(request.config).identities
    running.fingerprints[PROGRAM] = identities.program(program)
    running.fingerprints[GENERATOR] = identities.generator(request.getfixturevalue("generator_lm"))
    running.predict = lambda scope: _predict(request, running, program, example, scope)
    running.prediction = running.predict(running.scope)
    return running.prediction


def _predict(
    request: pytest.FixtureRequest, running: RunningTest, program: Any, example: Any, scope: RolloutScope
) -> Any:
    __tracebackhide__ = True
    settings = dspy_settings(request.getfixturevalue("generator_lm"))
    with running.timed(), get_session(request.config).rollouts.entered(scope, GENERATOR, **settings):
        try:
            return evaluation.predict(program, dict(example.inputs().items()), scope)  # toDict unmakes models
        except PitchevalError:
            raise
        except Exception as error:
            running.program_raised = error
            raise


def score_example(
    request: pytest.FixtureRequest,
    running: RunningTest,
    example: Any,
    prediction: Any,
    metric: Any,
    evaluator_lm: Any,
) -> Score:
    """The score of all rollouts: the given prediction is the first, the program makes the others."""
    __tracebackhide__ = True
    identities = get_session(request.config).identities
    running.fingerprints[METRIC] = identities.metric(metric)
    running.fingerprints[JUDGE] = identities.judge(metric, evaluator_lm)
    rollouts = _rollouts(request, running)
    running.prediction = prediction
    if rollouts > 1 and cannot_vary(request.getfixturevalue("generator_lm")):
        warnings.warn(
            PitchevalWarning("generator_lm samples at temperature 0: rollouts are asked afresh, but cannot differ"),
            stacklevel=1,
        )
    verdicts = [_judge(request, running, running.scope, metric, example, prediction, evaluator_lm)]
    for _ in range(1, rollouts):
        scope = running.next_scope()
        again = _another(running)(scope)
        verdicts.append(_judge(request, running, scope, metric, example, again, evaluator_lm))
    running.score = make_score(verdicts, _threshold(request.config, running), prediction)
    return running.score


def _rollouts(request: pytest.FixtureRequest, running: RunningTest) -> int:
    marked = running.evaluation.rollouts if running.evaluation else None
    return get_session(request.config).settings.rollouts.over(marked, 1)


def _threshold(config: pytest.Config, running: RunningTest, given: float | None = None) -> float | None:
    if given is not None:
        running.own_threshold = given
    return get_session(config).settings.threshold.made(running.own_threshold)


def _another(running: RunningTest) -> Callable[[RolloutScope], Any]:
    if running.predict is None:
        raise PitchevalError(
            "rollouts: a prediction fixture of your own gives one prediction; expected rollouts=1 or the plugin's own"
        )
    return running.predict


def _judge(
    request: pytest.FixtureRequest,
    running: RunningTest,
    scope: RolloutScope,
    metric: Any,
    example: Any,
    prediction: Any,
    evaluator_lm: Any,
) -> Verdict:
    __tracebackhide__ = True
    settings = dspy_settings(evaluator_lm)
    with running.timed(), get_session(request.config).rollouts.entered(scope, JUDGE, **settings):
        return evaluation.judge(metric, example, prediction, scope)


def make_score(verdicts: Sequence[Verdict], threshold: float | None, prediction: Any = None) -> Score:
    """The mean of the rollouts' verdicts; metrics are averaged over the rollouts that have them."""
    names = dict.fromkeys(name for verdict in verdicts for name in verdict.metrics)
    metrics = {n: statistics.fmean(v.metrics[n] for v in verdicts if n in v.metrics) for n in names}
    return Score(
        statistics.mean(verdict.score for verdict in verdicts),  # rounded once: equal scores have that mean
        threshold=threshold,
        feedback=verdicts[0].feedback,
        samples=tuple(verdict.score for verdict in verdicts),
        metrics=metrics,
        prediction=prediction,
    )


def score_recorder(running: RunningTest, config: pytest.Config) -> Callable[..., Score]:
    """The ``record_score`` of one test."""

    def record_score(
        value: Any, threshold: float | None = None, feedback: str | None = None, name: str | None = None
    ) -> Score:
        """Record a score, and return it to assert on.

        The score without a ``name`` is the test's own; one with a name is kept beside it, in the record's metrics.

        Raises:
            PitchevalError: ``value`` is not a finite number or bool.
        """
        number = evaluation.as_number(value)
        if number is None:
            raise PitchevalError(f"record_score: {value!r}: expected a finite number or a bool")
        own_threshold = threshold if name else _threshold(config, running, threshold)
        recorded = Score(number, threshold=own_threshold, feedback=feedback)
        if name is None:
            running.score = recorded
        else:
            running.named_scores[name] = number
        return recorded

    return record_score
