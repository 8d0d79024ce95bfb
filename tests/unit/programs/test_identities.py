"""What a score is of: fingerprints that change with what decides it, and with nothing that is merely near."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_pitcheval.names import GENERATOR, JUDGE, METRIC, PROGRAM
from pytest_pitcheval.programs.descriptions import Describer
from pytest_pitcheval.programs.fingerprints import digest_of
from pytest_pitcheval.programs.identities import Identities, example_identity, identity

MODULE = """
import functools
import re

LIMIT = 3
WORDS = {"good", "fine"}
PATTERN = re.compile("[0-9]+")
STEPS = [lambda text: text.strip()]
SETTINGS = {"strict": True}
UNUSED = 1


def helper(text):
    return text.strip()


@functools.cache
def deeper(text):
    return helper(text) + "!"


def unused():
    return 1


class Base:
    def weight(self):
        return 1


class Metric(Base):
    def __init__(self, strict=False):
        self.strict = strict

    def __call__(self, example, pred, trace=None):
        return self.weight() * (helper(pred) == "a")

    def score(self, example, pred, trace=None):
        return self(example, pred)


def decorated(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)
    return inner


def metric(example, pred, trace=None):
    return deeper(pred) in WORDS and len(pred) < LIMIT and bool(PATTERN.match(pred)) and SETTINGS["strict"]


@decorated
def wrapped(example, pred, trace=None):
    return STEPS[0](pred)


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


short = lambda example, pred, trace=None: helper(pred) == "a"
first, second = helper, deeper
one = lambda text: text
two = lambda text: text + "2"


def of_lambdas(example, pred, trace=None):
    return one(pred) == two(pred)


def use_lambdas(pred):
    return one(pred)
"""


def own_source(code: Any) -> str:
    """Digits that change with a function or class, and with what it uses of its own module."""
    return digest_of(Describer().describe(code))


class Code:
    """A module that is written, imported, and written again as a session later finds it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._monkeypatch, self._count = folder, monkeypatch, 0
        monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(self, text: str = MODULE, name: str = "code_of_test", file: str | None = None) -> ModuleType:
        self._count += 1
        path = self._folder / str(self._count) / f"{file or name}.py"  # a session reads a file once
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        self._monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    def changes(self, old: str, new: str, of: str, source: Callable[[Any], str] = own_source) -> bool:
        """Whether what is said of the attribute ``of`` changes where ``old`` becomes ``new``."""
        assert MODULE.count(old) == 1
        found = [source(getattr(self.load(text), of)) for text in (MODULE, MODULE.replace(old, new))]
        return found[0] != found[1]


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Code:
    return Code(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("of", "old", "new"),
    [
        ("metric", "deeper(pred) in WORDS", "deeper(pred) not in WORDS"),
        ("metric", 'helper(text) + "!"', 'helper(text) + "?"'),
        ("metric", "def helper(text):\n    return text.strip()", "def helper(text):\n    return text"),
        ("metric", "LIMIT = 3", "LIMIT = 4"),
        ("metric", '{"good", "fine"}', '{"good", "bad"}'),
        ("metric", '"[0-9]+"', '"[0-9]*"'),
        ("metric", '"strict": True', '"strict": False'),
        ("wrapped", "STEPS[0](pred)", "STEPS[0](pred + pred)"),
        ("wrapped", "lambda text: text.strip()", "lambda text: text.rstrip()"),
        ("wrapped", "return function(*args)", "return not function(*args)"),
        ("Metric", "strict=False", "strict=True"),
        ("Metric", "return 1\n\n\nclass Metric", "return 2\n\n\nclass Metric"),
        ("Metric", "def helper(text):\n    return text.strip()", "def helper(text):\n    return text"),
        ("even", "n != 0 and", "n == 1 and"),
        ("short", 'helper(pred) == "a"\nfirst', 'helper(pred) == "b"\nfirst'),
        ("short", "def helper(text):\n    return text.strip()", "def helper(text):\n    return text"),
        ("of_lambdas", "one = lambda text: text\n", "one = lambda text: text + text\n"),
        ("of_lambdas", 'text + "2"', 'text + "3"'),
    ],
)
def test_a_change_of_what_decides_a_score_counts(code: Code, of: str, old: str, new: str) -> None:
    assert code.changes(old, new, of)


@pytest.mark.parametrize("of", ["metric", "wrapped", "Metric", "even", "short", "of_lambdas"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("UNUSED = 1", "UNUSED = 2"),
        ("def unused():\n    return 1", "def unused():\n    return 2"),
        ("import functools\n", "import functools\nimport os\n"),
        ("LIMIT = 3", "# a remark\nLIMIT = 3"),
    ],
)
def test_a_change_beside_it_does_not(code: Code, of: str, old: str, new: str) -> None:
    assert not code.changes(old, new, of)


def test_lambdas_of_one_line_are_told_apart() -> None:
    strict, mild = lambda example, pred: pred == "a", lambda example, pred: pred in "abc"
    assert identity("metric", strict) != identity("metric", mild)
    [alone] = [lambda example, pred: pred == "a"]
    assert identity("metric", strict) == identity("metric", alone)


def test_a_change_of_another_lambda_does_not_count(code: Code) -> None:
    assert not code.changes('text + "2"', 'text + "3"', "use_lambdas")


