"""Whether something that decides a result has changed."""

from __future__ import annotations

import datetime
import enum
import functools
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import pytest

from pytest_pitcheval.programs import sources
from pytest_pitcheval.programs.fingerprints import describe, fingerprint


class Example:
    """Converts itself as ``dspy.Example`` does."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def toDict(self) -> dict[str, Any]:
        return self._fields


class Metric:
    def __init__(self, *state: Any) -> None:
        self.state = state

    def score(self) -> None: ...


class Slotted:
    __slots__ = ("limit",)

    def __init__(self, limit: int) -> None:
        self.limit = limit


def scoring_at_least(limit: Any) -> Callable[..., Any]:
    def metric(score: Any) -> bool:
        return bool(score >= limit)

    return metric


def a_metric(example: Any, prediction: Any) -> float:
    return 1.0


def another_metric(example: Any, prediction: Any) -> float:
    return 1.0


PAIRS: dict[str, tuple[Any, Any]] = {
    "text": ("a", "b"),
    "number": (1, 1.5),
    "bool and number": (True, 1),
    "nothing and text": (None, "None"),
    "list": ([1, 2], [2, 1]),
    "dict": ({"a": 1}, {"a": 2}),
    "set": ({1, 2}, {1, 3}),
    "bytes": (b"a", b"b"),
    "pattern": (re.compile("a"), re.compile("b")),
    "flags of a pattern": (re.compile("a"), re.compile("a", re.IGNORECASE)),
    "path": (PurePosixPath("a"), PurePosixPath("b")),
    "decimal": (Decimal("0.5"), Decimal("0.6")),
    "date": (datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)),
    "example": (Example(question="a"), Example(question="b")),
    "examples": ([Example(question="a")], [Example(question="a"), Example(question="b")]),
    "function": (a_metric, another_metric),
    "function and its name": (a_metric, "a_metric"),
    "closure": (scoring_at_least(0.5), scoring_at_least(0.6)),
    "closure over an object": (scoring_at_least(Metric(1)), scoring_at_least(Metric(2))),
    "partial": (functools.partial(a_metric, example=1), functools.partial(a_metric, example=2)),
    "partial of another": (functools.partial(a_metric), functools.partial(another_metric)),
    "bound method": (Metric(1).score, Metric(2).score),
    "state": (Metric("strict"), Metric("kind")),
    "state within state": (Metric(Metric(1)), Metric(Metric(2))),
    "set in the state": (Metric({"a"}), Metric({"b"})),
    "slots": (Slotted(1), Slotted(2)),
    "class": (Metric, Example),
    "builtin": (len, sum),
    "method of a builtin": (str.upper, str.lower),
}
SAME: dict[str, Callable[[], Any]] = {
    "dict in another order": lambda: {"b": 2, "a": 1} if os.urandom(1)[0] % 2 else {"a": 1, "b": 2},
    "objects of equal state": lambda: Metric(1, "x", [Metric({"a", "b", "c"})]),
    "slots": lambda: Slotted(1),
    "closures": lambda: scoring_at_least(Metric(1)),
    "examples": lambda: [Example(question="a")],
    "plain object": object,
    "lone surrogate": lambda: "\ud800",
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_differs_has_another_fingerprint(name: str) -> None:
    one, two = PAIRS[name]
    assert fingerprint(one) != fingerprint(two)
    assert fingerprint(one) == fingerprint(one)


@pytest.mark.parametrize("name", SAME)
def test_what_is_equal_has_the_same(name: str) -> None:
    make = SAME[name]
    assert fingerprint(make()) == fingerprint(make())


def test_is_32_hexadecimal_digits() -> None:
    assert len(bytes.fromhex(fingerprint({"a": 1}))) == 16


def test_is_the_same_in_another_process() -> None:
    """A compiled program is found again by it; Python's own hashes differ from process to process."""
    script = (
        "from pytest_pitcheval.programs.fingerprints import fingerprint; from pathlib import Path; "
        "print(fingerprint([{'a', 'b', 'c', 'd'}, Path('x'), object(), b'x', len]))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def load(path: Path, text: str) -> ModuleType:
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("metric_of_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_helper_in_the_same_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    text = "def metric(example, pred):\n    return helper()\n\n\nclass Judge: ...\n\n\ndef helper():\n    return 1\n"
    found = []
    for number, changed in enumerate((text, text, text.replace("return 1", "return 2"))):
        module = load(tmp_path / str(number) / "metric.py", changed)  # a session reads a file once
        monkeypatch.setitem(sys.modules, "metric_of_test", module)
        found.append((fingerprint(module.metric), fingerprint(module.Judge()), fingerprint(module.Judge)))
    assert found[0] == found[1]
    assert not set(found[0]) & set(found[2])


def test_recursion_in_the_state_ends() -> None:
    metric = Metric()
    metric.state = (metric,)
    assert fingerprint(metric) == fingerprint(metric)


def test_of_pytests_own_objects_only_the_kind_counts(request: pytest.FixtureRequest) -> None:
    def metric(example: object, pred: object, trace: object = None) -> str:
        return str(request.node.name)

    assert "SubRequest" in str(describe(metric)) or "TopRequest" in str(describe(metric))
    assert "config" not in str(describe(metric)["closure"])


class Size(enum.Enum):
    SMALL = "small"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The functions and classes whose files are read from now on."""
    read: list[Any] = []
    digest = sources.source_digest

    def noting(code: Any) -> str | None:
        read.append(code)
        return digest(code)

    monkeypatch.setattr(sources, "source_digest", noting)
    return read


def test_of_pythons_own_classes_no_source_is_read(read: list[Any]) -> None:
    first = describe({"size": Size.SMALL, "founded": datetime.date(2000, 1, 1)})
    assert set(read) == {Size}
    assert first != describe({"size": Size.SMALL, "founded": datetime.date(2000, 1, 2)})


def test_no_file_and_no_module_of_the_plugin_is_in_a_fingerprint(read: list[Any]) -> None:
    """Else each edit of ours would make users pay for compiling again."""
    import dspy

    from pytest_pitcheval.lm.patient_lm import PatientLM
    from pytest_pitcheval.lm.plain_adapter import PlainAdapter

    lm = PatientLM("openai/generator", api_key="sk-for-tests-only")
    program = dspy.Predict("question -> answer")
    program.set_lm(lm)
    description = describe({"lm": lm, "program": program, "parts": [PlainAdapter(), lm.copy()]})
    assert "pytest_pitcheval" not in str(description)
    assert not read
    assert "openai/generator" in str(description)


def test_an_lm_class_of_the_users_own_counts() -> None:
    from pytest_pitcheval.lm.patient_lm import PatientLM

    class Shouting(PatientLM):
        pass

    assert fingerprint(PatientLM("openai/m")) != fingerprint(Shouting("openai/m"))
