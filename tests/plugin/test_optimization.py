"""Programs are optimized with the methods that the command line, the markers or the ini file name."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.openai_server import Failure, Request
from support.suite import Run, Suite

from pytest_pitcheval.settings.methods import METHODS

SMALL = {
    "none": "",
    "labeled": "k=2",
    "bootstrap": "max_bootstrapped_demos=1, max_labeled_demos=1",
    "bootstrap_random": "max_bootstrapped_demos=1, max_labeled_demos=1, num_candidate_programs=2, num_threads=2",
    "knn": "k=2",
    "copro": "breadth=2, depth=1",
    "mipro": "auto=None, num_candidates=2, num_trials=2, minibatch=False",
    "simba": "bsize=2, num_candidates=2, max_steps=1, max_demos=1",
    "gepa": "max_metric_calls=6, num_threads=1",
    "infer_rules": "num_candidates=1, num_rules=2, max_bootstrapped_demos=1, max_labeled_demos=1",
}

SHOWN = {"none": 0, "labeled": 2, "bootstrap": 1, "knn": 2, "copro": 0, "gepa": 0}
"""How many examples the compiled program shows the LM, where that does not depend on scores."""


def mark(suite: Suite, *markers: str) -> None:
    """Put ``optimization`` markers on ``test_qa``, the first one outermost."""
    test = (suite.path / "test_qa.py").read_text(encoding="utf-8")
    lines = "".join(f"@pytest.mark.optimization({arguments})\n" for arguments in markers)
    suite.write("test_qa.py", test.replace("@pytest.mark.evaluation", f"{lines}@pytest.mark.evaluation", 1))


def asked(request: Request) -> str:
    """The last message: what is asked, without the demos before it."""
    return str(request.messages[-1]["content"])


def demos(request: Request) -> int:
    """How many examples DSPy's ChatAdapter shows: a user's and an assistant's message each."""
    return (len(request.messages) - 2) // 2


def evaluating(run: Run) -> list[Request]:
    """The program's requests for the examples of the test, not those of compiling."""
    return [request for request in run.by("generator") if "\nquestion " in asked(request)]


def compiling(run: Run) -> list[Request]:
    """The requests for examples of the trainset, the program's and the judge's."""
    return [request for request in run.requests if "\ntrain " in asked(request)]


def methods(run: Run) -> list[str]:
    return [test["optimization"] for test in run.tests]


def example_ids(run: Run) -> list[str]:
    return [test["nodeid"].partition("[")[2].rstrip("]") for test in run.tests]


@pytest.mark.parametrize("method", [name for name in METHODS if name != "mipro"])
def test_every_method_compiles_a_program_that_is_evaluated(suite: Suite, method: str) -> None:
    mark(suite, f'"{method}", {SMALL[method]}')
    run = suite.run()
    run.result.assert_outcomes(passed=3)
    assert methods(run) == [method] * 3
    assert example_ids(run) == ["e0", "e1", "e2"]
    assert [test["score"] for test in run.tests] == [0.75] * 3
    assert len(evaluating(run)) == 3
    if method in SHOWN:
        assert [demos(request) for request in evaluating(run)] == [SHOWN[method]] * 3
    assert bool(run.requests[6:]) == (method not in ("none", "labeled"))


def test_mipro_without_optuna_is_one_error_that_says_so(suite: Suite) -> None:
    suite.add("conftest.py", "import sys\nsys.modules['optuna'] = None\n")
    mark(suite, f'"mipro", {SMALL["mipro"]}')
    run = suite.run()
    run.result.assert_outcomes(errors=1, skipped=2)
    assert "MIPROv2 requires optional dependency 'optuna'" in run.tests[0]["error"]


def test_mipro(suite: Suite) -> None:
    mark(suite, f'"mipro", {SMALL["mipro"]}')
    suite.run().result.assert_outcomes(passed=3)


@pytest.mark.parametrize("budget", ["auto='light'", "max_full_evals=1", "max_metric_calls=6"])
def test_gepa_takes_any_one_budget(suite: Suite, budget: str) -> None:
    mark(suite, f'"gepa", {budget}')
    suite.rows(1)
    suite.server.answer = lambda request: (
        "[[ ## answer ## ]]\nyes\n\n[[ ## score ## ]]\n1.0\n\n[[ ## feedback ## ]]\nok"
    )
    suite.run().result.assert_outcomes(passed=1)


