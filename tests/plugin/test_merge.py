"""``pitcheval merge``: shards come together to what an undivided run is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from support.command_line import Command
from support.openai_server import Failure, Request
from support.suite import TEST, Suite


def graded(request: Request) -> float:
    """Another score for each question, from 0.3 up."""
    [number] = set(re.findall(r"question (\d)\?", request.prompt))
    return 0.3 + 0.05 * int(number)


def document(suite: Suite, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((suite.path / name).read_text(encoding="utf-8"))
    return found


def newest(suite: Suite) -> dict[str, Any]:
    path = max((suite.path / ".pitcheval" / "runs").glob("*.json"))
    return document(suite, str(path))


HALVES = ["e0 or e1 or e2 or e3", "e4 or e5 or e6 or e7"]


@pytest.fixture
def shards(suite: Suite) -> list[str]:
    """The run files of two halves, each with half of a drop below the baseline, which is as large in each example."""
    suite.write("test_qa.py", TEST.replace("0.5)", "0.1, min_mean=0.4)"))
    suite.rows(8)
    suite.scores(lambda request: graded(request) + 0.2)
    suite.run("--eval-update-baseline")
    suite.scores(graded)
    for number, half in enumerate(HALVES):
        suite.run("-k", half, f"--eval-json=shard-{number}.json")
    return ["shard-0.json", "shard-1.json"]


def test_merged_shards_are_the_whole(suite: Suite, command: Command, shards: list[str]) -> None:
    gates = [gate for name in shards for gate in document(suite, name)["gates"]]
    assert {gate["status"] for gate in gates if gate["gate"] == "max_regression"} == {"inconclusive"}
    said = command("merge", *shards)
    merged = newest(suite)
    assert said.code == pytest.ExitCode.TESTS_FAILED
    assert any(
        line.startswith("FAIL max_regression=0.05 test_qa.py::test_qa [none]: dropped by 0.2") for line in said.lines
    )
    assert said.lines[-1] == f"run file: .pitcheval/runs/{merged['run']['id']}.json"
    assert merged["run"]["merged_from"] == [document(suite, name)["run"]["id"] for name in shards]
    whole = suite.run().document
    assert whole is not None
    assert [merged[name] for name in ("gates", "comparisons")] == [whole[name] for name in ("gates", "comparisons")]
    assert merged["summary"][0]["ci95"] == whole["summary"][0]["ci95"]
    assert [one["nodeid"] for one in merged["tests"]] == [one["nodeid"] for one in whole["tests"]]
    assert merged["summary"][0]["not_run"] == []


def test_methods_and_their_settings_come_together(suite: Suite, command: Command) -> None:
    suite.write("test_qa.py", TEST.replace("@pytest", '@pytest.mark.optimization("labeled", k=2)\n@pytest', 1))
    for number, half in enumerate(["e0", "e1 or e2"]):
        suite.run("--optimization=none,labeled", "-k", half, f"--eval-json=shard-{number}.json")
    assert command("merge", "shard-0.json", "shard-1.json").code == pytest.ExitCode.OK
    merged = newest(suite)
    assert [(one["optimization"], one["examples"], one["settings"]) for one in merged["summary"]] == [
        ("none", 3, {}),
        ("labeled", 3, {"k": 2}),
    ]
    assert len(merged["methods"]) == 2


def test_a_merged_run_is_a_run(suite: Suite, command: Command, shards: list[str]) -> None:
    command("merge", *shards)
    assert command("show", "last").code == pytest.ExitCode.OK
    assert command("decide", "last", "--eval-max-regression=0.3").code == pytest.ExitCode.OK
    said = command("decide", "last", "--eval-update-baseline")
    assert said.lines[-1] == "baseline: pitcheval-baseline.json: 8 examples written, 0 kept, 0 removed"
    assert suite.run().result.ret == pytest.ExitCode.OK


def test_options_decide_what_was_merged(suite: Suite, command: Command, shards: list[str]) -> None:
    assert command("merge", *shards, "--eval-max-regression=0.3").code == pytest.ExitCode.OK
    assert command("merge", *shards, "--eval-max-regression=0.3", "--eval-min-mean=0.9").code == 1


@pytest.mark.parametrize("option", ["--eval-replay=last", "--eval-resume=last"])
def test_a_merged_run_cannot_be_repeated(suite: Suite, command: Command, shards: list[str], option: str) -> None:
    command("merge", *shards)
    parts = newest(suite)["run"]["merged_from"]
    run = suite.run(option)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"'last': merged of other runs; expected one of {', '.join(parts)}" in run.result.stderr.str()


def test_a_shard_that_is_not_there_fails_the_whole(suite: Suite, command: Command, shards: list[str]) -> None:
    said = command("merge", shards[0], "--eval-max-regression=1")
    assert said.code == pytest.ExitCode.TESTS_FAILED
    assert "test_qa.py::test_qa [none]: 4 examples in none of the runs: e4, e5, e6, e7" in said.lines


def test_what_a_sample_leaves_out_is_not_missed(suite: Suite, command: Command) -> None:
    suite.rows(6)
    suite.run("--test-size=3", "--eval-json=sample.json")
    assert command("merge", "sample.json").code == pytest.ExitCode.OK


def test_what_has_no_score_in_a_shard_has_none_in_the_whole(suite: Suite, command: Command) -> None:
    suite.server.fail = lambda request: Failure() if "question 1?" in request.prompt else None
    suite.run("-k", "e0 or e1", "--eval-json=shard-0.json")
    suite.run("-k", "e2", "--eval-json=shard-1.json")
    said = command("merge", "shard-0.json", "shard-1.json", "--eval-min-mean=0.1")
    assert said.code == pytest.ExitCode.TESTS_FAILED
    assert "FAIL min_mean=0.1 test_qa.py::test_qa [none]: 1 of 3 examples have no score" in said.lines


def test_what_are_no_parts_of_one_suite_is_refused(suite: Suite, command: Command, shards: list[str]) -> None:
    one, two = (document(suite, name)["run"]["id"] for name in shards)
    runs = len(list((suite.path / ".pitcheval" / "runs").glob("*.json")))
    twice = command("merge", shards[0], shards[0])
    suite.run("-k", "e7", "--generator-model=openai/other", "--eval-json=other.json")
    other = document(suite, "other.json")["run"]["id"]
    model = command("merge", shards[0], "other.json")
    changed = {**document(suite, shards[1])}
    changed["run"]["git"]["commit"] = "0123"
    suite.write("commit.json", json.dumps(changed))
    commit = command("merge", shards[0], "commit.json")
    problems = [
        f"test_qa.py::test_qa[e0] is in {one} and in {one}",
        f"{one} and {other}: generator_model 'openai/generator' and 'openai/other'",
        f"{one} and {two}: commit None and '0123'",
    ]
    expected = [[f"ERROR: {problem}; expected parts of one suite"] for problem in problems]
    assert [said.errors for said in (twice, model, commit)] == expected
    assert {said.code for said in (twice, model, commit)} == {pytest.ExitCode.USAGE_ERROR}
    assert len(list((suite.path / ".pitcheval" / "runs").glob("*.json"))) == runs + 1
