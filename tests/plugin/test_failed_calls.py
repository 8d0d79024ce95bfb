"""A failed LM call is not forgotten: whatever it raised, whoever caught it, and whatever was answered beside it."""

from __future__ import annotations

import re

from support.junit_file import properties_of, read_suite
from support.openai_server import Failure, Request
from support.suite import Suite

PROGRAMS = '''
import asyncio


class OwnLM(dspy.BaseLM):
    """Fails with an error that is no HTTP client's."""

    def forward(self, prompt=None, messages=None, **kwargs):
        raise ValueError("no weights")

    async def aforward(self, prompt=None, messages=None, **kwargs):
        raise ValueError("no weights")


class Asking(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")


class HidesOwn(Asking):
    def forward(self, question):
        try:
            return self.ask(question=question, lm=OwnLM("mine"))
        except ValueError:
            return dspy.Prediction(answer="sorry")


class HidesOneOfSeveral(Asking):
    """As DSPy does it, whose result for the one that failed is None."""

    def forward(self, question):
        pairs = [(self.ask, dspy.Example(question=text).with_inputs("question")) for text in ("REFUSED", "a", "b", "c")]
        results = dspy.Parallel(num_threads=1 + len(question) % 2, disable_progress_bar=True)(pairs)
        return dspy.Prediction(answer=" ".join(one.answer for one in results if one))


class LeavesOneOut(Asking):
    """And asks something else afterwards, which says nothing of the one that failed."""

    def forward(self, question):
        examples = [dspy.Example(question=text).with_inputs("question") for text in ("REFUSED", "a")]
        results = self.ask.batch(examples, num_threads=1 + len(question) % 2, disable_progress_bar=True)
        return self.ask(question=f"sum up {len(results)}")


class EvaluatesWithin(Asking):
    def forward(self, question):
        examples = [dspy.Example(question=text).with_inputs("question") for text in ("REFUSED", "a")]
        dspy.Evaluate(devset=examples, metric=lambda example, pred, trace=None: 1.0, num_threads=2)(self.ask)
        return self.ask(question=question)


class AsksForTheMissing(Asking):
    """The same again: what was refused once is answered then."""

    def forward(self, question):
        texts = [f"REFUSED ONCE in {question}", "a"]
        pairs = [(self.ask, dspy.Example(question=text).with_inputs("question")) for text in texts]
        results = dspy.Parallel(num_threads=2, disable_progress_bar=True)(pairs)
        results = [result or self.ask(question=text) for text, result in zip(texts, results)]
        return dspy.Prediction(answer=" ".join(one.answer for one in results))


class HidesOneTask(Asking):
    async def aforward(self, question):
        calls = [self.ask.acall(question=text) for text in ("REFUSED", "a", "b")]
        results = await asyncio.gather(*calls, return_exceptions=True)
        return dspy.Prediction(answer=" ".join(one.answer for one in results if not isinstance(one, Exception)))


class RaisesForOneTask(Asking):
    """One call fails at once, those beside it are answered later; what comes out is another error."""

    async def aforward(self, question):
        calls = [self.ask.acall(question=text) for text in ("a", "REFUSED", "b")]
        results = await asyncio.gather(*calls, return_exceptions=True)
        await self.ask.acall(question="summary")
        raise RuntimeError("some failed") from next(one for one in results if isinstance(one, Exception))


class HasNoPatience(Asking):
    async def aforward(self, question):
        try:
            return await asyncio.wait_for(self.ask.acall(question="HANGS"), 0.2)
        except asyncio.TimeoutError:
            return dspy.Prediction(answer="sorry")


class AsksAgain(Asking):
    def forward(self, question):
        try:
            return self.ask(question="REFUSED")
        except Exception:
            return self.ask(question=question)


class AsksSeveralAgain(Asking):
    """All at once, a second time."""

    async def aforward(self, question):
        for text in ("REFUSED", question):
            calls = [self.ask.acall(question=each) for each in (text, "a")]
            results = await asyncio.gather(*calls, return_exceptions=True)
        return results[0]


class TakesTheFastest(Asking):
    async def aforward(self, question):
        calls = [asyncio.ensure_future(self.ask.acall(question=text)) for text in ("HANGS", question)]
        done, others = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        await asyncio.wait(others)
        return done.pop().result()


KINDS = {kind.__name__: kind for kind in Asking.__subclasses__()}


@pytest.fixture(scope="session", params=list(KINDS))
def program(request):
    return KINDS[request.param]()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: bool(pred.answer)
'''

