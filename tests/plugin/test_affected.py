"""``--eval-affected``: examples whose scores come from the same as the baseline's are not asked."""

from __future__ import annotations

import pytest
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
