"""Several generator and evaluator models: a test for each, one table of all, and keys that tell them apart."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from support.command_line import Command, Said
from support.html_page import Reader, data
from support.junit_file import properties_of, read_suite
from support.markdown_tables import tables
from support.openai_server import Request, chat_format
from support.suite import Run, Suite

from pytest_pitcheval.results.formats import WIDTH
from pytest_pitcheval.tracking.mlflow_runs import mlflow_runs

BOTH = "--generator-model=openai/a,openai/b"
PRICES = "--eval-price=openai/a=10/10,openai/b=1/1,openai/judge=100/100"
METHOD = "@pytest.mark.optimization('bootstrap', max_bootstrapped_demos=1, max_labeled_demos=1)\n"


def prepare(suite: Suite, rows: int = 6, better: str = "") -> None:
    """``bootstrap`` asks for one demo; answers of the model ``better`` score 1, those of others 0.75 on average."""
    suite.rows(rows)
    test = (suite.path / "test_qa.py").read_text(encoding="utf-8")
    suite.write("test_qa.py", test.replace("@pytest.mark.evaluation", f"{METHOD}@pytest.mark.evaluation", 1))

    def answer(request: Request) -> str:
        if request.model in ("judge", "strict"):
            [said] = re.findall(r"by (\w+)", request.prompt)[-1:] or [""]
            number = int((re.findall(r"question (\d+)\?", request.prompt)[-1:] or ["0"])[0])
            return chat_format(score=1.0 if said == better or number % 2 else 0.5, feedback="as told")
        return chat_format(answer=f"no. {request.number} by {request.model}")

    suite.server.answer = answer


def asked(run: Run) -> Counter[str]:
    return Counter(request.model for request in run.requests)


def keys(run: Run, part: str = "tests") -> list[tuple[str, str]]:
    assert run.document is not None, run.text
    return list(dict.fromkeys((one["model"], one["optimization"]) for one in run.document[part]))


ALWAYS_ITS_OWN = """

@pytest.fixture(scope="session")
def program(generator_lm):
    ask = dspy.Predict("question -> answer")
    ask.set_lm(dspy.LM("openai/own", api_base=generator_lm.kwargs["api_base"], api_key="none-needed", temperature=1.0))
    return ask