OPTIMIZERS = '''
import json
import pathlib


class Polite:
    """Adds a word to the instructions."""

    def __init__(self, word="please"):
        self.word = word

    def compile(self, student, *, trainset, valset=None):
        seen = [[example.question for example in examples or ()] for examples in (trainset, valset)]
        pathlib.Path("seen.json").write_text(json.dumps(seen))
        for predictor in student.predictors():
            predictor.signature = predictor.signature.with_instructions(f"Answer, {self.word}.")
        return student


class Broken:
    def compile(self, student, *, trainset):
        with open("tried.txt", "a") as file:
            file.write("once\\n")
        raise RuntimeError(f"cannot learn from {len(trainset)} examples")


def not_a_class():
    pass
'''


def seen(suite: Suite) -> tuple[list[str], list[str]]:
    """The questions of the trainset and the valset that the optimizer got."""
    trainset, valset = json.loads((suite.path / "seen.json").read_text(encoding="utf-8"))
    return trainset, valset


def test_an_optimizer_of_the_suites_own(suite: Suite) -> None:
    suite.write("optimizers.py", OPTIMIZERS)
    mark(suite, '"optimizers:Polite", word="if you like"')
    run = suite.run()
    run.result.assert_outcomes(passed=3)
    assert methods(run) == ["optimizers:Polite"] * 3
    assert all("Answer, if you like." in request.prompt for request in run.by("generator"))


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("optimizers:Missing", "has no attribute 'Missing'"),
        ("nowhere:Optimizer", "No module named 'nowhere'"),
        ("optimizers:not_a_class", "expected a class with a compile method"),
    ],
)
def test_an_optimizer_that_is_not_there_is_one_error(suite: Suite, name: str, complaint: str) -> None:
    suite.write("optimizers.py", OPTIMIZERS)
    run = suite.run(f"--optimization={name}")
    run.result.assert_outcomes(errors=1, skipped=2)
    assert f"optimization {name!r}" in run.tests[0]["error"]
    assert complaint in run.tests[0]["error"]


def test_an_optimizer_gets_trainset_and_valset_and_no_test_example(suite: Suite) -> None:
    suite.write("optimizers.py", OPTIMIZERS)
    suite.add("conftest.py", VALSET)
    suite.run("--optimization=optimizers:Polite").result.assert_outcomes(passed=3)
    assert seen(suite) == ([f"train {n}?" for n in range(8)], ["valid?"])


VALSET = """

@pytest.fixture(scope="session")
def valset():
    return [dspy.Example(question="valid?", answer="yes").with_inputs("question")]
"""


def test_stacked_markers_are_a_test_per_method(suite: Suite) -> None:
    mark(suite, '"none"', f'"bootstrap", {SMALL["bootstrap"]}')
    run = suite.run()
    run.result.assert_outcomes(passed=6)
    assert example_ids(run) == [f"{method}-e{n}" for method in ("none", "bootstrap") for n in range(3)]
    assert methods(run) == ["none"] * 3 + ["bootstrap"] * 3
    assert Counter(demos(request) > 0 for request in evaluating(run)) == {False: 3, True: 3}
    assert run.document is not None
    summaries = {(one["optimization"], one["examples"]) for one in run.document["summary"]}
    assert summaries == {("none", 3), ("bootstrap", 3)}


