"""The LMs that the options name: checked where there are several, and made when a fixture asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_pitcheval.options.table import OPTIONS

if TYPE_CHECKING:
    from pytest_pitcheval.concurrency.process import Process
    from pytest_pitcheval.settings.models import Model
    from pytest_pitcheval.settings.settings import Settings


class LMs:
    """Those of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._made: dict[tuple[str, Model], Any] = {}

    def make(self, role: str, named: Model | None = None) -> Any:
        """The LM of the ``generator`` or the ``evaluator``; of several, the one so ``named``, which stays the same.

        pytest sets the fixture up again whenever a test with another model comes between, and what rollouts share
        they know by identity.
        """
        if named is None:
            return self._make(role, 0)
        if (role, named) not in self._made:
            models = self._models(role)
            self._made[role, named] = self._make(role, [one.model for one in models].index(named.name))
        return self._made[role, named]

    def _models(self, role: str) -> Any:
        settings = self._process.settings
        return settings.generators if role == "generator" else settings.evaluators

    def _make(self, role: str, place: int) -> Any:
        from pytest_pitcheval.lm import language_models

        process, settings = self._process, self._process.settings
        is_asked = settings.answers is None or settings.record is not None
        folder, owner = process.runtime_dir, process.owner_pid
        return language_models.make_lm(self._models(role)[place], role, settings.timeout, folder, owner, is_asked)


def check_providers(settings: Settings, config: pytest.Config) -> None:
    """Where there are several models, each must be of a provider that there is: one typing error costs its whole share.

    Raises:
        pytest.UsageError: one line, which names the option and its value.
    """
    if settings.answers is not None and settings.record is None:  # nobody is asked
        return
    from pytest_pitcheval.lm.providers import unknown_provider

    for role, models in (("generator", settings.generators), ("evaluator", settings.evaluators)):
        names = [one.model for one in models if one.model]
        if len(names) > 1 and (unknown := unknown_provider(names)):
            option = next(option for option in OPTIONS if option.name == f"{role}_model")
            given = config.getoption(option.dest, None) is not None
            where = option.flag if given else f"ini key {option.name}"
            raise pytest.UsageError(f"{where}: {','.join(names)!r}: {unknown}")