"""


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_a_model_that_is_not_asked_is_told(suite: Suite, workers: tuple[str, ...]) -> None:
    """What the table says of it is of the model that the program has by itself; what is asked goes without saying."""
    assert "was not asked" not in suite.run(BOTH).text
    suite.add("conftest.py", ALWAYS_ITS_OWN)
    suite.rows(2)
    run = suite.run(BOTH, *workers)
    assert asked(run) == {"own": 4, "judge": 4}
    said = " ".join(run.text.split())
    for model in ("openai/a", "openai/b"):
        assert f"--generator-model: '{model}' was not asked: the program asks an LM of its own, openai/own;" in said


FOUR = [("openai/a", "none"), ("openai/a", "bootstrap"), ("openai/b", "none"), ("openai/b", "bootstrap")]


def test_models_times_methods_are_asked_as_counted_and_told_everywhere(suite: Suite) -> None:
    prepare(suite, rows=30)
    reports = ("--eval-html=page.html", "--eval-markdown=summary.md", "--junit-xml=junit.xml")
    gates = ("--eval-min-mean=0.5", "--eval-min-aggregate=accuracy=0.5")
    run = suite.run(BOTH, "--optimization=none,bootstrap", PRICES, *gates, "-n4", *reports)
    run.result.assert_outcomes(passed=120)
    assert asked(run) == {"a": 61, "b": 61, "judge": 122}  # one demo and its verdict for each model's compilation
    assert run.document is not None
    assert [test["nodeid"].partition("[")[2] for test in run.tests[:2]] == ["a-none-e0]", "a-none-e1]"]
    assert {test["test"] for test in run.tests} == {"test_qa.py::test_qa"}
    assert [keys(run, part) for part in ("tests", "summary", "gates", "methods")] == [FOUR] * 4
    assert len(list((suite.path / ".pitcheval/programs").glob("*.json"))) == 2
    marks = {test["fingerprints"]["generator"].split()[0] for test in run.tests if test["model"] == "openai/a"}
    assert marks == {"openai/a"}
    assert run.document["run"]["generator_model"] == "openai/a,openai/b"
    worth = [one["worth"] for one in run.document["methods"]]
    assert [one["is_cheapest"] for one in worth].count(True) == 1
    assert worth[2]["is_cheapest"]  # b asks for a tenth, and without demos for less
    usage = [test for test in run.tests if (test["model"], test["optimization"]) == FOUR[0]]
    cost, points = sum(test["generator"]["cost"] for test in usage), sum(test["score"] for test in usage)
    assert worth[0]["cost"] == pytest.approx(cost / points)
    words = f"best: {max_name(run)}; within noise of it: "
    cheapest = "the cheapest of these: openai/b none, $"
    section = run.text[run.text.index("= pitcheval =") :]
    assert all(len(line) <= WIDTH for line in section.splitlines())
    assert words in flat(section)
    assert cheapest in flat(section)
    page, summary = (Path(suite.path, name).read_text(encoding="utf-8") for name in ("page.html", "summary.md"))
    assert cheapest in Reader(page).text
    assert Reader(page).text.count("openai/b bootstrap") >= 5  # of gates, scores, and what is of the whole set
    assert {one["method"] for one in data(page)["examples"]} == {" ".join(key) for key in FOUR}
    of_whole_sets = next(table for table in tables(summary) if table[0][0] == "whole set")
    assert [row[2] for row in of_whole_sets[1:]] == [" ".join(key) for key in FOUR]
    of_models = next(table for table in tables(summary) if "cost/point" in table[0])
    assert [tuple(row[1:3]) for row in of_models[1:]] == FOUR
    assert cheapest.partition(" $")[0] in summary.replace("&#36;", "$")
    cases = read_suite(suite.path / "junit.xml")
    told = properties_of(cases)
    assert cheapest in told["pitcheval.choice test_qa.py::test_qa"]
    session, *parts = mlflow_runs(run.document, None, {})
    assert session.params["generator_model"] == "openai/a,openai/b"
    assert [(part.params["model"], part.params["optimization"]) for part in parts] == FOUR
    numbers = [{name: value for name, value, _ in part.points} for part in parts]
    assert [one["models/cheapest"] for one in numbers] == [0, 0, 1, 0]
    assert numbers[2]["models/difference"] == pytest.approx(0.0)


def max_name(run: Run) -> str:
    assert run.document is not None
    best = max(run.document["methods"], key=lambda one: one["worth"]["mean"])
    return f"{best['model']} {best['optimization']}"


def text_of(said: Said) -> str:
    return "\n".join(said.lines)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_one_model_is_what_it_was(suite: Suite) -> None:
    run = suite.run("--generator-model=openai/a", "--evaluator-model=openai/judge", "--eval-update-baseline")
    assert run.document is not None
    assert [test["nodeid"] for test in run.tests] == [f"test_qa.py::test_qa[e{n}]" for n in range(3)]
    assert run.document["schema_version"] == 3
    assert not [one for part in ("tests", "summary", "methods") for one in run.document[part] if "model" in one]
    baseline = json.loads((suite.path / "pitcheval-baseline.json").read_text(encoding="utf-8"))
    assert (baseline["schema_version"], list(baseline["tests"]["test_qa.py::test_qa"])) == (3, ["none"])


def test_each_model_has_its_own_baseline_whether_it_runs_alone_or_not(suite: Suite, command: Command) -> None:
    prepare(suite, better="b")
    suite.run(BOTH, "--optimization=none", "--eval-update-baseline", PRICES)
    written = json.loads((suite.path / "pitcheval-baseline.json").read_text(encoding="utf-8"))
    assert list(written["tests"]["test_qa.py::test_qa"]) == ["openai/a none", "openai/b none"]
    alone = suite.run("--generator-model=openai/a", "--optimization=none")
    assert alone.result.ret == pytest.ExitCode.OK
    assert "test_qa.py::test_qa [none]: 0.750 with openai/a none, now 0.750" in flat(alone.text)
    prepare(suite, better="a")
    both = suite.run(BOTH, "--optimization=none")
    assert both.document is not None
    assert [(one["model"], one["against"]) for one in both.document["comparisons"]] == [
        ("openai/a", "openai/a none"),
        ("openai/b", "openai/b none"),
    ]
    assert [(gate["model"], gate["status"]) for gate in both.document["gates"]] == [
        ("openai/a", "passed"),
        ("openai/b", "inconclusive"),
    ]
    said = command("compare", "pitcheval-baseline.json", "last")
    assert "test_qa.py::test_qa [openai/b none]: 1.000, now 0.750" in flat(text_of(said))
    assert "openai/b none" in text_of(command("baseline"))
    assert "judged" not in text_of(command("show", "last", "b-e1"))


def test_a_baseline_of_one_model_is_that_models(suite: Suite) -> None:
    prepare(suite, better="a")
    suite.run("--generator-model=openai/a", "--optimization=none", "--eval-update-baseline")
    run = suite.run("--generator-model=openai/b,openai/a", "--optimization=none")
    assert run.document is not None
    assert [(one["model"], one["against"]) for one in run.document["comparisons"]] == [("openai/a", "none")]
    assert "[openai/b none]: not in the baseline" in run.text
    assert run.result.ret == pytest.ExitCode.OK


def test_models_are_replayed_resumed_selected_merged_and_left_unasked(suite: Suite, command: Command) -> None:
    prepare(suite)
    first = suite.run(BOTH, "--optimization=none", "-k", "a-", "--eval-update-baseline")
    first.result.assert_outcomes(passed=6, deselected=6)
    assert asked(first) == {"a": 6, "judge": 6}
    again = suite.run(BOTH, "--optimization=none", "-k", "a-", "--eval-replay=last")
    assert (asked(again), again.result.ret) == ({}, pytest.ExitCode.OK)
    assert [test["score"] for test in again.tests] == [test["score"] for test in first.tests]
    rest = suite.run(BOTH, "--optimization=none", "--eval-affected")
    assert asked(rest) == {"b": 6, "judge": 6}
    assert rest.document is not None
    second = suite.run(BOTH, "--optimization=none", "-k", "b-")
    assert first.document is not None
    assert second.document is not None
    merged = command("merge", first.document["run"]["id"], second.document["run"]["id"])
    assert merged.code == 0
    assert "openai/a" in text_of(merged)
    assert "openai/b" in text_of(merged)


def test_programs_are_saved_by_model_and_method(suite: Suite) -> None:
    prepare(suite, rows=1)
    suite.run(BOTH, "--save-program=program.json")
    assert {path.name for path in suite.path.glob("program*")} == {"program-a.json", "program-b.json"}


WRAPPED = """

