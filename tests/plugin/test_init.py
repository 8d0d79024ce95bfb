"""``pitcheval init``: the suite that it writes runs as it is, for programs of all kinds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Command
from support.openai_server import Request, chat_format, dspy_answer
from support.suite import INI, Run, Suite

ONE = """
import dspy


class QA(dspy.Module):
    def __init__(self):
        super().__init__()
        self.answer = dspy.ChainOfThought("question -> answer")

    def forward(self, question):
        return self.answer(question=question)


ready = dspy.Predict("question -> answer")
agent = dspy.ReAct("question -> answer", tools=[])
"""

SEVERAL = """
import dspy


class PitchWriter(dspy.Module):
    def __init__(self):
        super().__init__()
        self.gather = dspy.Predict("company, audience -> facts")
        self.write = dspy.ChainOfThought("facts, tone -> pitch, price: int")

    def forward(self, company, tone, audience="investors"):
        return self.write(facts=self.gather(company=company, audience=audience).facts, tone=tone)
"""

TYPED = """
import datetime
import enum
from typing import Literal

import dspy
import pydantic


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Address(pydantic.BaseModel):
    town: str
    founded: datetime.date


class Company(pydantic.BaseModel):
    name: str
    size: Size
    addresses: list[Address]
    employees: int | None = None


class Rate(dspy.Signature):
    company: Company = dspy.InputField()
    rivals: list[Company] = dspy.InputField()
    tone: Literal["warm", "cold"] = dspy.InputField()
    year: int = dspy.InputField()
    tags: list[str] = dspy.InputField()
    numbers: dict[str, float] = dspy.InputField()
    note: str | None = dspy.InputField()
    hurry: bool = dspy.InputField()
    grade: int = dspy.OutputField()
    kind: Literal["good", "bad"] = dspy.OutputField()
    reasons: list[str] = dspy.OutputField()


class Rater(dspy.Module):
    def __init__(self):
        super().__init__()
        self.rate = dspy.Predict(Rate)

    def forward(self, company, rivals, tone, year, tags, numbers, note, hurry):
        assert isinstance(company, Company) and isinstance(company.addresses[0].founded, datetime.date)
        assert isinstance(rivals[0], Company) and tone in ("warm", "cold") and type(hurry) is bool
        return self.rate(
            company=company, rivals=rivals, tone=tone, year=year, tags=tags, numbers=numbers, note=note, hurry=hurry
        )
"""

Start = Callable[[str, str], "Started"]


class Started:
    """A suite that ``pitcheval init`` has written, and the provider that it runs against."""

    def __init__(self, suite: Suite, folder: Path, lines: list[str]) -> None:
        self._suite = suite
        self.folder = folder
        self.lines = lines

    def rows(self, name: str = "test.jsonl") -> list[dict[str, Any]]:
        """The rows of one of its datasets."""
        return [json.loads(line) for line in (self.folder / "data" / name).read_text(encoding="utf-8").splitlines()]

    def write_rows(self, rows: list[dict[str, Any]]) -> None:
        """Replace its placeholders."""
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (self.folder / "data" / "test.jsonl").write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> Run:
        """``pytest`` in its folder; the provider's address is added to the ini file, once."""
        ini = self.folder / "pytest.ini"
        text = ini.read_text(encoding="utf-8")
        if "api_base" not in text:
            added = [
                line for line in INI.format(url=self._suite.server.url).splitlines() if "generator_model" not in line
            ]
            ini.write_text(text + "\n".join(added).replace("[pytest]\n", ""), encoding="utf-8")
        return self._suite.run("--rootdir", str(self.folder), "-c", str(ini), str(self.folder), *arguments)


@pytest.fixture
def start(suite: Suite, command: Command) -> Start:
    """Writes a module and, with ``pitcheval init``, a suite for what is in it."""
    for name in ("conftest.py", "test_qa.py", "data.jsonl", "pytest.ini"):
        (suite.path / name).unlink()

    def start(program: str, text: str) -> Started:
        suite.write(f"{program.partition(':')[0]}.py", text)
        said = command("init", program, "--generator-model=openai/generator")
        assert (said.code, said.errors) == (pytest.ExitCode.OK, [])
        return Started(suite, suite.path / "evaluation", said.lines)

    return start


