from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.background import is_alive, wait_until
from support.forking.workers import ForkedWorkers, can_fork

pytestmark = pytest.mark.skipif(not can_fork(), reason="processes are not forked here")

TELL = """
import json, os, random, sys, tempfile
print(json.dumps({
    "said": sys.stdin.readline(),
    "arguments": sys.argv,
    "folder": os.getcwd(),
    "environment": dict(os.environ),
    "temporary": tempfile.gettempdir(),
    "main": [name for name in vars(sys.modules["__main__"]) if not name.startswith("_")],
    "random": random.random(),
    "imported": sorted(sys.modules),
    "executable": sys.executable,
    "path": sys.path,
    "modes": [sys.stdout.write_through, sys.dont_write_bytecode, list(sys.flags)],
}))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    workers = ForkedWorkers(tmp_path_factory.mktemp("forked"))
    path = workers.python()
    assert path != sys.executable
    assert path == workers.python()
    yield path
    workers.close()


def tell(python: str, folder: Path, **environment: str) -> dict[str, Any]:
    """What a process says of itself."""
    command = [python, "-u", "-c", TELL]
    environment = {**os.environ, **environment}
    done = subprocess.run(
        command, input="hello\n", cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_forked_process_is_as_one_that_python_starts(python: str, tmp_path: Path) -> None:
    """But for what it has imported, and for chance."""
    forked, started = (tell(path, tmp_path, TMPDIR=str(tmp_path), TZ="UTC") for path in (python, sys.executable))
    assert forked.pop("random") != started.pop("random")
    assert {"dspy", "pytest"} <= set(forked["imported"])
    assert not {"dspy", "pytest"} & set(started["imported"])
    imported = forked.pop("imported")
    started.pop("imported")
    assert [name for name in imported if name.startswith(("xdist", "pytest_", "_pytest.assertion.rewritten"))] == []
    assert forked == started


def test_no_two_draw_the_same(python: str, tmp_path: Path) -> None:
    assert tell(python, tmp_path)["random"] != tell(python, tmp_path)["random"]


@pytest.mark.parametrize(
    "environment", [{"PYTHONDONTWRITEBYTECODE": "other"}, {"LC_ALL": "C"}, {"LITELLM_LOG": "DEBUG"}], ids=str
)
def test_where_python_would_start_otherwise_it_does(python: str, tmp_path: Path, environment: dict[str, str]) -> None:
    assert "dspy" not in tell(python, tmp_path, **environment)["imported"]


@pytest.mark.parametrize(
    ("code", "expected"), [("raise SystemExit(7)", 7), ("1 / 0", 1), ("import os; os.kill(os.getpid(), 9)", -9)]
)
def test_it_ends_as_its_code_does(python: str, code: str, expected: int) -> None:
    done = subprocess.run([python, "-u", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == expected, done.stderr
    assert ("ZeroDivisionError" in done.stderr) == ("/" in code)


def test_everything_else_is_pythons(python: str) -> None:
    done = subprocess.run([python, "-c", "import sys; print('dspy' in sys.modules)"], capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_it_is_killed_with_what_asked_for_it(python: str) -> None:
    code = "import os, time; print(os.getpid()); time.sleep(600)"
    with subprocess.Popen([python, "-u", "-c", code], stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        forked = int(asking.stdout.readline())
        assert forked != asking.pid
        asking.send_signal(signal.SIGKILL)
        wait_until(lambda: not is_alive(forked))
