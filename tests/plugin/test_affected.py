"""``--eval-affected``: examples whose scores come from the same as the baseline's are not asked."""

from __future__ import annotations

import json
import shutil

import pytest
from support.command_line import Command
from support.suite import Run, Suite

AFFECTED = "--eval-affected"
EXAMPLES = 4

CONFTEST = """
import pytest
from programs import First
from judges import Judge


@pytest.fixture(scope="session")
def program():
    return First()


@pytest.fixture(scope="session")
def metric(evaluator_lm):
    return Judge(evaluator_lm)
"""

FILES = {
    "programs.py": """
import dspy
from kit.text import tidy


class First(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        import kit.late as late
        return self.ask(question=late.ask(tidy(question)))


class Second(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict(dspy.Signature("question -> answer", "Be brief."))

    def forward(self, question):
        return self.ask(question=question)
""",
    "kit/__init__.py": "",
    "kit/text.py": """
from .deep import strip
from .settings import SETTINGS


def tidy(text):
    return strip(text) + SETTINGS.suffix
""",
    "kit/deep.py": """
def strip(text):
    return text.strip()
""",
    "kit/late.py": """
def ask(text):
    return "Say: " + text
""",
    "kit/settings.py": """
import dataclasses


@dataclasses.dataclass
class Settings:
    suffix: str = "?"


SETTINGS = Settings()
""",
    "judges.py": """
import dspy
from wording import Verdict


class Judge:
    def __init__(self, lm):
        self.judge = dspy.Predict(Verdict)
        self.judge.set_lm(lm)

    def __call__(self, example, pred, trace=None):
        verdict = self.judge(question=example.question, answer=pred.answer)
        return dspy.Prediction(score=verdict.score, feedback=verdict.feedback)
""",
    "wording.py": '''
import dspy


class Verdict(dspy.Signature):
    """How good is the answer?"""

    question: str = dspy.InputField()
    answer: str = dspy.InputField()
    score: float = dspy.OutputField()
    feedback: str = dspy.OutputField()
''',
    "test_second.py": """
import pytest
from programs import Second


@pytest.fixture(scope="module")
def program():
    return Second()


@pytest.mark.evaluation("data.jsonl", inputs=["question"], threshold=0.5)
def test_second(score):
    assert score >= score.threshold
""",
    "prompts/style.txt": "short",
}


@pytest.fixture
def suite(suite: Suite) -> Suite:
    """Two tests of a program each, four examples, one judge; what they import stands in many files."""
    suite.write("conftest.py", CONFTEST + TRAINSET)
    suite.add("pytest.ini", "eval_sources =\n    prompts/*.txt\n")
    for name, text in FILES.items():
        suite.write(name, text)
    suite.rows(EXAMPLES)
    return suite


TRAINSET = """

@pytest.fixture(scope="session")
def trainset():
    import dspy
    return [dspy.Example(question=f"train {n}?", answer=f"trained {n}").with_inputs("question") for n in range(8)]
"""


def asked(run: Run) -> dict[str, set[str]]:
    """The examples that were asked, by test function."""
    assert run.document is not None, run.text
    found: dict[str, set[str]] = {}
    for test in run.tests:
        if test["left_out"] is None:
            found.setdefault(test["test"].partition("::")[2], set()).add(test["example_id"])
    assert len(run.requests) == 2 * sum(map(len, found.values()))
    return found


ALL = {f"e{n}" for n in range(EXAMPLES)}


def edit(suite: Suite, name: str, old: str, new: str) -> None:
    text = (suite.path / name).read_text(encoding="utf-8")
    assert text.count(old) == 1
    suite.write(name, text.replace(old, new))


def gates(run: Run) -> dict[str, tuple[str, str]]:
    """The gates of ``test_qa``."""
    assert run.document is not None, run.text
    of_test = [gate for gate in run.document["gates"] if gate["test"].endswith("test_qa")]
    return {gate["gate"]: (gate["status"], gate["reason"]) for gate in of_test}