def metric_mark(value: Any) -> str:
    return identity(METRIC, value)


def test_state_of_a_metric_counts(code: Code) -> None:
    module = code.load()
    assert metric_mark(module.Metric()) == metric_mark(module.Metric())
    assert metric_mark(module.Metric()) != metric_mark(module.Metric(strict=True))
    assert metric_mark(module.Metric().score) != metric_mark(module.Metric(strict=True).score)


def test_a_method_counts_with_its_class(code: Code) -> None:
    def of_method(kind: Any) -> str:
        return metric_mark(kind().score)

    assert code.changes('self.weight() * (helper(pred) == "a")', '2 * (helper(pred) == "a")', "Metric", of_method)
    assert not code.changes("UNUSED = 1", "UNUSED = 2", "Metric", of_method)


@pytest.mark.parametrize("value", [len, str.upper, eval("lambda example, pred: 1.0"), dict, type("Made", (), {})])
def test_what_has_no_source_has_a_fingerprint(value: Any) -> None:
    assert metric_mark(value) == metric_mark(value)
    assert len(bytes.fromhex(metric_mark(value))) == 6


def test_two_files_of_one_module_name_are_told_apart(code: Code) -> None:
    """As ``conftest.py`` of a folder and of a folder within it: the later one takes the name."""
    outer = "LIMIT = 3\n\n\ndef metric(example, pred):\n    return len(pred) < LIMIT\n"
    inner = "LIMIT = {}\n\n\nclass Other: ...\n"

    def mark(limit: int) -> str:
        module = code.load(outer, "conftest_of_test")
        code.load(inner.format(limit), "conftest_of_test")
        return own_source(module.metric)

    assert mark(1) == mark(2)


class LM:
    """Like ``dspy.LM``."""

    def __init__(self, model: str, **kwargs: Any) -> None:
        self.model, self.kwargs = model, kwargs


class Judging:
    def __init__(self, lm: Any, style: str = "kind") -> None:
        self.lm, self.style = lm, style


class TestJudge:
    def test_an_lm_of_the_metric_is_the_judge_and_not_the_metric(self) -> None:
        one, two = Judging(LM("groq/a")), Judging(LM("groq/b"))
        assert identity(METRIC, one) == identity(METRIC, two)
        assert identity(JUDGE, one, None) != identity(JUDGE, two, None)

    def test_the_rest_of_the_metric_is_not_the_judge(self) -> None:
        lm = LM("groq/a")
        one, two = Judging(lm), Judging(lm, "strict")
        assert identity(METRIC, one) != identity(METRIC, two)
        assert identity(JUDGE, one, None) == identity(JUDGE, two, None)

    def test_its_models_can_be_read(self) -> None:
        found = identity(JUDGE, Judging(LM("groq/a")), LM("openai/b"))
        models, digits = found.split(" ")
        assert models == "groq/a+openai/b"
        assert len(bytes.fromhex(digits)) == 4
        assert identity(GENERATOR, LM("groq/a")).startswith("groq/a ")

    def test_one_lm_seen_twice_is_one(self) -> None:
        lm = LM("groq/a")
        assert identity(JUDGE, Judging(lm), lm) == identity(JUDGE, None, lm) == identity(JUDGE, Judging(lm), None)

    def test_its_settings_count(self) -> None:
        assert identity(GENERATOR, LM("a", temperature=0.5)) != identity(GENERATOR, LM("a", temperature=0.7))

    def test_no_key_gets_in(self) -> None:
        assert identity(GENERATOR, LM("a", api_key="sk-one")) == identity(GENERATOR, LM("a", api_key="sk-two"))

    def test_without_any_lm(self) -> None:
        found = identity(JUDGE, Judging(None), None)
        assert found == found.strip()

    def test_the_generator_is_part_of_a_program(self) -> None:
        assert identity(PROGRAM, Judging(LM("a"))) != identity(PROGRAM, Judging(LM("b")))


def test_an_object_that_is_seen_again_is_not_described_again() -> None:
    identities, metric, lm = Identities(print), Judging(None), LM("a")
    first = identities.metric(metric), identities.judge(metric, lm), identities.generator(lm)
    metric.style = "changed in place"
    assert (identities.metric(metric), identities.judge(metric, lm), identities.generator(lm)) == first
    assert identities.metric(Judging(None, "another")) != first[0]
    assert identities.judge(metric, LM("b")) != first[1]


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ({"q": "a", "label": 1}, {"label": 1, "q": "a"}, True),
        ({"q": "a", "label": 1}, {"q": "a", "label": 2}, False),
        ({"q": "a"}, {"q": "a", "label": None}, False),
        ({"q": ["a", {"b": 1}]}, {"q": ["a", {"b": 1}]}, True),
        ({}, {}, True),
    ],
)
def test_of_a_row_all_fields_count(one: dict[str, Any], two: dict[str, Any], same: bool) -> None:
    assert (example_identity(one) == example_identity(two)) is same


def test_is_the_same_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "code_of_test.py").write_text(MODULE, encoding="utf-8")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import code_of_test as code; "
        "from pytest_pitcheval.programs.identities import identity, example_identity; "
        "print(*(identity('metric', one) for one in (code.metric, code.Metric(True), code.short, code.wrapped)), "
        "example_identity({'words': {'a', 'b', 'c'}}))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert len(set(found.pop().split())) == 5