@pytest.fixture(scope="session")
def generator_lm(generator_lm):
    return generator_lm.copy(temperature=0.25)
"""
OWN = """

@pytest.fixture(scope="session")
def generator_lm():
    return dspy.LM("openai/mine", api_base={url!r}, api_key="sk-for-tests-only")
"""
PLAIN = """
def test_an_lm(generator_lm):
    assert generator_lm("Are you there?")
"""
CHOSEN = """

@pytest.fixture
def generator_lm(request):
    return dspy.LM(request.param, api_base={url!r}, api_key="sk-for-tests-only")
"""
PINNED = """
@pytest.mark.parametrize("generator_lm", ["openai/a"], indirect=True)
"""


def test_a_fixture_that_asks_for_the_plugins_own_is_given_each_model(suite: Suite) -> None:
    prepare(suite, rows=2)
    suite.add("conftest.py", WRAPPED)
    suite.write("test_lm.py", PLAIN)
    run = suite.run(BOTH, "--optimization=none")
    run.result.assert_outcomes(passed=6)
    assert asked(run) == {"a": 3, "b": 3, "judge": 4}
    assert {request.temperature for request in run.by("b")} == {0.25}
    assert len(run.tests) == 4


def test_a_fixture_of_ones_own_is_not_said_to_be_two_models(suite: Suite) -> None:
    prepare(suite, rows=2)
    suite.add("conftest.py", OWN.format(url=suite.server.url))
    suite.write("test_lm.py", PLAIN.replace('generator_lm("Are you there?")', "generator_lm"))
    run = suite.run(BOTH, "--optimization=none")
    run.result.assert_outcomes(failed=1, passed=1)
    assert run.requests == []
    assert (
        "--generator-model: 'openai/a,openai/b': the fixture generator_lm is one of your own; expected one model, or "
        "a fixture that asks for generator_lm"
    ) in run.text


def test_the_embedded_lm_is_there_for_those_that_ask_it(suite: Suite) -> None:
    suite.rows(2)
    models = "--generator-model=openai/a,local:/nowhere/tiny.gguf"
    suite.run(models, "-k", "a-").result.assert_outcomes(passed=2, deselected=2)
    run = suite.run(models)
    run.result.assert_outcomes(passed=2, errors=2)
    assert [test["nodeid"].partition("[")[2] for test in run.tests] == ["a-e0]", "a-e1]", "tiny-e0]", "tiny-e1]"]
    assert all("local:/nowhere/tiny.gguf" in test["error"] for test in run.tests[2:])


def test_a_marker_of_pytests_own_says_which_models_a_test_has(suite: Suite) -> None:
    suite.rows(2)
    test = (suite.path / "test_qa.py").read_text(encoding="utf-8")
    suite.write("test_qa.py", test.replace("@pytest.mark.evaluation", f"{PINNED}@pytest.mark.evaluation", 1))
    suite.add("conftest.py", CHOSEN.format(url=suite.server.url))
    run = suite.run(BOTH)
    assert asked(run) == {"a": 2, "judge": 2}
    assert [test["nodeid"].partition("[")[2] for test in run.tests] == ["e0-openai/a]", "e1-openai/a]"]


def test_a_judge_scores_what_it_is_asked_and_is_compared_with_no_other(suite: Suite) -> None:
    prepare(suite, rows=4)
    run = suite.run("--evaluator-model=openai/judge,openai/strict", BOTH, "--optimization=none")
    run.result.assert_outcomes(passed=16)
    assert asked(run) == {"a": 8, "b": 8, "judge": 8, "strict": 8}
    assert run.document is not None
    assert run.tests[0]["nodeid"] == "test_qa.py::test_qa[a-judge-e0]"
    assert [(one["evaluator"], one["first"]) for one in run.document["methods"]] == [
        *[("openai/judge", "openai/a none, judge openai/judge")] * 2,
        *[("openai/strict", "openai/a none, judge openai/strict")] * 2,
    ]


def test_without_a_judge_of_its_own_the_first_model_judges_all(suite: Suite) -> None:
    prepare(suite, rows=2)
    ini = (suite.path / "pytest.ini").read_text(encoding="utf-8")
    suite.write("pytest.ini", ini.replace("evaluator_model = openai/judge", ""))
    run = suite.run("--generator-model=openai/judge,openai/b", "--optimization=none")
    assert asked(run) == {"judge": 2 + 4, "b": 2}
    assert run.document is not None
    assert run.document["run"]["evaluator_model"] == "openai/judge"


EXAM = """
import pytest


