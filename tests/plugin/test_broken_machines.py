"""Whole runs on machines where something is broken, or where somebody has been at work: tests count, aids do not."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest
from support.command_line import Command
from support.openai_server import chat_format, dspy_answer
from support.suite import Suite

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and limits of POSIX")

SMALL_FILES = """
import resource
import signal
import sys

sys.dont_write_bytecode = True  # half of it would be kept, for all processes after this one
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, 8_192))
"""
"""For the beginning of a conftest: from now on no file grows beyond 8 KiB, as on a disk that is full."""

BABBLE = """#!/bin/sh
printf '\\033[2J\\377::error::x'
head -c 3000000 /dev/zero | tr '\\0' 'x'
"""


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["one-process", "n2"])
def test_a_disk_that_fills_up_costs_files_and_no_outcome(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write("conftest.py", SMALL_FILES + (suite.path / "conftest.py").read_text(encoding="utf-8"))
    suite.rows(6)
    suite.server.answer = lambda request: (
        dspy_answer(request) if request.model == "judge" else chat_format(answer="a long answer " * 300)
    )
    options = ("--eval-html=page.html", "--eval-markdown=run.md", "--optimization=labeled")
    run = suite.run(*arguments, *options, subprocess=True)
    run.result.assert_outcomes(passed=6)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED, "a run without its run file is no good one"
    assert "the run file could not be written" in run.text
    assert "Traceback" not in run.text + run.result.stderr.str()
    assert (suite.path / "run.md").is_file(), "what is small enough is there"


def test_a_git_that_babbles(suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = tmp_path / "git"
    git.write_text(BABBLE, encoding="utf-8")
    git.chmod(git.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    run = suite.run("--eval-html=page.html", "--eval-markdown=run.md")
    run.result.assert_outcomes(passed=3)
    [path] = suite.path.glob(".pitcheval/runs/*.json")
    assert path.stat().st_size < 100_000
    for shown in ("page.html", "run.md"):
        assert "\x1b" not in (suite.path / shown).read_text(encoding="utf-8")


@pytest.mark.parametrize("damage", ["link", "link to nowhere", "pipe", "folder", "deep"])
def test_a_stored_program_that_is_no_file_of_ours_is_made_again(suite: Suite, damage: str) -> None:
    suite.rows(1)
    suite.run("--optimization=labeled").result.assert_outcomes(passed=1)
    [stored] = suite.path.glob(".pitcheval/programs/*.json")
    elsewhere = suite.write("elsewhere.json", '{"mine": true}')
    stored.unlink()
    match damage:
        case "link":
            stored.symlink_to(elsewhere)
        case "link to nowhere":
            stored.symlink_to(suite.path / "nowhere.json")
        case "pipe":
            os.mkfifo(stored)
        case "folder":
            stored.mkdir()
        case _:
            stored.write_text("[" * 200_000, encoding="utf-8")
    run = suite.run("--optimization=labeled")
    run.result.assert_outcomes(passed=1)
    assert elsewhere.read_text(encoding="utf-8") == '{"mine": true}'
    assert not (suite.path / "nowhere.json").exists()
    if damage != "folder":  # which stays what it is
        assert not stored.is_symlink()
        assert json.loads(stored.read_text(encoding="utf-8"))["metadata"]


ODD_ROWS = [
    {"id": "\ud800\x1b[2J\n::error::forged", "question": "controls \x1b[2J"},
    {"id": "n" * 5_000, "question": "long"},
    {"id": "-x", "question": "| <script>", "n": 10**4000, "m": 1e308},
]


def test_what_odd_rows_come_to_is_read_shown_replayed_and_compared(suite: Suite, command: Command) -> None:
    suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in ODD_ROWS))
    reports = ("--eval-html=page.html", "--eval-markdown=run.md", "--junitxml=junit.xml")
    first = suite.run("-n2", "--eval-update-baseline", "--eval-rollouts=2", *reports)
    first.result.assert_outcomes(passed=3)
    again = suite.run("-n2", "--eval-replay=last", "--eval-max-regression=0.1", "--eval-rollouts=2", *reports)
    again.result.assert_outcomes(passed=3)
    assert again.requests == []
    assert [test["samples"] for test in again.tests] == [test["samples"] for test in first.tests]
    for words in ("show last", "show last x", "report last --markdown", "compare last last"):
        lines = command(*words.split()).lines
        assert lines
        assert not [line for line in lines if "\x1b" in line or line.lstrip().startswith("::")]
