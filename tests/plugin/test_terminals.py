"""Terminals that cannot show everything: what a run and the command print is shown as far as it goes."""

from __future__ import annotations

import sys

import pytest
from support.openai_server import chat_format
from support.suite import Suite

TERMINALS = {
    "ascii": {"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"},
    "c-locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TERM": "dumb"},
}

COMMANDS = """
import sys

from pytest_pitcheval.cli import main

for line in sys.stdin.read().splitlines():
    print(f"=> {main(line.split()):d} of {line}", flush=True)
"""

LINES = {
    "runs": 0,
    "show last": 0,
    "show last \\u65e5": 0,
    "compare last last": 0,
    "decide last --eval-min-mean=0.9": 1,
    "report last --markdown": 0,
    "merge last last": 4,
    "sync": 4,
    "init program:qa --folder=first": 0,
}
"""What `pitcheval` is told, and its exit code."""


@pytest.mark.parametrize("terminal", TERMINALS)
def test_nothing_that_is_printed_ends_in_a_traceback(
    suite: Suite, terminal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"COLUMNS": "80", **TERMINALS[terminal]}.items():
        monkeypatch.setenv(name, value)
    suite.server.answer = lambda request: (
        chat_format(score=0.75, feedback="très bien ✓")
        if request.model == "judge"
        else chat_format(answer="日本 \N{GRINNING FACE}")
    )
    suite.write("program.py", 'import dspy\n\nqa = dspy.Predict("question -> answer")\n')
    suite.write("data.jsonl", '{"id": "日本", "question": "¿Qué?"}\n{"id": "b", "question": "b?"}\n')
    run = suite.run("-v", "--eval-min-mean=0.9", subprocess=True)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.stdout.fnmatch_lines(["*test_qa?\\u65e5\\u672c* PASSED*", "FAIL min_mean=0.9 *"])
    done = suite.pytester.run(sys.executable, "-c", COMMANDS, stdin="\n".join(LINES).encode())
    told = [line for line in done.outlines if line.startswith("=> ")]
    assert told == [f"=> {code} of {line}" for line, code in LINES.items()]
    for result in (run.result, done):
        assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert any(r"\u65e5" in line and "question" not in line for line in done.outlines)
