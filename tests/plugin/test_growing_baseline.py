"""A baseline over time: ``--eval-update-baseline=add``, its age in all reports, and ``pitcheval baseline --prune``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Command
from support.suite import CONFTEST, Run, Suite

FILE = "pitcheval-baseline.json"
ADD = "--eval-update-baseline=add"


def group(suite: Suite) -> dict[str, Any]:
    """What the file has of the one test and method."""
    document = json.loads((suite.path / FILE).read_text(encoding="utf-8"))
    found: dict[str, Any] = document["tests"]["test_qa.py::test_qa"]["none"]
    return found


def samples(suite: Suite) -> dict[str, list[float]]:
    return {name: one["samples"] for name, one in group(suite)["examples"].items()}


def score(suite: Suite, value: float, *arguments: str) -> Run:
    """A run in which the judge gives this score."""
    suite.scores(lambda request: value)
    return suite.run(*arguments)


def told(run: Run) -> list[str]:
    """What it said of the baseline file, of which a line may have been wrapped."""
    text = re.sub(r"\n    ", " ", run.text)
    found = re.search(rf"^baseline: {FILE}: (.*)\n(?:  (.*)\n)?", text, re.MULTILINE)
    assert found is not None, run.text
    return [part for part in found.groups() if part]


def age(suite: Suite) -> None:
    """Let the oldest run of the baseline be one of 2020."""
    path = suite.path / FILE
    oldest = min(run["time"] for run in group(suite)["runs"].values())
    path.write_text(path.read_text(encoding="utf-8").replace(oldest, "20200102T030405.000006Z"), encoding="utf-8")


def test_samples_of_runs_stand_beside_each_other(suite: Suite) -> None:
    assert told(score(suite, 0.5, ADD)) == ["3 examples written, 0 kept, 0 removed"]
    run = score(suite, 0.75, ADD, "--eval-rollouts=2", "--eval-max-regression=0")
    assert run.document is not None
    assert run.document["gates"] == []
    assert told(run) == ["3 examples written, 0 kept, 0 removed", "3 added to"]
    assert samples(suite) == {f"e{n}": [0.5, 0.75, 0.75] for n in range(3)}
    assert len(group(suite)["runs"]) == 2
    assert {len(one["metrics"]["seconds"]) for one in group(suite)["examples"].values()} == {3}
    assert told(score(suite, 1.0, ADD, "-k", "e1", "-n2", "--eval-baseline-samples=2")) == [
        "1 example written, 2 kept, 0 removed",
        "1 added to",
    ]
    assert samples(suite) == {"e0": [0.5, 0.75, 0.75], "e1": [0.75, 1.0], "e2": [0.5, 0.75, 0.75]}
    now = score(suite, 0.25)
    assert now.document is not None
    [gate] = now.document["gates"]
    assert gate["value"] == pytest.approx((2 / 3 + 0.875 + 2 / 3) / 3 - 0.25)


def test_a_run_counts_once_however_often_it_is_added(suite: Suite, command: Command) -> None:
    """Once more by the command, replayed, resumed with a rollout more."""
    score(suite, 0.5, ADD)
    before = (suite.path / FILE).read_bytes()
    again = command("decide", "last", ADD)
    assert again.code == 0
    assert "  3 had this run's samples already" in again.lines
    assert told(suite.run("--eval-replay=last", ADD))[1] == "3 had this run's samples already"
    assert (suite.path / FILE).read_bytes() == before
    assert told(score(suite, 0.75, "--eval-resume=last", ADD, "--eval-rollouts=2"))[1] == "3 added to"
    assert samples(suite) == {f"e{n}": [0.5, 0.75] for n in range(3)}
    assert len(group(suite)["runs"]) == 1


def test_a_resumed_run_adds_what_had_no_score(suite: Suite) -> None:
    suite.run("-k", "e0", ADD)
    assert told(suite.run("--eval-resume=last", ADD)) == [
        "3 examples written, 0 kept, 0 removed",
        "1 had this run's samples already",
    ]
    assert samples(suite) == {f"e{n}": [0.75] for n in range(3)}


def test_the_parts_of_a_merged_run_are_not_added_again(suite: Suite, command: Command) -> None:
    suite.write("test_more.py", "def test_more(record_score):\n    record_score(0.25)\n")
    suite.run(ADD)
    parts = [suite.run("-k", selected).document for selected in ("e0", "not e0")]
    names = [part["run"]["id"] for part in parts if part]
    command("merge", *names)
    assert "  4 added to" in command("decide", "last", ADD).lines
    assert "  1 had this run's samples already" in command("decide", names[0], ADD).lines
    assert samples(suite) == {f"e{n}": [0.75, 0.75] for n in range(3)}
    assert [len(set(one["dates"])) for one in group(suite)["examples"].values()] == [2, 2, 2]


def test_what_has_changed_is_replaced_and_told(suite: Suite) -> None:
    score(suite, 0.5, ADD)
    suite.write("data.jsonl", (suite.path / "data.jsonl").read_text(encoding="utf-8").replace("question 1?", "what?"))
    assert told(score(suite, 0.75, ADD))[1] == "2 added to; 1 replaced: another row (1)"
    suite.write(
        "conftest.py", CONFTEST.replace('Predict("question -> answer")', 'ChainOfThought("question -> answer")')
    )
    assert told(score(suite, 1.0, ADD, "-k", "e0"))[1] == "1 replaced: another program (1)"
    assert samples(suite) == {"e0": [1.0], "e1": [0.75], "e2": [0.5, 0.75]}
    run = score(suite, 0.0, ADD, "--generator-model=openai/other")
    assert told(run)[1] == "3 replaced: another program and generator (2), another generator (1)"
    assert samples(suite) == {f"e{n}": [0.0] for n in range(3)}


def test_two_sessions_at_once_add_both(suite: Suite) -> None:
    suite.rows(12)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ADD]
    running = [subprocess.Popen(command, cwd=suite.path) for _ in range(2)]
    assert [process.wait(120) for process in running] == [0, 0]
    assert samples(suite) == {f"e{n}": [0.75, 0.75] for n in range(12)}


def test_a_file_of_the_first_version_is_added_to(suite: Suite) -> None:
    score(suite, 0.5, "--eval-update-baseline")
    document = json.loads((suite.path / FILE).read_text(encoding="utf-8"))
    document["schema_version"] = 1
    [methods] = document["tests"].values()
    del methods["none"]["runs"]
    for one in methods["none"]["examples"].values():
        del one["metrics"]
    suite.write(FILE, json.dumps(document))
    assert "old baseline" not in score(suite, 0.5).text
    assert told(score(suite, 0.75, ADD))[1] == "3 added to"
    assert group(suite)["examples"]["e0"]["dates"] == ["unknown", *group(suite)["runs"]]


def test_every_report_tells_that_the_baseline_is_old(suite: Suite, command: Command) -> None:
    suite.run(ADD)
    suite.run(ADD, "-k", "not e1")
    age(suite)
    run = suite.run("--eval-markdown=summary.md", "--eval-html=page.html")
    note = "old baseline: 1 of 3 examples was last measured more than 30 days before, on 2020-01-02 at the earliest"
    assert note in " ".join(run.text.split())
    assert run.document is not None
    [compared] = run.document["comparisons"]
    assert (compared["age"]["note"], compared["age"]["oldest"]) == (note, "2020-01-02")
    assert compared["age"]["newest"] > "2026"
    for name in ("summary.md", "page.html"):
        assert note in (suite.path / name).read_text(encoding="utf-8")
    for arguments in (
        ("decide", "last"),
        ("report", "last", "--markdown"),
        ("report", "last", "--markdown", f"--eval-baseline={FILE}"),
        ("compare", FILE, "last"),
    ):
        assert note in " ".join(" ".join(command(*arguments).lines).split())
        assert arguments[-1] == "--markdown" or note not in " ".join(
            " ".join(command(*arguments, "--eval-baseline-max-age=1e6").lines).split()
        )
    assert "old baseline" not in suite.run("-k", "not e1").text


class TestPruning:
    def test_what_is_gone_is_listed_first_and_taken_out_when_asked(self, suite: Suite, command: Command) -> None:
        suite.write("test_more.py", "def test_more(record_score):\n    record_score(0.25)\n")
        suite.run("--eval-update-baseline")
        listed = command("baseline").lines
        assert [line.split()[:4] for line in listed[1:]] == [
            ["test_more.py::test_more", "none", "1", "1"],
            ["test_qa.py::test_qa", "none", "3", "1"],
        ]
        before = (suite.path / FILE).read_bytes()
        assert "has no test and no example" in command("baseline", "--prune", "--yes").lines[0]
        (suite.path / "test_more.py").unlink()
        suite.rows(2)
        suite.run()
        assert command("baseline", "--prune").lines[1:] == [
            "  test_more.py::test_more [none]: 1 example",
            "  test_qa.py::test_qa [none]: 1 example of its dataset no more: e2",
            "--yes takes them out",
        ]
        assert (suite.path / FILE).read_bytes() == before
        assert command("baseline", "--prune", "--yes").lines[-1] == "taken out"
        document = json.loads((suite.path / FILE).read_text(encoding="utf-8"))
        assert list(document["tests"]) == ["test_qa.py::test_qa"]
        assert list(samples(suite)) == ["e0", "e1"]

    def test_a_run_of_a_part_says_nothing_of_the_rest(self, suite: Suite, command: Command) -> None:
        suite.write("sub/test_more.py", "def test_more(record_score):\n    record_score(0.25)\n")
        suite.run("--eval-update-baseline")
        for arguments, by in (
            (("-k", "e1"), "-k"),
            (("test_qa.py::test_qa[e1]",), "test_qa.py::test_qa[e1]"),
            (("--deselect", "sub/test_more.py"), "--deselect"),
        ):
            suite.run(*arguments)
            said = command("baseline", "--prune", "--yes")
            assert said.code == pytest.ExitCode.USAGE_ERROR
            [line] = said.errors
            assert line.endswith(f"was asked for a part of the tests ({by}): expected a run of all of them")
        suite.run("test_qa.py")
        assert "has no test and no example" in command("baseline", "--prune", "--yes").lines[0]
        (suite.path / "sub" / "test_more.py").unlink()
        suite.run("test_qa.py", "sub", "-n2")
        assert command("baseline", "--prune").lines[1] == "  sub/test_more.py::test_more [none]: 1 example"

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("last", "expected the path of a baseline file"),
            ("missing.json", "{path}: No such file or directory"),
        ],
    )
    def test_it_is_a_file_that_is_pruned(self, suite: Suite, command: Command, name: str, reason: str) -> None:
        suite.run()
        said = command("baseline", f"--eval-baseline={name}")
        path = Path(suite.path, name)
        assert said.code == pytest.ExitCode.USAGE_ERROR
        assert said.errors == [f"ERROR: --eval-baseline: {name!r}: {reason.format(path=path)}"]
