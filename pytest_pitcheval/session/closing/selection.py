"""Which tests a session was asked for."""

from __future__ import annotations

import os

import pytest

from pytest_pitcheval.storage.run_info import Selection

_NARROWING = {
    "keyword": "-k",
    "markexpr": "-m",
    "deselect": "--deselect",
    "lf": "--last-failed",
    "stepwise": "--stepwise",
    "pyargs": "--pyargs",
    "continue_on_collection_errors": "--continue-on-collection-errors",
}
"""pytest's options with which tests may be left out that are there, or not be found."""


def selection(config: pytest.Config) -> Selection:
    """The paths that pytest looked for tests in, and what may have left out some of these."""
    paths = [argument.partition("::")[0] for argument in config.args]
    absolute = [os.path.join(config.invocation_params.dir, path) for path in paths]
    given = [flag for name, flag in _NARROWING.items() if config.getoption(name, None)]
    return Selection(
        tuple(os.path.relpath(path, config.rootpath).replace(os.sep, "/") for path in absolute),
        (*given, *(argument for argument in config.args if "::" in argument)),
    )
