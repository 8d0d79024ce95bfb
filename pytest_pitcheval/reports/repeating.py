"""The command that runs one test again; from a run file too."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from pytest_pitcheval.options import OPTIONS
from pytest_pitcheval.storage.run_info import Repeat

if TYPE_CHECKING:
    import pytest


def command(nodeid: str, repeat: Repeat, *more: str) -> str:
    """What to type, in the folder pytest was started in, to run just this test again.

    ``more`` are further arguments for pytest.
    """
    file, *rest = nodeid.split("::")
    path = os.path.normpath(os.path.join(repeat.folder, file))
    return shlex.join(["pytest", "::".join([path, *rest]), *repeat.options, *more])


def how_to_repeat(config: pytest.Config) -> Repeat:
    """What `command` must know of a session."""
    values = {option.flag: config.getoption(option.dest, None) for option in OPTIONS if option.repeats}
    options = tuple(f"{flag}={value}" for flag, value in values.items() if value is not None)
    return Repeat(os.path.relpath(config.rootpath, config.invocation_params.dir), options)
