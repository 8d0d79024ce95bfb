"""The judge where no model is named for it, and whether its exam is to be taken again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_pitcheval.concurrency.process import Process
from pytest_pitcheval.lm.absent_judge import AbsentJudge
from pytest_pitcheval.lm.language_models import judge_from
from pytest_pitcheval.names import EXAMINED
from pytest_pitcheval.ownership import params_of
from pytest_pitcheval.results.exams.exam import Conditions
from pytest_pitcheval.results.exams.terms import PASS_OR_FAIL
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Omission
from pytest_pitcheval.rollouts.verdicts import as_number
from pytest_pitcheval.settings.parts import ModelSettings
from pytest_pitcheval.timestamps import date_of

_COMPLAINT = (
    "evaluator_lm: fixture generator_lm has a narrower scope than session; expected --evaluator-model=MODEL, "
    "or a fixture evaluator_lm of that scope"
)

_OF_SEVERAL = (
    "evaluator_lm: generator_lm has several LMs as parameters, which would each judge itself; expected "
    "--evaluator-model=MODEL, or a fixture evaluator_lm"
)


def for_session(request: pytest.FixtureRequest, settings: ModelSettings) -> Any:
    """The judge of all tests; an `AbsentJudge` where there are several LMs: it must not be whichever comes first."""
    given = (params_of(item) for item in request.session.items)
    if len({id(params["generator_lm"]) for params in given if "generator_lm" in params}) > 1:
        return AbsentJudge(_OF_SEVERAL)
    try:
        generator_lm = request.getfixturevalue("generator_lm")
    except pytest.fail.Exception as failed:
        if "ScopeMismatch" not in str(failed):
            raise
        return AbsentJudge(_COMPLAINT)
    return judge_from(generator_lm, settings)


def for_test(request: pytest.FixtureRequest, evaluator_lm: Any, settings: ModelSettings) -> Any:
    """``evaluator_lm``, or the judge of this test alone where it is an `AbsentJudge`."""
    if isinstance(evaluator_lm, AbsentJudge):
        return judge_from(request.getfixturevalue("generator_lm"), settings)
    return evaluator_lm


def threshold_of_exam(asked: float | None, metric: Any, grades: Sequence[float]) -> float | None:
    """The score from which on an answer passes: as it was ``asked`` for, else the metric's own, else the middle.

    None where people give grades and nobody says from which on an answer passes.
    """
    own = as_number(getattr(metric, "threshold", None))
    known = next((one for one in (asked, own) if one is not None), None)
    return 0.5 if known is None and tuple(grades) == PASS_OR_FAIL else known


def omission(process: Process, key: Key, now: Conditions) -> Omission | None:
    """Why the answers of an exam are not put to the judge; None where they are. A replayed run asks what it asked."""
    mode, held = process.settings.judge_exam, process.exams.get(key)
    if mode == "always" or (process.settings.replay is not None and mode != "off"):
        return None
    if held is not None and held.hold(now):
        return Omission(EXAMINED, f"nothing has changed since the exam of {date_of(held.run)}")
    if mode == "off":
        last = f"the last exam is of {date_of(held.run)}" if held else "there is no exam"
        return Omission(EXAMINED, f"--eval-judge-exam=off: {last}")
    return None
