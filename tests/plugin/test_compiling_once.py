"""A program is compiled once for all tests, workers and later sessions, until something that decides it changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dspy
import litellm  # noqa: F401  # loading it takes seconds, which a test with a timeout must not be charged
import pytest
from support.openai_server import Failure, OpenAIServer, Request, dspy_answer
from support.suite import Run, Suite

BOOTSTRAP = '"optimizers:Counting", max_bootstrapped_demos=2, max_labeled_demos=0'

OPTIMIZERS = """
import dspy


class Counting(dspy.BootstrapFewShot):
    def __init__(self, metric, max_bootstrapped_demos=0, max_labeled_demos=2):
        super().__init__(
            metric=metric, max_bootstrapped_demos=max_bootstrapped_demos, max_labeled_demos=max_labeled_demos
        )

    def compile(self, student, *, trainset):
        with open("compiled.txt", "a") as file:
            file.write("once\\n")
        return super().compile(student, trainset=trainset)
"""


@pytest.fixture
def counting(suite: Suite) -> Suite:
    """A suite with an optimizer that counts how often it compiles, and asks for two examples when it does."""
    suite.write("optimizers.py", OPTIMIZERS)
    mark(suite, BOOTSTRAP)
    return suite


def mark(suite: Suite, *markers: str) -> None:
    """Put ``optimization`` markers on ``test_qa``."""
    test = (suite.path / "test_qa.py").read_text(encoding="utf-8")
    lines = "".join(f"@pytest.mark.optimization({arguments})\n" for arguments in markers)
    suite.write("test_qa.py", test.replace("@pytest.mark.evaluation", f"{lines}@pytest.mark.evaluation", 1))


def compiled(suite: Suite) -> int:
    """How often the counting optimizer compiled."""
    path = suite.path / "compiled.txt"
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


def is_compiling(request: Request) -> bool:
    """Whether the program or the judge is asked for an example of the trainset."""
    return "\ntrain " in request.messages[-1]["content"]


def compiling(run: Run) -> int:
    return sum(map(is_compiling, run.requests))


def demos(run: Run) -> set[int]:
    """How many examples DSPy's ChatAdapter showed with the questions of the test."""
    return {(len(request.messages) - 2) // 2 for request in run.by("generator") if not is_compiling(request)}


def stored(suite: Suite) -> dict[str, dict[str, Any]]:
    """The provenance of the stored programs, by fingerprint."""
    files = (suite.path / ".pitcheval" / "programs").glob("*.json")
    notes = [json.loads(file.read_text(encoding="utf-8"))["metadata"]["pitcheval"] for file in files]
    return {note["fingerprint"]: note for note in notes}


@pytest.mark.parametrize("arguments", [("-n0",), ("-n4",)], ids=["n0", "n4"])
def test_a_session_compiles_once(counting: Suite, arguments: tuple[str, ...]) -> None:
    counting.rows(8)
    run = counting.run(*arguments)
    run.result.assert_outcomes(passed=8)
    assert compiled(counting) == 1
    assert compiling(run) == 2 * 2
    assert len(run.requests) == 2 * 2 + 8 * 2
    assert demos(run) == {2}


def test_a_later_session_compiles_nothing(counting: Suite) -> None:
    first, second = counting.run(), counting.run()
    assert [compiling(first), compiling(second)] == [4, 0]
    assert compiled(counting) == 1
    assert demos(first) == demos(second) == {2}
    second.result.assert_outcomes(passed=3)


def test_recompiling_is_done_once_for_all_workers(counting: Suite) -> None:
    counting.run()
    (before,) = stored(counting).values()
    run = counting.run("-n2", "--eval-recompile")
    run.result.assert_outcomes(passed=3)
    assert compiled(counting) == 2
    assert compiling(run) == 0  # compiling may use DSPy's cache, and nothing has changed
    (after,) = stored(counting).values()
    assert after["run_id"] != before["run_id"]
    assert after["lm_calls"] == {"fresh": 0, "cached": 4, "failed": 0}
    counting.run()
    assert compiled(counting) == 2


PROGRAM = """
import dspy


class Writer(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        return self.ask(question=question)
"""

METRIC = """
def rate(example, pred, trace=None):
    return 1.0
"""

FIXTURES = """
from rating import rate
from writer import Writer


@pytest.fixture(scope="session")
def program():
    return Writer()


@pytest.fixture(scope="session")
def metric():
    return rate
"""

VALSET = """

@pytest.fixture(scope="session")
def valset():
    return [dspy.Example(question="valid?", answer="yes").with_inputs("question")]
"""


def replace(suite: Suite, name: str, old: str, new: str) -> None:
    text = (suite.path / name).read_text(encoding="utf-8")
    assert old in text
    suite.write(name, text.replace(old, new, 1))


CHANGES = {
    "trainset": ("conftest.py", "trained {n}", "taught {n}"),
    "metric": ("rating.py", "1.0", "0.9"),
    "program": ("writer.py", "question=question)", "question=question.strip())"),
    "signature": ("writer.py", "question -> answer", "question -> answer: str"),
    "optimizer": ("optimizers.py", "import dspy", "import dspy  # changed"),
    "setting": ("test_qa.py", "max_labeled_demos=0", "max_labeled_demos=1"),
    "model": ("pytest.ini", "openai/generator", "openai/another"),
    "judge": ("pytest.ini", "openai/judge", "openai/another"),
    "temperature": ("pytest.ini", "[pytest]", "[pytest]\ngenerator_temperature = 0.5"),
    "train size": ("pytest.ini", "[pytest]", "[pytest]\ntrain_size = 7"),
    "valset": ("conftest.py", "import pytest\n", f"import pytest\n{VALSET}"),
}

NO_CHANGES = {
    "nothing": ("pytest.ini", "[pytest]", "[pytest]"),
    "test examples": ("data.jsonl", "question 0?", "question 9?"),
    "test": ("test_qa.py", "threshold=0.5", "threshold=0.4"),
    "API key": ("pytest.ini", "sk-for-tests-only", "sk-for-other-tests"),
    "fixtures": ("conftest.py", "import pytest\n", "import pytest\n\n# a comment\n"),
    "timeout": ("pytest.ini", "[pytest]", "[pytest]\neval_timeout = 200"),
}


@pytest.fixture
def separate(counting: Suite) -> Suite:
    """The counting suite, with its program and its metric in files of their own."""
    counting.rows(1)
    counting.write("writer.py", PROGRAM)
    counting.write("rating.py", METRIC)
    counting.add("conftest.py", FIXTURES)
    return counting


@pytest.mark.parametrize("what", CHANGES)
def test_what_decides_the_compiled_program_compiles_again(separate: Suite, what: str) -> None:
    separate.run().result.assert_outcomes(passed=1)
    replace(separate, *CHANGES[what])
    separate.run().result.assert_outcomes(passed=1)
    assert compiled(separate) == len(stored(separate)) == 2


@pytest.mark.parametrize("what", NO_CHANGES)
def test_what_does_not_decide_it_compiles_nothing(separate: Suite, what: str) -> None:
    separate.run().result.assert_outcomes(passed=1)
    replace(separate, *NO_CHANGES[what])
    separate.run().result.assert_outcomes(passed=1)
    assert compiled(separate) == len(stored(separate)) == 1


def test_going_back_compiles_nothing(separate: Suite) -> None:
    name, old, new = CHANGES["metric"]
    separate.run()
    replace(separate, name, old, new)
    separate.run()
    replace(separate, name, new, old)
    separate.run()
    assert compiled(separate) == 2


def read_program(path: Path) -> tuple[Any, dict[str, Any]]:
    """The program as plain DSPy loads it, and the provenance in its file."""
    program = dspy.Predict("question -> answer")
    program.load(str(path))
    provenance: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["metadata"]["pitcheval"]
    return program, provenance


def test_a_saved_program_loads_in_dspy(counting: Suite) -> None:
    run = counting.run("--save-program=out/program.json")
    run.result.assert_outcomes(passed=3)
    program, provenance = read_program(counting.path / "out" / "program.json")
    assert len(program.demos) == 2
    assert {demo["question"] for demo in program.demos} == {"train 0?", "train 1?"}
    assert provenance == stored(counting)[provenance["fingerprint"]]
    assert provenance["optimization"] == "optimizers:Counting"
    assert provenance["settings"] == {"max_bootstrapped_demos": 2, "max_labeled_demos": 0}
    assert provenance["generator"]["model"] == "openai/generator"
    assert provenance["evaluator"]["model"] == "openai/judge"
    assert provenance["generator"]["temperature"] == 1.0
    assert provenance["trainset_size"] == 8
    assert provenance["lm_calls"] == {"fresh": 4, "cached": 0, "failed": 0}
    assert "sk-for-tests-only" not in (counting.path / "out" / "program.json").read_text(encoding="utf-8")


def test_a_program_from_the_store_is_saved_as_well(counting: Suite) -> None:
    counting.run()
    counting.run("--save-program=program.json")
    program, provenance = read_program(counting.path / "program.json")
    assert len(program.demos) == 2
    assert provenance["fingerprint"] in stored(counting)
    assert compiled(counting) == 1


def test_a_program_that_was_not_optimized_is_saved_too(suite: Suite) -> None:
    suite.run("--save-program=program.json")
    program, provenance = read_program(suite.path / "program.json")
    assert program.demos == []
    assert provenance["optimization"] == "none"


@pytest.mark.parametrize("where", ["command line", "markers"])
def test_each_of_several_methods_has_a_file_of_its_own(suite: Suite, where: str) -> None:
    arguments = ["--optimization=none,labeled"] if where == "command line" else []
    if where == "markers":
        mark(suite, '"none"', '"labeled"')
    suite.run(*arguments, "--save-program=program.json").result.assert_outcomes(passed=6)
    shown = {path.name: len(read_program(path)[0].demos) for path in suite.path.glob("program*.json")}
    assert shown == {"program-none.json": 0, "program-labeled.json": 8}


def test_knn_cannot_be_saved_but_evaluated(suite: Suite) -> None:
    mark(suite, '"knn", k=2')
    run = suite.run()
    run.result.assert_outcomes(passed=3)
    run = suite.run("--save-program=program.json")
    run.result.assert_outcomes(errors=3)
    assert "--save-program: DSPy's JSON cannot hold a program compiled with 'knn'" in run.tests[0]["error"]
    assert not (suite.path / "program.json").exists()


OWN_LM = """
OWN_LM = dspy.LM("openai/own", api_base={url!r}, api_key="sk-of-its-own", num_retries=0)


class Drafts(dspy.Module):
    def __init__(self):
        super().__init__()
        self.draft, self.polish = dspy.Predict("question -> draft"), dspy.Predict("draft -> answer")
        self.polish.set_lm(OWN_LM)

    def forward(self, question):
        return self.polish(draft=self.draft(question=question).draft)


@pytest.fixture(scope="session")
def program():
    return Drafts()
"""


def test_predictors_keep_lms_of_their_own(counting: Suite) -> None:
    counting.add("conftest.py", OWN_LM.format(url=counting.server.url))
    first, second = counting.run(), counting.run()
    assert compiled(counting) == 1
    for run in (first, second):
        run.result.assert_outcomes(passed=3)
    assert len(first.by("own")) == 3 + 2
    assert len(second.by("own")) == len(second.by("generator")) == 3
    assert len({request.number for request in second.by("own") if len(request.messages) == 6}) == 3  # two demos each


TIMEOUT = 4.0
"""Seconds, far more than a test takes."""


def slow_while_compiling(server: OpenAIServer) -> None:
    """Make each of the four requests of compiling take over a quarter of the timeout."""

    def answer(request: Request) -> str:
        if is_compiling(request):
            server.closed.wait(TIMEOUT / 3)
        return dspy_answer(request)

    server.answer = answer


def hang_at_question_1(request: Request) -> Failure | None:
    return Failure(hang=True) if "question 1?" in request.messages[-1]["content"] else None


@pytest.mark.parametrize("option", ["timeout", "eval-timeout"])
def test_compiling_is_not_charged_to_a_test(counting: Suite, option: str) -> None:
    slow_while_compiling(counting.server)
    counting.server.fail = hang_at_question_1
    run = counting.run(f"--{option}={TIMEOUT}")
    run.result.assert_outcomes(passed=2, errors=1)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    (note,) = stored(counting).values()
    assert note["seconds"] > TIMEOUT
    assert [test["status"] for test in run.tests] == ["passed", "error", "passed"]
    assert "Timeout" in run.tests[1]["error"]


def test_lm_calls_that_fail_while_compiling_are_a_warning_and_compiled_again_next_time(suite: Suite) -> None:
    def asks_of_train_1(request: Request) -> bool:
        return "train 1?" in str(request.messages[-1]["content"])  # not in the demos

    def fail(request: Request) -> Failure | None:
        return Failure(status=400) if asks_of_train_1(request) else None

    suite.server.fail = fail
    run = suite.run("-Wdefault", "--optimization=bootstrap", subprocess=True)
    run.result.assert_outcomes(passed=3, warnings=1)
    assert "1 LM calls failed: the program may be a worse one" in run.text
    suite.server.fail = lambda request: None
    again = suite.run("--optimization=bootstrap", subprocess=True)
    again.result.assert_outcomes(passed=3)
    assert any(asks_of_train_1(request) for request in again.requests)