HIDE = {
    *("HidesOwn", "HidesOneOfSeveral", "LeavesOneOut", "EvaluatesWithin"),
    *("HidesOneTask", "RaisesForOneTask", "HasNoPatience"),
}
RECOVER = {"AsksAgain", "AsksSeveralAgain", "AsksForTheMissing", "TakesTheFastest"}


def test_programs(suite: Suite) -> None:
    """And every report says how many calls failed."""
    suite.add("conftest.py", PROGRAMS)
    suite.rows(2)
    refused_once = set()

    def fail(request: Request) -> Failure | None:
        if "REFUSED ONCE" in request.prompt:
            prompt, known = request.prompt, request.prompt in refused_once
            refused_once.add(prompt)
            return None if known else Failure(message="refused")
        if "REFUSED" in request.prompt:
            return Failure(message="refused")
        return Failure(hang=True) if "HANGS" in request.prompt else None

    suite.server.fail = fail
    run = suite.run(
        "--eval-markdown=run.md", "--eval-html=run.html", "--junitxml=junit.xml", "-Wignore::DeprecationWarning"
    )
    statuses = {re.search(r"\[(\w+)-", test["nodeid"])[1]: test["status"] for test in run.tests}  # type: ignore[index]
    assert statuses == {**dict.fromkeys(HIDE, "error"), **dict.fromkeys(RECOVER, "passed")}
    assert all(test["lm_calls"]["failed"] >= 1 for test in run.tests)
    failed = sum(test["lm_calls"]["failed"] for test in run.tests)
    again = [test for test in run.tests if "AsksAgain" in test["nodeid"]]
    assert [test["lm_calls"] for test in again] == [{"fresh": 2, "cached": 0, "failed": 1}] * 2
    assert "\n  2 of 4 LM calls failed [none]\n" in run.text
    assert re.search(rf"^{failed} of \d+ LM calls failed\.$", (suite.path / "run.md").read_text(), re.MULTILINE)
    assert "<small>2 failed</small>" in (suite.path / "run.html").read_text()
    junit = properties_of(read_suite(suite.path / "junit.xml"))
    assert junit["pitcheval.failed_calls"] == str(failed)


METRIC = """

@pytest.fixture(scope="session")
def metric():
    judge = dspy.Predict("aspect, answer -> score: float")

    def mean(example, pred, trace=None):
        scores = []
        for aspect in ORDER:
            try:
                scores.append(judge(aspect=aspect, answer=pred.answer).score)
            except Exception:
                scores.append(0.0)
        return sum(scores) / len(scores)

    return mean
"""


def test_what_a_metric_is_told_after_a_failed_call_makes_up_for_nothing(suite: Suite) -> None:
    suite.rows(1)
    suite.server.fail = lambda request: Failure(message="refused") if "REFUSED" in request.prompt else None
    for order in (("REFUSED", "style"), ("style", "REFUSED", "tone", "length")):
        suite.add("conftest.py", METRIC.replace("ORDER", repr(order)))
        run = suite.run()
        run.result.assert_outcomes(errors=1)
        assert run.tests[0]["judge"]["lm_calls"] == {"fresh": len(order), "cached": 0, "failed": 1}


FREE = """

def test_free(program, generator_lm, record_score):
    try:
        answer = program(question="REFUSED").answer
    except Exception:
        answer = ""
    record_score(bool(answer))
"""


def test_a_score_that_a_test_records_after_a_failed_call_is_none(suite: Suite) -> None:
    suite.write("test_qa.py", FREE)
    suite.server.fail = lambda request: Failure(message="refused")
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    assert run.tests[0]["score"] is None
    assert "record_score: False after an LM call of the test had failed" in run.tests[0]["error"]
