"""The command that runs one test again; from a run file too."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.options import OPTIONS

if TYPE_CHECKING:
    import pytest


def command(nodeid: str, repeat: Mapping[str, Any], *more: str) -> str:
    """What to type, in the folder pytest was started in, to run just this test again.

    ``repeat`` is of a run file's ``run``: the options that made a difference, and the way from that folder to the
    root directory; what an older file does not tell is left out.
    """
    file, *rest = nodeid.split("::")
    path = os.path.normpath(os.path.join(str(repeat.get("folder") or "."), file))
    options = repeat.get("options") or []
    return shlex.join(["pytest", "::".join([path, *rest]), *map(str, options), *more])


def how_to_repeat(config: pytest.Config) -> dict[str, Any]:
    """What `repeating.command` must know of a session."""
    values = {option.flag: config.getoption(option.dest, None) for option in OPTIONS if option.repeats}
    options = [f"{flag}={value}" for flag, value in values.items() if value is not None]
    return {"folder": os.path.relpath(config.rootpath, config.invocation_params.dir), "options": options}
