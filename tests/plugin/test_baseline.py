"""The baseline file: what is written to it, and that no wrong one passes for a good one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Command
from support.openai_server import Failure, Request
from support.suite import Suite

FILE = "pitcheval-baseline.json"


def number(request: Request) -> int:
    """The number of the question that a request is about."""
    [found] = set(re.findall(r"question (\d+)\?", request.prompt))
    return int(found)


def read(suite: Suite, name: str = FILE) -> dict[str, Any]:
    """The examples of the one test and method in a baseline."""
    document = json.loads((suite.path / name).read_text(encoding="utf-8"))
    [methods] = document["tests"].values()
    [group] = methods.values()
    examples: dict[str, Any] = group["examples"]
    return examples


def samples(suite: Suite) -> dict[str, list[float]]:
    return {name: one["samples"] for name, one in read(suite).items()}


def check_usage_error(result: pytest.RunResult, line: str) -> None:
    text = result.stdout.str() + result.stderr.str()
    assert result.ret == pytest.ExitCode.USAGE_ERROR, text
    assert [one for one in text.splitlines() if one.startswith("ERROR") or "Traceback" in one] == [f"ERROR: {line}"]


def test_it_is_the_same_however_many_workers_wrote_it(suite: Suite) -> None:
    suite.rows(40)
    suite.scores(lambda request: number(request) / 64)
    texts = []
    for arguments in (("-p", "no:xdist"), ("-n0",), ("-n4",)):
        suite.run("--eval-update-baseline", *arguments).result.assert_outcomes(passed=8, failed=32)
        texts.append(re.sub(rb'"time": "[^"]+"|"seconds": [^]]+]', b"", (suite.path / FILE).read_bytes()))
        (suite.path / FILE).unlink()
    assert texts[0] == texts[1] == texts[2]
    assert len(re.findall(rb'^ *"e\d+": {.*"samples": \[[^\]]+\]},?$', texts[0], re.MULTILINE)) == 40


def test_it_says_what_was_measured_with_what(suite: Suite) -> None:
    suite.rows(1)
    suite.run("--eval-update-baseline", "--eval-rollouts=2")
    document = json.loads((suite.path / FILE).read_text(encoding="utf-8"))
    group = document["tests"]["test_qa.py::test_qa"]["none"]
    assert group["examples"]["e0"]["samples"] == [0.75, 0.75]
    marks = group["fingerprints"]
    assert sorted(marks) == ["generator", "judge", "metric", "origin", "program"]
    assert marks["generator"].startswith("openai/generator ")
    assert marks["judge"].startswith("openai/judge ")


def test_an_update_says_what_it_did_and_is_gated_by_no_baseline(suite: Suite) -> None:
    first = suite.run("--eval-update-baseline")
    assert first.result.ret == pytest.ExitCode.OK
    first.result.stdout.fnmatch_lines([f"baseline: {FILE}: 3 examples written, 0 kept, 0 removed"])
    suite.scores(lambda request: 0.5)
    second = suite.run("--eval-update-baseline", "--eval-max-regression=0")
    assert second.result.ret == pytest.ExitCode.OK
    assert second.document is not None
    assert second.document["gates"] == []
    assert samples(suite) == {"e0": [0.5], "e1": [0.5], "e2": [0.5]}


@pytest.mark.parametrize("arguments", [("-k", "e1"), ("-k", "e1", "-n2"), ("test_qa.py::test_qa[e1]",)])
def test_a_part_of_the_tests_updates_that_part(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.run("--eval-update-baseline")
    suite.scores(lambda request: 0.5)
    run = suite.run("--eval-update-baseline", *arguments)
    assert samples(suite) == {"e0": [0.75], "e1": [0.5], "e2": [0.75]}
    run.result.stdout.fnmatch_lines([f"baseline: {FILE}: 1 example written, 2 kept, 0 removed"])


def test_a_sample_updates_what_it_has(suite: Suite) -> None:
    suite.rows(10)
    suite.run("--eval-update-baseline")
    suite.scores(lambda request: 0.5)
    suite.run("--eval-update-baseline", "--test-size=4")
    values = [values for [values] in samples(suite).values()]
    assert sorted(values) == [0.5] * 4 + [0.75] * 6


def test_an_example_that_left_the_dataset_leaves_the_baseline(suite: Suite) -> None:
    suite.run("--eval-update-baseline")
    suite.rows(2)
    run = suite.run("--eval-update-baseline", "-k", "e0")
    assert sorted(samples(suite)) == ["e0", "e1"]
    run.result.stdout.fnmatch_lines([f"baseline: {FILE}: 1 example written, 1 kept, 1 removed"])


def test_an_example_without_a_score_keeps_its_old_one(suite: Suite) -> None:
    suite.run("--eval-update-baseline")
    suite.scores(lambda request: 0.5)
    suite.server.fail = lambda request: Failure() if request.model == "judge" and number(request) == 1 else None
    run = suite.run("--eval-update-baseline")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert samples(suite) == {"e0": [0.5], "e1": [0.75], "e2": [0.5]}


def test_tests_and_methods_stand_beside_each_other(suite: Suite) -> None:
    suite.run("--eval-update-baseline")
    suite.write("test_more.py", "def test_more(record_score):\n    record_score(0.25)\n")
    suite.run("--eval-update-baseline", "--optimization=none,labeled")
    document = json.loads((suite.path / FILE).read_text(encoding="utf-8"))
    assert {test: sorted(methods) for test, methods in document["tests"].items()} == {
        "test_more.py::test_more": ["none"],
        "test_qa.py::test_qa": ["labeled", "none"],
    }
    [(name, one)] = document["tests"]["test_more.py::test_more"]["none"]["examples"].items()
    assert (name, one["samples"]) == ("", [0.25])


def test_a_test_of_the_baseline_that_did_not_run_is_named_everywhere(suite: Suite, command: Command) -> None:
    """A renamed or deleted test has no gate any more, and that must not go unnoticed."""
    suite.write("test_more.py", "def test_more(record_score):\n    record_score(0.25)\n")
    suite.run("--eval-update-baseline")
    (suite.path / "test_more.py").rename(suite.path / "test_other.py")
    run = suite.run("--eval-markdown=summary.md", "--eval-html=page.html")
    line = "  in the baseline but not run: test_more.py::test_more"
    run.result.stdout.fnmatch_lines(["  test_other.py::test_more *: not in the baseline", line])
    assert run.document is not None
    assert run.document["tests_not_run"] == ["test_more.py::test_more"]
    markdown = "In the baseline but not run: <code>test_more.py::test_more</code>."
    assert markdown in (suite.path / "summary.md").read_text(encoding="utf-8")
    page = 'In the baseline but not run: <span class="name">test_more.py::test_more</span>.'
    assert page in (suite.path / "page.html").read_text(encoding="utf-8")
    assert line in command("decide", "last").lines
    assert markdown in "".join(command("report", "last", "--markdown").lines)
    assert markdown in "".join(command("report", "last", "--markdown", f"--eval-baseline={FILE}").lines)
    assert "  test_more.py::test_more: only in pitcheval-baseline.json" in command("compare", FILE, "last").lines
    suite.run()
    assert "but not run" not in suite.run("--eval-baseline=last").text


def test_two_sessions_at_once_lose_nothing(suite: Suite) -> None:
    suite.rows(12)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--eval-update-baseline"]
    halves = ["e0 or e2 or e4 or e6 or e8", "not (e0 or e2 or e4 or e6 or e8)"]
    running = [subprocess.Popen([*command, "-k", half], cwd=suite.path) for half in halves]
    assert [process.wait(120) for process in running] == [0, 0]
    assert samples(suite) == {f"e{n}": [0.75] for n in range(12)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("[]", "schema_version None; expected 1, 2, 3 or 4"),
        ('{"schema_version": 5}', "schema_version 5; expected 1, 2, 3 or 4; a newer pytest-pitcheval wrote it"),
        ('{"schema_version": 1}', "tests: Input should be an object"),
        (
            '{"schema_version": 1, "tests": {"t": {"none": {"examples": {"a": {"samples": ["high"]}}}}}}',
            "tests.t.none.examples.a.samples.0: Input should be a valid number",
        ),
        (
            '{"schema_version": 1, "tests": {"t": {"none": {"examples": {"a": {"samples": []}}}}}}',
            "t [none]: a: an example has no samples",
        ),
    ],
)
@pytest.mark.parametrize("arguments", [("-n0",), ("-n2",), ("--eval-update-baseline",)], ids=" ".join)
def test_a_corrupt_one_is_one_line(suite: Suite, arguments: tuple[str, ...], text: str, reason: str) -> None:
    path = suite.write(FILE, text)
    run = suite.run(*arguments)
    check_usage_error(run.result, f"--eval-baseline: {FILE!r}: {path}: {reason}")
    assert (run.requests, path.read_text(encoding="utf-8")) == ([], text)


@pytest.mark.parametrize("name", ["baseline.json", "20261122T234903.123456Z", "last"])
def test_one_that_is_asked_for_and_missing_is_one_line(suite: Suite, name: str) -> None:
    runs = suite.path / ".pitcheval" / "runs"
    reason = {
        "baseline.json": "no such file; expected a baseline, a run (file, ID or 'last') or 'mlflow:RUN_ID|latest'",
        "last": f"no run in {runs} yet",
    }.get(name, f"expected a run ID of {runs}, a run file or 'last'")
    check_usage_error(suite.run(f"--eval-baseline={name}").result, f"--eval-baseline: {name!r}: {reason}")


def test_a_gate_that_needs_one_says_that_it_is_missing(suite: Suite) -> None:
    line = f"--eval-max-regression: {FILE!r}: no such file; --eval-update-baseline writes it"
    check_usage_error(suite.run("--eval-max-regression=0.1").result, line)


def test_a_marker_that_needs_one_fails_its_gate(suite: Suite) -> None:
    marked = (suite.path / "test_qa.py").read_text(encoding="utf-8").replace("0.5)", "0.5, max_regression=0.1)")
    suite.write("test_qa.py", marked)
    run = suite.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.document is not None
    assert [(gate["gate"], gate["status"], gate["reason"]) for gate in run.document["gates"]] == [
        ("max_regression", "failed", "there is no baseline; --eval-update-baseline writes one")
    ]


@pytest.mark.parametrize("name", ["last", "20261122T234903.123456Z"])
def test_a_run_cannot_be_updated(suite: Suite, name: str) -> None:
    result = suite.run("--eval-update-baseline", f"--eval-baseline={name}").result
    check_usage_error(result, f"--eval-baseline: {name!r}: --eval-update-baseline writes a file: expected a path")


def test_a_path_is_relative_to_who_names_it(suite: Suite) -> None:
    (suite.path / "sub").mkdir()
    suite.pytester.chdir()
    suite.run("--eval-update-baseline", "--eval-baseline=sub/mine.json")
    assert (suite.path / "sub" / "mine.json").exists()
    suite.add("pytest.ini", "eval_baseline = sub/ini.json\n")
    suite.run("--eval-update-baseline")
    assert (suite.path / "sub" / "ini.json").exists()


@pytest.mark.parametrize("kind", ["last", "id", "path", "file"])
def test_a_run_may_be_the_baseline(suite: Suite, kind: str) -> None:
    suite.rows(6)
    first = suite.run("--eval-json=first.json")
    assert first.document is not None
    run_id = first.document["run"]["id"]
    reference = {"last": "last", "id": run_id, "path": f".pitcheval/runs/{run_id}.json", "file": "first.json"}[kind]
    suite.scores(lambda request: 0.5)
    run = suite.run(f"--eval-baseline={reference}")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.stdout.fnmatch_lines(
        [
            f"compared with run {run_id}",
            "  test_qa.py::test_qa ?none?: 0.750, now 0.500",
            "FAIL max_regression=0.05 test_qa.py::test_qa ?none?: dropped by 0.25 *",
        ]
    )


def test_a_suite_without_one_says_nothing_of_it(suite: Suite) -> None:
    run = suite.run()
    assert "baseline" not in run.text
    assert run.document is not None
    assert (run.document["comparisons"], run.document["run"]["baseline"]) == ([], None)


def test_a_folder_that_cannot_be_written_to_is_one_line(suite: Suite) -> None:
    suite.write("taken", "")
    run = suite.run("--eval-update-baseline", "--eval-baseline=taken/baseline.json")
    run.result.assert_outcomes(passed=3)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.stdout.fnmatch_lines(["the baseline could not be written: *taken*"])
    assert Path(suite.path, "taken").read_text(encoding="utf-8") == ""


def test_one_that_breaks_while_tests_run_costs_itself_alone(suite: Suite) -> None:
    suite.run("--eval-update-baseline")
    path = suite.path / "pitcheval-baseline.json"

    def broken(_request: object) -> float:
        path.write_text("{broken", encoding="utf-8")
        return 0.75

    suite.scores(broken)
    run = suite.run("--eval-update-baseline")
    run.result.assert_outcomes(passed=3)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.stdout.fnmatch_lines(["the baseline could not be written: *not JSON*"])
    assert len(run.tests) == 3
    assert path.read_text(encoding="utf-8") == "{broken"