EDITS: dict[str, tuple[str, str, str, dict[str, set[str]]]] = {
    "nothing": ("kit/deep.py", "strip()", "strip()", {}),
    "one of two programs": ("programs.py", "question=question)", "question=question + '!')", {"test_second": ALL}),
    "a helper's helper": ("kit/deep.py", "text.strip()", "text.strip().lower()", {"test_qa": ALL}),
    "what is imported late": ("kit/late.py", "Say: ", "Tell: ", {"test_qa": ALL}),
    "a class of data": ("kit/settings.py", '"?"', '"??"', {"test_qa": ALL}),
    "the judge's wording": ("wording.py", "How good", "How bad", {"test_qa": ALL, "test_second": ALL}),
    "one row": ("data.jsonl", "question 2?", "question two?", {"test_qa": {"e2"}, "test_second": {"e2"}}),
    "a listed file": ("prompts/style.txt", "short", "long", {"test_qa": ALL, "test_second": ALL}),
    "the model's settings": (
        "pytest.ini",
        "generator_settings =",
        "generator_settings =\n    top_p = 0.5",
        {"test_qa": ALL, "test_second": ALL},
    ),
    "the trainset, which nobody uses": ("conftest.py", "trained {n}", "learnt {n}", {}),
    "a remark": ("kit/deep.py", "    return", "    # Blanks\n    return", {}),
    "a gate": ("test_qa.py", "threshold=0.5", "threshold=0.5, min_mean=0.7", {}),
    "the other test": ("test_second.py", "assert score", "assert score.passed and score", {"test_second": ALL}),
}


@pytest.mark.parametrize(("name", "old", "new", "expected"), EDITS.values(), ids=EDITS)
def test_after_an_edit(suite: Suite, name: str, old: str, new: str, expected: dict[str, set[str]]) -> None:
    suite.run("--eval-update-baseline")
    edit(suite, name, old, new)
    run = suite.run(AFFECTED, "--eval-baseline-allow=metric")
    assert run.result.ret == pytest.ExitCode.OK, run.text
    assert asked(run) == expected


def test_where_nothing_has_changed_nothing_is_asked_and_a_line_says_so(
    suite: Suite, plugin_args: tuple[str, ...]
) -> None:
    suite.run("--eval-update-baseline", *plugin_args)
    run = suite.run(AFFECTED, "--eval-gate=strict", *plugin_args)
    assert run.result.ret == pytest.ExitCode.OK, run.text
    assert run.requests == []
    run.result.assert_outcomes(skipped=2 * EXAMPLES)
    line = f"nothing asked: all of {2 * EXAMPLES} examples unchanged since pitcheval-baseline.json"
    assert line in run.result.stdout.lines
    assert gates(run)["max_regression"] == (
        "passed",
        f"nothing to compare: {EXAMPLES} examples are unchanged since the baseline",
    )
    assert {test["error"] for test in run.tests} == {"unchanged since the baseline"}
    assert {tuple(test["samples"]) for test in run.tests} == {(0.75,)}


def test_all_reports_say_what_was_asked(suite: Suite) -> None:
    suite.run("--eval-update-baseline")
    edit(suite, "data.jsonl", "question 2?", "question two?")
    paths = {name: suite.path / name for name in ("junit.xml", "run.html", "run.md")}
    run = suite.run(
        AFFECTED,
        "--eval-min-mean=0.5",
        f"--junit-xml={paths['junit.xml']}",
        f"--eval-html={paths['run.html']}",
        f"--eval-markdown={paths['run.md']}",
    )
    of_test, of_all = f"unchanged {EXAMPLES - 1}, asked 1", f"unchanged {2 * EXAMPLES - 2}, asked 2"
    assert f"  {of_test}; mean of 1 of {EXAMPLES} [none]" in run.result.stdout.lines
    assert of_all in run.text
    assert run.document is not None
    assert {group["note"] for group in run.document["summary"]} == {f"{of_test}; mean of 1 of {EXAMPLES}"}
    for name in ("run.html", "run.md"):
        text = paths[name].read_text(encoding="utf-8")
        assert of_all in text, name
        assert of_test in text, name
    xml = paths["junit.xml"].read_text(encoding="utf-8")
    assert f'name="pitcheval.unchanged" value="{2 * EXAMPLES - 2}"' in xml
    assert 'name="pitcheval.asked" value="2"' in xml
    assert gates(run) == {
        "min_mean": ("passed", f"mean 0.75 reaches 0.5, {EXAMPLES - 1} of {EXAMPLES} as in the baseline"),
        "max_regression": ("passed", f"nothing to compare: {EXAMPLES - 1} examples are unchanged since the baseline"),
    }


