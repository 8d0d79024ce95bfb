"""The judge where no model is named for it: made of the user's own ``generator_lm``, whatever its scope."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pitcheval.lm.absent_judge import AbsentJudge
from pytest_pitcheval.lm.language_models import judge_from
from pytest_pitcheval.settings.settings import ModelSettings

_COMPLAINT = (
    "evaluator_lm: fixture generator_lm has a narrower scope than session; expected --evaluator-model=MODEL, "
    "or a fixture evaluator_lm of that scope"
)


def for_session(request: pytest.FixtureRequest, settings: ModelSettings) -> Any:
    """The judge of all tests; an `AbsentJudge` where each has a ``generator_lm`` of its own."""
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
