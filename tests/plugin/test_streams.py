"""Programs that stream, as ``dspy.streamify`` makes them: what counts is their last prediction."""

from __future__ import annotations

import pytest
from support.openai_server import Failure
from support.suite import Suite

STREAMING = """

class Two(dspy.Module):
    def __init__(self):
        super().__init__()
        self.draft = dspy.Predict("question -> draft")
        self.ask = dspy.Predict("question, draft -> answer")

    def forward(self, question):
        return self.ask(question=question, draft=self.draft(question=question).draft)


class AsyncTwo(Two):
    async def aforward(self, question):
        draft = await self.draft.acall(question=question)
        return await self.ask.acall(question=question, draft=draft.draft)


{more}

@pytest.fixture(scope="session")
def program():
    return {program}
"""

LISTENING = 'stream_listeners=[dspy.streaming.StreamListener(signature_field_name="answer")]'

WRITTEN = """
async def chunks(question):
    yield "a word, "
    yield dspy.Prediction(answer="a first guess")
    yield await AsyncTwo().acall(question=question)
    yield "and that was it"


def plain_chunks(question):
    yield "a word, "
    yield Two()(question=question)


class Chunks:
    def __init__(self, question):
        self.question = question

    async def __aiter__(self):
        async for chunk in chunks(self.question):
            yield chunk


class Streaming(dspy.Module):
    async def aforward(self, question):
        return chunks(question)
"""

PROGRAMS = {
    "async": "dspy.streamify(Two())",
    "sync": "dspy.streamify(Two(), async_streaming=False)",
    "listening": f"dspy.streamify(Two(), {LISTENING})",
    "of-an-async-program": "dspy.streamify(AsyncTwo(), is_async_program=True)",
    "of-one's-own": "chunks",
    "of-one's-own-sync": "plain_chunks",
    "object": "Chunks",
    "module": "Streaming()",
}


def use(suite: Suite, program: str) -> None:
    suite.add("conftest.py", STREAMING.format(program=program, more=WRITTEN))


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_the_last_prediction_counts(suite: Suite, program: str) -> None:
    use(suite, program)
    run = suite.run("--eval-rollouts=2")
    run.result.assert_outcomes(passed=3)
    assert len(run.requests) == 3 * 2 * 3
    assert [test["lm_calls"] for test in run.tests] == [{"fresh": 6, "cached": 0, "failed": 0}] * 3
    assert all(test["generator"]["tokens"]["completion"] > 0 for test in run.tests)
    answers = [test["prediction"]["answer"] for test in run.tests]
    assert all(answer.startswith("answer ") for answer in answers)
    assert len(set(answers)) == 3
    again = suite.run("--eval-rollouts=2", "--eval-replay=last", "--eval-concurrency=1")
    assert again.requests == []
    assert [test["prediction"] for test in again.tests] == [test["prediction"] for test in run.tests]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            f"dspy.streamify(Two(), {LISTENING}, include_final_prediction_in_output_stream=False)",
            "the program streamed * items, the last StreamResponse(*",
        ),
        ("(lambda question: (word for word in ['a', 'b']))", "the program streamed 2 items, the last 'b'; expected *"),
        ("(lambda question: iter(Nothing()))", "the program streamed nothing; expected a dspy.Prediction at its end*"),
    ],
    ids=["left-out", "words", "nothing"],
)
def test_a_stream_without_a_prediction_is_an_error_of_one_line(suite: Suite, program: str, said: str) -> None:
    use(suite, program)
    suite.add("conftest.py", "\n\nclass Nothing:\n    def __iter__(self):\n        yield from ()\n")
    run = suite.run("--eval-concurrency=1")  # a listener listens to one stream at a time
    run.result.assert_outcomes(errors=3)
    run.result.stdout.fnmatch_lines([said])
    assert {test["status"] for test in run.tests} == {"error"}


def test_what_fails_in_a_stream_is_no_bad_answer(suite: Suite) -> None:
    """DSPy's stream takes the callbacks of the moment when it was made: ours sees the call all the same."""
    swallowing = """
class Swallowing(Two):
    def forward(self, question):
        try:
            return super().forward(question)
        except Exception:
            return dspy.Prediction(answer="I do not know")
"""
    suite.add("conftest.py", STREAMING.format(program="dspy.streamify(Swallowing())", more=swallowing))
    suite.server.fail = lambda request: Failure(400) if request.model == "generator" else None
    run = suite.run()
    run.result.assert_outcomes(errors=3)
    assert "the program went on after its LM call had failed" in run.text
    assert [test["generator"]["lm_calls"] for test in run.tests] == [{"fresh": 1, "cached": 0, "failed": 1}] * 3


def test_callbacks_of_the_programs_own_are_no_hindrance(suite: Suite) -> None:
    own = """
class Mine(dspy.utils.callback.BaseCallback):
    pass


class Traced(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        with dspy.context(callbacks=[Mine()]):
            try:
                return self.ask(question=question)
            except Exception:
                return dspy.Prediction(answer="I do not know")
"""
    suite.add("conftest.py", STREAMING.format(program="Traced()", more=own))
    suite.server.fail = lambda request: Failure(400) if request.model == "generator" else None
    suite.run().result.assert_outcomes(errors=3)


def test_a_stream_is_left_where_it_raises(suite: Suite) -> None:
    raising = """
async def broken(question):
    yield dspy.Prediction(answer="too early")
    raise ValueError("the stream broke")
"""
    suite.add("conftest.py", STREAMING.format(program="broken", more=raising))
    run = suite.run()
    run.result.assert_outcomes(failed=3)
    assert "ValueError: the stream broke" in run.text
