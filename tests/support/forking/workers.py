"""A stand-in for ``sys.executable`` by which xdist gets its workers quickly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.forking import server

MODULES = ("pytest", "execnet.gateway_base", "dspy", "diskcache", "filelock")
"""What a worker imports of others; none of them is a plugin of pytest's, which is to rewrite those itself."""

READ_AT_START = ("PYTHON", "LC_", "LANG", "DSPY_CACHE_LIMIT", "LITELLM", "MLFLOW")
"""Beginnings of names in the environment that Python, or one of the modules, has read by then."""

PYTHON = """\
#!{python} -IS
import json, os, signal, socket, sys

def settled(environment):
    return {{name: value for name, value in environment.items() if name.startswith({settled!r})}}

arguments, environment = sys.argv[1:], dict(os.environ)
bytecode = "-B" not in arguments[:2]
if arguments[:-1] in (["-u", "-c"], ["-u", "-B", "-c"]) and settled(environment) == {environment!r}:
    with socket.socket(socket.AF_UNIX) as server:
        server.connect({address!r})
        socket.send_fds(server, [b" "], range(3))
        start = [arguments[-1], os.getcwd(), environment, bytecode and not environment.get("PYTHONDONTWRITEBYTECODE")]
        server.sendall(json.dumps(start).encode() + b"\\n")
        for stream in range(3):
            os.close(stream)
        code = int(server.recv(16) or 1)
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)
os.execv({python!r}, [{python!r}, *arguments])
"""
"""``python -u -c CODE`` is forked, if Python itself would be no other one in this environment; the rest is Python's."""


class ForkedWorkers:
    """The server is started when it is first needed, and ends with this process, or at ``close``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def python(self) -> str:
        """The path of a program to be used for ``sys.executable``; that itself where processes cannot be forked."""
        path, address = self._folder / "python", str(self._folder / "socket")
        if not can_fork() or len(os.fsencode(address)) > server.LONGEST or " " in sys.executable:
            return sys.executable
        if self._process is None:
            environment = {name: value for name, value in os.environ.items() if name.startswith(READ_AT_START)}
            text = PYTHON.format(python=sys.executable, settled=READ_AT_START, environment=environment, address=address)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o700)
            self._process = self._start(address)
        return str(path)

    def _start(self, address: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-u", server.__file__, address, *MODULES]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        return process

    def close(self) -> None:
        """End the server; workers that still run end with their controllers."""
        if self._process is not None:
            self._process.communicate()


def can_fork() -> bool:
    """Whether processes can be forked here, and waited for beside other things: Linux."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True
