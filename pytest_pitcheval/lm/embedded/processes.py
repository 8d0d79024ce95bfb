"""What the processes of a session and its server tell each other."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class ServerSpec:
    """What the server process is told on its command line."""

    path: str
    alias: str
    slots: int
    owner_pid: int


@dataclass(frozen=True)
class RunningServer:
    """What the processes of a session tell each other: `local-<hash of path>.json` in the runtime folder."""

    url: str
    pid: int
    model: str

    @classmethod
    def read(cls, file: Path) -> RunningServer | None:
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, file: Path) -> None:
        draft = file.with_suffix(".tmp")
        draft.write_text(json.dumps(asdict(self)), encoding="utf-8")
        draft.replace(file)

    def is_alive(self) -> bool:
        """Whether this very server runs: the process ID alone may belong to a stranger by now."""
        return process_exists(self.pid) and accepts_connections(self.url)


def process_exists(pid: int) -> bool:
    """Whether it runs; a zombie does not (told apart only where /proc is)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    # "pid (name) state ...", and the name may hold spaces and parentheses
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def accepts_connections(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=5.0).close()
    except OSError:
        return False
    return True
