"""One example through program and metric, and what is made of the exceptions on the way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_pitcheval.errors import (
    BudgetReached,
    LMCallFailed,
    MetricFailed,
    NotForThreads,
    PitchevalError,
    ProgramStopped,
    one_line,
)
from pytest_pitcheval.lm.failures import is_lm_error, origins, refuses_temperature
from pytest_pitcheval.lm.language_models import dspy_settings
from pytest_pitcheval.names import GENERATOR, JUDGE
from pytest_pitcheval.rollouts.calling import Run, called, last_prediction
from pytest_pitcheval.rollouts.rollout import Rollout
from pytest_pitcheval.rollouts.scopes import Scope
from pytest_pitcheval.rollouts.verdicts import Verdict, read_verdict, shown

if TYPE_CHECKING:
    from pytest_pitcheval.rollouts.rollouts import Rollouts

_OF_PYTEST = (pytest.skip.Exception, pytest.fail.Exception, pytest.exit.Exception)
CONFIGURED = ("dspy.settings can only be changed by the thread", "dspy.configure(...) can only be called from")
"""What DSPy says of ``dspy.configure`` in another thread, or another task, than the first."""
SIGNALS = "signal only works in main thread"
"""What Python says of ``signal.signal`` in another thread."""
BOUND = {
    "SQLite objects created in a thread can only be used in that same thread": "a connection of sqlite3",
    "There is no current event loop in thread": "asyncio.get_event_loop",
    "This event loop is already running": "an event loop of its own",
    "cannot switch to a different thread": "what is bound to the thread that it was made in",
}
"""What is said where a program uses something of the main thread's in another one, and what that is."""
_ROLES = {GENERATOR: "generator", JUDGE: "evaluator"}
"""Whose LMs the options make, and what the options of each begin with."""


class GivenAnswers:
    """In place of a program, in a judge's exam: each example brings its answer along."""

    @staticmethod
    def give(example: Any, answer: Mapping[str, Any]) -> Any:
        """``example`` with the fields of its ``answer``, where no metric sees them."""
        example._pitcheval_answer = dict(answer)  # DSPy makes no field of a name that begins so
        return example

    @staticmethod
    def of(example: Any) -> Any:
        """The answer that it was given, as a ``dspy.Prediction``."""
        import dspy

        return dspy.Prediction(**example._pitcheval_answer)


GIVEN_ANSWERS = GivenAnswers()


class Generator(NamedTuple):
    """What makes predictions: the compiled program or `GIVEN_ANSWERS`, and the LM that it runs with."""

    program: Any
    lm: Any

    def is_same(self, other: Generator) -> bool:
        """Whether it is made of the very same objects."""
        return self.program is other.program and self.lm is other.lm

    @property
    def lms(self) -> list[Any]:
        """The LM that it runs with, and those that predictors of the program have of their own."""
        import dspy

        predictors = self.program.predictors() if isinstance(self.program, dspy.Module) else ()
        return [self.lm, *(predictor.lm for predictor in predictors if getattr(predictor, "lm", None) is not None)]


class Judge(NamedTuple):
    """What scores predictions: the metric, and the LM that it runs with."""

    metric: Any
    lm: Any

    def is_same(self, other: Judge) -> bool:
        """Whether it is made of the very same objects."""
        return self.metric is other.metric and self.lm is other.lm


def predict(rollouts: Rollouts, rollout: Rollout, generator: Generator, example: Any) -> Any:
    """The generator's answer to the example. Raises as `run_program`."""
    __tracebackhide__ = True
    if generator.program is GIVEN_ANSWERS:
        return GIVEN_ANSWERS.of(example)
    inputs = dict(example.inputs().items(include_dspy=True))  # toDict would make dicts of pydantic models
    with rollout.timed(), rollouts.entered(rollout, GENERATOR, **dspy_settings(generator.lm)):
        try:
            return run_program(generator.program, inputs, rollout, rollouts.loop.run)
        except BudgetReached:
            rollouts.land(rollout)
            raise
        except PitchevalError:
            raise
        except Exception as error:
            rollout.program_raised = error
            raise
        finally:
            rollouts.models.add(GENERATOR, generator.lm, rollout.models(GENERATOR))


def judge(rollouts: Rollouts, rollout: Rollout, judge: Judge, example: Any, prediction: Any) -> Verdict:
    """The judge's verdict on the prediction. Raises as `ask_metric`."""
    __tracebackhide__ = True
    with rollout.timed(), rollouts.entered(rollout, JUDGE, **dspy_settings(judge.lm)):
        try:
            return ask_metric(judge.metric, example, prediction, rollout, rollouts.loop.run)
        except BudgetReached:
            rollouts.land(rollout)
            raise
        finally:
            rollouts.models.add(JUDGE, judge.lm, rollout.models(JUDGE))