def test_several_methods_on_the_command_line(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    run = suite.run(*plugin_args, "--optimization=none,labeled")
    run.result.assert_outcomes(passed=6)
    assert example_ids(run) == [f"{method}-e{n}" for method in ("none", "labeled") for n in range(3)]
    assert sorted(methods(run)) == ["labeled"] * 3 + ["none"] * 3


def test_a_single_method_is_no_parameter(suite: Suite) -> None:
    run = suite.run("--optimization=labeled")
    assert example_ids(run) == ["e0", "e1", "e2"]
    assert methods(run) == ["labeled"] * 3


@pytest.mark.parametrize(
    ("ini", "marker", "command_line", "expected"),
    [
        (None, None, None, ["none"]),
        ("labeled", None, None, ["labeled"]),
        ("labeled,none", None, None, ["labeled", "none"]),
        ("labeled", "knn", None, ["knn"]),
        ("labeled", "knn", "none", ["none"]),
        (None, "knn", "none,labeled", ["none", "labeled"]),
    ],
)
def test_which_method_holds(
    suite: Suite, ini: str | None, marker: str | None, command_line: str | None, expected: list[str]
) -> None:
    suite.rows(1)
    if ini is not None:
        suite.add("pytest.ini", f"optimization = {ini}\n")
    if marker is not None:
        mark(suite, f'"{marker}"')
    run = suite.run(*([] if command_line is None else [f"--optimization={command_line}"]))
    run.result.assert_outcomes(passed=len(expected))
    assert methods(run) == expected


@pytest.mark.parametrize("arguments", [[], ["--optimization=labeled"], ["--optimization=labeled,none"]])
def test_a_markers_settings_hold_however_the_method_was_named(suite: Suite, arguments: list[str]) -> None:
    mark(suite, '"labeled", k=1')
    suite.rows(1)
    run = suite.run(*arguments)
    assert demos(run.by("generator")[0]) == 1


@pytest.mark.parametrize("where", ["command line", "ini"])
@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["alone", "n2"])
def test_an_unknown_method_is_a_usage_error(suite: Suite, where: str, arguments: tuple[str, ...]) -> None:
    if where == "ini":
        suite.add("pytest.ini", "optimization = bootstrp\n")
    run = suite.run(*arguments, *(["--optimization=bootstrp"] if where == "command line" else []))
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in run.result.errlines if line]
    source = "--optimization" if where == "command line" else "ini key optimization"
    assert line == (f"ERROR: {source}: 'bootstrp': expected one of {', '.join(METHODS)} or package.module:Optimizer")


@pytest.mark.parametrize("marker", ['"bootstrp"', "", '"labeled", "knn"', "5"])
def test_a_wrong_marker_is_one_failed_test(suite: Suite, marker: str) -> None:
    mark(suite, marker)
    suite.rows(1)
    suite.add("test_qa.py", "\n\ndef test_other():\n    pass\n")
    run = suite.run()
    run.result.assert_outcomes(passed=1, failed=1)
    assert run.requests == []
    (test,) = run.tests
    assert test["error"].startswith("optimization marker: ")
    assert "expected one" in test["error"]


@pytest.mark.parametrize(
    ("method", "known"),
    [
        ("labeled", "expected one of k, sample, trainset"),
        ("bootstrap", "max_bootstrapped_demos, max_errors"),
        ("knn", "k, max_bootstrapped_demos, max_errors"),
        ("copro", "breadth, depth"),
        ("gepa", "max_full_evals, max_merge_invocations, max_metric_calls"),
    ],
)
def test_an_unknown_setting_is_one_error_that_lists_the_known_ones(suite: Suite, method: str, known: str) -> None:
    mark(suite, f'"{method}", max_bananas=3')
    run = suite.run()
    run.result.assert_outcomes(errors=1, skipped=2)
    assert f"optimization marker: {method} has no setting 'max_bananas'; expected one of " in run.text
    assert known in run.text


def error_of(run: Run) -> dict[str, Any]:
    """The record of the one test that is an error."""
    (test,) = [test for test in run.tests if test["status"] == "error"]
    return test


def assert_failed_once(run: Run, tests: int) -> None:
    """One test reports that compiling failed, the others are skipped and name it."""
    run.result.assert_outcomes(errors=1, skipped=tests - 1)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    reported = error_of(run)["nodeid"]
    skipped = [test for test in run.tests if test["status"] == "skipped"]
    assert len(skipped) == tests - 1
    assert all(f"failed: see {reported}" in test["error"] for test in skipped)


