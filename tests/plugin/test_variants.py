"""Programs and LMs of parametrized fixtures and of pytest's own marker: one table compares them as it does models."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from support.command_line import Command
from support.html_page import Reader, data
from support.junit_file import properties_of, read_suite
from support.markdown_tables import tables
from support.openai_server import Request, chat_format
from support.suite import Run, Suite

from pytest_pitcheval.results.formats import WIDTH
from pytest_pitcheval.tracking.mlflow_runs import mlflow_runs

TEST = "test_qa.py::test_qa"
MODELS = "--generator-model=openai/a,openai/b"
PRICES = "--eval-price=openai/a=10/10,openai/b=1/1,openai/*=1/1"
PROGRAMS = """

@pytest.fixture(scope="session", params=["Answer.", "Answer with care."], ids=["plain", "careful"])
def program(request):
    return dspy.Predict(dspy.Signature("question -> answer", request.param))
"""


def prepare(suite: Suite, conftest: str = PROGRAMS, rows: int = 8) -> None:
    """Answers of a program that takes care score 1, others 0.5 on average."""
    suite.rows(rows)
    suite.add("conftest.py", conftest)

    def answer(request: Request) -> str:
        if request.model == "judge":
            number = int(re.findall(r"question (\d+)\?", request.prompt)[-1])
            return chat_format(score=1.0 if "with care" in request.prompt else number % 2, feedback="as told")
        how = "with care" if "with care" in request.prompt else "at once"
        return chat_format(answer=f"no. {request.number}, {how}, by {request.model}")

    suite.server.answer = answer


def beside(document: Any) -> list[dict[str, Any]]:
    """What the run file has of variants."""
    found: list[dict[str, Any]] = [one for one in document["methods"] if one.get("function")]
    return found


def parameters(document: Any) -> list[tuple[str, str]]:
    return [(one.get("model", ""), one["test"].removeprefix(TEST)) for one in beside(document)]


def words(run: Run) -> str:
    return " ".join(run.text.split())


def section(run: Run) -> list[str]:
    return run.result.outlines[run.result.outlines.index(f"{' pitcheval ':=^80}") :]


def test_programs_times_models_are_one_table_everywhere(suite: Suite, command: Command) -> None:
    prepare(suite)
    reports = ("--eval-html=page.html", "--eval-markdown=summary.md", "--junit-xml=junit.xml")
    run = suite.run(MODELS, PRICES, "-n2", *reports)
    run.result.assert_outcomes(passed=24, failed=8)
    assert Counter(request.model for request in run.requests) == {"a": 16, "b": 16, "judge": 32}
    four = [(model, name) for model in ("openai/a", "openai/b") for name in ("[plain]", "[careful]")]
    assert sorted(parameters(run.document)) == sorted(four)
    first, *others = beside(run.document)
    assert (first["first"], first["result"], first["function"]) == ("openai/a plain none", None, TEST)
    gained = {(one["model"], one["test"]): one["result"]["difference"] for one in others}
    assert gained == {
        ("openai/a", f"{TEST}[careful]"): 0.5,
        ("openai/b", f"{TEST}[plain]"): 0.0,
        ("openai/b", f"{TEST}[careful]"): 0.5,
    }
    choice = "the cheapest of these: openai/b careful none, $"
    shown = section(run)
    assert all(len(line) <= WIDTH for line in shown if not line.startswith(("run file", "report")))
    assert choice in words(run)
    [start] = [number for number, line in enumerate(shown) if line == TEST]
    told = [line for line in shown[start:] if line.startswith("  openai/")][:4]
    assert told == [f"  {model} {name[1:-1]}" for model, name in four]
    page, summary = (Path(suite.path, name).read_text(encoding="utf-8") for name in ("page.html", "summary.md"))
    text = Reader(page).text
    assert choice in text
    assert text.count(f"Variants of {TEST}") == 1
    assert {one["method"] for one in data(page)["examples"]} == {"openai/a none", "openai/b none"}
    function = next(table for table in tables(summary) if "variant" in table[0])
    assert {tuple(row[:3]) for row in function[1:]} == {(TEST, f"{model} {name[1:-1]}", "none") for model, name in four}
    said = properties_of(read_suite(suite.path / "junit.xml"))
    assert choice in said[f"pitcheval.choice {TEST}"]
    assert run.document is not None
    numbers = {
        part.name: {name: value for name, value, _ in part.points} for part in mlflow_runs(run.document, None, {})
    }
    assert numbers[f"{TEST}[careful] [openai/b none]"]["models/cheapest"] == 1
    assert numbers[f"{TEST}[careful] [openai/b none]"]["models/difference"] == 0.5

    replayed = suite.run(MODELS, PRICES, "--eval-replay=last")
    assert replayed.requests == []
    assert {(one["model"], one["test"]): one["result"]["difference"] for one in beside(replayed.document)[1:]} == gained
    shards = [suite.run(MODELS, PRICES, "-k", name) for name in ("plain", "careful")]
    assert [beside(shard.document) and beside(shard.document)[0]["function"] for shard in shards] == [[], []]
    merged = command("merge", *(shard.document["run"]["id"] for shard in shards if shard.document))
    assert "the cheapest of these: openai/b careful none, $" in " ".join(" ".join(merged.lines).split())
    assert command("show", run.document["run"]["id"]).lines[:4] == shown[1:5]


OWN_LM = """

@pytest.fixture(scope="session", params=["openai/a", "openai/b"])
def generator_lm(request):
    return dspy.LM(request.param, api_base={url!r}, api_key="sk-for-tests-only")
"""
ASKING = """

@pytest.fixture(scope="session", params=[0.1, 0.9])
def generator_lm(request, generator_lm):
    return generator_lm.copy(temperature=request.param)
