"""Programs as they are published, each with its metric and its examples, in a suite of 13 lines beside them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import pytest
from support.openai_server import Request, chat_format
from support.suite import Suite

CONFTEST = """
import published
import pytest

@pytest.fixture(scope="session")
def program():
    return published.program()

@pytest.fixture(scope="session")
def metric():
    return published.metric
"""

TEST = """
import published
import pytest

@pytest.mark.evaluation(published.devset(), threshold=1)
def test_published(score):
    assert score >= score.threshold
"""

ARITHMETIC = '''
"""Word problems, as of GSM8K: the number after the last '####' is right."""
import re

import dspy


def devset():
    rows = [(f"Ann has {n} apples and buys {n + 1} bags of 2. How many has she?", 3 * n + 2) for n in range(12)]
    solved = [(text, f"Count them.\\n#### {number}") for text, number in rows]
    return [dspy.Example(question=text, answer=answer).with_inputs("question") for text, answer in solved]


def program():
    return dspy.ChainOfThought("question -> answer")


def parse_number(text):
    found = re.findall(r"-?\\d[\\d,]*", str(text).split("####")[-1])
    return int(found[-1].replace(",", "")) if found else None


def metric(gold, pred, trace=None):
    return parse_number(gold.answer) == parse_number(pred.answer)
'''


def solve(request: Request) -> str:
    """Eight is no longer within its reach."""
    count = int(re.findall(r"Ann has (\d+) apples", request.prompt)[-1])
    return chat_format(reasoning="Let's see.", answer=f"${3 * count + 2:,} apples" if count < 8 else "many")


AGENT = '''
"""An agent whose tools fail: one is down, one is never what it was asked for."""
import dspy


def devset():
    return [dspy.Example(city=f"City {n}", answer=f"{n} degrees").with_inputs("city") for n in range(12)]


def weather(city: str) -> str:
    """The weather of a city."""
    raise ConnectionError(f"no route to the weather of {city}")


async def forecast(city: str) -> str:
    """The weather of a city tomorrow, for those who can wait."""
    return "soon"


def almanac(city: str) -> str:
    """The usual weather of a city."""
    return f"{city.split()[-1]} degrees"


def program():
    return dspy.ReAct("city -> answer", tools=[weather, forecast, almanac], max_iters=5)


def metric(example, pred, trace=None):
    used = [value for key, value in pred.trajectory.items() if key.startswith("tool_name")]
    return dspy.Prediction(score=float(example.answer == pred.answer), feedback=", ".join(used), steps=len(used))
'''


def act(request: Request) -> str:
    """Tries one tool after the other, as long as the observations are no weather; then it is done."""
    prompt = request.messages[-1]["content"]
    city = re.findall(r"City \d+", prompt)[0]
    if "starting with the field `[[ ## next_thought" not in prompt:
        return chat_format(reasoning="The almanac knows.", answer=f"{city.split()[-1]} degrees")
    for tool in ("weather", "forecast", "almanac"):
        if f"]]\n{tool}\n" not in prompt:
            return chat_format(next_thought="Look.", next_tool_name=tool, next_tool_args={"city": city})
    return chat_format(next_thought="Enough.", next_tool_name="finish", next_tool_args={})


EXTRACTION = '''
"""Typed extraction: people with their roles, the language of a text, a date."""
import datetime
from typing import Literal

import dspy
import pydantic


class Person(pydantic.BaseModel):
    name: str
    role: Literal["founder", "investor"]
    shares: list[int] = []


class Extract(dspy.Signature):
    """Who is in it?"""

    text: str = dspy.InputField()
    people: list[Person] = dspy.OutputField()
    language: Literal["en", "de"] = dspy.OutputField()
    founded: datetime.date | None = dspy.OutputField()


def devset():
    people = [Person(name=f"Person {n}", role="founder") for n in range(12)]
    return [dspy.Example(text=f"{one.name} founded it.", people=[one]).with_inputs("text") for one in people]


def program():
    return dspy.Predict(Extract)


def metric(example, pred, trace=None):
    found = {(one.name, one.role) for one in pred.people}
    return len(found & {(one.name, one.role) for one in example.people}) / len(example.people)
'''


def extract(request: Request) -> str:
    name = re.findall(r"Person \d+", request.prompt)[-1]
    people = [{"name": name, "role": "founder", "shares": [1, 2]}]
    return chat_format(people=people, language="en", founded=None)


RETRIEVAL = '''
"""Retrieval: a hosted embedder, an index in memory, and an answer from the passages."""
import dspy

URL = {url!r}
CORPUS = [f"The colour of planet {{n}} is colour {{n}}." for n in range(12)]


def devset():
    pairs = [(text, f"colour {{n}}") for n, text in enumerate(CORPUS)]
    return [dspy.Example(question=text, answer=answer).with_inputs("question") for text, answer in pairs]


class RAG(dspy.Module):
    def __init__(self):
        super().__init__()
        embedder = dspy.Embedder("openai/embedder", api_base=URL, api_key="sk-for-tests-only")
        self.search = dspy.Embeddings(corpus=CORPUS, embedder=embedder, k=2)
        self.respond = dspy.ChainOfThought("context: list[str], question -> answer")

    def forward(self, question):
        passages = self.search(question).passages
        return self.respond(context=passages, question=question)


def program():
    return RAG()


def metric(example, pred, trace=None):
    return example.answer in pred.answer
'''


def respond(request: Request) -> str:
    """Believes the first passage."""
    context = request.prompt.rpartition("[[ ## context ## ]]")[2]
    return chat_format(reasoning="It stands there.", answer=re.findall(r"colour \d+", context)[0])


class Published(NamedTuple):
    """A program: its text, how the LM answers, its calls an example, and how many pass."""

    text: str
    answer: Callable[[Request], str]
    calls: int = 1
    passed: int = 12


PUBLISHED = {
    "arithmetic": Published(ARITHMETIC, solve, passed=8),
    "agent": Published(AGENT, act, calls=5),
    "extraction": Published(EXTRACTION, extract),
    "retrieval": Published(RETRIEVAL, respond),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_program(suite: Suite, name: str) -> None:
    lines = [line for line in (CONFTEST + TEST).splitlines() if line.strip()]
    assert len(lines) <= 15
    text, answer, calls, passed = PUBLISHED[name]
    suite.write("published.py", text.format(url=suite.server.url) if name == "retrieval" else text)
    suite.write("conftest.py", CONFTEST)
    suite.write("test_qa.py", TEST)
    suite.server.answer, suite.server.latency = answer, 0.02
    run = suite.run("--eval-concurrency=8", subprocess=True)
    counts = run.result.parseoutcomes()
    assert (counts.get("passed", 0), counts.get("failed", 0)) == (passed, 12 - passed), run.text
    assert len(run.requests) == 12 * calls
    assert suite.server.peak_in_flight <= 8
    assert [test["lm_calls"] for test in run.tests] == [{"fresh": calls, "cached": 0, "failed": 0}] * 12
    of_corpus = 1 if name == "retrieval" else 0  # which is of no example
    counted = sum(test["embeddings"] for test in run.tests)  # one request may be for several tests
    assert bool(of_corpus) <= counted <= suite.server.embeddings - of_corpus
    assert (name == "retrieval") == (suite.server.embeddings > of_corpus)
    again = suite.run("--eval-replay=last", subprocess=True)
    assert again.requests == []
    assert [test["score"] for test in again.tests] == [test["score"] for test in run.tests]
