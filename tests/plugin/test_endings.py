"""A session that is over is over, whatever is in flight; its exit code is pytest's."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from support.background import is_alive, wait_until
from support.openai_server import Failure, OpenAIServer
from support.suite import Suite

from benchmarks import endings

LIMIT = 100.0
"""Seconds in which what hangs would not have ended."""

HANGING_POOL = """
import concurrent.futures
import threading

POOL = concurrent.futures.ThreadPoolExecutor(1)


class Hanging(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        POOL.submit(threading.Event().wait)
        return self.ask(question=question)


@pytest.fixture(scope="session")
def program():
    return Hanging()
"""

HANGING_THREAD = HANGING_POOL.replace("POOL.submit(threading.Event().wait)", "threading.Thread(target=wait).start()")
HANGING_THREAD += """

def wait():
    threading.Event().wait()
"""

LAST_WORDS = """
import atexit
import os
from pathlib import Path

PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "main")
atexit.register(Path(Path.cwd(), f"{PROCESS} atexit").touch)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    Path(f"{PROCESS} unconfigure").touch()
    print("the last words of", PROCESS)


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config):
    yield
    return 9
"""
"""What other plugins do after pytest has finished its session."""

HANGING_HANDLER = """
import atexit
import threading

atexit.register(threading.Event().wait)
"""


def ended(suite: Suite, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=suite.path, capture_output=True, text=True, timeout=LIMIT, check=False)


@pytest.mark.parametrize("program", [HANGING_POOL, HANGING_THREAD], ids=["pool", "thread"])
@pytest.mark.parametrize("arguments", ["-p no:xdist", "-n1", "-p no:xdist --eval-concurrency=1"])
def test_a_thread_of_a_program_that_never_ends(suite: Suite, program: str, arguments: str) -> None:
    suite.add("conftest.py", program)
    done = ended(suite, *arguments.split())
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    assert "3 passed" in done.stdout


@pytest.mark.parametrize(
    ("program", "arguments"), [(HANGING_POOL, "-p no:xdist"), (HANGING_THREAD, "-n1")], ids=["pool", "thread-n1"]
)
def test_what_others_do_at_the_end_is_done(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, program: str, arguments: str
) -> None:
    """Coverage saves its data when the interpreter ends, and a plugin may change the exit code of a session."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # by which the suite's conftest tells its processes apart
    suite.add("conftest.py", program + LAST_WORDS)
    done = ended(suite, *arguments.split(), "--junit-xml=junit.xml")
    processes = ["main"] if "no:xdist" in arguments else ["gw0", "main"]
    words = sorted(path.name for path in suite.path.glob("* *"))
    assert words == [f"{process} {what}" for process in processes for what in ("atexit", "unconfigure")]
    assert "the last words of main" in done.stdout
    assert "</testsuites>" in (suite.path / "junit.xml").read_text(encoding="utf-8")
    assert done.returncode == 9, done.stdout


def test_a_handler_that_never_returns(suite: Suite) -> None:
    suite.add("conftest.py", HANGING_THREAD + HANGING_HANDLER)
    done = ended(suite, "-p", "no:xdist")
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    assert "3 passed" in done.stdout


@pytest.mark.parametrize("arguments", ["-p no:xdist", "-n2"])
def test_an_lm_call_that_never_ends(suite: Suite, arguments: str) -> None:
    suite.rows(6)
    suite.server.fail = lambda request: Failure(hang=True) if "question 2?" in request.prompt else None
    done = ended(suite, *arguments.split(), "--eval-timeout=3")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "5 passed, 1 error" in done.stdout


SLEEPING = """
import atexit
import os
import time


class Sleeping(dspy.Module):
    def forward(self, question):
        atexit.register(open("ended", "w").close)
        open(f"{os.getpid()}.asked", "w").close()
        time.sleep(600)


@pytest.fixture(scope="session")
def program():
    return Sleeping()
"""


def test_a_worker_that_hears_no_interrupt_ends_with_its_controller(suite: Suite) -> None:
    """As the background job of a shell script. execnet's own end of it, fifteen seconds later, calls no handler."""
    suite.add("conftest.py", SLEEPING)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with (suite.path / "output.txt").open("w") as output:
            command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n1"]
            process = subprocess.Popen(command, cwd=suite.path, stdout=output, stderr=output, start_new_session=True)
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        wait_until(lambda: any(suite.path.glob("*.asked")))
        process.kill()
    (asked,) = suite.path.glob("*.asked")
    wait_until(lambda: not is_alive(int(asked.stem)))
    assert (suite.path / "ended").exists()


def test_a_program_that_calls_pytest_goes_on(suite: Suite) -> None:
    suite.add("conftest.py", HANGING_POOL)
    suite.write(
        "run.py",
        "import os, pytest\n"
        "code = pytest.main(['-q', '-p', 'no:cacheprovider', '-p', 'no:xdist'])\n"
        "print('goes on after', int(code), flush=True)\n"
        "os._exit(7)\n",
    )
    done = subprocess.run(
        [sys.executable, "run.py"], cwd=suite.path, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (done.returncode, "goes on after 0" in done.stdout) == (7, True), done.stdout


def test_a_few_sessions_of_the_benchmark_end() -> None:
    """Of one example, with a provider that answers at once; through LiteLLM too, and with a thread that never ends."""
    each_kind = (0, 1, 2, 5)
    with endings.suite() as folder, OpenAIServer(latency=endings.LATENCY) as server:
        ends = [endings.run(folder, server.url, number) for number in each_kind]
    assert [end.code for end in ends] == [0] * len(each_kind)
