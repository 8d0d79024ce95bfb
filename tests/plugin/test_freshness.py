"""Every LM call of an evaluation is asked afresh, and counted for the test that made it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from support.openai_server import OpenAIServer, Request, dspy_answer
from support.suite import Run, Suite

EXAMPLES = 2

OWN_LM = """
OWN_LM = dspy.LM("openai/own", api_base={url!r}, api_key="sk-of-its-own", num_retries=0)
"""

PROGRAM = """

@pytest.fixture(scope="session")
def program():
    return {make}
"""

NESTED = """
class Inner(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        return self.ask(question=question)


class Outer(dspy.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Inner(), Inner()

    def forward(self, question):
        return self.second(question=self.first(question=question).answer)
"""

PARALLEL = """
class Parallel(dspy.Module):
    def __init__(self):
        super().__init__()
        self.short, self.long = dspy.Predict("question -> answer"), dspy.ChainOfThought("question -> answer")

    def forward(self, question):
        ask = dspy.Parallel(num_threads=4, disable_progress_bar=True)
        inputs = [dspy.Example(question=f"{question} {n}").with_inputs("question") for n in range(2)]
        answers = ask([(one, each) for one in (self.short, self.long) for each in inputs])
        return dspy.Prediction(answer=" and ".join(one.answer for one in answers))
"""

ASYNC = """
class Async(dspy.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = dspy.Predict("question -> answer"), dspy.Predict("draft -> answer")

    async def aforward(self, question):
        draft = await self.first.acall(question=question)
        return await self.second.acall(draft=draft.answer)
"""

ASYNCIFY = """
import asyncio


class Asyncify(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        return asyncio.run(self.several(question))

    async def several(self, question):
        ask = dspy.asyncify(self.ask)
        answers = await asyncio.gather(*(ask(question=f"{question} {n}") for n in range(3)))
        return dspy.Prediction(answer=" and ".join(one.answer for one in answers))
"""

SET_LM = """
class SetLM(dspy.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = dspy.Predict("question -> answer"), dspy.Predict("draft -> answer")
        self.second.set_lm(OWN_LM)

    def forward(self, question):
        return self.second(draft=self.first(question=question).answer)
"""

LM_IN_FORWARD = """
class LMInForward(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        with dspy.context(lm=dspy.LM("openai/own", api_base=OWN_LM.kwargs["api_base"], api_key="sk-of-its-own")):
            return self.ask(question=question)
"""

THREAD = """
import threading


class Threaded(dspy.Module):
    def forward(self, question):
        answers = []
        threads = [threading.Thread(target=lambda n=n: answers.append(OWN_LM(f"{question} {n}")[0])) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return dspy.Prediction(answer=" and ".join(answers))
"""

UNCACHED = """
class Uncached(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")
        self.ask.set_lm(OWN_LM.copy(cache=False))

    def forward(self, question):
        return self.ask(question=question)
"""

REWARD = """
def reward(inputs, prediction):
    return 0.0
"""

PREDICT = 'dspy.Predict("question -> answer")'

# What each adds to the conftest, how its program is made, and the LM calls it makes for one example.
PROGRAMS = {
    "nested": (NESTED, "Outer()", 2),
    "chain-of-thought": ("", 'dspy.ChainOfThought("question -> answer")', 1),
    "best-of-n": (REWARD, f"dspy.BestOfN({PREDICT}, N=3, reward_fn=reward, threshold=1.0)", 3),
    "refine": (REWARD, f"dspy.Refine({PREDICT}, N=2, reward_fn=reward, threshold=1.0)", 3),  # one gives advice
    "parallel": (PARALLEL, "Parallel()", 4),
    "async": (ASYNC, "Async()", 2),
    "asyncify-inside": (ASYNCIFY, "Asyncify()", 3),
    "asyncify-outside": (NESTED, "dspy.asyncify(Outer())", 2),
    "set-lm": (SET_LM, "SetLM()", 2),
    "lm-in-forward": (LM_IN_FORWARD, "LMInForward()", 1),
    "thread": (THREAD, "Threaded()", 2),
    "uncached": (UNCACHED, "Uncached()", 1),
}


def use_program(suite: Suite, code: str, make: str) -> None:
    suite.rows(EXAMPLES)
    suite.add("conftest.py", OWN_LM.format(url=suite.server.url) + code + PROGRAM.format(make=make))


def calls(run: Run, part: str | None = None) -> list[dict[str, int]]:
    return [(test[part] if part else test)["lm_calls"] for test in run.tests]


def fresh(count: int) -> dict[str, int]:
    return {"fresh": count, "cached": 0, "failed": 0}


def answers(run: Run) -> list[Any]:
    return [test["prediction"]["answer"] for test in run.tests]


def test_a_second_session_asks_everything_again(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    first, second = suite.run(*plugin_args), suite.run(*plugin_args)
    for run in (first, second):
        run.result.assert_outcomes(passed=3)
        assert Counter(request.model for request in run.requests) == {"generator": 3, "judge": 3}
        assert calls(run) == [fresh(2)] * 3
        assert calls(run, "generator") == calls(run, "judge") == [fresh(1)] * 3
    assert len({*answers(first), *answers(second)}) == 6
    assert [test["feedback"] for test in first.tests] != [test["feedback"] for test in second.tests]


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_kind_of_program_is_asked_again(suite: Suite, name: str) -> None:
    code, make, count = PROGRAMS[name]
    use_program(suite, code, make)
    first, second = suite.run(), suite.run()
    for run in (first, second):
        run.result.assert_outcomes(passed=EXAMPLES)
        assert len(run.by("judge")) == EXAMPLES
        assert len(run.requests) == EXAMPLES * (count + 1), [request.prompt for request in run.requests]
        assert calls(run, "generator") == [fresh(count)] * EXAMPLES
        assert calls(run, "judge") == [fresh(1)] * EXAMPLES
        assert calls(run) == [fresh(count + 1)] * EXAMPLES
    assert not {*answers(first)} & {*answers(second)}


def test_a_generator_lm_of_the_users_own_is_asked_again(suite: Suite) -> None:
    own = '\n\n@pytest.fixture(scope="session")\ndef generator_lm():\n    return OWN_LM\n'
    use_program(suite, own, PREDICT)
    first, second = suite.run(), suite.run()
    for run in (first, second):
        run.result.assert_outcomes(passed=EXAMPLES)
        assert len(run.by("own")) == len(run.by("judge")) == EXAMPLES
        assert calls(run, "generator") == [fresh(1)] * EXAMPLES
    assert not {*answers(first)} & {*answers(second)}


FREE_FORM = """
import dspy
import pytest


@pytest.fixture
def topic(generator_lm):
    return generator_lm("name a topic")[0]


def test_free(topic, generator_lm, record_score):
    pitch = dspy.Predict("question -> answer")(question=topic).answer
    praise = generator_lm("praise a pitch")[0]
    assert record_score(len({topic, pitch, praise}) / 3, threshold=1.0).passed
"""


def test_calls_of_a_users_fixture_and_of_the_test_itself(suite: Suite) -> None:
    suite.write("test_qa.py", FREE_FORM)
    for run in (suite.run(), suite.run()):
        run.result.assert_outcomes(passed=1)
        assert [request.model for request in run.requests] == ["generator"] * 3
        assert calls(run) == [fresh(3)]


SESSION_FIXTURE = """

@pytest.fixture(scope="session")
def facts(generator_lm):
    return generator_lm("name some facts")[0]


@pytest.fixture(scope="session")
def program(facts):
    return dspy.Predict(dspy.Signature("question -> answer", facts))
"""


def test_calls_of_a_session_fixture_belong_to_no_rollout(suite: Suite) -> None:
    suite.add("conftest.py", SESSION_FIXTURE)
    first, second = suite.run(), suite.run()
    assert [len(first.requests), len(second.requests)] == [1 + 6, 6]
    for run in (first, second):
        run.result.assert_outcomes(passed=3)
        assert calls(run, "generator") == [fresh(1)] * 3


def test_temperature_0_is_asked_again(suite: Suite) -> None:
    suite.add("pytest.ini", "generator_temperature = 0\n")
    first, second = suite.run(), suite.run()
    assert {request.temperature for request in second.by("generator")} == {0}
    assert len(first.requests) == len(second.requests) == 6
    assert len({*answers(first), *answers(second)}) == 6
    assert "PitchevalWarning" not in second.text


def test_rollouts_at_temperature_0_are_asked_with_a_warning(suite: Suite) -> None:
    suite.add("pytest.ini", "generator_temperature = 0\n")
    run = suite.run("--eval-rollouts=2", "-Wdefault")
    run.result.assert_outcomes(passed=3, warnings=3)
    assert len(run.by("generator")) == 6
    assert "PitchevalWarning: generator_lm samples at temperature 0" in run.text


def score_by_number(request: Request) -> str:
    """0.0 and 1.0 in turns."""
    return dspy_answer(request).replace("0.75", str(float(request.number // 2 % 2)))


ROLLOUTS_PROGRAM = """

ANSWERS = []


@pytest.fixture(scope="session")
def metric(evaluator_lm):
    judge = Judge(evaluator_lm)

    def remember(example, pred, trace=None):
        ANSWERS.append(pred.answer)
        return judge(example, pred, trace)

    yield remember
    assert len(ANSWERS) == len(set(ANSWERS))
"""


def test_rollouts_are_samples_of_their_own(suite: Suite) -> None:
    suite.add("conftest.py", ROLLOUTS_PROGRAM)
    suite.server.answer = score_by_number
    run = suite.run("--eval-rollouts=4", "--eval-threshold=0.1", "--eval-concurrency=1")
    run.result.assert_outcomes(passed=3)
    assert len(run.by("generator")) == len(run.by("judge")) == 3 * 4
    for test in run.tests:
        assert sorted(test["samples"]) == [0.0, 0.0, 1.0, 1.0]
        assert test["score"] == 0.5
    assert calls(run) == [fresh(8)] * 3


@pytest.mark.parametrize(
    ("ini", "marker", "command_line", "expected"),
    [(3, None, None, 3), (3, 2, None, 2), (3, 2, 1, 1), (None, 2, 3, 3)],
)
def test_which_number_of_rollouts_holds(
    suite: Suite, ini: int | None, marker: int | None, command_line: int | None, expected: int
) -> None:
    suite.rows(1)
    if ini is not None:
        suite.add("pytest.ini", f"eval_rollouts = {ini}\n")
    if marker is not None:
        test = (suite.path / "test_qa.py").read_text(encoding="utf-8")
        suite.write("test_qa.py", test.replace("threshold=0.5", f"threshold=0.5, rollouts={marker}"))
    run = suite.run(*([] if command_line is None else [f"--eval-rollouts={command_line}"]))
    assert [len(test["samples"]) for test in run.tests] == [expected]
    assert len(run.by("generator")) == len(run.by("judge")) == expected


TWICE = """
class Twice(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        first, second = self.ask(question=question), self.ask(question=question)
        assert first.answer == second.answer
        return second
"""


def test_a_program_may_ask_the_same_twice_in_one_rollout(suite: Suite) -> None:
    use_program(suite, TWICE, "Twice()")
    for run in (suite.run(), suite.run("--eval-rollouts=2")):
        run.result.assert_outcomes(passed=EXAMPLES)
        count = len(run.tests[0]["samples"])
        assert calls(run, "generator") == [{"fresh": count, "cached": count, "failed": 0}] * EXAMPLES
        assert len(run.by("generator")) == EXAMPLES * count


OWN_CACHE = """
import hashlib
import json
import os

from dspy.clients.cache import Cache


class MessageCache(Cache):
    def cache_key(self, request, ignored_args_for_cache_key=None):
        return hashlib.sha256(json.dumps(request["messages"], default=str).encode()).hexdigest()


dspy.cache = MessageCache(True, True, os.path.join(os.environ["DSPY_CACHEDIR"], "own"))
"""


def test_a_cache_that_ignores_the_rollout_is_an_error(suite: Suite) -> None:
    suite.add("conftest.py", OWN_CACHE)
    suite.run().result.assert_outcomes(passed=3)
    run = suite.run()
    run.result.assert_outcomes(errors=3)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    for test in run.tests:
        assert (test["status"], test["score"]) == ("error", None)
        assert f"rollout {test['rollout_id']}" in test["error"]
        assert "was answered from the cache of another rollout" in test["error"]


CONFIGURES_CACHE = """

@pytest.fixture(scope="session", autouse=True)
def cache():
    dspy.configure_cache(disk_cache_dir=CACHE)
"""


def test_configuring_the_cache_in_a_session_fixture(suite: Suite) -> None:
    suite.add("conftest.py", CONFIGURES_CACHE.replace("CACHE", repr(str(suite.path / "cache")), 1))
    first, second = suite.run(), suite.run()
    for run in (first, second):
        run.result.assert_outcomes(passed=3)
        assert calls(run) == [fresh(2)] * 3
    assert len({*answers(first), *answers(second)}) == 6


CONFIGURES_INSIDE = """
class Configures(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        dspy.configure_cache()
        return self.ask(question=question)
"""


def test_configuring_the_cache_in_the_program_is_an_error(suite: Suite) -> None:
    use_program(suite, CONFIGURES_INSIDE, "Configures()")
    run = suite.run()
    run.result.assert_outcomes(errors=EXAMPLES)
    for test in run.tests:
        assert test["rollout_id"] in test["error"]
        assert "dspy.cache was replaced" in test["error"]


CONFIGURES_IN_TEST = """
import dspy


def test_free(record_score, generator_lm):
    dspy.configure_cache()
    generator_lm("praise a pitch")
    record_score(1.0)
"""


def test_configuring_the_cache_in_a_test_is_an_error(suite: Suite) -> None:
    suite.write("test_qa.py", CONFIGURES_IN_TEST)
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    assert "dspy.cache was replaced" in run.tests[0]["error"]


def tokens(server: OpenAIServer) -> dict[str, Counter[str]]:
    """Per model, what the server will have said in ``usage``; filled while it answers."""
    said: dict[str, Counter[str]] = {"generator": Counter(), "judge": Counter(), "own": Counter()}

    def answer(request: Request) -> str:
        text = dspy_answer(request)
        said[request.model].update(prompt=len(request.prompt.split()), completion=len(text.split()))
        return text

    server.answer = answer
    return said


@pytest.mark.parametrize("name", ["nested", "refine", "parallel", "uncached"])
def test_tokens_are_those_the_provider_counted(suite: Suite, name: str) -> None:
    code, make, _ = PROGRAMS[name]
    use_program(suite, code, make)
    said = tokens(suite.server)
    run = suite.run("--eval-rollouts=2")
    for part, expected in (("generator", said["generator"] + said["own"]), ("judge", said["judge"])):
        for kind in ("prompt", "completion"):
            assert sum(test[part]["tokens"][kind] for test in run.tests) == expected[kind] > 0
    for test in run.tests:
        assert test["tokens"]["prompt"] == test["generator"]["tokens"]["prompt"] + test["judge"]["tokens"]["prompt"]
        assert test["cost"] is test["generator"]["cost"] is test["judge"]["cost"] is None  # no such model on any list


ROLLOUT_ID = """

def test_id(rollout_id, record_score):
    print(f"rollout {rollout_id} {int(rollout_id)}")
    record_score(1.0)
"""


def test_the_rollout_id_is_time_stamp_and_node_id(suite: Suite) -> None:
    suite.add("test_qa.py", ROLLOUT_ID)
    run = suite.run("-s")
    assert run.document is not None
    for test in run.tests:
        assert test["rollout_id"] == f"{run.document['run']['timestamp']}/{test['nodeid']}"
        assert 0 < test["rollout_key"] < 2**53
    assert len({test["rollout_key"] for test in run.tests}) == 4
    last = run.tests[-1]
    assert f"rollout {last['rollout_id']} {last['rollout_key']}" in run.text


def test_a_time_stamp_gives_the_same_rollout_ids_in_workers(suite: Suite) -> None:
    first = suite.run("-n0")
    again = suite.run("-n2", "--eval-replay=last")
    ids = [[(test["rollout_id"], test["rollout_key"]) for test in run.tests] for run in (first, again)]
    assert ids[0] == ids[1]


RECORDED = """
import http.client


@pytest.fixture(autouse=True, scope="session")
def recorded():
    before = http.client.HTTPConnection
    http.client.HTTPConnection = type("VCRHTTPConnection", (before,), {"__module__": "vcr.stubs"})
    yield
    http.client.HTTPConnection = before
"""


def test_who_is_in_place_of_the_network_is_said_once(suite: Suite) -> None:
    suite.add("conftest.py", RECORDED)
    run = suite.run()
    run.result.assert_outcomes(passed=3)
    assert run.text.count("LM calls went through vcr: ") == 1