def test_gates_compare_what_was_asked(suite: Suite) -> None:
    """Six of twelve examples have more rollouts than the baseline: these are asked, and have fallen."""
    suite.rows(12)
    suite.run("--eval-update-baseline")
    edit(suite, "test_second.py", "assert score >= score.threshold", "pass")
    suite.scores(lambda request: 0.6)
    run = suite.run(AFFECTED)
    assert run.document is not None
    [first, second] = run.document["gates"]
    assert first["reason"] == "nothing to compare: 12 examples are unchanged since the baseline"
    assert (second["status"], second["reason"].rpartition(", ")[2]) == ("failed", "12 examples")


def test_absolute_gates_are_about_all_examples(suite: Suite) -> None:
    suite.scores(lambda request: 0.9 if "question 1?" in request.prompt else 0.7)
    suite.run("--eval-update-baseline", "-k", "test_qa")
    edit(suite, "data.jsonl", "question 2?", "question two?")
    suite.scores(lambda request: 0.1)
    run = suite.run(AFFECTED, "--eval-min-mean=0.55", "--eval-min-pass-rate=0.75", "-k", "test_qa")
    assert asked(run) == {"test_qa": {"e2"}}
    known = f"{EXAMPLES - 1} of {EXAMPLES} as in the baseline"
    assert gates(run)["min_mean"] == (
        "passed",
        f"mean 0.6 reaches 0.55, not established (95 % 0.0494 to 1.15), {known}",
    ) or gates(run)["min_mean"] == ("passed", f"mean 0.6 reaches 0.55, {known}")
    assert gates(run)["min_pass_rate"] == ("passed", f"pass rate 0.75 reaches 0.75, {known}")
    again = suite.run(AFFECTED, "--eval-min-mean=0.65", "-k", "test_qa")
    assert gates(again)["min_mean"][0] == "failed"


def test_rollouts_that_the_baseline_lacks_are_asked(suite: Suite) -> None:
    suite.run("--eval-update-baseline", "-k", "test_qa")
    more = suite.run(AFFECTED, "--eval-rollouts=3", "-k", "test_qa")
    assert len(more.requests) == 2 * 3 * EXAMPLES
    suite.run("--eval-update-baseline", "--eval-rollouts=3", "-k", "test_qa")
    assert suite.run(AFFECTED, "--eval-rollouts=3", "-k", "test_qa").requests == []
    assert suite.run(AFFECTED, "-k", "test_qa").requests == []


def test_what_failed_is_asked_again(suite: Suite) -> None:
    suite.scores(lambda request: 0.4 if "question 1?" in request.prompt else 0.75)
    suite.run("--eval-update-baseline", "-k", "test_qa")
    assert asked(suite.run(AFFECTED, "-k", "test_qa")) == {"test_qa": {"e1"}}
    assert asked(suite.run(AFFECTED, "--eval-threshold=0.8", "-k", "test_qa")) == {"test_qa": ALL}
    edit(suite, "test_qa.py", "assert score", "assert 'answer 1' != score.prediction.answer and score")
    suite.run("--eval-update-baseline", "-k", "test_qa")


