"""Folders of sessions that were killed: they go at the end of a later session of the same user.

Each process of a session holds a lock in its folder, which the operating system gives back however the process ends.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import filelock

_NAME = re.compile(r"pitcheval-(\d+)-[0-9a-f]{16}")
_LOCKS = "alive-*.lock"


def name(pid: int) -> str:
    """The name of a folder of the session that the process ``pid`` owns, which nobody can guess."""
    return f"pitcheval-{pid}-{os.urandom(8).hex()}"


def hold(folder: Path) -> filelock.BaseFileLock:
    """The lock by which others see that this process still uses ``folder``, for as long as it is kept.

    Raises:
        OSError: the file system has no locks, or no room.
    """
    import filelock

    lock = filelock.FileLock(folder / _LOCKS.replace("*", str(os.getpid())), thread_local=False)
    lock.acquire(blocking=False)
    return lock


def clear(parent: Path) -> None:
    """Remove the folders below ``parent`` that were left by sessions of which no process runs any more."""
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            named = _NAME.fullmatch(entry.name)
            if named and _is_own_folder(entry) and not _runs(int(named[1])) and not _is_held(Path(entry.path)):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    with contextlib.suppress(OSError):
        found = entry.stat(follow_symlinks=False)
        return stat.S_ISDIR(found.st_mode) and (os.name == "nt" or found.st_uid == os.getuid())
    return False


def _runs(pid: int) -> bool:
    if os.name == "nt":  # where a signal 0 would end it; the lock says enough
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's
        return True
    return True


def _is_held(folder: Path) -> bool:
    """Whether a process holds its lock there; where there are no locks nobody can tell."""
    import filelock

    for path in folder.glob(_LOCKS):
        try:
            with filelock.FileLock(path, blocking=False):
                continue
        except OSError:  # filelock's Timeout is one
            return True
    return False
