"""The command that runs one test again; from a run file too."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any


def command(nodeid: str, repeat: Mapping[str, Any], *more: str) -> str:
    """What to type, in the folder pytest was started in, to run just this test again.

    ``repeat`` is of a run file's ``run``: the options that made a difference, and the way from that folder to the
    root directory; what an older file does not tell is left out.
    """
    file, *rest = nodeid.split("::")
    path = os.path.normpath(os.path.join(str(repeat.get("folder") or "."), file))
    options = repeat.get("options") or []
    return shlex.join(["pytest", "::".join([path, *rest]), *map(str, options), *more])
