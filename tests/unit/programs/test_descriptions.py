"""What fingerprints are made of: bounded, the same each time, and without what changes while code runs."""

from __future__ import annotations

import collections
import contextvars
import dataclasses
import datetime
import enum
import functools
import importlib
import json
import logging
import os
import random
import socket
import sqlite3
import string
import sys
import tempfile
import threading
import time
import types
import unittest.mock
import uuid
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import dspy
import numpy as np
import pandas as pd
import pydantic
import pytest

from pytest_pitcheval.names import JUDGE, METRIC, PROGRAM
from pytest_pitcheval.programs.descriptions import Describer
from pytest_pitcheval.programs.fingerprints import fingerprint
from pytest_pitcheval.programs.identities import Identities, example_identity, identity

LARGEST = 400_000
"""Characters of the largest description, whatever there is to describe."""


def holding(held: Any) -> Callable[..., Any]:
    """A metric with a value in its closure, as metric fixtures make them."""

    def metric(example: Any, pred: Any, trace: Any = None) -> bool:
        return held is not None

    return metric


class Raising:
    """Raises at whatever is asked of it."""

    def __init__(self) -> None:
        self.limit = 1

    @property
    def model(self) -> str:
        raise RuntimeError("a property")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("==")

    def __hash__(self) -> int:
        raise RuntimeError("hash")

    def __repr__(self) -> str:
        raise RuntimeError("repr")