"""


def test_lms_of_a_fixture_are_compared_where_one_judge_scores_all(suite: Suite) -> None:
    prepare(suite, OWN_LM.format(url=suite.server.url))
    run = suite.run(PRICES)
    assert Counter(request.model for request in run.requests) == {"a": 8, "b": 8, "judge": 16}
    assert parameters(run.document) == [("", "[openai/a]"), ("", "[openai/b]")]
    assert "the cheapest of these: openai/b none, $" in words(run)

    ini = (suite.path / "pytest.ini").read_text(encoding="utf-8")
    suite.write("pytest.ini", re.sub("(generator|evaluator)_model = .*", "", ini))
    itself = suite.run(PRICES)
    itself.result.assert_outcomes(errors=16)
    assert "generator_lm has several LMs as parameters, which would each judge itself" in words(itself)
    suite.add("conftest.py", '\n\n@pytest.fixture(scope="session")\ndef metric():\n    return lambda *of: 1.0\n')
    assert len(beside(suite.run().document)) == 2  # this metric asks no judge


def test_params_of_ones_own_are_not_taken_for_models(suite: Suite) -> None:
    prepare(suite, ASKING, rows=2)
    suite.add(
        "test_qa.py", "\n\ndef test_plain(generator_lm):\n    assert generator_lm.kwargs['temperature'] in (0.1, 0.9)\n"
    )
    run = suite.run(MODELS)
    run.result.assert_outcomes(failed=2, passed=2)
    assert run.requests == []
    reason = "the fixture generator_lm has params of its own; expected one model, or a fixture without params"
    assert f"--generator-model: 'openai/a,openai/b': {reason}" in words(run)
    alone = suite.run("--generator-model=openai/a")
    assert {request.temperature for request in alone.by("a")} == {0.1, 0.9}
    assert parameters(alone.document) == [("", "[0.1]"), ("", "[0.9]")]


MARKED = """
import dspy
import pytest

HOSTILE = ["e0", "a|b <b>", "c::d[e]", "\\u00e9t\\u00e9", "-".join(["long"] * 30)]
evaluation = pytest.mark.evaluation("data.jsonl", inputs=["question"])


@pytest.fixture
def program(how):
    return dspy.Predict(dspy.Signature("question -> answer", "Answer." if how == "e0" else "Answer with care."))


@pytest.mark.parametrize("how", HOSTILE)
@evaluation
def test_qa(score):
    pass


@pytest.mark.parametrize("how", ["e0", pytest.param("left out", marks=pytest.mark.skip), "careful"])
class TestClass:
    @evaluation
    def test_qa(self, score, how):
        pass


@pytest.mark.parametrize("value", [0.25, 0.5, 0.75])
def test_free(record_score, value):
    record_score(value)


def half(*of):
    return 0.5


def one(*of):
    return 1.0


@pytest.mark.parametrize("metric", [half, one])
@pytest.mark.parametrize("how", ["e0"])
@evaluation
def test_metrics(score):
    pass
"""


def test_parameters_of_markers_are_rows_whatever_they_are_called(suite: Suite, command: Command) -> None:
    prepare(suite, "")
    suite.write("test_qa.py", MARKED)
    run = suite.run("--eval-html=page.html", "--eval-markdown=summary.md")
    assert run.document is not None
    functions = Counter(one["function"] for one in beside(run.document))
    assert functions == {TEST: 5, "test_qa.py::TestClass::test_qa": 2, "test_qa.py::test_metrics": 2}
    assert [one["test"].partition("[")[2] for one in beside(run.document) if one["function"] == TEST][:3] == [
        "e0]",
        "a|b <b>]",
        "c::d[e]]",
    ]
    assert "nothing is compared, as another metric scored each of them" in words(run)
    assert [one.get("unlike") for one in beside(run.document)][-2:] == [None, ["metric"]]
    assert all(len(line) <= WIDTH for line in section(run) if not line.startswith(("run file", "report")))
    assert "best: a|b <b> none; within noise of it: c::d[e] none" in words(run)
    page, summary = (Path(suite.path, name).read_text(encoding="utf-8") for name in ("page.html", "summary.md"))
    assert "Best: a|b <b> none" in Reader(page).text
    assert [row[1] for row in next(table for table in tables(summary) if "variant" in table[0])[1:4]] == [
        "e0",
        "a|b <b>",
        "c::d[e]",
    ]
    before = [line for line in command("show", "last").lines if line.startswith("  best: ")]
    assert before == [line for line in section(run) if line.startswith("  best: ")]


PLAIN = """
import pytest


@pytest.fixture
def asking(generator_lm):
    return generator_lm


def test_model(asking):
    assert asking("Which?") == [asking.model]


class TestJudge:
    def test_judge(self, evaluator_lm):
        pass


def test_neither():
    pass


@pytest.mark.parametrize("generator_lm", [None])
def test_marked(generator_lm):
    assert generator_lm is None
"""


def test_tests_that_are_no_evaluations_run_with_each_model_of_what_they_ask_for(suite: Suite) -> None:
    suite.write("test_plain.py", PLAIN)
    suite.server.answer = lambda request: f"openai/{request.model}"
    run = suite.run("test_plain.py", MODELS, "--evaluator-model=openai/j,openai/k", "-v")
    run.result.assert_outcomes(passed=6)
    assert Counter(request.model for request in run.requests) == {"a": 1, "b": 1}
    names = re.findall(r"test_plain.py::(\S+) PASSED", run.text)
    judges = [f"TestJudge::test_judge[{name}]" for name in "jk"]
    assert sorted(names) == [*judges, "test_marked[None]", "test_model[a]", "test_model[b]", "test_neither"]
