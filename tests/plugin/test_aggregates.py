"""Metrics of the whole set: the same whoever runs the tests, and however often they are put together again."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import scipy.stats
import sklearn.metrics
from support.command_line import Command
from support.html_page import Reader
from support.junit_file import properties_of, read_suite
from support.markdown_tables import tables
from support.openai_server import Failure, Request, chat_format
from support.suite import Run, Suite

from pytest_pitcheval.results import formats
from pytest_pitcheval.tracking.mlflow_runs import mlflow_runs

TOPICS = ("refund", "delivery", "other")

CONFTEST = """

@pytest.fixture(scope="session")
def program():
    return dspy.Predict("question -> topic, certainty: float")


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: example.topic == pred.topic
"""
FIXTURE = """

@pytest.fixture(scope="session")
def aggregates():
    from sklearn.metrics import cohen_kappa_score

    def kappa(examples, predictions):
        return cohen_kappa_score([one.topic for one in examples], [one.topic for one in predictions])

    return {"kappa": kappa, "right": "accuracy"}
"""
TEST = """
import pytest


@pytest.mark.evaluation("data.jsonl", inputs=["question"], %s)
def test_topic(score):
    pass
"""


def number(request: Request) -> int:
    [found] = set(re.findall(r"question (\d+)\?", request.prompt))
    return int(found)


def label(n: int) -> str:
    return TOPICS[n % 3]


def told(n: int, wrong: Sequence[int] = (2, 5, 9)) -> str:
    """What the program says; wrong of these."""
    return TOPICS[(n + (n in wrong)) % 3]


def use(suite: Suite, arguments: str = "rollouts=1", rows: int = 12, fixture: str = "", **further: Any) -> None:
    suite.add("conftest.py", CONFTEST + fixture)
    suite.write("test_qa.py", TEST % arguments)
    found = [{"id": f"e{n}", "question": f"question {n}?", "topic": label(n), **further} for n in range(rows)]
    suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in found))
    say(suite)


def say(suite: Suite, topic: Callable[[int], str] = told) -> None:
    suite.server.answer = lambda request: chat_format(topic=topic(number(request)), certainty=number(request) / 7)


def gates(run: Run) -> dict[tuple[str, str], dict[str, Any]]:
    assert run.document is not None, run.text
    return {(gate["gate"], gate["metric"]): gate for gate in run.document["gates"]}


def figures(document: Any) -> dict[str, Any]:
    [summary] = document["summary"]
    found: dict[str, Any] = summary["aggregates"]
    return found


def words(run: Run) -> str:
    return " ".join(run.text.split())


def expected(rows: int = 12, wrong: Sequence[int] = (2, 5, 9)) -> tuple[list[str], list[str]]:
    return [label(n) for n in range(rows)], [told(n, wrong) for n in range(rows)]


GATED = 'min_aggregate={"f1_macro": 0.7, "kappa": 0.9}, rollouts=2'


def test_it_is_the_same_in_one_process_and_in_several(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    use(suite, GATED, fixture=FIXTURE)
    run = suite.run(*plugin_args)
    run.result.assert_outcomes(passed=12)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert len(run.requests) == 24
    labels, predictions = expected()
    found, decided = figures(run.document), gates(run)
    f1 = sklearn.metrics.f1_score(labels, predictions, average="macro")
    assert found["f1_macro"]["values"] == pytest.approx([f1, f1])
    assert found["kappa"]["values"] == pytest.approx([sklearn.metrics.cohen_kappa_score(labels, predictions)] * 2)
    assert found["right"]["value"] == 0.75
    assert [found[name]["source"] for name in found] == ["conftest.py::aggregates", "accuracy", "f1_macro"]
    assert {name: gate["status"] for name, gate in decided.items()} == {
        ("min_aggregate", "f1_macro"): "passed",
        ("min_aggregate", "kappa"): "failed",
    }
    assert decided["min_aggregate", "f1_macro"]["value"] == pytest.approx(f1)
    assert (
        f"FAIL min_aggregate=0.9 kappa test_qa.py::test_topic [none]: kappa {found['kappa']['value']:.6g} is below"
        in words(run)
    )


def merged(suite: Suite, command: Command, runs: Sequence[Run]) -> tuple[Any, Any]:
    """The runs put together: what the command said, and the run file."""
    said = command("merge", *(f".pitcheval/runs/{run.document['run']['id']}.json" for run in runs if run.document))
    path = max((suite.path / ".pitcheval" / "runs").glob("*.json"))
    return said, json.loads(path.read_text(encoding="utf-8"))


def test_shards_put_together_give_what_the_whole_gives(suite: Suite, command: Command) -> None:
    use(suite, 'min_aggregate={"f1_macro": 0.7, "kappa": 0.5}', rows=20, fixture=FIXTURE)
    whole = suite.run("-n2")
    shards = [suite.run("-k", " or ".join(f"e{n}]" for n in part)) for part in (range(9), range(9, 20))]
    assert figures(shards[0].document)["f1_macro"]["examples"] == 9
    _, document = merged(suite, command, shards)
    assert figures(document) == figures(whole.document)
    assert document["gates"] == (whole.document or {})["gates"]
    labels, predictions = expected(20)
    f1 = sklearn.metrics.f1_score(labels, predictions, average="macro")
    assert figures(document)["f1_macro"]["value"] == pytest.approx(f1)

    (suite.path / "conftest.py").unlink()  # as on a machine that has no suite
    said, document = merged(suite, command, shards)
    assert said.code == pytest.ExitCode.TESTS_FAILED
    assert figures(document)["f1_macro"] == figures(whole.document)["f1_macro"]
    assert figures(document)["kappa"]["undefined"].startswith("there is no conftest.py below")
    assert {gate["metric"]: gate["status"] for gate in document["gates"]} == {"f1_macro": "passed", "kappa": "failed"}
    decided = (
        command("decide", whole.document["run"]["id"], "--eval-min-aggregate=kappa=0.9") if whole.document else None
    )
    assert decided is not None
    assert "FAIL min_aggregate=0.9 kappa" in " ".join(" ".join(decided.lines).split())  # of a whole run, it is known


MODELS = "--generator-model=openai/a,openai/b"
WRONG = {"a": (2, 5, 9), "b": (0, 1, 2, 5, 9)}
TRAINSET = """

