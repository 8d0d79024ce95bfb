"""Tools of agents in a run whose answers are kept in a file: a replay takes what they returned, and runs none."""

from __future__ import annotations

import json
import re
from typing import Any

import dspy
import pytest
from support.openai_server import Request, chat_format, dspy_answer
from support.suite import Run, Suite

SAME = ("nodeid", "status", "score", "samples", "feedback", "error", "prediction", "later_rollouts")

AGENT = '''
import asyncio
import base64
import datetime
import os
import pathlib
import threading
import time

import pydantic

RUNS = pathlib.Path(__file__).parent / "runs"


def ran(name):
    """A line for each time that a tool has run."""
    with RUNS.open("a") as file:
        file.write(name + "\\n")


class Place(pydantic.BaseModel):
    name: str
    seen: datetime.datetime


class Opaque:
    """What neither JSON nor a pickle can hold."""

    def __init__(self):
        self.lock, self.made = threading.Lock(), time.time_ns()

    def __str__(self):
        return f"opaque {self.made}"


def clock() -> str:
    """What time it is."""
    ran("clock")
    return str(time.time_ns())


async def slow_clock(zone: str) -> str:
    """What time it is elsewhere."""
    ran("slow_clock")
    await asyncio.sleep(0)
    return f"{zone} {time.time_ns()}"


def broken(reason: str) -> str:
    """Never there."""
    ran("broken")
    raise ConnectionError(f"{reason} at {time.time_ns()}")


def where(name: str):
    """A place."""
    ran("where")
    return Place(name=name, seen=datetime.datetime.now())


def picture() -> dspy.Image:
    """A picture."""
    ran("picture")
    return dspy.Image(url="data:image/png;base64," + base64.b64encode(str(time.time_ns()).encode()).decode())


def raw() -> bytes:
    """Bytes."""
    ran("raw")
    return str(time.time_ns()).encode()


def opaque():
    """Something."""
    ran("opaque")
    return Opaque()


def ask(question: str) -> str:
    """Somebody who knows."""
    ran("ask")
    return dspy.Predict("question -> reply")(question=question).reply + f" {time.time_ns()}"


def in_thread(note: str) -> str:
    """The time, by another thread."""
    ran("in_thread")
    found = []
    thread = threading.Thread(target=lambda: found.append(dspy.Tool(clock)()))
    thread.start()
    thread.join()
    return found[0] + note


TOOLS = [clock, dspy.Tool(slow_clock, name="far_clock"), broken, where, picture, raw, opaque, ask, in_thread]
SHARED = dspy.Tool(clock)


class Agents(dspy.Module):
    """Two agents that share a clock, and tools beside them: called side by side, and by hand."""

    def __init__(self):
        super().__init__()
        self.agent = dspy.ReAct("question -> answer", tools=TOOLS, max_iters=12)
        self.other = dspy.ReAct("question -> answer", tools=[SHARED], max_iters=2)

    def forward(self, question):
        with dspy.context(allow_tool_async_sync_conversion=True):
            first = self.agent(question=question)
        other = self.other(question="only " + question)
        both = dspy.Parallel(num_threads=2, disable_progress_bar=True)([(Told(), {"zone": zone}) for zone in "ab"])
        by_hand = dspy.ToolCalls.ToolCall(name="clock", args={}).execute(functions=[SHARED])
        kinds = [type(value).__name__ for value in (where_tool(name="Lima"), picture_tool(), raw_tool())]
        told = dspy.Predict("question -> reply")(question="who?").reply
        return dspy.Prediction(
            answer=first.answer, trajectory=first.trajectory, other=other.trajectory, both=both, by_hand=by_hand,
            kinds=kinds, told=told,
        )


class Told(dspy.Module):
    def forward(self, zone):
        return asyncio.run(TOOLS[1].acall(zone=zone))


where_tool, picture_tool, raw_tool = map(dspy.Tool, (where, picture, raw))


@pytest.fixture(scope="session")
def program():
    assert dspy.Tool(clock)()
    return Agents()
'''

ARGUMENTS = {
    "clock": {},
    "far_clock": {"zone": "UTC"},
    "broken": {"reason": "no route"},
    "where": {"name": "Quito"},
    "picture": {},
    "raw": {},
    "opaque": {},
    "ask": {"question": "who?"},
    "in_thread": {"note": "!"},
}