def test_an_update_keeps_what_is_unchanged(suite: Suite, command: Command) -> None:
    suite.run("--eval-update-baseline", "-k", "test_qa")
    edit(suite, "data.jsonl", "question 2?", "question two?")
    suite.scores(lambda request: 0.9)
    run = suite.run(AFFECTED, "--eval-update-baseline", "-k", "test_qa")
    assert asked(run) == {"test_qa": {"e2"}}
    assert f"baseline: pitcheval-baseline.json: 1 example written, {EXAMPLES - 1} kept, 0 removed" in run.text
    again = suite.run(AFFECTED, "--eval-min-mean=0.78", "-k", "test_qa")
    assert again.requests == []
    assert gates(again)["min_mean"] == (
        "passed",
        f"mean 0.7875 reaches 0.78, {EXAMPLES} of {EXAMPLES} as in the baseline",
    )
    said = command("decide", "last", "--eval-min-mean=0.8")
    assert said.code == 1
    assert any("mean 0.7875 is below 0.8" in line for line in said.lines)
    assert suite.run(AFFECTED, "--eval-baseline=last", "-k", "test_qa").requests == []


def test_a_replay_leaves_the_same_out_and_a_continued_run_asks_it(suite: Suite) -> None:
    suite.run("--eval-update-baseline", "-k", "test_qa")
    edit(suite, "data.jsonl", "question 2?", "question two?")
    first = suite.run(AFFECTED, "--eval-min-mean=0.5", "-k", "test_qa")
    second = suite.run("--eval-replay=last", "--eval-min-mean=0.5", "-k", "test_qa")
    assert second.requests == []
    assert gates(second) == gates(first)
    third = suite.run("--eval-resume=last", AFFECTED, "-k", "test_qa")
    assert (third.requests, third.result.ret) == ([], pytest.ExitCode.OK)
    assert len(suite.run("--eval-resume=last", "-k", "test_qa").requests) == 2 * (EXAMPLES - 1)


