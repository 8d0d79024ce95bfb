"""``pitcheval estimate``: what a session will take, before anything is spent."""

from __future__ import annotations

import json

import pytest
from support.command_line import Command
from support.openai_server import dspy_answer
from support.suite import TEST, Suite

PRICE = "--eval-price=openai/*=1000/1000"


def row(lines: list[str], method: str) -> list[str]:
    [found] = [line.split() for line in lines if line.startswith(f"  {method} ")]
    return found


def test_what_earlier_runs_took_is_what_it_will_take(suite: Suite, command: Command) -> None:
    suite.rows(6)
    before = suite.run(PRICE, "--optimization=none,labeled")
    asked = len(suite.server.requests)
    said = command("estimate", "test_qa.py", PRICE, "--optimization=none,labeled", "--eval-concurrency=4")
    assert (said.code, len(suite.server.requests)) == (pytest.ExitCode.OK, asked)
    assert said.lines[0] == "test_qa.py::test_qa"
    assert before.document is not None
    for summary in before.document["summary"]:
        found = row(said.lines, summary["optimization"])
        assert found[1:4] == ["6", "6", str(summary["lm_calls"]["fresh"])]
        assert found[5] == f"${summary['cost']:.2f}"
    cost = sum(test["cost"] for test in before.tests)
    text = " ".join(" ".join(said.lines).split())
    assert f"all together: about 24 LM calls, 4.2k tokens, ${cost:.2f}, " in text
    assert " s with 4 in flight" in text
    assert said.lines[-1] == "compiling is not in it"
    assert len(list((suite.path / ".pitcheval" / "runs").iterdir())) == 1


def test_more_rollouts_more_examples_and_another_price(suite: Suite, command: Command) -> None:
    suite.run()
    suite.rows(6)
    said = command("estimate", PRICE, "--eval-rollouts=5", "--eval-max-cost=2")
    tokens = sum(len(one.prompt.split()) + len(dspy_answer(one).split()) for one in suite.server.requests)
    found = row(said.lines, "none")
    assert found[1:4] == ["6", "3", "60"]
    assert float(found[5].removeprefix("$")) == pytest.approx(tokens / 1000 * 10, abs=0.01)
    assert "--eval-max-cost = $2.00 cuts it off" in " ".join(" ".join(said.lines).split())
    unpriced = command("estimate")
    assert row(unpriced.lines, "none")[5] == "-"
    assert "cost not known" in " ".join(unpriced.lines)


def test_what_nobody_knows_is_not_guessed(suite: Suite, command: Command) -> None:
    suite.run()
    suite.write("test_new.py", TEST)
    said = command("estimate")
    assert row(said.lines, "none")[3] == "6" if said.lines[0] == "test_qa.py::test_qa" else True
    assert "not known, as no earlier run has them with these models: test_new.py::test_qa [none]" in " ".join(
        " ".join(said.lines).split()
    )
    other = command("estimate", "test_qa.py", "--generator-model=openai/other")
    assert row(other.lines, "none")[2:] == ["0", "-", "-", "-", "-"]
    suite.run("--eval-replay=last", "test_qa.py")  # tells nothing new
    assert row(command("estimate", "test_qa.py").lines, "none")[3] == "6"


def test_what_pytest_refuses_is_refused(suite: Suite, command: Command) -> None:
    assert command("estimate", "--eval-max-cost=much").code == pytest.ExitCode.USAGE_ERROR
    assert command("estimate", "missing.py").code == pytest.ExitCode.USAGE_ERROR
    suite.write("test_qa.py", "def test_plain():\n    pass\n")
    said = command("estimate", "-n2")
    assert (said.code, said.lines) == (pytest.ExitCode.NO_TESTS_COLLECTED, ["no evaluation test would run"])
    assert command("estimate", "--help").code == pytest.ExitCode.OK


def test_a_long_session_says_it_at_its_start(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.rows(30)
    first = suite.run(PRICE, "--eval-concurrency=32", *plugin_args)
    assert "by earlier runs" not in first.result.stderr.str()
    assert first.document is not None
    for test in first.document["tests"]:
        test["seconds"] = 10.0
    path = suite.path / ".pitcheval" / "runs" / f"{first.document['run']['id']}.json"
    path.write_text(json.dumps(first.document), encoding="utf-8")
    second = suite.run(PRICE, "--eval-concurrency=4", *plugin_args, subprocess=True)
    cost = sum(test["cost"] for test in first.tests)
    text = second.result.stderr.str()
    line = f"30 of 30 examples: about 60 LM calls, 8.2k tokens, ${cost:.2f}, 75 s, by earlier runs"
    assert [one for one in text.splitlines() if "by earlier runs" in one] == [f"pitcheval: {line}"]