@pytest.mark.judge_exam("judge.jsonl", inputs=["question"], outputs=["answer"], label="good", max_false_pass=0.4)
def test_judge(verdict):
    pass
"""
ANSWERS = 24
JUDGES = "--evaluator-model=openai/judge,openai/strict"


def examine(suite: Suite) -> None:
    """An exam whose even answers are good; ``strict`` fails one good answer in four, ``judge`` none."""
    rows = [
        {"id": f"j{n}", "question": f"exam {n}?", "answer": f"given {n}", "good": 1 - n % 2} for n in range(ANSWERS)
    ]
    suite.write("judge.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    suite.write("test_judge.py", EXAM)

    def answer(request: Request) -> str:
        [number] = map(int, re.findall(r"exam (\d+)\?", request.prompt)[-1:] or ["0"])
        passes = number % 2 == 0 and not (request.model == "strict" and number % 8 == 0)
        return chat_format(score=float(passes), feedback="as told")

    suite.server.answer = answer


def test_judges_take_an_exam_side_by_side(suite: Suite, command: Command) -> None:
    examine(suite)
    prices = "--eval-price=openai/judge=100/100,openai/strict=1/1"
    reports = ("--eval-html=page.html", "--eval-markdown=summary.md", "--junit-xml=junit.xml")
    run = suite.run("test_judge.py", JUDGES, prices, "-n2", *reports, "--eval-update-baseline")
    run.result.assert_outcomes(passed=2 * ANSWERS)
    assert asked(run) == {"judge": ANSWERS, "strict": ANSWERS}
    assert run.document is not None
    assert {(gate["evaluator"], gate["gate"]): gate["status"] for gate in run.document["gates"]} == {
        ("openai/judge", "min_kappa"): "passed",
        ("openai/judge", "max_false_pass"): "passed",
        ("openai/strict", "min_kappa"): "passed",
        ("openai/strict", "max_false_pass"): "passed",
    }
    first, second = run.document["methods"]
    assert (first["evaluator"], first["judge"]["kappa"], first["judge"]["more_kappa"]) == ("openai/judge", 1.0, None)
    assert second["judge"]["kappa"] == pytest.approx(0.75)
    assert second["judge"]["more_kappa"]["value"] == pytest.approx(-0.25)
    assert second["result"]["difference"] == pytest.approx(-3 / ANSWERS)
    assert (first["best"], first["worth"]["is_cheapest"]) == (True, not second["best"])
    section = run.text[run.text.index("= pitcheval =") :]
    assert all(len(line) <= WIDTH for line in section.splitlines())
    words = next(line for line in properties_of(read_suite(suite.path / "junit.xml")).values() if "best: " in line)
    assert words in flat(section)
    assert words[1:] in Reader((suite.path / "page.html").read_text(encoding="utf-8")).text
    of_judges = next(
        table for table in tables((suite.path / "summary.md").read_text(encoding="utf-8")) if "cost/verdict" in table[0]
    )
    assert [row[1:4] for row in of_judges[1:]] == [
        ["judge openai/judge", "kappa", "1.000"],
        ["judge openai/judge", "agreement", "1.000"],
        ["judge openai/strict", "kappa", "0.750"],
        ["judge openai/strict", "agreement", "0.875"],
    ]
    again = suite.run("test_judge.py", JUDGES)
    assert asked(again) == {}  # nothing has changed since the baseline's exams, each judge's own
    again.result.assert_outcomes(skipped=2 * ANSWERS)
    assert "openai/strict" in text_of(command("baseline"))
