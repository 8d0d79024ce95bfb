"""Programs as people write them, many rollouts at a time: threads, tasks, retrievers, clients that are kept."""

from __future__ import annotations

from collections import Counter

import pytest
from support.suite import Suite

EXAMPLES = 16

PROGRAMS = '''
import asyncio
import concurrent.futures

URL = {url!r}


class Asking(dspy.Module):
    """Asks three questions of one, marked with the name of its class."""

    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def parts(self, question):
        return [f"{{type(self).__name__}} {{n}} of {{question}}" for n in range(3)]


class Parallel(Asking):
    def forward(self, question):
        pairs = [(self.ask, dspy.Example(question=part).with_inputs("question")) for part in self.parts(question)]
        results = dspy.Parallel(num_threads=3)(pairs)
        return dspy.Prediction(answer=" ".join(one.answer for one in results))


class Evaluating(Asking):
    """Evaluates within, as a program does that chooses among candidates."""

    def forward(self, question):
        devset = [dspy.Example(question=part).with_inputs("question") for part in self.parts(question)]
        evaluate = dspy.Evaluate(devset=devset, metric=lambda example, pred: len(pred.answer), num_threads=2)
        evaluate(self.ask)
        return dspy.Prediction(answer="evaluated")


class Gathering(Asking):
    async def aforward(self, question):
        results = await asyncio.gather(*(self.ask.acall(question=part) for part in self.parts(question)))
        return dspy.Prediction(answer=" ".join(one.answer for one in results))


class Pooled(Asking):
    """Has a thread pool of its own, that lives as long as the program."""

    def __init__(self):
        super().__init__()
        self.pool = concurrent.futures.ThreadPoolExecutor(4)

    def __deepcopy__(self, memo):
        return type(self)()

    def forward(self, question):
        results = self.pool.map(lambda part: self.ask(question=part), self.parts(question))
        return dspy.Prediction(answer=" ".join(one.answer for one in results))


class Retrieving(Asking):
    def __init__(self):
        super().__init__()
        self.search = dspy.ColBERTv2(url=URL.removesuffix("v1") + "search")
        self.embed = dspy.Embedder("openai/embedder", api_base=URL, api_key="sk-for-tests-only")

    def forward(self, question):
        for part in self.parts(question):
            self.search(part, k=2)
            self.embed(part)
            self.ask(question=part)
        return dspy.Prediction(answer="retrieved")


class Session:
    """A connection such as MCP's: it belongs to the event loop that it was opened in, and answers one by one."""

    def __init__(self):
        self.requests = None

    async def call(self, text):
        if self.requests is None:
            self.requests = asyncio.Queue()
            self.server = asyncio.create_task(self.serve())
        answer = asyncio.get_running_loop().create_future()
        await self.requests.put((text, answer))
        return await answer

    async def serve(self):
        while True:
            text, answer = await self.requests.get()
            answer.set_result(text.upper())


SESSION = Session()


async def shout(text: str) -> str:
    """Say it loudly."""
    return await SESSION.call(text)


class WithTools(Asking):
    def __init__(self):
        super().__init__()
        self.tool = dspy.Tool(shout)

    async def aforward(self, question):
        for part in self.parts(question):
            await self.tool.acall(text=part)
            await self.ask.acall(question=part)
        return dspy.Prediction(answer="shouted")


class Elsewhere(Asking):
    """Async, but asks in threads: asyncio's, those of a loop's executor, DSPy's."""

    async def aforward(self, question):
        first, second, third = self.parts(question)
        await asyncio.to_thread(self.ask, question=first)
        await asyncio.get_running_loop().run_in_executor(None, lambda: self.ask(question=second))
        return await dspy.asyncify(self.ask)(question=third)


KINDS = {{kind.__name__: kind for kind in Asking.__subclasses__()}}


@pytest.fixture(scope="session", params=list(KINDS))
def program(request):
    return KINDS[request.param]()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: bool(pred.answer)
'''

KINDS = ("Parallel", "Evaluating", "Gathering", "Pooled", "Retrieving", "WithTools", "Elsewhere")


@pytest.mark.parametrize("arguments", ["", "-n2", "--eval-concurrency=1"])
def test_everyday_programs_are_asked_for_exactly_once(suite: Suite, arguments: str) -> None:
    examples = EXAMPLES if arguments != "--eval-concurrency=1" else 3
    suite.add("conftest.py", PROGRAMS.format(url=suite.server.url))
    suite.rows(examples)
    run = suite.run("-q", *arguments.split(), subprocess=True)
    run.result.assert_outcomes(passed=len(KINDS) * examples)
    asked = Counter(kind for request in run.requests for kind in KINDS if f"{kind} " in request.prompt)
    assert asked == dict.fromkeys(KINDS, 3 * examples)
    for test in run.tests:
        assert test["lm_calls"] == {"fresh": 3, "cached": 0, "failed": 0}, test["nodeid"]
        assert test["tokens"]["prompt"] > 0
        assert test["embeddings"] == (3 if "Retrieving" in test["nodeid"] else 0)
    assert suite.server.embeddings == suite.server.searches == 3 * examples
    assert f"  {3 * examples} requests to embedders [none]" in run.result.outlines


