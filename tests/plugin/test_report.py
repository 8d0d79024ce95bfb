"""Reports that a session writes, the command that writes them later, and what GitHub Actions gets by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.html_page import Reader, data
from support.markdown_tables import tables
from support.openai_server import Failure, Request
from support.suite import TEST, Run, Suite

from pytest_pitcheval import cli

PAGE, SUMMARY = "--eval-html=page.html", "--eval-markdown=summary.md"


def read(suite: Suite, name: str) -> str:
    return (suite.path / name).read_text(encoding="utf-8")


@pytest.fixture
def here(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """The suite, whose folder is the working directory."""
    monkeypatch.chdir(suite.path)
    return suite


def worse(suite: Suite) -> None:
    """From now on the judge gives lower scores, and none for question 2."""
    suite.scores(lambda request: 0.25)
    suite.server.fail = lambda request: Failure() if asks_judge_of_2(request) else None


def asks_judge_of_2(request: Request) -> bool:
    return request.model == "judge" and "question 2?" in request.prompt


def test_a_session_writes_them(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.rows(8)
    run = suite.run(PAGE, SUMMARY, *plugin_args)
    assert run.result.ret == pytest.ExitCode.OK
    assert run.result.outlines[-3:-1] == ["report: page.html", "report: summary.md"]
    assert [row["example"] for row in data(read(suite, "page.html"))["examples"]] == [f"e{n}" for n in range(8)]
    [[_, row]] = tables(read(suite, "summary.md"))
    assert row[:5] == ["test_qa.py::test_qa", "none", "8/8", "0.750 [0.750-0.750]", "100 %"]
    assert "Report: <code>page.html</code>" in read(suite, "summary.md")
    assert len(run.requests) == 16, "none for the reports"


def test_nobody_asked_for_one(suite: Suite) -> None:
    before = {path.name for path in suite.path.iterdir()}
    run = suite.run()
    assert {path.name for path in suite.path.iterdir()} - before - {"__pycache__"} == {".pitcheval"}
    assert "report: " not in run.text


def test_ini_keys(suite: Suite) -> None:
    suite.add("pytest.ini", "eval_html = out/page.html\neval_markdown = out/summary.md\n")
    suite.run()
    assert sorted(path.name for path in (suite.path / "out").iterdir()) == ["page.html", "summary.md"]


@pytest.mark.parametrize("option", ["--eval-html", "--eval-markdown"])
def test_a_path_that_cannot_be_written_costs_nothing_else(suite: Suite, option: str) -> None:
    suite.write("taken", "")
    run = suite.run(f"{option}=taken/page", "--eval-json=run.json")
    run.result.assert_outcomes(passed=3)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    [line] = [line for line in run.result.outlines if "could not be written" in line]
    assert line.startswith("the report could not be written: ")
    assert run.document == json.loads(read(suite, "run.json"))


def test_a_report_is_written_where_the_run_file_could_not_be(suite: Suite) -> None:
    suite.write("evaluations", "")
    run = suite.run("--eval-dir=evaluations", PAGE)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert len(data(read(suite, "page.html"))["examples"]) == 3


def test_credentials_are_in_no_report(suite: Suite) -> None:
    suite.server.answer = lambda request: "[[ ## answer ## ]]\nthe key is sk-for-tests-only\n[[ ## score ## ]]\n1.0"
    suite.run(PAGE, SUMMARY)
    assert "the key is ***" in read(suite, "page.html")
    assert "sk-for-tests-only" not in read(suite, "page.html") + read(suite, "summary.md")


def test_each_rollout_is_in_the_run_file(suite: Suite) -> None:
    suite.server.fail = lambda request: None
    run = suite.run("--eval-rollouts=3")
    for test in run.tests:
        answers = [test["prediction"]["answer"], *(one["prediction"]["answer"] for one in test["later_rollouts"])]
        assert len(set(answers)) == 3
        assert len(test["samples"]) == 3


@pytest.mark.parametrize("baseline", [(), ("--eval-baseline=last",)], ids=["alone", "compared"])
def test_the_command_writes_what_the_session_wrote(here: Suite, baseline: tuple[str, ...]) -> None:
    here.rows(8)
    here.run()
    worse(here)
    here.run(PAGE, SUMMARY, *baseline, "--eval-rollouts=2", "--eval-min-mean=0.5", "-n2")
    asked = len(here.server.requests)
    assert cli.main(["report", "last", "-o", "again.html"]) == pytest.ExitCode.OK
    assert cli.main(["report", "last", "--markdown", "-o", "again.md"]) == pytest.ExitCode.OK
    assert read(here, "again.html") == read(here, "page.html")
    assert read(here, "again.md") == read(here, "summary.md").replace("\n\nReport: <code>page.html</code>\n", "\n")
    assert len(here.server.requests) == asked


def test_the_command_says_where_it_wrote(here: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    run = here.run()
    assert run.document is not None
    capsys.readouterr()
    assert cli.main(["report", "last"]) == pytest.ExitCode.OK
    path = f".pitcheval/reports/{run.document['run']['id']}.html"
    assert capsys.readouterr().out.splitlines() == [f"report: {path}"]
    assert len(data(read(here, path))["examples"]) == 3


def test_the_command_prints_markdown(here: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    here.run(SUMMARY)
    capsys.readouterr()
    assert cli.main(["report", "last", "--markdown"]) == pytest.ExitCode.OK
    assert capsys.readouterr().out == read(here, "summary.md")


def test_the_command_compares_with_another_baseline(here: Suite) -> None:
    here.rows(8)
    first = here.run("--eval-update-baseline")
    worse(here)
    here.run("--eval-baseline=last", "--eval-min-mean=0.2")
    here.run("--eval-min-mean=0.2", "--eval-baseline=last")
    assert first.document is not None
    assert cli.main(["report", "last", "-o", "page.html"]) == pytest.ExitCode.OK
    assert {row["change"] for row in data(read(here, "page.html"))["examples"] if row["score"]} == {0}
    for reference, known in ((first.document["run"]["id"], True), ("pitcheval-baseline.json", False)):
        assert cli.main(["report", "last", "-o", "page.html", f"--eval-baseline={reference}"]) == pytest.ExitCode.OK
        page = data(read(here, "page.html"))
        assert [row.get("change") for row in page["examples"]] == [-0.5, -0.5, None, -0.5, -0.5, -0.5, -0.5, -0.5]
        assert page["has_before"] == known
        assert ("prediction" in page["examples"][0]["was"][0]) == known
        text = Reader(read(here, "page.html")).text
        assert "max_regression=0.05" in text
        assert "min_mean=0.2" in text, "gates of the run that need no baseline are its own"


def test_the_baselines_run_may_be_gone(here: Suite) -> None:
    first = here.run()
    here.run("--eval-baseline=last", PAGE)
    assert first.document is not None
    (here.path / ".pitcheval" / "runs" / f"{first.document['run']['id']}.json").unlink()
    assert cli.main(["report", "last", "-o", "again.html"]) == pytest.ExitCode.OK
    before, after = data(read(here, "page.html")), data(read(here, "again.html"))
    assert [row["before"] for row in after["examples"]] == [row["before"] for row in before["examples"]]
    assert (before["has_before"], after["has_before"]) == (True, False)


def test_a_run_that_was_killed_has_a_report(here: Suite) -> None:
    run = here.run()
    assert run.document is not None
    runs = here.path / ".pitcheval" / "runs"
    head = {"schema_version": 1, "run": {"id": "20990101T000000.000000Z", "timestamp": "20990101T000000.000000Z"}}
    lines = [head, run.tests[0]]
    (runs / "20990101T000000.000000Z.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert cli.main(["report", "last", "-o", "page.html"]) == pytest.ExitCode.OK
    assert "Unfinished 1 example recorded before it ended." in Reader(read(here, "page.html")).text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["report", "nothing"], "ERROR: 'nothing': expected a run ID of {runs}, a run file or 'last'"),
        (["report", "last", "-o", "taken/page.html"], "ERROR: the report could not be written: "),
        (["report", "last", "--eval-baseline=none.json"], "ERROR: --eval-baseline: 'none.json': no such file"),
    ],
)
def test_what_the_command_cannot_do(
    here: Suite, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    here.run()
    here.write("taken", "")
    capsys.readouterr()
    assert cli.main(arguments) == pytest.ExitCode.USAGE_ERROR
    [said] = [one for one in capsys.readouterr().err.splitlines() if one]
    assert said.startswith(line.format(runs=here.path / ".pitcheval" / "runs"))


# GitHub Actions


@pytest.fixture
def step(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that becomes the summary of a step."""
    path = suite.path / "step.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


