"""Compiling once: what is stored, found again, made again, and what is said of it. No LM is asked."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dspy
import filelock
import pytest

from pytest_pitcheval.concurrency.limits.limiter import Limiter
from pytest_pitcheval.concurrency.process import Process
from pytest_pitcheval.errors import CompileFailed
from pytest_pitcheval.programs.compilation import Compiler
from pytest_pitcheval.programs.optimization import Ingredients
from pytest_pitcheval.rollouts.rollouts import Rollouts
from pytest_pitcheval.rollouts.spending import Spending
from pytest_pitcheval.settings.methods import Optimization
from pytest_pitcheval.settings.settings import read_settings

RUN_ID = "20261126T010203.000004Z"
LABELED = Optimization("labeled", {"k": 2})


class Failing:
    """An optimizer that counts how often it was asked."""

    asked = 0

    def compile(self, student: Any, trainset: Any) -> Any:
        type(self).asked += 1
        raise KeyError("no demo")


def examples(count: int = 3) -> list[dspy.Example]:
    return [dspy.Example(question=f"{n}?", answer=f"{n}").with_inputs("question") for n in range(count)]


def ingredients(**changed: Any) -> Ingredients:
    lm = dspy.LM("openai/never-asked", api_key="sk-for-tests-only")
    found = Ingredients(dspy.Predict("question -> answer"), None, examples(), None, lm, lm)
    return dataclasses.replace(found, **changed)


@pytest.fixture
def rollouts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rollouts]:
    monkeypatch.setattr(dspy, "cache", dspy.cache)
    made = Rollouts(Limiter((), None, lambda: False), contextlib.nullcontext, Spending.uncapped())
    yield made
    made.uninstall()


class Store:
    """Processes that share an ``--eval-dir``, each with a compiler."""

    def __init__(self, config: pytest.Config, folder: Path, rollouts: Rollouts) -> None:
        self.settings = read_settings(config)._replace(directory=folder / ".pitcheval")
        self.folder = folder
        self.rollouts = rollouts
        self.said: list[str] = []

    def process(self, run_id: str = RUN_ID, **settings: Any) -> Process:
        return Process(self.settings._replace(**settings), run_id, run_id, 1, self.folder / f"runtime-{run_id}")

    def compiler(self, run_id: str = RUN_ID, **settings: Any) -> Compiler:
        return Compiler(self.process(run_id, **settings), self.rollouts)

    def get(
        self, compiler: Compiler, optimization: Optimization = LABELED, found: Ingredients | None = None
    ) -> tuple[Any, Path]:
        return compiler.get(optimization, found or ingredients(), "test_qa.py::test_qa[e0]", self.said.append)

    @property
    def compilations(self) -> int:
        return sum(text.startswith("compiled ") for text in self.said)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path, rollouts: Rollouts) -> Store:
    return Store(request.config, tmp_path, rollouts)


def test_a_process_compiles_a_program_once(store: Store) -> None:
    compiler, found = store.compiler(), ingredients()
    first, path = store.get(compiler, found=found)
    again, _ = store.get(compiler, found=found)
    assert again is first
    assert first is not found.program
    assert len(first.demos) == 2
    assert path.exists()
    assert store.compilations == 1


def test_a_lock_without_a_sign_of_life_is_not_waited_for(store: Store) -> None:
    _, path = store.get(store.compiler())
    path.unlink()
    with filelock.FileLock(path.with_suffix(".lock")):
        process = store.process(timeout=0.3)
        store.get(Compiler(process, store.rollouts))
    assert store.compilations == 2
    [line] = process.notes.lines
    assert "has made no LM call for 0.3 s (--eval-timeout)" in line
    assert str(path.with_suffix(".lock")) in line


def test_equal_ingredients_are_the_same_program(store: Store) -> None:
    compiler = store.compiler()
    first, _ = store.get(compiler)
    again, _ = store.get(compiler)
    assert again is first


def test_another_process_and_a_later_session_find_it(store: Store) -> None:
    first, path = store.get(store.compiler())
    later, same = store.get(store.compiler("20261127T010203.000004Z"))
    assert same == path
    assert store.compilations == 1
    assert later.demos == first.demos


def test_recompile_makes_it_again_once_a_session(store: Store) -> None:
    store.get(store.compiler())
    later = "20261127T010203.000004Z"
    for _ in range(2):
        store.get(store.compiler(later, recompile=True))
    assert store.compilations == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda found: dataclasses.replace(found, trainset=examples(4)),
        lambda found: dataclasses.replace(found, program=dspy.Predict("question -> answer, reason")),
        lambda found: dataclasses.replace(found, generator_lm=dspy.LM("openai/another", api_key="sk-for-tests-only")),
        lambda found: dataclasses.replace(found, generator_lm=dspy.LM("openai/never-asked", max_tokens=7)),
    ],
    ids=["trainset", "program", "model", "settings"],
)
def test_what_decides_a_program_makes_another_one(store: Store, change: Callable[[Ingredients], Ingredients]) -> None:
    compiler = store.compiler()
    store.get(compiler)
    store.get(compiler, found=change(ingredients()))
    assert store.compilations == 2


def test_another_key_and_another_address_do_not(store: Store) -> None:
    compiler = store.compiler()
    store.get(compiler)
    elsewhere = dspy.LM("openai/never-asked", api_key="sk-another", api_base="http://127.0.0.1:1/v1")
    store.get(compiler, found=ingredients(generator_lm=elsewhere, evaluator_lm=elsewhere))
    assert store.compilations == 1


def test_other_settings_of_the_method_do(store: Store) -> None:
    compiler = store.compiler()
    store.get(compiler)
    program, _ = store.get(compiler, Optimization("labeled", {"k": 1}))
    assert len(program.demos) == 1
    assert store.compilations == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"metadata": {}}', '{"metadata": {"pitcheval": {"run_id": 3}}}'])
def test_a_damaged_program_is_made_again(store: Store, text: str) -> None:
    _, path = store.get(store.compiler())
    path.write_text(text, encoding="utf-8")
    program, _ = store.get(store.compiler("20261127T010203.000004Z"))
    assert len(program.demos) == 2
    assert store.compilations == 2
    assert json.loads(path.read_text(encoding="utf-8"))["metadata"]["pitcheval"]["trainset_size"] == 3


def test_no_key_is_stored(store: Store) -> None:
    _, path = store.get(store.compiler())
    assert "sk-for-tests-only" not in path.read_text(encoding="utf-8")


def test_a_trainset_of_nothing_is_an_error_of_the_first_test_and_skips_the_others(store: Store) -> None:
    compiler, found = store.compiler(), ingredients(trainset=[])
    with pytest.raises(CompileFailed, match="compiling Predict with labeled failed: "):
        store.get(compiler, found=found)
    with pytest.raises(pytest.skip.Exception, match=r"see test_qa\.py::test_qa\[e0\]"):
        store.get(store.compiler(), found=found)
    assert store.compilations == 0


def test_an_optimizer_that_raises_is_asked_once(store: Store) -> None:
    Failing.asked = 0
    method = Optimization(f"{__name__}:Failing")
    with pytest.raises(CompileFailed, match="KeyError: 'no demo'"):
        store.get(store.compiler(), method)
    with pytest.raises(pytest.skip.Exception):
        store.get(store.compiler(), method)
    assert Failing.asked == 1


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(store: Store) -> None:
    store.settings.directory.write_text("a file, no folder", encoding="utf-8")
    process = store.process()
    program, path = store.get(Compiler(process, store.rollouts))
    assert len(program.demos) == 2
    assert not path.exists()
    assert any("compiled program" in note for note in process.notes.lines)