def act(request: Request) -> str:
    """Calls each tool once, and answers with what it has seen, to the last digit."""
    if request.model == "judge":
        return chat_format(score=0.5 + len(request.prompt) % 2 / 4, feedback="so so")
    said = request.messages[-1]["content"]  # parts, once there is a picture among them
    prompt = said if isinstance(said, str) else "".join(part.get("text", "[picture]") for part in said)
    if "starting with the field `[[ ## next_thought" not in prompt:
        seen = re.sub(r"\D", "", prompt.rpartition("[[ ## trajectory ## ]]")[2])
        return chat_format(reasoning="seen", answer=seen) if "## trajectory ##" in prompt else dspy_answer(request)
    names = ["clock"] if "only question" in prompt else list(ARGUMENTS)
    for name in names:
        if f"]]\n{name}\n" not in prompt:
            return chat_format(next_thought="Look.", next_tool_name=name, next_tool_args=ARGUMENTS[name])
    return chat_format(next_thought="Enough.", next_tool_name="finish", next_tool_args={})


def elsewhere(suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """From now on: no provider, no key, an empty DSPy cache, and no tool has run."""
    suite.server.close()
    (suite.path / "runs").unlink()
    ini = (suite.path / "pytest.ini").read_text(encoding="utf-8")
    suite.write("pytest.ini", re.sub(r"\n    api_key = .*", "", ini))
    monkeypatch.setenv("DSPY_CACHEDIR", str(tmp_path / "empty"))
    dspy.cache.disk_cache.close()
    dspy.configure_cache(disk_cache_dir=str(tmp_path / "empty"))


def runs(suite: Suite) -> list[str]:
    """The tools that have run, in their order."""
    path = suite.path / "runs"
    return path.read_text().split() if path.exists() else []


def same(run: Run) -> str:
    tests = sorted(run.tests, key=lambda test: str(test["nodeid"]))
    return json.dumps([{name: test[name] for name in SAME} for test in tests])


@pytest.mark.parametrize(
    ("recorded", "replayed", "name"),
    [(("-n4",), ("-n0",), "run.zip"), (("-n0", "--eval-concurrency=1"), ("-n2",), "answers")],
    ids=["workers first", "workers later"],
)
def test_agents_are_replayed_without_running_a_tool(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, recorded: Any, replayed: Any, name: str
) -> None:
    suite.add("conftest.py", AGENT)
    suite.server.answer = act
    first = suite.run(*recorded, "--eval-rollouts=3", f"--eval-record={name}", subprocess=True)
    first.result.assert_outcomes(passed=3)
    assert {*ARGUMENTS} - {"far_clock"} | {"slow_clock"} == set(runs(suite))
    assert "the tool 'opaque' returned a Opaque" in " ".join(first.text.split())
    elsewhere(suite, monkeypatch, tmp_path)
    again = suite.run(*replayed, "--eval-rollouts=3", f"--eval-replay={name}", subprocess=True)
    assert same(again) == same(first), again.text
    assert again.tests[0]["prediction"]["kinds"] == ["Place", "Image", "bytes"]
    assert "ConnectionError: no route at" in again.tests[0]["prediction"]["trajectory"]["observation_2"]
    assert runs(suite) == []
    assert sum(test["lm_calls"]["fresh"] for test in again.tests) == 0
    assert "not asked for" not in again.text


ONE_TOOL = """
import pathlib
import time

RUNS = pathlib.Path(__file__).parent / "runs"


def look_up(word: str) -> str:
    with RUNS.open("a") as file:
        file.write("look_up\\n")
    return str(time.time_ns())


class Looking(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question, seen -> answer")

    def forward(self, question):
        try:
            seen = dspy.Tool(look_up)(word={word!r})
        except Exception as error:
            seen = str(error)
        return self.ask(question=question, seen=seen)


@pytest.fixture(scope="session")
def program():
    return Looking()
"""
"""A program that hides what its tool raises."""


def use_tool(suite: Suite, word: str = "tea") -> None:
    suite.add("conftest.py", ONE_TOOL.format(word=word))


def test_a_call_with_other_arguments_is_named(suite: Suite) -> None:
    use_tool(suite)
    suite.run("--eval-record=run.zip").result.assert_outcomes(passed=3)
    use_tool(suite, "coffee")
    run = suite.run("--eval-replay=run.zip")
    run.result.assert_outcomes(errors=3)
    assert (runs(suite), run.requests) == (["look_up"] * 3, [])
    assert "a call of the tool 'look_up' is not recorded: arguments.word" in run.text
    assert "[-tea-]{+coffee+}" in run.text


def test_live_tools_run_in_a_replay(suite: Suite) -> None:
    use_tool(suite)
    suite.run("--eval-record=run.zip").result.assert_outcomes(passed=3)
    run = suite.run("--eval-replay=run.zip", "-oeval_live_tools=clock, look_*")
    run.result.assert_outcomes(errors=3)  # it has seen another time, of which the LM was not asked
    assert runs(suite) == ["look_up"] * 6
    assert "an LM call of the program is not recorded: " in run.text


def test_what_is_missing_is_filled_in(suite: Suite) -> None:
    use_tool(suite)
    suite.run("--eval-record=first.zip").result.assert_outcomes(passed=3)
    suite.rows(4)
    run = suite.run("--eval-replay=first.zip", "--eval-record=second.zip")
    run.result.assert_outcomes(passed=4)
    assert (len(run.requests), runs(suite)) == (2, ["look_up"] * 4)
    again = suite.run("--eval-replay=second.zip")
    assert (again.requests, runs(suite)) == ([], ["look_up"] * 4)
    assert same(again) == same(run)


def test_without_a_file_tools_run(suite: Suite) -> None:
    use_tool(suite)
    suite.run().result.assert_outcomes(passed=3)
    assert runs(suite) == ["look_up"] * 3


SIDE_BY_SIDE = """
import asyncio
import pathlib
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

RUNS = pathlib.Path(__file__).parent / "runs"


class NoClock(LookupError):
    pass


def clock() -> float:
    with RUNS.open("a") as file:
        file.write("clock\\n")
    time.sleep(random.random() / 50)
    return time.time()


async def late() -> float:
    clock()
    await asyncio.sleep(random.random() / 50)
    return time.time()


def broken() -> float:
    raise NoClock(f"none at {time.time()}")


class Timed(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        self.ask(question=question)
        return dspy.Prediction(at=dspy.Tool(clock)())


class InThreads(dspy.Module):
    def __init__(self):
        super().__init__()
        self.timed = Timed()

    def forward(self, question):
        inputs = dspy.Example(question=question).with_inputs("question")
        ask = dspy.Parallel(num_threads=3, disable_progress_bar=True)
        times = [one.at for one in ask([(self.timed, inputs)] * 3)]
        with ThreadPoolExecutor(3) as pool:
            times += pool.map(lambda _: dspy.Tool(clock)(), range(3))
        alone = [threading.Thread(target=lambda: times.append((1, dspy.Tool(clock)()))) for _ in range(2)]
        for thread in alone:
            thread.start()
            thread.join()
        try:
            dspy.Tool(broken)()
        except NoClock as error:
            times.append(str(error))
        return dspy.Prediction(answer=question, times=times)


class InTasks(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    async def one(self, question):
        await self.ask.acall(question=question)
        return await dspy.Tool(late).acall()

    async def aforward(self, question):
        times = await asyncio.gather(*(self.one(question) for _ in range(3)))
        return dspy.Prediction(answer=question, times=times)


@pytest.fixture(scope="session")
def program():
    return {program}()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: dspy.Tool(clock)() % 1
"""
"""Identical calls at the same time, and a metric that uses a tool, too; the program catches a class of its own."""


@pytest.mark.parametrize(("recorded", "replayed"), [("-n2", "-n0"), ("-n0", "-n2")])
@pytest.mark.parametrize(("program", "count"), [("InThreads", 9), ("InTasks", 4)])
def test_what_runs_side_by_side_gets_what_each_got(
    suite: Suite, program: str, count: int, recorded: str, replayed: str
) -> None:
    suite.add("conftest.py", SIDE_BY_SIDE.replace("{program}", program))
    suite.rows(2)
    options = ["--eval-rollouts=2", "--eval-threshold=0"]
    first = suite.run(recorded, *options, "--eval-record=run.zip")
    first.result.assert_outcomes(passed=2)
    assert len(runs(suite)) == 2 * 2 * count
    (suite.path / "runs").unlink()
    again = suite.run(replayed, *options, "--eval-replay=run.zip")
    assert same(again) == same(first), again.text
    assert (again.requests, runs(suite)) == ([], [])
    assert "not asked for" not in again.text
