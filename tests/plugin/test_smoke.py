"""A quick pass over what users see; it runs on every Python and on the lowest versions of what we depend on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.openai_server import Failure, Request
from support.suite import Suite

PACKAGE = Path(__file__).parents[2] / "pytest_pitcheval"
"""The source; what is tested may be a wheel that was built of it."""

IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(importlib.import_module("pytest_pitcheval").__file__)
"""

BEST_OF_N = """
class Best(dspy.Module):
    def __init__(self):
        super().__init__()
        self.best = dspy.BestOfN(dspy.Predict("question -> answer"), N=3, reward_fn=lambda a, p: 0.0, threshold=1.0)

    def forward(self, question):
        return self.best(question=question)


@pytest.fixture(scope="session")
def program():
    return Best()
"""


def test_scores_every_example(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    run = suite.run(*plugin_args)
    run.result.assert_outcomes(passed=3)
    assert [test["score"] for test in run.tests] == [0.75] * 3
    assert [test["lm_calls"] for test in run.tests] == [{"fresh": 2, "cached": 0, "failed": 0}] * 3
    assert len(run.by("generator")) == len(run.by("judge")) == 3


def test_second_session_asks_as_much_and_a_replay_nothing(suite: Suite) -> None:
    suite.add("conftest.py", BEST_OF_N)
    first, second, replay = suite.run(), suite.run(), suite.run("--eval-replay=last")
    assert len(first.requests) == len(second.requests) == 3 * (3 + 1)
    assert len(replay.requests) == 0
    assert [test["prediction"] for test in first.tests] != [test["prediction"] for test in second.tests]
    assert [test["prediction"] for test in replay.tests] == [test["prediction"] for test in second.tests]


def test_compiles_once_for_all_workers_and_sessions(suite: Suite) -> None:
    first = suite.run("--optimization=none,bootstrap", "-n2")
    assert sorted(test["nodeid"] for test in first.tests) == [
        f"test_qa.py::test_qa[{method}-e{n}]" for method in ("bootstrap", "none") for n in range(3)
    ]
    evaluation = 2 * 3 * 2
    compiling = 4 * 2  # four demos, each asked for and judged
    assert len(first.requests) == evaluation + compiling
    assert len(suite.run("--optimization=none,bootstrap").requests) == evaluation


def test_an_error_is_not_a_failure(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    def fail(request: Request) -> Failure | None:
        return Failure(status=400) if request.model == "judge" and "question 1?" in request.prompt else None

    suite.server.fail = fail
    run = suite.run(*plugin_args, "--eval-threshold=0.8")
    run.result.assert_outcomes(failed=2, errors=1)
    assert [test["status"] for test in run.tests] == ["failed", "error", "failed"]
    assert "1 of 3 examples have no score" in run.text


def test_wrong_option_is_one_line(suite: Suite) -> None:
    run = suite.run("--optimization=nonsense")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    run.result.stderr.fnmatch_lines(["ERROR: --optimization: 'nonsense': expected one of none, labeled, *"])


def test_every_module_is_installed() -> None:
    """``-I``: not from the working directory. A folder that a wheel lacks would be missed by its users only."""
    paths = [path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py")]
    names = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    done = subprocess.run([sys.executable, "-I", "-c", IMPORT_ALL, *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    installed = Path(done.stdout.strip()).parent
    templates = Path("reports", "html", "templates")
    assert {path.name for path in (installed / templates).iterdir()} == {
        path.name for path in (PACKAGE / templates).iterdir()
    }
    assert (installed / "py.typed").exists()


def test_the_example_suites_come_along(tmp_path: Path) -> None:
    """A wheel has all files of each, and none that a run has left there."""
    for suite in (path.parent for path in (PACKAGE.parent / "example_suite").glob("*/pytest.ini")):
        command = [
            str(Path(sys.executable).with_name("pitcheval")),
            "init",
            "--like",
            suite.name,
            "--folder",
            suite.name,
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert files_in(tmp_path / suite.name, own=".gitignore") == files_in(suite) | {".gitignore"}


def files_in(folder: Path, own: str = "") -> set[str]:
    """The files of a suite, without what runs leave there; of the hidden ones, ``own``."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    left = ("__pycache__", "mlflow.db", "mlruns")
    return {
        path.as_posix()
        for path in paths
        if path.name == own or not any(part.startswith(".") or part in left for part in path.parts)
    }


def test_the_command_says_what_it_can_do() -> None:
    command = Path(sys.executable).with_name("pitcheval")
    done = subprocess.run([command, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: pitcheval" in done.stdout
    for name in ("init", "runs", "show", "compare", "decide", "report", "merge", "sync"):
        assert f"    {name} " in done.stdout


def test_a_run_is_told_as_a_page_and_as_markdown(suite: Suite) -> None:
    suite.run("--eval-html=page.html", "--eval-markdown=summary.md").result.assert_outcomes(passed=3)
    page = (suite.path / "page.html").read_text(encoding="utf-8")
    assert "test_qa.py::test_qa" in page
    assert page.count("<script") >= 2
    assert "test_qa.py::test_qa" in (suite.path / "summary.md").read_text(encoding="utf-8")
