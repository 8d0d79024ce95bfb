"""Starts, shares and ends the one server of a session.

It is a process of its own that speaks the OpenAI protocol on loopback. Whoever asks first starts it; it ends with
`stop()`, or by itself when the process that owns the session is gone. POSIX only (it forks).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.lm.embedded.models import model_name, model_path
from pytest_pitcheval.lm.embedded.processes import RunningServer, ServerSpec, process_exists

START_SECONDS = 60.0
TERMINATE_SECONDS = 2.0
POLL_SECONDS = 0.05
MODULE = "pytest_pitcheval.lm.embedded.serving"
LOG_PREFIX = re.compile(r"^[\d.]+ [A-Z] ")  # time and level


def base_url(model: str, *, runtime_dir: Path, owner_pid: int, slots: int = 4) -> str:
    """The address, as in `http://127.0.0.1:PORT/v1`, of the one server all callers with this folder share.

    The first caller starts it, with `slots` requests at a time; a server that died is replaced.
    PitchevalError when none is up after 60 s, or it fails before.
    """
    if os.name != "posix":
        raise PitchevalError(f"model {model!r}: the embedded LM needs Linux or macOS, not {sys.platform}")
    spec = ServerSpec(str(model_path(model)), model_name(model), slots, owner_pid)
    runtime_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # for this user only
    file = runtime_dir / f"local-{hashlib.sha256(os.fsencode(spec.path)).hexdigest()[:12]}.json"
    deadline = time.monotonic() + START_SECONDS
    try:
        with files.locked(
            file.with_suffix(".lock"), lambda line: None, patience=START_SECONDS
        ):  # else each has its own
            return running_or_started(model, spec, file, deadline).url
    except TimeoutError:
        problem = f"another process is still starting its server after {START_SECONDS:g} s"
        raise PitchevalError(f"model {model!r}: {problem}") from None


def running_or_started(model: str, spec: ServerSpec, file: Path, deadline: float) -> RunningServer:
    server = RunningServer.read(file)
    if server is None or not server.is_alive():
        server = start(model, spec, file.with_suffix(".log"), deadline)
        server.write(file)
    return server


def start(model: str, spec: ServerSpec, log: Path, deadline: float) -> RunningServer:
    with log.open("wb") as stderr, launch(spec, stderr) as launcher:
        assert launcher.stdout is not None
        try:
            answer = read_line(launcher.stdout, deadline)
        except BaseException:
            kill_group(launcher.pid)
            raise
        if answer is None:
            kill_group(launcher.pid)
    try:
        return RunningServer(**json.loads(answer or b""))
    except ValueError:
        problem = "ended" if answer is not None else f"was not up after {START_SECONDS:g} s"
        raise PitchevalError(f"model {model!r}: its server {problem}: {tail(log, spec.path)}") from None


def launch(spec: ServerSpec, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", MODULE, json.dumps(asdict(spec))],
        # The folder of this package: there the child finds this very copy, and nothing hides other modules.
        cwd=Path(__file__).parents[3],
        # By default llama.cpp's threads wait for one another busily. On a machine that is also running tests,
        # they then take the CPU from each other, and answers can take ten times as long and more.
        env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,  # Ctrl-C in the terminal does not reach it
    )


def read_line(stream: IO[bytes], deadline: float) -> bytes | None:
    """All bytes up to the first newline or the end; None when `deadline` (monotonic seconds) comes first."""
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
            chunk = os.read(stream.fileno(), 4096)
            if not chunk:
                break
            line += chunk
    return line


def tail(log: Path, path: str) -> str:
    """The end of a log as one line; llama.cpp names the cause first, then one line for each caller that failed."""
    text = log.read_text(encoding="utf-8", errors="replace").replace(path, Path(path).name)
    lines = [LOG_PREFIX.sub("", " ".join(line.split())) for line in text.splitlines()]
    return " | ".join([line for line in lines if line][-8:])[-800:] or "it said nothing"


def stop(runtime_dir: Path) -> None:
    """Ends all servers of this folder, by force after 2 s; one that is already gone is no error."""
    for file in sorted(runtime_dir.glob("local-*.json")):
        server = RunningServer.read(file)
        if server is not None and server.is_alive():
            end_process(server.pid)
        file.unlink(missing_ok=True)


def end_process(pid: int) -> None:
    deadline = time.monotonic() + TERMINATE_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while process_exists(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                return
            time.sleep(POLL_SECONDS)


def kill_group(pid: int) -> None:
    # macOS answers PermissionError where only zombies are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
