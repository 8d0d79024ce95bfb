"""The command that runs one test again; from a run file too."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from pytest_pitcheval.options.table import OPTIONS
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


def show(nodeid: str, config: pytest.Config) -> str:
    """What to type, in the folder pytest was started in, to see all that the last run kept of this test."""
    here, root, ini = config.invocation_params.dir, config.rootpath, config.inipath
    folder = config.getoption("pitcheval_eval_dir", None)
    arguments = [f"--eval-dir={folder}"] if folder else []
    if ini is not None and ini.parent != here:
        arguments += ["-c", os.path.relpath(ini, here)]
    if root != (ini.parent if ini else here):
        arguments.append(f"--rootdir={os.path.relpath(root, here)}")
    return shlex.join(["pitcheval", "show", "last", nodeid, *arguments])


def how_to_repeat(config: pytest.Config) -> Repeat:
    """What `command` must know of a session."""
    values = {option.flag: config.getoption(option.dest, None) for option in OPTIONS if option.repeats}
    options = tuple(flag if value is True else f"{flag}={value}" for flag, value in values.items() if value is not None)
    return Repeat(os.path.relpath(config.rootpath, config.invocation_params.dir), options)