class Answering:
    """Has every attribute."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


class Classless:
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("__class__")


class Attributeless:
    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("__dict__")


class Mapped(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("items")


class Sealed(type):
    def __getattr__(cls, name: str) -> Any:
        raise RuntimeError("an attribute of the class")


class OfSealed(metaclass=Sealed):
    pass


class Counting:
    """Keeps what metrics keep while they score."""

    def __init__(self, limit: int = 3) -> None:
        self.calls = 0
        self.log: list[Any] = []
        self.memo: dict[Any, float] = {}
        self.last: Any = None
        self.limit = limit

    @functools.cached_property
    def client(self) -> float:
        return random.random()

    def __call__(self, example: Any, pred: Any, trace: Any = None) -> float:
        self.calls += 1
        self.log.append(pred)
        self.memo[pred] = self.client
        self.last = pred
        return 1.0


class Fluent:
    """Gets its settings by methods."""

    def __init__(self) -> None:
        self.limit = 1

    def with_limit(self, limit: int) -> Fluent:
        self.limit = limit
        return self


@dataclasses.dataclass
class Settings:
    words: list[str] = dataclasses.field(default_factory=list)
    limit: int = 3
    started: datetime.datetime = dataclasses.field(default_factory=datetime.datetime.now)


class Live:
    """Holds what belongs to this process."""

    def __init__(self) -> None:
        self.lock, self.log, self.local = threading.Lock(), logging.getLogger("live"), threading.local()
        self.request, self.today, self.started = uuid.uuid4(), datetime.date.today(), time.time()
        self.key, self.folder = uuid.uuid4().hex, tempfile.gettempdir() + f"/{random.random()}"
        self.address, self.url = repr(object()), f"http://127.0.0.1:{random.randint(2000, 60000)}/v1"
        self.where = Path.cwd() / str(random.random())
        self.mock = unittest.mock.MagicMock()
        self.variable = contextvars.ContextVar[float]("variable")
        self.variable.set(random.random())
        self.generator = (number for number in range(3))


class Assess(dspy.Signature):
    """Assess the answer."""

    answer: str = dspy.InputField()
    grade: Literal["good", "bad"] = dspy.OutputField()


class Judge(dspy.Module):
    def __init__(self, style: str = "kind", lm: Any = None, signature: Any = Assess, **config: Any) -> None:
        super().__init__()
        self.assess = dspy.Predict(signature, **config)
        self.style, self.judge_lm = style, lm

    def forward(self, example: Any, pred: Any, trace: Any = None) -> float:
        return 1.0


def used(times: int) -> Counting:
    metric = Counting()
    for _ in range(times):
        metric(None, random.random())
    return metric


def counting_in_a_closure(times: int) -> Callable[..., Any]:
    count, log, words = 0, [], collections.Counter[Any]()

    def metric(example: Any, pred: Any, trace: Any = None) -> int:
        nonlocal count
        count += 1
        log.append(pred)
        words[pred] += 1
        return count

    for _ in range(times):
        metric(None, random.random())
    return metric


def cached(times: int) -> Callable[..., Any]:
    @functools.lru_cache
    def metric(example: Any, pred: Any, trace: Any = None) -> float:
        return 1.0

    for _ in range(times):
        metric(None, random.random())
    return metric


def made(text: str) -> Any:
    """A function that ``exec`` makes, as in a shell."""
    namespace: dict[str, Any] = {}
    exec(f"def metric(example, pred, trace=None):\n    return {text}\n", namespace)
    return namespace["metric"]


def within_itself() -> Callable[..., Any]:
    items: list[Any] = [{}]
    items[0]["items"] = items
    return holding(items)


def nested(levels: int) -> Callable[..., Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return holding(value)


def branching(levels: int) -> Callable[..., Any]:
    value: Any = 1
    for _ in range(levels):
        value = dict.fromkeys("abcdefghij", value)
    return holding(value)


def recursive() -> Callable[..., Any]:
    def metric(example: Any, pred: Any, trace: Any = None) -> Any:
        return metric

    return metric


ODD: dict[str, Callable[[], Any]] = {
    "raises": Raising,
    "answers to everything": Answering,
    "has no class": Classless,
    "has no dict": Attributeless,
    "mapping that raises": lambda: holding(Mapped(a=1)),
    "class that raises": OfSealed,
    "modules": lambda: holding([importlib.import_module(n) for n in ("statistics", "re", "logging", "numpy", "dspy")]),
    "live objects": Live,
    "mock": lambda: unittest.mock.MagicMock(spec=Settings),
    "weak references": lambda: holding([weakref.ref(Live), weakref.proxy(Live), weakref.WeakValueDictionary()]),
    "dataclass": Settings,
    "counting": lambda: used(random.randint(1, 3)),
    "bound method": lambda: used(random.randint(1, 3)).__call__,
    "closure that counts": lambda: counting_in_a_closure(random.randint(1, 3)),
    "cache": lambda: cached(random.randint(1, 3)),
    "grown collections": lambda: holding(
        [collections.Counter([random.random()]), collections.deque([random.random()])]
    ),
    "program": lambda: Judge("strict"),
    "example of dspy.datasets": lambda: holding(dspy.Example(a=1, dspy_uuid=str(uuid.uuid4()))),
    "recursive": recursive,
    "within itself": within_itself,
    "nested": lambda: nested(700),
    "branching": lambda: branching(12),
    "sets of sets": lambda: holding({frozenset(set(text)) for text in ("abc", "def", "ghi")}),
    "environment": lambda: holding(os.environ),
    "large list": lambda: holding(list(range(200_000))),
    "large set": lambda: holding({str(number) for number in range(50_000)}),
    "large text": lambda: holding("x" * 5_000_000),
    "large array": lambda: holding(np.arange(3_000_000)),
    "large table": lambda: holding(pd.DataFrame({"a": range(20_000)})),
    "large number": lambda: holding(10**6000),
    "not a number": lambda: holding(float("nan")),
    "model made while running": lambda: holding(pydantic.create_model("Made", a=(int, 3))(a=2)),
    "exec": lambda: made("len(pred)"),
}


@pytest.mark.parametrize("name", ODD)
def test_whatever_it_is_it_has_a_bounded_fingerprint_that_stays(name: str) -> None:
    describer = Describer()
    description = describer.describe(ODD[name]())
    assert len(json.dumps(description)) < LARGEST
    assert not describer.unknown or name in ("has no dict",)
    assert json.dumps(Describer().describe(ODD[name]())) == json.dumps(description)
    assert fingerprint(ODD[name]()) == fingerprint(ODD[name]())


def test_of_open_things_only_the_type_counts(tmp_path: Path) -> None:
    marks = set()
    for name in ("a", "b"):
        with (tmp_path / name).open("w") as file, socket.socket() as connection:
            database = sqlite3.connect(tmp_path / f"{name}.db")
            marks.add(identity(METRIC, holding([file, connection, database])))
            database.close()
    assert len(marks) == 1
    assert marks != {identity(METRIC, holding([]))}


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


PAIRS: dict[str, tuple[Any, Any]] = {
    "setting": (Counting(1), Counting(2)),
    "setting by a method": (Fluent().with_limit(1), Fluent().with_limit(2)),
    "field of a dataclass": (Settings(limit=1), Settings(limit=2)),
    "words of a dataclass": (Settings(["a"]), Settings(["b"])),
    "default argument": (lambda example, pred, limit=1: limit, lambda example, pred, limit=2: limit),
    "exec": (made("len(pred)"), made("len(pred) + 1")),
    "constant in exec": (made("'a' in pred"), made("'b' in pred")),
    "partial": (functools.partial(Counting(), trace=1), functools.partial(Counting(), trace=2)),
    "cached": (functools.cache(holding(1)), functools.cache(holding(2))),
    "wrapped": (functools.wraps(print)(holding(1)), functools.wraps(print)(holding(2))),
    "enum": (holding(Colour.RED), holding(Colour.BLUE)),
    "template": (holding(string.Template("$a")), holding(string.Template("$b"))),
    "prompt that begins with a slash": (holding("/think hard"), holding("/no_think")),
    "relative path": (holding(Path("prompts/a.txt")), holding(Path("prompts/b.txt"))),
    "array": (holding(np.array([1, 2])), holding(np.array([1, 3]))),
    "table": (holding(pd.DataFrame({"a": [1]})), holding(pd.DataFrame({"a": [2]}))),
    "namespace": (holding(types.SimpleNamespace(limit=1)), holding(types.SimpleNamespace(limit=2))),
    "large set": (holding(set(map(str, range(5_000)))), holding(set(map(str, range(1, 5_001))))),
    "size of a list": (holding(list(range(200_000))), holding(list(range(200_001)))),
    "end of a text": (holding("x" * 5_000_000 + "a"), holding("x" * 5_000_000 + "b")),
    "class made while running": (type("Made", (), {"limit": 1})(), type("Made", (), {"limit": 2})()),
    "model": (
        holding(pydantic.create_model("Made", a=(int, 3))(a=1)),
        holding(pydantic.create_model("Made", a=(int, 3))(a=2)),
    ),
    "setting of a library's object": (logging.Formatter(datefmt="%d"), logging.Formatter(datefmt="%m")),
    "style of a program": (Judge("kind"), Judge("strict")),
    "settings of a predictor": (Judge(temperature=0.1), Judge(temperature=0.2)),
    "types of a signature": (dspy.Predict("a -> b"), dspy.Predict("a -> b: int")),
    "instructions": (
        dspy.Predict(dspy.Signature("a -> b", "Be kind.")),
        dspy.Predict(dspy.Signature("a -> b", "Be fair.")),
    ),
    "tools": (dspy.ReAct("a -> b", tools=[made("1")]), dspy.ReAct("a -> b", tools=[made("2")])),
    "best of n": (
        dspy.BestOfN(dspy.Predict("a -> b"), 2, holding(1), 0.5),
        dspy.BestOfN(dspy.Predict("a -> b"), 3, holding(1), 0.5),
    ),
    "signature": (holding(Assess), holding(Assess.with_instructions("Be kind."))),
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_decides_a_score_counts(name: str) -> None:
    one, two = PAIRS[name]
    assert identity(PROGRAM, one) != identity(PROGRAM, two)
    assert fingerprint(one) != fingerprint(two)


def test_an_lm_that_is_an_attribute_of_a_judge_is_the_judge() -> None:
    one, two = (Judge(lm=dspy.LM(f"openai/{name}", api_key="sk-for-tests-only")) for name in ("a", "b"))
    assert identity(METRIC, one) == identity(METRIC, two)
    assert identity(JUDGE, one, None).startswith("openai/a ")
    assert identity(JUDGE, one, None) != identity(JUDGE, two, None)


def test_what_is_around_a_row_is_data() -> None:
    """In rows moments, paths and counts are what the user wrote."""
    for one, two in (
        (datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)),
        (Path("/tmp/a"), Path("/tmp/b")),
        (uuid.UUID(int=1), uuid.UUID(int=2)),
        (Settings(started=datetime.datetime(2026, 1, 1)), Settings(started=datetime.datetime(2026, 1, 2))),
        (collections.Counter("a"), collections.Counter("b")),
        (list(range(5_000)), [*range(2_500), 0, *range(2_501, 5_000)]),
        (dspy.History(messages=[{"question": "a"}]), dspy.History(messages=[{"question": "b"}])),
        (dspy.Image("data:image/png;base64,YQ=="), dspy.Image("data:image/png;base64,Yg==")),
    ):
        assert example_identity({"field": one}) != example_identity({"field": two}), (one, two)


def test_what_cannot_be_described_is_said_once() -> None:
    notes: list[str] = []
    identities = Identities(notes.append)
    marks = {identities.metric(Attributeless()) for _ in range(3)} | {identities.metric(Attributeless())}
    identities.judge(Attributeless(), None)
    identities.metric(Raising())
    assert len(marks) == 1
    assert notes == [
        "metric: not all of it can be described, so a change is not seen: "
        "unit.programs.test_descriptions.Attributeless: RuntimeError: __dict__"
    ]


def test_a_metric_is_described_before_it_is_used() -> None:
    """Its methods too, which are other objects each time."""

    class Hidden:
        def score(self, example: Any, pred: Any, trace: Any = None) -> float:
            vars(self)["seen"] = pred
            return 1.0

    identities, metric = Identities(print), Hidden()
    first = identities.metric(metric.score)
    metric.score(None, random.random())
    assert identities.metric(metric.score) == first


def test_of_large_files_each_function_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also below form feeds and other characters that end a line for others than Python."""
    text = (
        "A = 'x\u2028y'\n\x0c\nclass Metric:\n    def __call__(self, example, pred, trace=None):\n        return {}\n"
    )
    marks: list[str] = []
    for number in (1, 2, 2):
        path = tmp_path / str(len(marks)) / "metric_in_a_file.py"
        path.parent.mkdir()
        path.write_text(text.format(number), encoding="utf-8")
        spec = importlib.util.spec_from_file_location("metric_in_a_file", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "metric_in_a_file", module)
        spec.loader.exec_module(module)
        marks.append(identity(METRIC, module.Metric()))
    assert marks[0] != marks[1] == marks[2]