def test_an_optimizer_that_raises_is_one_error(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.write("optimizers.py", OPTIMIZERS)
    suite.rows(6)
    run = suite.run(*plugin_args, "--optimization=optimizers:Broken")
    assert_failed_once(run, 6)
    assert "compiling Predict with optimizers:Broken failed: " in error_of(run)["error"]
    assert "RuntimeError: cannot learn from 8 examples" in error_of(run)["error"]
    assert (suite.path / "tried.txt").read_text(encoding="utf-8") == "once\n"
    assert run.requests == []


def test_a_failed_compile_is_tried_again_in_the_next_session(suite: Suite) -> None:
    suite.write("optimizers.py", OPTIMIZERS)
    for tries in (1, 2):
        assert_failed_once(suite.run("--optimization=optimizers:Broken"), 3)
        assert (suite.path / "tried.txt").read_text(encoding="utf-8") == "once\n" * tries


def test_another_method_goes_on_where_one_fails(suite: Suite) -> None:
    suite.write("optimizers.py", OPTIMIZERS)
    run = suite.run("--optimization=optimizers:Broken,labeled")
    run.result.assert_outcomes(errors=1, skipped=2, passed=3)


def down_while_compiling(request: Request) -> Failure | None:
    return None if "\nquestion " in asked(request) else Failure(503, "out of order")


@pytest.mark.parametrize("method", ["bootstrap", "bootstrap_random", "simba", "infer_rules", "copro", "gepa"])
def test_a_provider_that_is_down_while_compiling_is_one_error(suite: Suite, method: str) -> None:
    mark(suite, f'"{method}", {SMALL[method]}')
    suite.server.fail = down_while_compiling
    run = suite.run()
    assert_failed_once(run, 3)
    assert "out of order" in error_of(run)["error"]
    assert evaluating(run) == []
    assert list((suite.path / ".pitcheval").rglob("programs/*.json")) == []


NO_RESOURCES = "-Wignore::ResourceWarning"
"""Python 3.13 warns of SQLite connections that DSPy does not close."""


def test_a_test_example_in_the_trainset_is_warned_of(suite: Suite) -> None:
    rows = [{"id": f"e{n}", "question": question} for n, question in enumerate(["one?", "train 3?", "two?"])]
    suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    run = suite.run("--optimization=labeled", "-Wdefault", NO_RESOURCES)
    run.result.assert_outcomes(passed=3, warnings=1)
    assert "PitchevalWarning: test_qa.py::test_qa[e1]: this example is in the trainset" in run.text


def test_no_warning_for_a_trainset_that_is_not_used(suite: Suite) -> None:
    suite.write("data.jsonl", '{"question": "train 3?"}\n')
    suite.run("-Wdefault", NO_RESOURCES).result.assert_outcomes(passed=1, warnings=0)


OPTIMIZATION = """

@pytest.mark.optimization("labeled", k=3)
def test_fixture(optimization, compiled_program, record_score):
    print(f"method {optimization.method}, {optimization}, {dict(optimization.settings)}")
    record_score(1.0)
"""


def test_the_optimization_fixture(suite: Suite) -> None:
    suite.add("test_qa.py", OPTIMIZATION)
    run = suite.run("-s", "-k", "test_fixture")
    run.result.assert_outcomes(passed=1, deselected=3)
    assert "method labeled, labeled, {'k': 3}" in run.text
    run = suite.run("-s", "-k", "test_fixture", "--optimization=none")
    assert "method none, none, {}" in run.text


def test_train_size_is_a_seeded_sample(suite: Suite) -> None:
    suite.write("optimizers.py", OPTIMIZERS)
    samples = []
    for arguments in (["--train-size=3"], ["--train-size=3"], ["--train-size=3", "--eval-seed=7"]):
        run = suite.run("--optimization=optimizers:Polite", "--eval-recompile", *arguments)
        assert run.document is not None
        assert run.document["run"]["train_size"] == 3
        assert run.document["run"]["seed"] == (7 if "--eval-seed=7" in arguments else 0)
        samples.append(seen(suite)[0])
    first, second, other = samples
    assert first == second
    assert len(set(first)) == len(set(other)) == 3
    assert set(first) != set(other)
    assert provenance(suite.path) == {(3, 0), (3, 7)}


def provenance(path: Path) -> set[tuple[int, int]]:
    """Trainset size and seed of the stored programs."""
    files = path.glob(".pitcheval/programs/*.json")
    notes = [json.loads(file.read_text(encoding="utf-8"))["metadata"]["pitcheval"] for file in files]
    return {(note["trainset_size"], note["seed"]) for note in notes}


def test_only_the_sample_is_asked(suite: Suite) -> None:
    mark(suite, '"bootstrap", max_bootstrapped_demos=8, max_labeled_demos=0')
    run = suite.run("--train-size=3")
    run.result.assert_outcomes(passed=3)
    assert len(compiling(run)) == 3 * 2
    assert {demos(request) for request in evaluating(run)} == {3}


NOTHING_LEARNT = {
    "no inputs": (
        'return [dspy.Example(question=f"train {n}?", answer="a") for n in range(4)]',
        "trainset: 4 of 4 examples have no inputs, such as Example({'question': 'train 0?', 'answer': 'a'}) "
        "(input_keys=None); expected dspy.Example(...).with_inputs(...)",
    ),
    "other inputs": (
        'return [dspy.Example(query=f"train {n}?", answer="a").with_inputs("query") for n in range(4)]',
        "the metric raised each of the 4 times it was asked, last AttributeError: 'Example' object has no attribute "
        "'question'",
    ),
    "no examples": ("return []", "trainset: it has no examples; expected a list of dspy.Example"),
}
"""Trainsets of which an optimizer can learn nothing, and the error."""

RAISING = """
@pytest.fixture(scope="session")
def metric():
    def metric(example, pred, trace=None):
        return example.solution == pred.answer

    return metric
"""


BREAKING = """
class Breaking(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        raise KeyError(question)


@pytest.fixture(scope="session")
def program():
    return Breaking()
"""


def trained_on(suite: Suite, body: str) -> None:
    """Give the suite another trainset."""
    suite.add("conftest.py", f'\n\n@pytest.fixture(scope="session")\ndef trainset():\n    {body}\n')


class TestAnOptimizerThatCouldNotDoItsWork:
    """It is no optimized program that is evaluated then, whatever DSPy gives back."""

    @pytest.mark.parametrize("kind", NOTHING_LEARNT)
    def test_is_one_error(self, suite: Suite, kind: str) -> None:
        body, error = NOTHING_LEARNT[kind]
        trained_on(suite, body)
        run = suite.run("--optimization=bootstrap,none")
        run.result.assert_outcomes(errors=1, skipped=2, passed=3)
        assert error_of(run)["error"].endswith(f"compiling Predict with bootstrap failed: {error}")
        assert list((suite.path / ".pitcheval").rglob("programs/*.json")) == []

    def test_of_whose_metric_raises_each_time(self, suite: Suite) -> None:
        suite.add("conftest.py", RAISING)
        run = suite.run("--optimization=bootstrap")
        run.result.assert_outcomes(errors=1, skipped=2)
        assert "the metric raised each of the 8 times it was asked, last AttributeError: " in error_of(run)["error"]

    def test_of_whose_program_raises_each_time(self, suite: Suite) -> None:
        suite.add("conftest.py", BREAKING)
        run = suite.run("--optimization=bootstrap")
        run.result.assert_outcomes(errors=1, skipped=2)
        error = "the metric was not asked once: the program raised on each example of the trainset"
        assert error_of(run)["error"].endswith(f"compiling Breaking with bootstrap failed: {error}")

    def test_labelled_demos_need_no_inputs(self, suite: Suite) -> None:
        trained_on(suite, NOTHING_LEARNT["no inputs"][0])
        suite.run("--optimization=labeled").result.assert_outcomes(passed=3)

    def test_that_bootstrapped_nothing_is_said_in_each_session(self, suite: Suite) -> None:
        suite.scores(lambda request: 0.0)
        for arguments in (["-n0"], ["-n2"]):
            run = suite.run("--optimization=bootstrap", "--eval-threshold=0", *arguments)
            run.result.assert_outcomes(passed=3)
            assert run.text.count("compiling Predict with bootstrap: no answer to the trainset passed the metric") == 1

    def test_that_found_nothing_better_says_so(self, suite: Suite, capfd: pytest.CaptureFixture[str]) -> None:
        suite.write("optimizers.py", "class Same:\n    def compile(self, student):\n        return student\n")
        suite.run("--optimization=optimizers:Same").result.assert_outcomes(passed=3)
        assert "0 LM calls; it changed nothing: the program is as it was\n" in capfd.readouterr().err
