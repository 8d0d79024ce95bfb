"""Who labels: as the command line says, else git, else the system."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

from pytest_pitcheval.errors import PitchevalError

_SECONDS = 5.0
"""How long git may take to say a name."""


def author(given: str | None, folder: Path) -> str:
    """``given``, or the name that git knows in ``folder``, or that of the user; a PitchevalError where none is one."""
    if given is not None:
        return _checked(given)
    for name in (_of_git(folder), _of_system()):
        if name and name.isprintable():
            return name
    raise PitchevalError("--author: neither git config user.name nor the system says who you are: expected a name")


def _checked(given: str) -> str:
    # In the C locale, an argument is ASCII with its other bytes as halves of surrogate pairs.
    name = given.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()
    if not name or not name.isprintable():
        raise PitchevalError(f"--author: {given!r}: expected a name")
    return name


def _of_git(folder: Path) -> str:
    command = ["git", "config", "user.name"]
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):  # no git here
        return ""
    return done.stdout.decode("utf-8", "replace").strip()


def _of_system() -> str:
    try:
        return getpass.getuser().strip()
    except (OSError, KeyError):  # a user without a name, as in containers
        return ""