@pytest.fixture(scope="session")
def trainset():
    return [dspy.Example(question="where is it?", topic="delivery", certainty=1.0).with_inputs("question")]
"""


def use_models(suite: Suite, arguments: str, wrong: Mapping[str, Sequence[int]]) -> None:
    """Two models, each wrong of some examples."""
    use(suite, arguments, fixture=FIXTURE + TRAINSET)
    tell(suite, wrong)


def tell(suite: Suite, wrong: Mapping[str, Sequence[int]]) -> None:
    suite.server.answer = lambda request: chat_format(
        topic=told(number(request), wrong[request.model]), certainty=number(request) / 7
    )


def of_models(document: Any) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["model"], one["optimization"]): one["aggregates"] for one in document["summary"]}


def direct(wrong: Sequence[int]) -> dict[str, float]:
    """What scikit-learn makes of what a model said."""
    labels, said = expected(wrong=wrong)
    return {
        "kappa": sklearn.metrics.cohen_kappa_score(labels, said),
        "right": sklearn.metrics.accuracy_score(labels, said),
        "f1_macro": sklearn.metrics.f1_score(labels, said, average="macro"),
    }


def test_each_model_and_method_has_its_own_value_baseline_and_gates(suite: Suite) -> None:
    use_models(suite, 'min_aggregate={"f1_macro": 0.7}, max_regression={"kappa": 0.03}', WRONG)
    both = (MODELS, "--optimization=none,labeled", "--eval-max-regression=0.9")
    reports = ("--eval-html=page.html", "--eval-markdown=summary.md", "--junit-xml=junit.xml")
    first = suite.run(*both, *reports, "-n2", "--eval-update-baseline")
    assert len(first.requests) == 48
    found = of_models(first.document)
    assert list(found) == [(f"openai/{model}", method) for model in "ab" for method in ("none", "labeled")]
    for (model, _), figures_of in found.items():
        assert {name: one["value"] for name, one in figures_of.items()} == pytest.approx(direct(WRONG[model[-1]]))
    decided = {(gate["model"], gate["optimization"]): gate["status"] for gate in (first.document or {})["gates"]}
    assert decided == {key: "passed" if key[0] == "openai/a" else "failed" for key in found}
    page, summary = ((suite.path / name).read_text(encoding="utf-8") for name in ("page.html", "summary.md"))
    said = properties_of(read_suite(suite.path / "junit.xml"))
    whole = next(table for table in tables(summary) if table[0][0] == "whole set")
    assert [(row[0], row[2]) for row in whole[1:]] == [
        (name, " ".join(key)) for key, figures_of in found.items() for name in figures_of
    ]
    of_page = Reader(page).text
    for key, figures_of in found.items():
        variant = " ".join(key)
        assert (
            f"f1_macro test_qa.py::test_topic {variant} 12 {formats.measure(figures_of['f1_macro']['value'])}"
            in of_page
        )
        assert (
            float(said[f"pitcheval.aggregate.kappa test_qa.py::test_topic [{variant}]"]) == figures_of["kappa"]["value"]
        )
    parts = {
        part.name: {name: value for name, value, _ in part.points}
        for part in mlflow_runs(first.document or {}, None, {})
    }
    numbers = parts["test_qa.py::test_topic [openai/b labeled]"]
    assert numbers["aggregate/f1_macro/value"] == pytest.approx(direct(WRONG["b"])["f1_macro"])

    worse = {**WRONG, "b": range(12)}
    tell(suite, worse)
    second = suite.run(MODELS, "--optimization=none", "--eval-max-regression=0.9")
    fell = {(g["model"], g["optimization"]): g for g in (second.document or {})["gates"] if g["metric"] == "kappa"}
    assert {key[0]: gate["status"] for key, gate in fell.items()} == {"openai/a": "passed", "openai/b": "failed"}
    lost = direct(WRONG["b"])["kappa"] - direct(worse["b"])["kappa"]
    assert fell["openai/b", "none"]["value"] == pytest.approx(lost)


def test_with_a_cap_or_in_shards_no_value_is_that_of_the_survivors(suite: Suite, command: Command) -> None:
    use_models(suite, 'min_aggregate={"f1_macro": 0.1}', WRONG)
    price = "--eval-price=openai/*=1000/1000"
    capped = suite.run(MODELS, price, "--eval-max-cost=1.5", "--eval-concurrency=2", "-n2")
    assert capped.document is not None
    left_out = Counter(test["model"] for test in capped.tests if test["left_out"])
    assert left_out["openai/b"] > 0
    for (model, _), figures_of in of_models(capped.document).items():
        for name, one in figures_of.items():
            if left_out[model]:
                assert (one["value"], f"{left_out[model]} of 12 examples have no prediction" in one["undefined"]) == (
                    None,
                    True,
                )
            else:
                assert one["value"] == pytest.approx(direct(WRONG[model[-1]])[name])
    rest = suite.run(MODELS, price, "--eval-max-cost=1000", f"--eval-resume={capped.document['run']['id']}")
    assert len(capped.requests) + len(rest.requests) == 24
    shards = [
        suite.run(MODELS, "-k", " or ".join(f"e{n}]" for n in part)) for part in (range(0, 12, 2), range(1, 12, 2))
    ]
    whole = {(f"openai/{model}", "none"): direct(wrong) for model, wrong in WRONG.items()}
    for runs in (shards, shards[::-1]):
        _, document = merged(suite, command, runs)
        for one in (document, rest.document):
            values = {key: {name: f["value"] for name, f in found.items()} for key, found in of_models(one).items()}
            assert values == {key: pytest.approx(figures_of) for key, figures_of in whole.items()}


def test_numbers_correlate_as_in_scipy(suite: Suite) -> None:
    use(suite, 'min_aggregate={"pearson": 0.9, "spearman": 0.5}')
    suite.add("conftest.py", CONFTEST.replace("topic, certainty", "certainty").replace(".topic", ".certainty"))
    labels = [(n * 7 % 11) / 10 for n in range(12)]
    rows = [{"id": f"e{n}", "question": f"question {n}?", "certainty": one} for n, one in enumerate(labels)]
    suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    run = suite.run("-n2")
    predictions = [n / 7 for n in range(12)]
    found = {name: one["value"] for name, one in figures(run.document).items()}
    assert found == pytest.approx(
        {
            "pearson": scipy.stats.pearsonr(labels, predictions).statistic,
            "spearman": scipy.stats.spearmanr(labels, predictions).statistic,
        }
    )
    assert {gate["status"] for gate in gates(run).values()} == {"failed"}


def test_examples_without_a_prediction_make_it_undefined(suite: Suite) -> None:
    use(suite, 'min_aggregate={"f1_macro": 0.1}', fixture=FIXTURE)
    suite.server.fail = lambda request: Failure() if number(request) == 4 else None
    run = suite.run("-n2")
    run.result.assert_outcomes(passed=11, errors=1)
    reason = "1 of 12 examples have no prediction: e4 (error: "
    for one in figures(run.document).values():
        assert (one["value"], one["values"]) == (None, [])
        assert one["undefined"].startswith(reason)
    gate = gates(run)["min_aggregate", "f1_macro"]
    assert (gate["status"], gate["value"]) == ("failed", None)
    assert f"f1_macro is undefined: {reason}" in words(run)


REGRESSION = 'max_regression={"f1_macro": 0.03, "kappa": 0.03}'


def test_a_loss_against_the_baseline_is_established_by_exchanging_answers(suite: Suite, command: Command) -> None:
    use(suite, REGRESSION, rows=24, fixture=FIXTURE)
    assert suite.run("--eval-update-baseline").result.ret == 0
    text = (suite.path / "pitcheval-baseline.json").read_text(encoding="utf-8")
    assert text.count('"predictions": [{"topic": ') == 24
    assert "certainty" not in text
    same = suite.run()
    assert same.result.ret == 0, same.text
    assert "0.874, now 0.874, 24 examples, 0 answered otherwise" in words(same)
    say(suite, lambda n: told(n, range(0, 24, 2)))
    worse = suite.run("--eval-max-regression=0.9")
    assert worse.result.ret == pytest.ExitCode.TESTS_FAILED
    found = gates(worse)
    assert found["max_regression", "score"]["status"] == "passed"
    for name in ("f1_macro", "kappa"):
        gate = found["max_regression", name]
        assert (gate["status"], gate["among"]) == ("failed", 3)
        assert gate["p"] < gate["p_adjusted"] < 0.05
        assert gate["value"] == pytest.approx(
            figures(same.document)[name]["value"] - figures(worse.document)[name]["value"]
        )
    assert worse.document is not None
    assert [one["metric"] for one in worse.document["comparisons"]] == ["score"]
    anew = command("decide", "last", "--eval-max-regression=0.9,f1_macro=0.8")
    assert "ok max_regression=0.8 f1_macro" in " ".join(" ".join(anew.lines).split())
    assert f"kappa test_qa.py::test_topic [none]: {found['max_regression', 'kappa']['reason']}" in " ".join(
        " ".join(anew.lines).split()
    )


def test_a_run_is_a_baseline_too(suite: Suite) -> None:
    use(suite, REGRESSION, rows=24, fixture=FIXTURE)
    suite.run()
    say(suite, lambda n: told(n, range(0, 24, 2)))
    found = gates(suite.run("--eval-baseline=last"))
    assert [found["max_regression", name]["status"] for name in ("f1_macro", "kappa")] == ["failed", "failed"]


def test_unchanged_examples_count_as_the_baseline_has_them(suite: Suite) -> None:
    use(suite, f'min_aggregate={{"f1_macro": 0.7}}, {REGRESSION}', fixture=FIXTURE)
    whole = suite.run("--eval-update-baseline")
    none = suite.run("-n2", "--eval-affected")
    none.result.assert_outcomes(skipped=12)
    assert (none.result.ret, len(none.requests)) == (0, 0)
    for name, one in figures(none.document).items():
        assert (one["value"], one["unchanged"]) == (figures(whole.document)[name]["value"], 12)
    assert "12 of 12 as in the baseline" in words(none)
    assert "nothing to compare: 12 examples are unchanged since the baseline" in words(none)
    path = suite.path / "data.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("question 0?", "question 0? Now?"), encoding="utf-8")
    one = suite.run("-n2", "--eval-affected")
    one.result.assert_outcomes(passed=1, skipped=11)
    assert figures(one.document)["kappa"]["unchanged"] == 11
    again = suite.run(f"--eval-replay={one.document['run']['id']}" if one.document else "")
    assert figures(again.document) == figures(one.document)


def test_a_run_that_stopped_early_leaves_it_open(suite: Suite) -> None:
    use(suite, 'threshold=1, min_pass_rate=0.9, min_aggregate={"f1_macro": 0.7}', rows=40)
    suite.write(
        "test_qa.py",
        (TEST % 'threshold=1, min_pass_rate=0.9, min_aggregate={"f1_macro": 0.7}').replace(
            "pass\n", "assert score.passed\n"
        ),
    )
    say(suite, lambda n: told(n, range(40)))
    run = suite.run("--eval-stop=decided", "--eval-concurrency=2")
    assert {name: gate["status"] for (name, _), gate in gates(run).items()} == {
        "min_aggregate": "inconclusive",
        "min_pass_rate": "failed",
    }


WRONG_FIXTURES = {
    "list": ("module", "def aggregates(): return [1]", "it gave '[1]'; expected"),
    "number": (
        "module",
        "def aggregates(): return {'f1': 0.5}",
        "'f1': '0.5': expected a function, or one of accuracy",
    ),
    "score": ("module", "def aggregates(): return {'score': len}", "'score': expected a name that no other number has"),
    "bleu": (
        "module",
        "def aggregates(): return {'bleu': len}",
        "'bleu': expected another name than that of a built-in",
    ),
    "asks": ("module", "def aggregates(metric): return {'f1': len}", "it asks for 'metric'; expected no other fixture"),
    "scope": ("function", "def aggregates(): return {'f1': len}", "its scope is function; expected class, module, "),
}


def test_wrong_fixtures_are_errors_in_one_line_before_any_call(suite: Suite) -> None:
    use(suite, rows=1)
    (suite.path / "test_qa.py").unlink()
    for name, (scope, fixture, _) in WRONG_FIXTURES.items():
        suite.write(f"test_{name}.py", f'{TEST % "rollouts=1"}\n\n@pytest.fixture(scope="{scope}")\n{fixture}\n')
    run = suite.run()
    run.result.assert_outcomes(errors=len(WRONG_FIXTURES))
    assert not run.requests
    for _, _, reason in WRONG_FIXTURES.values():
        assert [line for line in run.result.outlines if line.startswith(f"fixture aggregates: {reason}")]


def test_modules_and_classes_have_fixtures_of_their_own(suite: Suite) -> None:
    use(suite, rows=3, fixture=FIXTURE)
    suite.write(
        "test_qa.py",
        """