@pytest.mark.parametrize("arguments", [("-n4",), ("-n0", "--eval-concurrency=1")], ids=["workers", "in turn"])
def test_looking_ahead_begins_nothing_that_is_unchanged(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.rows(40)
    suite.run("--eval-update-baseline", "-k", "test_qa")
    rows = (suite.path / "data.jsonl").read_text(encoding="utf-8")
    for number in range(0, 40, 5):
        rows = rows.replace(f"question {number}?", f"another question {number}?")
    suite.write("data.jsonl", rows)
    run = suite.run(AFFECTED, "-k", "test_qa", *arguments)
    assert asked(run) == {"test_qa": {f"e{n}" for n in range(0, 40, 5)}}


def test_shards_are_put_together(suite: Suite, command: Command) -> None:
    suite.run("--eval-update-baseline")
    edit(suite, "data.jsonl", "question 2?", "question two?")
    for name in ("test_qa.py", "test_second.py"):
        suite.run(AFFECTED, "--eval-min-mean=0.5", name)
    runs = sorted(path.stem for path in (suite.path / ".pitcheval" / "runs").glob("*.json"))[-2:]
    said = command("merge", *runs, "--eval-min-mean=0.7")
    assert said.code == 0, said.lines
    known = f"{EXAMPLES - 1} of {EXAMPLES} as in the baseline"
    assert sum(known in line for line in " ".join(" ".join(said.lines).split()).split("ok ")) == 2


def test_what_is_unchanged_counts_for_what_is_decided(suite: Suite) -> None:
    """A mean of 0.98 cannot be reached any more after four of forty examples, whether they were asked or not."""
    suite.rows(40)
    suite.run("--eval-update-baseline", "-k", "test_qa")
    rows = (suite.path / "data.jsonl").read_text(encoding="utf-8")
    suite.write("data.jsonl", rows.replace("question 1", "another question 1"))
    run = suite.run(AFFECTED, "--eval-stop=decided", "--eval-min-mean=0.98", "--eval-concurrency=1", "-k", "test_qa")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.document is not None
    [summary] = run.document["summary"]
    assert summary["scored"] + summary["unchanged"] == 4
    assert summary["left_out_for"] == {"unchanged": summary["unchanged"], "decided": 36}
    assert len(run.requests) == 2 * summary["scored"]
    assert gates(run)["min_mean"] == ("failed", "mean 0.75 of 4 of 40 is below 0.98, whatever the rest scores")


def test_slices_and_what_must_pass(suite: Suite) -> None:
    rows = [
        {"id": f"e{n}", "question": f"question {n}?", "topic": "odd" if n % 2 else "even", "critical": n < 2}
        for n in range(EXAMPLES)
    ]
    suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    edit(
        suite, "test_qa.py", "threshold=0.5", 'threshold=0.5, slices={"topic": {"min_mean": 0.5}}, must_pass="critical"'
    )
    suite.run("--eval-update-baseline", "-k", "test_qa")
    edit(suite, "data.jsonl", "question 1?", "question one?")
    run = suite.run(AFFECTED, "-k", "test_qa")
    assert asked(run) == {"test_qa": {"e1"}}
    assert run.document is not None
    reasons = {(gate["gate"], gate["slice"]): (gate["status"], gate["reason"]) for gate in run.document["gates"]}
    assert reasons["min_mean", "topic=even"] == (
        "passed",
        "mean 0.75 reaches 0.5, 2 examples, 2 of 2 as in the baseline",
    )
    assert reasons["min_mean", "topic=odd"] == (
        "passed",
        "mean 0.75 reaches 0.5, 2 examples, 1 of 2 as in the baseline",
    )
    assert reasons["must_pass", "critical"] == ("passed", "all of 2 examples passed, 1 of them for the baseline")


class TestOptimized:
    """With a method that compiles the program: eight examples of the trainset are asked for that, once."""

    METHOD = ("--optimization=none,bootstrap", "-k", "test_qa")

    def test_without_a_stored_program_nothing_is_compiled(self, suite: Suite) -> None:
        suite.run("--eval-update-baseline", *self.METHOD)
        shutil.rmtree(suite.path / ".pitcheval")
        run = suite.run(AFFECTED, *self.METHOD)
        assert (run.requests, run.result.ret) == ([], pytest.ExitCode.OK)
        assert not list((suite.path / ".pitcheval").glob("programs/*.json"))

    def test_another_trainset_asks_what_is_compiled_from_it(self, suite: Suite) -> None:
        suite.run("--eval-update-baseline", *self.METHOD)
        edit(suite, "conftest.py", "trained {n}", "learnt {n}")
        run = suite.run(AFFECTED, *self.METHOD)
        assert {(t["optimization"], t["left_out"]) for t in run.tests} == {("none", "unchanged"), ("bootstrap", None)}

    def test_another_program_of_an_earlier_session_is_asked(self, suite: Suite) -> None:
        suite.run("--eval-update-baseline", *self.METHOD)
        for path in (suite.path / ".pitcheval" / "programs").glob("*.json"):
            path.write_text(path.read_text(encoding="utf-8").replace("answer 1", "another answer 1"), encoding="utf-8")
        run = suite.run(AFFECTED, *self.METHOD)
        assert {(t["optimization"], t["left_out"]) for t in run.tests} == {("none", "unchanged"), ("bootstrap", None)}
        assert len(run.requests) == 2 * EXAMPLES
        assert len(suite.run(AFFECTED, "--eval-recompile", *self.METHOD).requests) >= 2 * EXAMPLES


MADE = {
    "in conftest, by a number in a fixture": (
        "conftest.py",
        """

class Times:
    def __init__(self, number):
        self.number = number

    def __call__(self, text):
        return text * self.number


class Loud(__import__("dspy").Module):
    def __init__(self, change):
        super().__init__()
        self.ask = __import__("dspy").Predict("question -> answer")
        self.change = change

    def forward(self, question):
        return self.ask(question=self.change(question))


@pytest.fixture(scope="session")
def times():
    return Times(2)


@pytest.fixture(scope="session")
def program(times):
    return Loud(times)
""",
        ("conftest.py", "Times(2)", "Times(3)"),
    ),
    "from a file of DSPy": (
        "conftest.py",
        """

@pytest.fixture(scope="session")
def program():
    made = First()
    made.load("program.json")
    return made
""",
        ("program.json", "${answer}", "${better answer}"),
    ),
    "by a variable of the environment": (
        "programs.py",
        """

def styled(forward):
    import os
    return lambda self, question: forward(self, question=question + os.environ["STYLE"])


First.forward = styled(First.forward)
""",
        ("style.txt", "short", "long"),
    ),
    "with an adapter": (
        "conftest.py",
        """

@pytest.fixture(scope="session", autouse=True)
def adapter():
    import dspy
    with dspy.context(adapter=dspy.ChatAdapter(use_json_adapter_fallback=True)):
        yield
""",
        ("conftest.py", "fallback=True", "fallback=False"),
    ),
}


@pytest.mark.parametrize(("file", "text", "change"), MADE.values(), ids=MADE)
def test_programs_that_are_made_otherwise(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, file: str, text: str, change: tuple[str, str, str]
) -> None:
    import dspy

    suite.add(file, text)
    program = dspy.Predict("question -> answer")
    program.save(suite.write("program.json", ""))
    state = json.loads((suite.path / "program.json").read_text(encoding="utf-8"))
    suite.write("program.json", json.dumps({"ask": state, "metadata": state.pop("metadata")}))
    suite.write("style.txt", "short")
    monkeypatch.setenv("STYLE", "short")
    suite.run("--eval-update-baseline", "-k", "test_qa")
    assert suite.run(AFFECTED, "-k", "test_qa").requests == []
    edit(suite, *change)
    monkeypatch.setenv("STYLE", (suite.path / "style.txt").read_text(encoding="utf-8"))
    assert asked(suite.run(AFFECTED, "-k", "test_qa")) == {"test_qa": ALL}


def test_one_of_the_programs_that_a_fixture_has_as_parameters(suite: Suite) -> None:
    suite.add(
        "conftest.py",
        """
from programs import Second


@pytest.fixture(scope="session", params=[First, Second], ids=["first", "second"])
def program(request):
    return request.param()
""",
    )
    suite.run("--eval-update-baseline", "test_qa.py")
    edit(suite, "programs.py", "question=question)", "question=question + '!')")
    assert asked(suite.run(AFFECTED, "test_qa.py")) == {"test_qa[second]": ALL}


def test_without_a_baseline_all_are_asked_and_a_line_says_so(suite: Suite) -> None:
    run = suite.run(AFFECTED, "-k", "test_qa")
    assert asked(run) == {"test_qa": ALL}
    assert "--eval-affected: there is no baseline, so all examples are asked" in run.result.stdout.lines


def test_a_baseline_that_does_not_tell_asks_all(suite: Suite) -> None:
    suite.run("--eval-update-baseline", "-k", "test_qa")
    path = suite.path / "pitcheval-baseline.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    [group] = document["tests"]["test_qa.py::test_qa"].values()
    del group["fingerprints"]["origin"]
    path.write_text(json.dumps({**document, "schema_version": 2}), encoding="utf-8")
    run = suite.run(AFFECTED, "-k", "test_qa")
    assert asked(run) == {"test_qa": ALL}
    assert "pitcheval-baseline.json does not tell what its scores come from" in run.text
    grown = suite.run("--eval-update-baseline=add", "-k", "test_qa")
    assert "4 added to" in grown.text
    assert suite.run(AFFECTED, "-k", "test_qa").requests == []
    assert len(suite.run(AFFECTED, "--eval-rollouts=2", "-k", "test_qa").requests) == 4 * EXAMPLES


def test_what_cannot_be_seen_is_asked(suite: Suite) -> None:
    edit(suite, "kit/late.py", "def ask(text):\n", "def ask(text, name='kit.deep'):\n    __import__(name)\n")
    suite.run("--eval-update-baseline", "-k", "test_qa")
    run = suite.run(AFFECTED, "-k", "test_qa")
    assert asked(run) == {"test_qa": ALL}
    told = " ".join(run.text.split())
    assert "--eval-affected asks all, as not all of the program can be seen:" in told