def test_retrievers_and_embedders_keep_to_no_limit_of_lms(suite: Suite) -> None:
    """Six LM calls may be made at once; with twelve others counted, the session would wait for a minute."""
    suite.add("conftest.py", PROGRAMS.format(url=suite.server.url))
    suite.rows(2)
    run = suite.run("-k", "Retrieving", "--eval-rate-limit=6/min", "--eval-timeout=50", subprocess=True)
    run.result.assert_outcomes(passed=2, deselected=2 * (len(KINDS) - 1))
    assert suite.server.searches == 6


PROCESS_WIDE = """
import contextlib
import io
import os
import signal


class Asking(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")


class Moves(Asking):
    def forward(self, question):
        os.chdir(os.getcwd())
        return self.ask(question=question)


class Sets(Asking):
    def forward(self, question):
        os.environ["ASKED"], os.environ["ALWAYS"] = question, "the same"
        return self.ask(question=question)


class Prints(Asking):
    def forward(self, question):
        with contextlib.redirect_stdout(io.StringIO()):
            return self.ask(question=question)


class Hurries(Asking):
    def forward(self, question):
        before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
        try:
            return self.ask(question=question)
        finally:
            signal.signal(signal.SIGALRM, before)


KINDS = {kind.__name__: kind for kind in Asking.__subclasses__()}


@pytest.fixture(scope="session", params=list(KINDS))
def program(request):
    return KINDS[request.param]()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: bool(pred.answer)
"""


def test_what_programs_change_for_all_rollouts_in_flight_is_said_once(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASKED", "")
    monkeypatch.setenv("ALWAYS", "")
    suite.server.latency = 0.1
    suite.rows(6)
    suite.add("conftest.py", PROCESS_WIDE)
    run = suite.run()
    counts = run.result.parseoutcomes()
    assert counts["passed"] + counts["errors"] == 24
    assert counts["errors"] >= 5  # the last one, beside which nothing flies, may take the signal
    assert run.text.count("\nthe program calls signal.signal, which only the main thread may do") == counts["errors"]
    shared = [line for line in run.result.outlines if "all rollouts in flight share" in line]
    assert [line.partition(" changes ")[2].partition(", which")[0] for line in shared] == [
        "the working directory (os.chdir)",
        "os.environ['ASKED']",
        "sys.stdout (redirect_stdout)",
    ]
    alone = suite.run("--eval-concurrency=1", "-k", "e0")
    alone.result.assert_outcomes(passed=4, deselected=20)
    assert "in flight share" not in alone.text


CONFIGURING = """

class Configuring(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        dspy.configure(track_usage=True)
        return self.ask(question=question)


@pytest.fixture(scope="session")
def program():
    return Configuring()
"""


def test_what_a_thread_may_not_do_is_said_in_one_line(suite: Suite) -> None:
    suite.rows(6)
    suite.add("conftest.py", CONFIGURING)
    run = suite.run()
    errors = run.result.parseoutcomes()["errors"]
    assert errors >= 5  # the last one, beside which nothing flies, may do it
    assert run.text.count("\nthe program calls dspy.configure, which is for all rollouts") == errors
    assert "Traceback" not in run.text
    suite.run("--eval-concurrency=1").result.assert_outcomes(passed=6)


BOUND = """

import asyncio
import sqlite3


class Asking(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")


class HasADatabase(Asking):
    def __init__(self):
        super().__init__()
        self.database = sqlite3.connect(":memory:")

    def forward(self, question):
        self.database.execute("select 1")
        return self.ask(question=question)


class WantsALoop(Asking):
    def forward(self, question):
        asyncio.get_event_loop()
        return self.ask(question=question)


@pytest.fixture(scope="session", params=[HasADatabase, WantsALoop])
def program(request):
    return request.param()
"""


def test_what_is_bound_to_the_main_thread_is_said_in_one_line(suite: Suite) -> None:
    suite.rows(3)
    suite.add("conftest.py", BOUND)
    run = suite.run()
    for what in ("a connection of sqlite3", "asyncio.get_event_loop"):
        assert f"the program uses {what}, which is for one thread, and rollouts are made in several: " in run.text
    assert "Traceback" not in run.text
    one = suite.run("--eval-concurrency=1", "-k", "HasADatabase or program0")
    one.result.assert_outcomes(passed=3, deselected=3)