import pytest

evaluation = pytest.mark.evaluation("data.jsonl", inputs=["question"])


@pytest.fixture(scope="module")
def aggregates():
    return {"three": lambda examples, predictions: len(examples)}


@evaluation
def test_module(score):
    pass


class TestClass:
    @pytest.fixture(scope="class")
    def aggregates(self):
        return {"text": lambda examples, predictions: sum(len(one.question) for one in examples)}

    @evaluation
    def test_class(self, score):
        pass
""",
    )
    suite.write("test_other.py", TEST % "rollouts=1")
    run = suite.run("-n2")
    assert run.document is not None
    assert {
        one["test"].partition("::")[2]: {n: f["value"] for n, f in one["aggregates"].items()}
        for one in run.document["summary"]
    } == {
        "test_module": {"three": 3.0},
        "TestClass::test_class": {"text": 33.0},
        "test_topic": {"kappa": 0.5, "right": pytest.approx(2 / 3)},
    }


FAILING = """

@pytest.fixture(scope="session")
def aggregates():
    def broken(examples, predictions):
        raise KeyError("topik")

    def greedy(examples, predictions):
        return float(len([predictions.pop()]))

    return {"broken": broken, "none": lambda examples, predictions: None, "greedy": greedy, "certain": len}
"""


def test_what_a_function_does_wrong_is_one_line_that_names_it(suite: Suite) -> None:
    use(
        suite,
        'min_aggregate={"broken": 0, "none": 0, "greedy": 0, "certain": 0, "elsewhere": 0}',
        rows=2,
        fixture=FAILING,
    )
    run = suite.run("-n2")
    run.result.assert_outcomes(passed=2)
    reasons = {name: gate["reason"] for (_, name), gate in gates(run).items()}
    assert {name: reason.removeprefix("undefined: ") for name, reason in reasons.items()} == {
        "broken": "broken raised KeyError: 'topik'",
        "none": "none returned None: expected a finite number",
        "greedy": "greedy changes its arguments: expected a function that leaves them as they are",
        "certain": "certain raised TypeError: len() takes exactly one argument (2 given)",
        "elsewhere": "there is none of that name: expected accuracy, f1_macro, pearson, spearman, bleu, rouge, "
        "or a function of the fixture aggregates",
    }
    assert {gate["status"] for gate in gates(run).values()} == {"failed"}


def test_a_name_that_the_metric_has_too_is_no_metric_of_the_whole_set(suite: Suite) -> None:
    use(suite, 'min_aggregate={"accuracy": 0.1}, max_regression={"spearman": 0.5}', rows=3)
    verdict = "dspy.Prediction(score=1, accuracy=1, spearman=0.5)"
    suite.add("conftest.py", f"\n\n@pytest.fixture\ndef metric():\n    return lambda *args: {verdict}\n")
    run = suite.run("--eval-update-baseline")
    assert list(figures(run.document)) == ["accuracy"]
    assert gates(run)["min_aggregate", "accuracy"]["reason"] == (
        "undefined: the metric returns a number of that name too"
    )
    run = suite.run()
    assert gates(run)["max_regression", "spearman"]["reason"] == "no difference, 3 examples"


def test_all_reports_tell_it(suite: Suite, command: Command) -> None:
    use(suite, GATED, fixture=FIXTURE)
    reports = ("--eval-html=page.html", "--eval-markdown=summary.md", "--junit-xml=junit.xml")
    run = suite.run(*reports, "-n2")
    found, text = figures(run.document), words(run)
    page = Reader((suite.path / "page.html").read_text(encoding="utf-8")).text
    markdown = (suite.path / "summary.md").read_text(encoding="utf-8")
    said = properties_of(read_suite(suite.path / "junit.xml"))
    for name, one in found.items():
        value, low, high = map(formats.measure, (one["value"], *one["ci95"]))
        assert f"{name} {value} {low} to {high} 12 {value} {value}" in text
        assert f"{value} {low} to {high}" in page
        assert f"| 12 | {value} [{low} to {high}] | {value} {value} |" in markdown
        assert float(said[f"pitcheval.aggregate.{name} test_qa.py::test_topic [none]"]) == one["value"]
    command("report", "last", "-o", "again.html")
    assert Reader((suite.path / "again.html").read_text(encoding="utf-8")).text == page
    shown = command("show", "last").lines
    assert shown == run.result.outlines[run.result.outlines.index(shown[0]) :][: len(shown)]
    wide = [line for line in run.result.outlines[run.result.outlines.index(shown[0]) :] if len(line) > 80]
    assert not [line for line in wide if "run file" not in line]