def test_what_it_says_and_writes(start: Start) -> None:
    started = start("one_program:QA", ONE)
    names = [".gitignore", "pytest.ini", "conftest.py", "test_qa.py", "data/test.jsonl", "data/train.jsonl"]
    assert started.lines == [
        "one_program:QA: question -> answer",
        *(f"wrote evaluation/{name}" for name in names),
        "the 10 rows of data/test.jsonl are placeholders: replace them, and those of train.jsonl",
        "next: cd evaluation && pytest",
    ]
    assert started.rows()[0] == {"id": "placeholder-1", "question": "Replace me: question 1", "answer": None}
    assert len(started.rows()) == 10
    assert [row["id"] for row in started.rows("train.jsonl")] == [f"placeholder-{n}" for n in range(11, 15)]


def test_it_runs_at_once_and_counts_what_it_asks(start: Start, suite: Suite) -> None:
    run = start("counted:QA", ONE).run()
    run.result.assert_outcomes(passed=10)
    assert (run.result.ret, len(run.requests)) == (pytest.ExitCode.OK, 10)
    assert all("Replace me: question" in request.prompt for request in run.requests)


def test_it_measures_once_there_are_values(start: Start) -> None:
    started = start("measured:QA", ONE)
    started.write_rows([{"question": f"{n}?", "answer": "ANSWER" if n < 3 else "something else"} for n in range(4)])
    run = started.run()
    run.result.assert_outcomes(passed=3, failed=1)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.stdout.fnmatch_lines(
        ["feedback   answer is 'answer *', expected 'something else'", "FAIL min_mean=0.8 *: mean 0.75 is below 0.8"]
    )


@pytest.mark.parametrize("method", ["labeled", "bootstrap"])
def test_optimizers_have_a_trainset(start: Start, method: str) -> None:
    started = start(f"optimized_{method}:QA", ONE)
    run = started.run(f"--optimization={method}", "-n2")
    run.result.assert_outcomes(passed=10)
    assert {record["optimization"] for record in started_records(started)} == {method}


def started_records(started: Started) -> list[dict[str, Any]]:
    [path] = (started.folder / ".pitcheval" / "runs").glob("*.json")
    records: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["tests"]
    return records


@pytest.mark.parametrize("name", ["ready", "agent"])
def test_a_program_that_is_made_already(start: Start, suite: Suite, name: str) -> None:
    def answer(request: Request) -> str:
        if "next_tool_name" in request.prompt:
            return chat_format(next_thought="Enough.", next_tool_name="finish", next_tool_args={})
        return dspy_answer(request)

    suite.server.answer = answer
    started = start(f"made_{name}:{name}", ONE)
    assert started.lines[0] == f"made_{name}:{name}: question -> answer"
    started.run().result.assert_outcomes(passed=10)


def test_several_predictors_and_inputs(start: Start) -> None:
    started = start("several:PitchWriter", SEVERAL)
    assert started.lines[0] == "several:PitchWriter: company, tone -> pitch, price"
    assert (started.folder / "test_pitch_writer.py").is_file()
    run = started.run()
    run.result.assert_outcomes(passed=10)
    assert len(run.requests) == 20
    started.write_rows([{"company": "Harbor Loom", "tone": "warm", "pitch": "answer", "price": -1}])
    half = started.run("--eval-threshold=0.6")
    assert "FAIL min_mean=0.8 " in half.text
    assert "feedback   price is " in half.text


def test_typed_fields(start: Start) -> None:
    started = start("typed:Rater", TYPED)
    first, second = started.rows()[:2]
    assert first["company"] == {
        "name": "Replace me: name 1",
        "size": "large",
        "addresses": [{"town": "Replace me: town 1", "founded": "2000-01-01"}],
    }
    assert {first["tone"], second["tone"]} == {"warm", "cold"}
    assert (first["year"], second["year"], first["tags"]) == (1, 2, ["Replace me: tags 1"])
    assert first["numbers"] == {"Replace me: key": 1.0}
    assert {first["hurry"], second["hurry"]} == {True, False}
    run = started.run()
    run.result.assert_outcomes(passed=10)
    assert run.result.ret == pytest.ExitCode.OK
    started.write_rows([{**first, "grade": -1, "kind": "good", "reasons": ["answer"]}])
    wrong = started.run()
    assert "feedback   grade is" in wrong.text  # a third of it
    assert "kind is" not in wrong.text


