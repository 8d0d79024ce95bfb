"""An aid that fails is given up, and one line says what will be missing; results are not given up."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.background import Background, wait_until
from support.command_line import Command
from support.openai_server import Failure
from support.suite import Suite

from pytest_pitcheval.tracking.spool import Spool, Waiting

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files and processes")

DAMAGES = """
import glob, os

CACHES = glob.glob(os.environ["DSPY_CACHEDIR"] + "/*/cache.db")  # later it is another folder, for child processes


@pytest.fixture(autouse=True)
def a_disk_that_loses_what_it_has(request):
    if "e1" in request.node.name:
        for path in CACHES:
            with open(path, "r+b") as file:
                file.write(b"damaged " * 4096)
"""


@pytest.mark.parametrize("why", ["unwritable", "in memory", "damaged"])
def test_a_cache_that_keeps_nothing_is_said(suite: Suite, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if why == "unwritable":
        (suite.path / "file").touch()
        monkeypatch.setenv("DSPY_CACHEDIR", str(suite.path / "file" / "cache"))
    elif why == "in memory":
        suite.add("conftest.py", "\ndspy.configure_cache(enable_disk_cache=False)\n")
    else:
        suite.add("conftest.py", DAMAGES)
    run = suite.run("-p", "no:xdist", "--eval-concurrency=1", subprocess=True)
    run.result.assert_outcomes(passed=3)
    assert run.text.count("this run cannot be replayed or resumed: DSPy's cache keeps nothing") >= 1


def test_a_cache_that_keeps_everything_is_not_spoken_of(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    run = suite.run(*plugin_args)
    run.result.assert_outcomes(passed=3)
    assert "cannot be replayed" not in run.text


@posix
@pytest.mark.parametrize("arguments", ["-p no:xdist", "-n1"])
def test_what_was_paid_for_before_the_first_record_can_be_resumed(
    suite: Suite, background: Callable[..., Background], arguments: str
) -> None:
    suite.rows(1)
    suite.server.fail = lambda request: Failure(hang=True) if request.model == "judge" else None
    run = background(*arguments.split(), "--eval-timeout=3600")
    wait_until(lambda: any(request.model == "judge" for request in suite.server.requests))
    run.process.send_signal(signal.SIGKILL)
    run.wait()
    suite.server.fail = lambda request: None
    resumed = suite.run("--eval-resume=last")
    resumed.result.assert_outcomes(passed=1)
    assert [request.model for request in resumed.requests] == ["judge"]


@pytest.mark.parametrize("arguments", ["--collect-only", "-k nothing"])
def test_where_no_test_runs_there_is_no_journal(suite: Suite, arguments: str) -> None:
    suite.run(*arguments.split())
    assert not (suite.path / ".pitcheval").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: {},
        lambda state: [state],
        lambda state: {**state, "metadata": {"pitcheval": {"run_id": "x"}}},
        lambda state: {**state, "forward": "a text where a method should be"},
        lambda state: {**state, "demos": "a text where examples should be"},
        lambda state: {**state, "signature": {"instructions": 1, "fields": [{}] * 9}},
        lambda state: {**state, "module_src": "open('executed', 'w')"},
        lambda state: {**state, "lm": {"model": "x", "_dspy_lm_class": "os.path:join", "api_base": "http://evil"}},
    ],
    ids=["empty", "list", "metadata", "attribute", "demos", "signature", "code", "lm"],
)
def test_a_stored_program_that_is_none_is_made_again(suite: Suite, damage: Callable[..., object]) -> None:
    suite.rows(1)
    first = suite.run("--optimization=labeled")
    first.result.assert_outcomes(passed=1)
    [path] = (suite.path / ".pitcheval" / "programs").glob("*.json")
    whole = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(damage(whole)), encoding="utf-8")
    again = suite.run("--optimization=labeled")
    again.result.assert_outcomes(passed=1)
    assert [request.model for request in again.requests] == ["generator", "judge"]
    assert not (suite.path / "executed").exists()
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert set(stored) - {"lm"} == set(whole) - {"lm"}


@posix
def test_a_git_that_does_not_answer_costs_its_names(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = suite.path / "tools"
    git = suite.write("tools/git", "#!/bin/sh\nsleep 600\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    run = suite.run()
    run.result.assert_outcomes(passed=3)
    assert run.document is not None
    assert run.document["run"]["git"] == {"commit": None, "branch": None, "dirty": None}
    assert "the run file has no commit and no branch: git does not answer" in run.text


@posix
def test_the_name_of_a_branch_is_bytes(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    git = suite.write("tools/git", "#!/bin/sh\nprintf 'branch-\\351'\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{suite.path / 'tools'}{os.pathsep}{os.environ['PATH']}")
    run = suite.run()
    assert run.document is not None
    assert run.document["run"]["git"]["branch"] == "branch-\ufffd"


@posix
def test_folders_of_killed_sessions_go(
    suite: Suite, background: Callable[..., Background], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    suite.server.fail = lambda request: Failure(hang=True)
    run = background("-n1", "--eval-timeout=3600")
    wait_until(lambda: suite.server.count > 0)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("pitcheval-*")} == {0o700}
    run.process.send_signal(signal.SIGKILL)
    run.wait()
    suite.server.fail = lambda request: None

    def gone() -> bool:
        suite.run("-p", "no:xdist", subprocess=True)
        return not list(tmp_path.glob("pitcheval-*"))

    wait_until(gone)  # once the worker has noticed that its controller is gone


def test_a_run_that_is_refused_blocks_no_other(suite: Suite, command: Command) -> None:
    good = suite.run()
    assert good.document is not None
    spool, runs = Spool(suite.path / ".pitcheval"), suite.path / ".pitcheval" / "runs"
    refused = "20200101T000000.000000Z"
    (runs / f"{refused}.json").write_text(json.dumps({"run": {"id": refused}}), encoding="utf-8")
    where = f"sqlite:///{suite.path}/evaluations.db"
    for run in (refused, good.document["run"]["id"]):
        spool.add(Waiting(run, "", where))
    said = [command("sync", f"--eval-mlflow={where}", "--eval-mlflow-timeout=120").lines for _ in range(3)]
    assert f"run {good.document['run']['id']}: run " in said[0][1]
    assert [f"run {refused}: not logged" in lines[0] for lines in said] == [True] * 3
    assert "set aside after 3 tries" in said[2][0]
    assert spool.waiting() == []
    assert (spool.folder / "refused" / f"{refused}.json").exists()


@posix
def test_outputs_stay_what_they_are(suite: Suite) -> None:
    (suite.path / "elsewhere").mkdir()
    for name in ("run.json", "report.html", "report.md"):
        (suite.path / name).symlink_to(f"elsewhere/{name}")
    run = suite.run("--eval-json=run.json", "--eval-html=report.html", "--eval-markdown=report.md")
    run.result.assert_outcomes(passed=3)
    for name in ("run.json", "report.html", "report.md"):
        assert (suite.path / name).is_symlink()
        assert (suite.path / "elsewhere" / name).stat().st_size > 100
    devices = suite.run("--eval-json=/dev/null", "--eval-html=/dev/null", "--eval-markdown=/dev/stdout")
    devices.result.assert_outcomes(passed=3)
    assert Path("/dev/null").is_char_device()


def test_a_run_file_goes_where_it_was_asked_for_wherever_else_it_cannot_go(suite: Suite) -> None:
    (suite.path / ".pitcheval").write_text("in the way", encoding="utf-8")
    suite.run("--eval-json=run.json").result.assert_outcomes(passed=3)
    assert len(json.loads((suite.path / "run.json").read_text(encoding="utf-8"))["tests"]) == 3
