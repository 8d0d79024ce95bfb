"""What belongs together in the settings: an LM, the baseline, MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytest_pitcheval.names import BaselineUpdate


class ModelSettings(NamedTuple):
    """How one of the two LMs is made: a DSPy model name and keyword arguments for ``dspy.LM``.

    ``temperature`` is None for a model that takes none; ``has_own_temperature``: the user has set it.
    """

    model: str | None
    temperature: float | None
    arguments: Mapping[str, Any]
    has_own_temperature: bool = False


class BaselineSettings(NamedTuple):
    """Which baseline is meant.

    Attributes:
        reference: as it was named: a path, a run ID or ``last``.
        path: the reference as an absolute path.
        named_by: the option or ini key that names it; None for the default one, which may be missing.
        update: how it is to be written; None: not at all.
        samples: how many of an example are kept where a run is added, the newest ones.
        max_age: in days; older ones are warned of.
        affected: whether only the examples are asked that have changed since.
    """

    reference: str
    path: Path
    named_by: str | None
    update: BaselineUpdate | None
    samples: int
    max_age: float
    affected: bool


class MlflowSettings(NamedTuple):
    """Where and how runs are logged to MLflow.

    Attributes:
        off: nothing is logged.
        uri: the tracker; None for MLflow's own local default.
        timeout: seconds for everything, or None where it was not asked for.
    """

    off: bool
    uri: str | None
    experiment: str
    run_name: str | None
    tags: Mapping[str, str]
    traces: bool
    timeout: float | None