def error_lines(run: Run) -> list[str]:
    return [line for line in run.result.outlines if line.startswith("::")]


def test_a_step_gets_a_summary_and_annotations(suite: Suite, step: Path, plugin_args: tuple[str, ...]) -> None:
    step.write_text("what another program wrote\n")
    worse(suite)
    run = suite.run("--eval-min-mean=0.5", "--eval-min-pass-rate=0", *plugin_args)
    text = step.read_text(encoding="utf-8")
    assert text.startswith("what another program wrote\n\n## ❌ pitcheval: failed\n")
    assert text.count("## ❌") == 1
    assert error_lines(run) == [
        "::error title=pitcheval%3A min_mean failed::"
        "min_mean=0.5 test_qa.py::test_qa [none]: 1 of 3 examples have no score"
    ]


def test_a_quiet_run_is_annotated_too(suite: Suite, step: Path) -> None:
    assert len(error_lines(suite.run("-qq", "--eval-min-mean=0.9"))) == 1


def test_a_good_run_is_not_annotated(suite: Suite, step: Path) -> None:
    assert error_lines(suite.run("--eval-min-mean=0.5")) == []


def test_elsewhere_there_is_neither(suite: Suite, step: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert error_lines(suite.run("--eval-min-mean=0.9")) == []
    assert not step.exists()


def test_a_suite_without_evaluations_writes_no_summary(pytester: pytest.Pytester, step: Path) -> None:
    for name in ("test_qa.py", "conftest.py"):
        (pytester.path / name).unlink()
    pytester.makepyfile("def test_nothing():\n    pass\n")
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
    assert not step.exists()


def test_a_summary_that_cannot_be_written_fails_nothing(suite: Suite, step: Path) -> None:
    step.mkdir()
    run = suite.run()
    assert run.result.ret == pytest.ExitCode.OK
    [line] = [line for line in run.result.outlines if "could not be written" in line]
    assert line.startswith("the summary of the step could not be written: ")


def test_a_page_needs_jinja_and_nothing_else_does(suite: Suite) -> None:
    """It is imported when a page is written: not by the plugin, and not for markdown."""
    suite.run("-n0")
    code = "import sys; from pytest_pitcheval.cli import main; main(sys.argv[1:]); print('jinja2' in sys.modules)"
    for more, imported in (("--markdown", "False"), ("-opage.html", "True")):
        command = [sys.executable, "-c", code, "report", "last", more]
        done = subprocess.run(command, cwd=suite.path, capture_output=True, text=True, check=True, env={**os.environ})
        assert done.stdout.splitlines()[-1] == imported


def test_the_repeat_commands_repeat(suite: Suite) -> None:
    """As they stand in the page; the second without an LM call."""
    suite.write("sub/test_sub.py", TEST.replace("data.jsonl", "../data.jsonl"))
    suite.run(PAGE, "--eval-rollouts=2")
    row: dict[str, Any] = data(read(suite, "page.html"))["examples"][0]
    for name, calls in (("repeat", 4), ("replay", 0)):
        before = len(suite.server.requests)
        command = row[name].replace("pytest ", f"{sys.executable} -m pytest -p no:cacheprovider ", 1)
        done = subprocess.run(command, shell=True, cwd=suite.path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert "1 passed" in done.stdout
        assert len(suite.server.requests) - before == calls