TUTORIALS = """
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Optional

import dspy
import pydantic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from somewhere import Unknown

dspy.configure(lm=dspy.LM("openai/never-asked", api_key="sk-for-tests-only"))


def search(query: str) -> str:
    "Find something."
    return "nothing"


class Agent(dspy.Module):
    def __init__(self):
        super().__init__()
        self.agent = dspy.ReAct("question -> answer", tools=[search])

    def forward(self, **inputs):
        return self.agent(**inputs)


class Rag(dspy.Module):
    def __init__(self):
        super().__init__()
        self.respond = dspy.ChainOfThought("context, question -> response")

    def forward(self, question: Unknown, k: int = 3):
        context = search(question)
        return self.respond(context=context, question=question)


class Article(dspy.Module):
    def __init__(self):
        super().__init__()
        self.outline = dspy.Predict("topic -> title, sections: list[str]")
        self.draft = dspy.Predict("topic, title, section -> content")

    def forward(self, topic: str):
        outline = self.outline(topic=topic)
        parts = [self.draft(topic=topic, title=outline.title, section=one).content for one in outline.sections[:1]]
        return dspy.Prediction(title=outline.title, article=parts)


class See(dspy.Signature):
    image: dspy.Image = dspy.InputField()
    history: dspy.History = dspy.InputField()
    mood: Optional[Literal["calm", "wild"]] = dspy.InputField()
    labels: list[str] = dspy.OutputField()
    score: float = dspy.OutputField()


class Seeing(dspy.Module):
    def __init__(self):
        super().__init__()
        self.see = dspy.ChainOfThought(See)

    def forward(self, image, history, mood=None, **others: Any):
        assert isinstance(image, dspy.Image) and isinstance(history, dspy.History)
        return self.see(image=image, history=history, mood=mood or "calm")


class Text(dspy.Module):
    def __init__(self):
        super().__init__()
        self.write = dspy.Predict("topics: list[str] -> text")

    async def aforward(self, topics: Sequence[str]) -> str:
        return (await self.write.acall(topics=topics)).text


class Trip(pydantic.BaseModel):
    to: str
    days: int


class Planner(dspy.Module):
    def __init__(self):
        super().__init__()
        self.plan = dspy.Predict("request -> plan")

    def forward(self, trip: Trip):
        assert isinstance(trip, Trip)
        return self.plan(request=trip.to)


best = dspy.BestOfN(dspy.ChainOfThought("question -> answer"), N=2, reward_fn=lambda args, pred: 1.0, threshold=1.0)
"""


TOLD = {
    "Agent": "question -> answer",
    "Rag": "question -> response",
    "Article": "topic -> title, article",
    "Seeing": "image, history -> labels, score",
    "Text": "topics -> text",
    "Planner": "trip -> plan",
    "best": "question -> answer",
}


@pytest.mark.parametrize("name", TOLD)
def test_programs_as_tutorials_have_them(start: Start, suite: Suite, name: str) -> None:
    def answer(request: Request) -> str:
        if "next_tool_name" in request.prompt:
            return chat_format(next_thought="Enough.", next_tool_name="finish", next_tool_args={})
        return dspy_answer(request)

    suite.server.answer = answer
    started = start(f"tutorial_{name.lower()}:{name}", TUTORIALS)
    assert started.lines[0] == f"tutorial_{name.lower()}:{name}: {TOLD[name]}"
    run = started.run()
    run.result.assert_outcomes(passed=10)
    assert run.result.ret == pytest.ExitCode.OK, run.text