def run_program(
    program: Callable[..., Any],
    inputs: Mapping[str, Any],
    scope: Scope,
    run: Run = asyncio.run,
) -> Any:
    """``program(**inputs)``; of an async program too, by ``run``, and the last prediction of one that streams.

    The inputs are the program's own: see `copies`.

    Raises:
        NoPrediction: there is none in what the program streamed.
        NotForThreads: the program does what cannot be done while other rollouts are in flight.
        LMCallFailed: the program ended because of an LM call that failed, or went on without an answer to it.
        Exception: whatever else the program raised.
    """
    __tracebackhide__ = True
    from pytest_pitcheval.rollouts.copies import own

    try:
        prediction = last_prediction(called(program, run, **own(dict(inputs))), _is_prediction, run)
    except Exception as error:
        _check(scope)
        if _is_of_lm(error, scope, GENERATOR) or scope.failure(GENERATOR, forgiving=True) is not None:
            told = f"{one_line(error)}{_of(scope)}{_hint(error)}"
            raise LMCallFailed(f"an LM call of the program failed: {told}") from error
        _check_configured("program", error)
        raise
    except BaseException as error:
        if not _would_stop_all(error):
            raise
        raise ProgramStopped(f"the program raised {one_line(error)}{_of(scope)}") from error
    _check(scope)
    failure = scope.failure(GENERATOR, forgiving=True)
    if failure is not None:
        raise LMCallFailed(
            f"the program went on after its LM call had failed: {one_line(failure)}{_of(scope)}"
        ) from failure
    return prediction


def _is_of_lm(error: BaseException, scope: Scope, part: str) -> bool:
    """Whether ``error`` is, or comes from, what an LM call of ``part`` has raised, or looks like a provider's."""
    failures = scope.failures(part)
    return is_lm_error(error) or any(link is failure for link in origins(error) for failure in failures)


def _is_prediction(item: Any) -> bool:
    import dspy

    return isinstance(item, dspy.Prediction)


def ask_metric(
    metric: Callable[..., Any], example: Any, prediction: Any, scope: Scope, run: Run = asyncio.run
) -> Verdict:
    """``metric(example, prediction)`` as a `Verdict`; of an async metric too, by ``run``. Both are the metric's own.

    Raises:
        LMCallFailed: an LM call of the judge failed, even where the metric made a score of that.
        MetricFailed: the metric raised something else, or returned no finite number.
    """
    from pytest_pitcheval.rollouts.copies import own

    try:
        result = called(metric, run, own(example), own(prediction))
    except Exception as error:
        _check(scope)
        if _is_of_lm(error, scope, JUDGE) or scope.failure(JUDGE) is not None:
            told = f"{one_line(error)}{_of(scope)}{_hint(error)}"
            raise LMCallFailed(f"an LM call of the metric failed: {told}") from error
        _check_configured("metric", error)
        raise MetricFailed(f"the metric raised {one_line(error)}{_of(scope)}") from error
    except BaseException as error:
        if not _would_stop_all(error):
            raise
        raise MetricFailed(f"the metric raised {one_line(error)}{_of(scope)}") from error
    _check(scope)
    failure = scope.failure(JUDGE)
    if failure is not None:
        raise LMCallFailed(
            f"the metric returned {shown(result)} after its LM call had failed: {one_line(failure)}{_of(scope)}"
        ) from failure
    return read_verdict(result)


def _would_stop_all(error: BaseException) -> bool:
    """Whether a program or metric raised what is meant for the whole process.

    What pytest raises (``pytest.skip()``, a timeout) is not that, nor is an interrupt from the keyboard, which only
    the main thread gets.
    """
    by_hand = isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread()
    return not by_hand and not isinstance(error, _OF_PYTEST)


def _check_configured(who: str, error: Exception) -> None:
    """Raise NotForThreads if ``error`` is the complaint of DSPy or Python of what only the main thread may do."""
    if isinstance(error, RuntimeError) and any(text in str(error) for text in CONFIGURED):
        raise NotForThreads(
            f"the {who} calls dspy.configure, which is for all rollouts in flight and not for its own thread; "
            "expected 'with dspy.context(...):' around what it asks"
        ) from None
    if isinstance(error, ValueError) and SIGNALS in str(error):
        raise NotForThreads(
            f"the {who} calls signal.signal, which only the main thread may do; "
            "expected --eval-concurrency=1, or a time limit that needs no signal"
        ) from None
    told = one_line(error)
    what = next((what for text, what in BOUND.items() if text in told), None)
    if what is not None and threading.current_thread() is not threading.main_thread():
        raise NotForThreads(
            f"the {who} uses {what}, which is for one thread, and rollouts are made in several: {told}; "
            "expected --eval-concurrency=1, or one for each call"
        ) from None


def _hint(error: BaseException) -> str:
    """What to write where an LM of the options takes no temperature, although its name does not tell."""
    import dspy

    role = _ROLES.get(getattr(dspy.settings.lm, "pitcheval_part", ""))
    if role is None or not refuses_temperature(error):
        return ""
    return f"; for a model that takes no temperature, expected the ini key {role}_temperature = null"


def _check(scope: Scope) -> None:
    if isinstance(scope, Rollout):
        scope.check()


def _of(scope: Scope) -> str:
    return f" (rollout {scope.rollout_id})" if isinstance(scope, Rollout) else ""
