"""Model names into LMs, and the adapter each LM is spoken to with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_pitcheval.errors import PitchevalError, one_line
from pytest_pitcheval.lm.embedded import models, starting
from pytest_pitcheval.names import GENERATOR, JUDGE
from pytest_pitcheval.settings.parts import ModelSettings
from pytest_pitcheval.settings.temperatures import takes_temperature

_NOBODY = "http://127.0.0.1:9/v1"
"""An address where nothing answers."""


def make_lm(
    settings: ModelSettings, role: str, timeout: float, runtime_dir: Path, owner_pid: int, is_asked: bool = True
) -> Any:
    """A ``dspy.LM`` for the ``generator`` or ``evaluator``; starts the embedded server for a ``local`` model.

    Args:
        timeout: seconds that it waits for an answer: as long as a test may take, not DSPy's ten minutes.
        runtime_dir: the folder in which the processes of the session find the embedded server.
        owner_pid: the process with whose end the embedded server ends.
        is_asked: whether any call may reach it; else the embedded server, and its model, need not be there.

    Raises:
        PitchevalError: no model is named, or the embedded one cannot be served.
    """
    if settings.model is None:
        raise PitchevalError(
            f"{role}_lm: no model; expected --{role}-model=MODEL, the ini key {role}_model, or a fixture "
            f"{role}_lm of your own that returns a dspy.LM"
        )
    arguments = {
        "temperature": settings.temperature,
        "timeout": timeout,
        **settings.arguments,
    }
    if models.is_local(settings.model):
        url = starting.base_url(settings.model, runtime_dir=runtime_dir, owner_pid=owner_pid) if is_asked else _NOBODY
        lm = _local(settings.model, arguments, url)
    else:
        lm = _patient(settings.model, role, timeout, arguments)
    lm.pitcheval_part = GENERATOR if role == "generator" else JUDGE  # whose calls they are; copies keep the mark
    return lm


def _patient(model: str, role: str, timeout: float, arguments: dict[str, Any]) -> Any:
    from pytest_pitcheval.lm.patient_lm import PatientLM

    try:
        return PatientLM(model, patience=timeout, **arguments)
    except Exception as error:
        keys = f"ini keys {role}_temperature and {role}_settings"
        raise PitchevalError(f"{role}_lm: {model!r} refuses its arguments ({keys}): {one_line(error)}") from error


def judge_from(generator_lm: Any, settings: ModelSettings) -> Any:
    """The judge where no model is named for it: a copy of the user's own ``generator_lm``."""
    if settings.has_own_temperature or takes_temperature(getattr(generator_lm, "model", None)):
        return generator_lm.copy(temperature=settings.temperature)
    return generator_lm.copy()


def _local(model: str, arguments: dict[str, Any], url: str) -> Any:
    import dspy

    name = models.model_name(model)
    lm = dspy.LM(f"openai/{name}", **{"api_base": url, "api_key": "local", "max_tokens": 512, **arguments})
    lm.pitcheval_plain = True
    return lm


def dspy_settings(lm: Any) -> dict[str, Any]:
    """DSPy's settings to run with ``lm``: itself, and for the embedded one the adapter it can follow."""
    if not getattr(lm, "pitcheval_plain", False):
        return {"lm": lm}
    from pytest_pitcheval.lm.plain_adapter import PlainAdapter

    return {"lm": lm, "adapter": PlainAdapter()}


def cannot_vary(lm: Any) -> bool:
    """Whether ``lm`` samples at temperature 0, so that its rollouts cannot differ."""
    return (getattr(lm, "kwargs", None) or {}).get("temperature") == 0


def answers_in_order(lm: Any) -> bool:
    """Whether ``lm`` gives the next of a list of answers, whatever it is asked: DSPy's ``DummyLM`` for tests does."""
    from dspy.utils import DummyLM

    return isinstance(lm, DummyLM) and isinstance(lm.answers, Iterator)