FURTHER = '''
from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Literal, Optional

import dspy
import pydantic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shop.customers import Customer


class Help(dspy.Signature):
    """Help the customer."""

    message: str = dspy.InputField()
    history: dspy.History = dspy.InputField()
    reply: str = dspy.OutputField()


def status_of(order: str) -> str:
    """Where an order is."""
    return "on its way"


class Desk(dspy.Module):
    """An agent around a signature, whose forward takes anything."""

    def __init__(self):
        super().__init__()
        self.agent = dspy.ReAct(Help, tools=[status_of], max_iters=3)

    def forward(self, **kwargs):
        return self.agent(**kwargs)


class Item(pydantic.BaseModel):
    name: str
    price: float
    tags: List[str] = []


class Order(dspy.Signature):
    """What is ordered?"""

    email: str = dspy.InputField()
    catalogue: list[Item] = dspy.InputField(desc="what there is")
    language: Literal["en", "de"] = dspy.InputField()
    items: list[Item] = dspy.OutputField()
    urgency: Literal["low", "high"] = dspy.OutputField()


class Shop(dspy.Module):
    def __init__(self):
        super().__init__()
        self.extract = dspy.ChainOfThought(Order)

    def forward(self, email: str, catalogue: list[Item], language: str = "en") -> dspy.Prediction:
        return self.extract(email=email, catalogue=catalogue, language=language)


class Caption(dspy.Module):
    def __init__(self):
        super().__init__()
        self.describe = dspy.Predict("picture: dspy.Image, others: list[dspy.Image] -> caption: str")

    def forward(self, picture, others):
        return self.describe(picture=picture, others=others)


class Greeter(dspy.Module):
    """Its annotations are for type checkers only."""

    def __init__(self) -> None:
        super().__init__()
        self.greet = dspy.Predict("customer, topics -> greeting")

    def forward(self, customer: Customer, topics: Sequence[str]) -> dspy.Prediction:
        return self.greet(customer=str(customer), topics=", ".join(topics))


class Inheriting(Greeter):
    pass


class Report(dspy.Module):
    """Async only, in two steps."""

    def __init__(self):
        super().__init__()
        self.outline = dspy.ChainOfThought("topic -> sections: list[str]")
        self.write = dspy.Predict("topic, section -> paragraph")

    async def aforward(self, topic: str):
        outline = await self.outline.acall(topic=topic)
        paragraphs = [await self.write.acall(topic=topic, section=section) for section in outline.sections]
        return dspy.Prediction(sections=outline.sections, text=" ".join(one.paragraph for one in paragraphs))


class Advice(dspy.Module):
    """With an optional argument, and one by name only."""

    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question, context: Optional[list[str]], limits: dict[str, int] -> yes: bool, why")

    def forward(self, question: str, context: Optional[list[str]] = None, *, limits: dict[str, int]):
        result = self.ask(question=question, context=context, limits=limits)
        return dspy.Prediction(yes=result.yes, why=result.why)


class Router(dspy.Module):
    """Keeps its modules in a dict."""

    def __init__(self):
        super().__init__()
        ticket = "ticket: dict[str, Any], labels: tuple[str, ...] -> label"
        self.by_kind = {"short": dspy.Predict(ticket), "long": dspy.ChainOfThought(ticket)}

    def forward(self, ticket, labels):
        return self.by_kind["short"](ticket=ticket, labels=labels)


refined = dspy.Refine(dspy.ChainOfThought(Help), N=2, reward_fn=lambda args, pred: 1.0, threshold=1.0)
counting = dspy.ProgramOfThought("question -> answer: float")
coding = dspy.CodeAct("n: int -> factorial: int", tools=[status_of])
'''

FURTHER_TOLD = {
    "Desk": "message, history -> reply",
    "Shop": "email, catalogue -> items, urgency",
    "Caption": "picture, others -> caption",
    "Greeter": "customer, topics -> greeting",
    "Inheriting": "customer, topics -> greeting",
    "Report": "topic -> sections, text",
    "Advice": "question, limits -> yes, why",
    "Router": "ticket, labels -> label",
    "refined": "message, history -> reply",
    "counting": "question -> answer",
    "coding": "n -> factorial",
}
NEED_DENO = ("counting", "coding")
"""Programs that run code, for which DSPy needs a program of its own."""


@pytest.mark.filterwarnings("ignore:(ProgramOfThought|CodeAct) is deprecated")
@pytest.mark.parametrize("name", FURTHER_TOLD)
def test_further_programs_of_tutorials(start: Start, suite: Suite, name: str) -> None:
    def answer(request: Request) -> str:
        if "next_tool_name" in request.prompt:
            return chat_format(next_thought="Enough.", next_tool_name="finish", next_tool_args={})
        if "catalogue" in request.prompt:
            return chat_format(reasoning="So.", items=[{"name": "bread", "price": 2.5}], urgency="low")
        return dspy_answer(request)

    suite.server.answer = answer
    started = start(f"further_{name.lower()}:{name}", FURTHER)
    assert started.lines[0] == f"further_{name.lower()}:{name}: {FURTHER_TOLD[name]}"
    if name not in NEED_DENO:
        run = started.run()
        run.result.assert_outcomes(passed=10)
        assert run.result.ret == pytest.ExitCode.OK, run.text


