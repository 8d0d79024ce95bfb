"""The LMs that the options name, made when a fixture asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_pitcheval.lm import language_models
from pytest_pitcheval.settings.models import Model
from pytest_pitcheval.settings.parts import ModelSettings
from pytest_pitcheval.settings.settings import Settings


class NamedLMs:
    """Those of one process; ``runtime_dir`` and ``owner_pid`` are as in `language_models.make_lm`."""

    def __init__(self, settings: Settings, runtime_dir: Path, owner_pid: int) -> None:
        self._settings = settings
        self._where = (runtime_dir, owner_pid)
        self._made: dict[tuple[str, Model], Any] = {}

    def make(self, role: str, named: object = None) -> Any:
        """The LM of the ``generator`` or the ``evaluator``; of several, the one so ``named``, which stays the same.

        pytest sets the fixture up again whenever a test with another model comes between, and what rollouts share
        they know by identity. What is no `Model` is a parameter of a fixture of the user's that asks for this one.
        """
        models = self._settings.generators if role == "generator" else self._settings.evaluators
        if not isinstance(named, Model):
            return self._lm(role, models[0])
        if (role, named) not in self._made:
            self._made[role, named] = self._lm(role, next(one for one in models if one.model == named.name))
        return self._made[role, named]

    def _lm(self, role: str, model: ModelSettings) -> Any:
        settings = self._settings
        is_asked = settings.answers is None or settings.record is not None
        lm = language_models.make_lm(model, role, settings.timeout, *self._where, is_asked)
        # A judge that nobody names has the generator's model.
        lm.pitcheval_chosen = role == "generator" or model.model not in {one.model for one in settings.generators}
        return lm
