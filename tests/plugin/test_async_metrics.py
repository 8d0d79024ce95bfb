"""Async metrics: awaited like async programs, in the same event loop."""

from __future__ import annotations

import re

import pytest
from support.openai_server import Failure, Request, chat_format, dspy_answer
from support.suite import Suite

METRIC = """
import asyncio
import functools

loops = set()


class Async:
    def __init__(self, lm):
        self.judge = dspy.Predict("question, answer -> score: float, feedback")
        self.judge.set_lm(lm)

    async def __call__(self, example, pred, trace=None):
        loops.add(id(asyncio.get_running_loop()))
        asked = [self.judge.acall(question=example.question, answer=pred.answer) for _ in range(2)]
        first, second = await asyncio.gather(*asked)
        return dspy.Prediction(score=(first.score + second.score) / 2, feedback=first.feedback, loops=len(loops))


class AsyncModule(dspy.Module):
    def __init__(self, lm):
        super().__init__()
        self.metric = Async(lm)

    async def aforward(self, example, pred, trace=None):
        return await self.metric(example, pred)


@pytest.fixture(scope="session")
def metric(evaluator_lm):
    judge = Async(evaluator_lm)

    async def score_answer(example, pred, trace=None):
        return await judge(example, pred, trace)

    async def strict(strictness, example, pred, trace=None):
        return await judge(example, pred, trace)

    def sync(example, pred, trace=None):
        one, other = (Judge(evaluator_lm)(example, pred) for _ in range(2))
        return dspy.Prediction(score=one.score, feedback=one.feedback, loops=1)

    return {metric}
"""

METRICS = {
    "function": "score_answer",
    "object": "judge",
    "partial": "functools.partial(strict, 1)",
    "asyncified": "dspy.asyncify(sync)",
    "module": "AsyncModule(evaluator_lm)",
    "lambda": "lambda example, pred, trace=None: score_answer(example, pred)",
}


def use(suite: Suite, metric: str) -> None:
    suite.add("conftest.py", METRIC.format(metric=metric))


def half(request: Request) -> str:
    return chat_format(score=0.5, feedback="so so") if request.model == "judge" else dspy_answer(request)


@pytest.mark.parametrize("arguments", [(), ("--eval-concurrency=1",)], ids=["ahead", "in-turn"])
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_an_async_metric_is_awaited(suite: Suite, metric: str, arguments: tuple[str, ...]) -> None:
    use(suite, metric)
    suite.server.answer = half
    run = suite.run(*arguments)
    run.result.assert_outcomes(passed=3)
    assert [(test["score"], test["feedback"]) for test in run.tests] == [(0.5, "so so")] * 3
    calls = (
        1 if metric == METRICS["asyncified"] else 2
    )  # the second of two equal ones in turn is answered from the cache
    assert len(run.by("judge")) >= 3 * calls
    assert all(test["judge"]["lm_calls"]["fresh"] >= calls for test in run.tests)
    assert {test["metrics"]["loops"][0] for test in run.tests} == {1}


def test_what_an_async_metric_raises(suite: Suite) -> None:
    use(suite, "judge")
    suite.server.fail = lambda request: Failure(400, "no") if request.model == "judge" else None
    run = suite.run()
    run.result.assert_outcomes(errors=3)
    assert "an LM call of the metric failed: " in run.text


def test_a_metric_that_is_awaited_by_nobody_inside_is_an_error(suite: Suite) -> None:
    """It returns what it did not await."""
    use(suite, "lambda example, pred, trace=None: {'score': score_answer(example, pred)}")
    run = suite.run("-Wignore::RuntimeWarning", subprocess=True)  # else a later test would hear of the coroutines
    run.result.assert_outcomes(errors=3)
    assert re.search("the metric returned .*; expected a finite number", run.text)


@pytest.mark.parametrize(
    ("method", "concurrency"), [("bootstrap", 8), ("bootstrap", 1), ("bootstrap_random", 1), ("gepa", 8)]
)
def test_optimizers_hear_the_verdict_of_an_async_metric(suite: Suite, method: str, concurrency: int) -> None:
    """A coroutine is true whatever it would come to, and so every answer would become a demo."""
    use(suite, "score_answer")

    def answer(request: Request) -> str:
        if request.model != "judge":
            return dspy_answer(request)
        return chat_format(score=1.0 if "train 3?" in request.prompt else 0.0, feedback="as told")

    suite.server.answer = answer
    settings = {"bootstrap_random": "num_candidate_programs=1", "gepa": "max_metric_calls=12"}.get(method, "")
    suite.write(
        "test_qa.py",
        f"""
import pytest

@pytest.mark.optimization({method!r}, {settings})
@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_qa(score, compiled_program):
    demos = [demo for demo in compiled_program.demos if demo.get("augmented")]
    assert [demo["question"] for demo in demos] in ([], ["train 3?"])
    assert demos or {method!r} != "bootstrap"
""",
    )
    suite.run(f"--eval-concurrency={concurrency}").result.assert_outcomes(passed=3)