def test_nothing_is_overwritten(start: Start, command: Command) -> None:
    started = start("kept:QA", ONE)
    (started.folder / "conftest.py").write_text("# mine\n")
    (started.folder / "pytest.ini").unlink()
    said = command("init", "kept:QA")
    assert (said.code, said.lines) == (pytest.ExitCode.USAGE_ERROR, [])
    assert said.errors == [
        "ERROR: --folder: 'evaluation' has .gitignore, conftest.py, test_qa.py, data/test.jsonl, data/train.jsonl: "
        "expected a folder without; nothing written"
    ]
    assert (started.folder / "conftest.py").read_text() == "# mine\n"
    assert not (started.folder / "pytest.ini").exists()


def test_the_configuration_of_a_folder_is_not_put_out_of_use(suite: Suite, command: Command) -> None:
    suite.write("kept_configuration.py", ONE)
    suite.write("other/pyproject.toml", "[tool.pytest.ini_options]\naddopts = '-q'\n")
    said = command("init", "kept_configuration:QA", "--folder=other")
    assert said.code == pytest.ExitCode.USAGE_ERROR
    assert said.errors[0].startswith("ERROR: --folder: 'other' has pyproject.toml, which configures pytest: ")
    assert [path.name for path in (suite.path / "other").iterdir()] == ["pyproject.toml"]


def test_another_folder_and_the_embedded_model(suite: Suite, command: Command) -> None:
    (suite.path / "pytest.ini").unlink()
    suite.write("elsewhere.py", ONE)
    assert command("init", "elsewhere:QA", "--folder=a/b").code == pytest.ExitCode.OK
    assert (suite.path / "a/b/pytest.ini").read_text() == "[pytest]\npythonpath = . ../..\ngenerator_model = local\n"


def test_a_folder_that_cannot_be_written_to_is_one_line(suite: Suite, command: Command) -> None:
    suite.write("unwritable.py", ONE)
    said = command("init", "unwritable:QA", "--folder=pytest.ini/below")
    assert (said.code, said.lines) == (pytest.ExitCode.USAGE_ERROR, [])
    assert said.errors == ["ERROR: --folder: 'pytest.ini/below': Not a directory; expected a folder to write to"]


WRONG = [
    ("qa", "'qa': expected MODULE:CLASS, such as my_package.qa:QA"),
    ("qa:", "'qa:': expected MODULE:CLASS, such as my_package.qa:QA"),
    ("no_such:QA", "'no_such:QA': importing no_such raised ModuleNotFoundError: No module named 'no_such'; expected "),
    ("wrong:Absent", "'wrong:Absent': no 'Absent' in {folder}/wrong.py; expected a dspy.Module there"),
    ("wrong:number", "'wrong:number' is no program; expected a dspy.Module: its class or itself"),
    ("wrong:Needing", "'wrong:Needing': Needing() raised TypeError: "),
    ("wrong:Empty", "'wrong:Empty' has no predictor; expected a dspy.Module with one, such as dspy.Predict"),
    ("wrong:Tools", "'wrong:Tools': its input 'tools' is code, which no row of a dataset can hold; expected "),
    ("wrong:Anything", "'wrong:Anything': forward does not say what its inputs are; expected one with named arguments"),
    ("broken:QA", "'broken:QA': importing broken raised SyntaxError: "),
]


@pytest.mark.parametrize(("program", "line"), WRONG)
def test_a_wrong_program_is_one_line(suite: Suite, command: Command, program: str, line: str) -> None:
    suite.write("broken.py", "def")
    suite.write(
        "wrong.py",
        "import dspy\nnumber = 3\nclass Empty(dspy.Module): pass\n"
        "class Needing(dspy.Module):\n    def __init__(self, k): super().__init__()\n"
        "class Tools(dspy.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.ask = dspy.Predict('question, tools: list[dspy.Tool] -> calls: dspy.ToolCalls')\n"
        "    def forward(self, question, tools): return self.ask(question=question, tools=tools)\n"
        "class Anything(dspy.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.ask = dspy.Predict('question -> answer')\n"
        "    def forward(self, *args): return self.ask(question=args[0])\n",
    )
    said = command("init", program)
    assert (said.code, said.lines, len(said.errors)) == (pytest.ExitCode.USAGE_ERROR, [], 1)
    assert said.errors[0].startswith("ERROR: " + line.format(folder=suite.path))
    assert not (suite.path / "evaluation").exists()
