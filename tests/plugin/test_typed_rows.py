"""Rows whose values are more than texts and numbers: what program and metric get of them, and what does not fit."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet
from support.command_line import Command
from support.openai_server import Request, chat_format
from support.suite import TEST, Run, Suite

TYPES = '''
import datetime
import enum
from typing import Literal

import dspy
import pydantic
import pytest


class Kind(enum.Enum):
    SEED = "seed"
    LATE = "late"


class Deal(pydantic.BaseModel):
    amount: float
    due: datetime.date


class Ask(dspy.Signature):
    """Answer in the conversation."""

    question: str = dspy.InputField()
    history: dspy.History = dspy.InputField()
    kind: Kind = dspy.InputField()
    tone: Literal["dry", "warm"] = dspy.InputField()
    past: list[Deal] = dspy.InputField()
    day: datetime.date | None = dspy.InputField()
    answer: str = dspy.OutputField()
    deal: Deal = dspy.OutputField()
    label: Literal["yes", "no"] = dspy.OutputField()


SEEN = []


class Asking(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.ChainOfThought(Ask)

    def forward(self, question, history, **rest):
        if history is None:
            raise ValueError("no history")
        return self.ask(question=question, history=history, **rest)


def by_type(example, pred, trace=None):
    assert isinstance(example.history, dspy.History), example.history
    assert isinstance(example.kind, Kind) and example.tone == "dry"
    assert [type(deal) for deal in example.past] == [Deal]
    assert type(example.question) is str and type(example.number) is int
    assert example.day is None or type(example.day) is datetime.date
    assert example.label == "Yes"
    return float(example.deal == pred.deal)


@pytest.fixture(scope="session")
def metric():
    return by_type


@pytest.fixture(scope="session")
def program():
    return Asking()
'''

ROW = {
    "question": "And of Kenya?",
    "history": {"messages": [{"question": "The capital of Chile?", "answer": "Santiago"}]},
    "kind": "seed",
    "tone": "dry",
    "past": [{"amount": 1, "due": "2025-01-02"}],
    "day": "2026-02-03",
    "number": 3,
    "label": "Yes",
    "deal": {"amount": 5.5, "due": "2026-03-04"},
}
INPUTS = ["question", "history", "kind", "tone", "past", "day"]


def answer(request: Request) -> str:
    assert [m["content"] for m in request.messages if m["role"] == "assistant"] != []  # the turn before
    return chat_format(reasoning="so", answer="Nairobi", deal=ROW["deal"], label="yes")


@pytest.fixture
def typed(suite: Suite) -> Suite:
    """A program that takes a conversation, an enum, a choice, models and a date."""
    suite.add("conftest.py", TYPES)
    suite.write("test_qa.py", marked())
    suite.server.answer = answer
    write_rows(suite, {}, {"day": None}, {"number": 4})
    return suite


def marked(more: str = "") -> str:
    return (
        "import dspy\nimport pytest\n\n\n"
        f"@pytest.mark.evaluation('data.jsonl', inputs={INPUTS!r}, threshold=0.5{more})\n"
        "def test_qa(score):\n    assert score.passed\n"
    )


def write_rows(suite: Suite, *changes: dict[str, Any]) -> None:
    suite.write(
        "data.jsonl", "".join(json.dumps({"id": f"e{n}", **ROW, **more}) + "\n" for n, more in enumerate(changes))
    )


def test_program_and_metric_get_objects(typed: Suite, plugin_args: tuple[str, ...]) -> None:
    run = typed.run(*plugin_args)
    assert [(test["status"], test["score"], test["error"]) for test in run.tests] == [("passed", 1.0, None)] * 3, (
        run.text
    )
    assert len(run.requests) == 3


WRONG = {
    "history": ({"messages": "none"}, "messages: 'none': Input should be a valid list; expected dspy.History"),
    "kind": ("sead", "'sead': Input should be 'seed' or 'late'; expected Kind"),
    "tone": ("cold", "'cold': Input should be 'dry' or 'warm'; expected 'dry' | 'warm'"),
    "past": (
        [{"amount": 1, "due": "2025-01-02"}, {"amount": "much"}],
        "1.amount: 'much': Input should be a valid number, unable to parse string as a number (and 1 more); "
        "expected list[Deal]",
    ),
    "day": ("yesterday", None),
    "deal": ({"amount": 5.5}, "due: Field required; expected Deal"),
}
"""By column, a wrong value and what is said of it; None where the words are pydantic's own."""


def test_each_wrong_value_is_one_line_and_nothing_is_asked(typed: Suite, plugin_args: tuple[str, ...]) -> None:
    write_rows(typed, {}, *({name: value} for name, (value, _) in WRONG.items()), {})
    typed.add("test_qa.py", "\n\ndef test_other():\n    pass\n")
    run = typed.run(*plugin_args, "--optimization=bootstrap")
    run.result.assert_outcomes(failed=len(WRONG), skipped=2, passed=1)
    assert run.requests == []
    for number, (name, (_, text)) in enumerate(WRONG.items(), 1):
        error = run.tests[number]["error"]
        assert error.startswith(f"data.jsonl:{number + 1}: column {name!r}: ")
        assert error.endswith(text or "expected date | None"), error
        assert error in run.result.outlines, run.text
    [reason] = {test["error"] for test in run.tests if test["status"] == "skipped"}
    assert reason == "Skipped: 6 rows of its dataset cannot be read: see test_qa.py::test_qa[e1]"
    assert "Traceback" not in run.text
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED


def test_what_does_not_run_keeps_nothing_from_being_asked(typed: Suite) -> None:
    write_rows(typed, {}, {"kind": "sead"}, {"day": "never"})
    typed.add(
        "conftest.py",
        "\n\ndef pytest_collection_modifyitems(items):\n"
        "    items[1].add_marker(pytest.mark.skip(reason='not yet'))\n    del items[2]\n",
    )
    run = typed.run()
    run.result.assert_outcomes(passed=1, skipped=1)


def test_a_run_is_repeated_continued_and_merged(typed: Suite, command: Command) -> None:
    """The row is the same, whatever it is cast to: so are keys, and what a baseline knows it by."""
    first = typed.run("--eval-update-baseline")
    again = typed.run("--eval-replay=last")
    assert again.requests == []
    assert [test["prediction"] for test in again.tests] == [test["prediction"] for test in first.tests]
    part = typed.run("-k", "e0")
    rest = typed.run("--eval-resume=last")
    assert (len(part.requests), len(rest.requests)) == (1, 2)
    other = typed.run("-k", "not e0")
    merged = command("merge", *(run.document["run"]["id"] for run in (part, other) if run.document))
    assert merged.code == 0, merged.lines
    assert {test["inputs"]["history"]["messages"][0]["answer"] for test in rest.tests} == {"Santiago"}


class TestMarker:
    """``types=`` where no signature says it."""

    def test_types_of_columns(self, suite: Suite) -> None:
        suite.write("data.csv", 'id,question,day,tags,count\na,"?",2026-01-02,"[""x""]",5\n')
        suite.write(
            "test_data.py",
            "import datetime\nimport pytest\n\n"
            "TYPES = {'day': datetime.date, 'tags': list[str], 'count': int}\n\n\n"
            "@pytest.mark.evaluation('data.csv', inputs=['question', 'day'], types=TYPES)\n"
            "def test_types(example):\n"
            "    assert (example.day, example.tags, example.count) == (datetime.date(2026, 1, 2), ['x'], 5)\n",
        )
        suite.run("test_data.py").result.assert_outcomes(passed=1)

    @pytest.mark.parametrize(
        ("types", "error"),
        [
            ("{'question': int}", "data.jsonl:1: column 'question': 'question 0?': Input should be a valid integer"),
            ("{'question': 'int'}", "evaluation marker: types={'question': 'int'}: expected a mapping of columns"),
            ("{'picture': int}", "evaluation marker: types='picture': no row of data.jsonl has that column"),
            ("{'question': object()}", "evaluation marker: types={'question': "),
        ],
    )
    def test_a_wrong_one_is_one_line(self, suite: Suite, types: str, error: str) -> None:
        suite.write("test_qa.py", marked(f", types={types}").replace(str(INPUTS), "['question']"))
        run = suite.run()
        assert run.tests[0]["error"].startswith(error), run.text
        assert run.requests == []
        assert run.tests[0]["status"] == "failed"


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

LOOKING = """
import dspy
import pytest


class Look(dspy.Signature):
    \"\"\"Say what is there.\"\"\"

    question: str = dspy.InputField()
    picture: dspy.Image = dspy.InputField()
    answer: str = dspy.OutputField()


@pytest.fixture(scope="session")
def program():
    return dspy.Predict(Look)


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: float(isinstance(example.picture, dspy.Image))
"""


def sent_pictures(run: Run) -> list[str]:
    """The URLs of the pictures that the provider was shown."""
    contents = [message["content"] for request in run.requests for message in request.messages]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


def test_pictures_of_all_kinds_of_files(suite: Suite) -> None:
    suite.write("conftest.py", LOOKING)
    (suite.path / "data" / "pictures").mkdir(parents=True)
    (suite.path / "data" / "pictures" / "dot.png").write_bytes(base64.b64decode(PIXEL))
    row = {"question": "?", "picture": "pictures/dot.png"}
    url = {"question": "?", "picture": "https://host/dot.png"}
    suite.write("data/lines.json", json.dumps(row) + "\n" + json.dumps(url) + "\n")
    suite.write("data/data.json", json.dumps({"version": 1, "data": [row]}, indent=1))
    (suite.path / "data" / "zipped.jsonl.gz").write_bytes(gzip.compress(json.dumps(row).encode()))
    content = {"question": "?", "picture": {"bytes": base64.b64decode(PIXEL), "path": None}}
    parquet.write_table(pyarrow.Table.from_pylist([content]), suite.path / "data" / "rows.parquet")
    names = ["lines.json", "data.json", "zipped.jsonl.gz", "rows.parquet"]
    tests = [
        f"@pytest.mark.evaluation('data/{name}', inputs=['question', 'picture'])\n"
        f"def test_{number}(score):\n    assert score\n"
        for number, name in enumerate(names)
    ]
    suite.write("test_qa.py", "\n\n".join(["import pytest\n", *tests]))
    run = suite.run("--eval-html=page.html")
    run.result.assert_outcomes(passed=5)
    inline = f"data:image/png;base64,{PIXEL}"
    assert sorted(sent_pictures(run)) == [inline] * 4 + ["https://host/dot.png"]
    check_records(suite, run)
    assert (suite.path / "page.html").read_text(encoding="utf-8").count(PIXEL) == 1
    before = fingerprints(run)
    assert len(before) == 2  # whatever kind of file the picture is in
    (suite.path / "data" / "pictures" / "dot.png").write_bytes(base64.b64decode(PIXEL) + b"changed")
    assert len(fingerprints(suite.run("-k", "test_0 or test_3")) & before) == 2  # of the URL, and of what is in Parquet


def test_a_picture_that_has_changed_is_asked_again(suite: Suite) -> None:
    suite.write("conftest.py", LOOKING)
    names = ["a.png", "b.png"]
    for name in names:
        (suite.path / name).write_bytes(base64.b64decode(PIXEL) + name.encode())
    suite.write("data.jsonl", "".join(json.dumps({"question": "?", "picture": name}) + "\n" for name in names))
    suite.write("test_qa.py", TEST.replace('["question"]', '["question", "picture"]'))
    assert len(suite.run("--eval-update-baseline").requests) == 2
    assert len(suite.run("--eval-affected").requests) == 0
    (suite.path / "b.png").write_bytes(base64.b64decode(PIXEL) + b"another")
    run = suite.run("--eval-affected")
    assert [test["left_out"] for test in run.tests] == ["unchanged", None], run.text
    assert len(run.requests) == 1


COUNTING = """

import gc

LARGE = []


def pytest_sessionstart():
    gc.disable()  # what is large does not wait for it


def pytest_unconfigure():
    gc.enable()


def pytest_runtest_logfinish():
    dspy.Image.format.cache_clear()  # DSPy's own last 32
    pictures = [one.url for one in gc.get_objects() if type(one) is dspy.Image]
    LARGE.append(len({url for url in pictures if "A" * 40_000 in url}))


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"at once: {max(LARGE)} pictures")
"""


def test_tests_that_wait_for_their_turn_hold_no_pictures(suite: Suite) -> None:
    """Eight are looked ahead of, two at once; their pictures are read when they begin, and again by the tests."""
    suite.write("conftest.py", LOOKING + COUNTING)
    names = [f"{number}.png" for number in range(16)]
    for name in names:
        (suite.path / name).write_bytes(base64.b64decode(PIXEL) + bytes(40_000) + name.encode())
    suite.write("data.jsonl", "".join(json.dumps({"question": "?", "picture": name}) + "\n" for name in names))
    suite.write("test_qa.py", TEST.replace('["question"]', '["question", "picture"]'))
    run = suite.run("--eval-concurrency=2")
    run.result.assert_outcomes(passed=16)
    assert len(set(sent_pictures(run))) == len(run.requests) == 16
    found = re.search(r"at once: (\d+) pictures", run.text)
    assert found, run.text
    assert 0 < int(found[1]) <= 5, found[0]


def check_records(suite: Suite, run: Run) -> None:
    """A picture is in no record: its bytes are in one file beside them."""
    content = base64.b64decode(PIXEL)
    total = hashlib.sha256(content).hexdigest()
    medium = {"media": "image/png", "bytes": len(content), "sha256": total}
    found = [test["inputs"]["picture"] for test in run.tests]
    assert found == [medium, "https://host/dot.png", medium, medium, medium]
    assert {path.name: path.read_bytes() for path in (suite.path / ".pitcheval" / "media").iterdir()} == {
        f"{total}.png": content
    }
    assert PIXEL not in json.dumps(run.document)


def fingerprints(run: Run) -> set[str]:
    return {test["fingerprints"]["example"] for test in run.tests}


FOR_ITS_EXAMPLE = {
    "argument": """
@pytest.fixture
def program(example):
    return dspy.Predict(Ask.with_instructions(example.question))
""",
    "asked for": """
@pytest.fixture
def program(request):
    return dspy.Predict(Ask.with_instructions(request.getfixturevalue("example").question))
""",
}
"""Programs that are there only when their example is."""


@pytest.mark.parametrize("program", FOR_ITS_EXAMPLE.values(), ids=list(FOR_ITS_EXAMPLE))
def test_a_program_that_is_made_for_its_example(typed: Suite, program: str) -> None:
    typed.add("conftest.py", program)
    write_rows(typed, {}, {"question": "And of Peru?"})
    run = typed.run()
    assert [test["error"] for test in run.tests] == [None, None], run.text
    run.result.assert_outcomes(passed=2)
    write_rows(typed, {}, {"kind": "sead"})
    run = typed.run()
    run.result.assert_outcomes(failed=1, skipped=1)
    assert (run.tests[1]["error"], run.requests) == (
        "data.jsonl:2: column 'kind': 'sead': Input should be 'seed' or 'late'; expected Kind",
        [],
    )


SUITES = {
    "a program made for its example": """
@pytest.fixture
def program(example):
    return dspy.Predict("question -> answer", instructions=example.question)
""",
    "code that makes its own objects": """
class Facts(pydantic.BaseModel):
    name: str


class Telling(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict(dspy.Signature("question, facts -> answer").with_updated_fields("facts", type_=Facts))

    def forward(self, question, facts):
        return self.ask(question=question, facts=Facts(name=facts["name"]))


@pytest.fixture(scope="session")
def program():
    return Telling()
""",
    "a number where a text is declared, and choices that are none": """
@pytest.fixture(scope="session")
def program():
    return dspy.Predict("question: str, facts: dict, number: str -> answer")
""",
}
"""Suites in which no value may be another one than in the file."""


@pytest.mark.parametrize("program", SUITES.values(), ids=list(SUITES))
def test_suites_that_go_by_what_is_in_the_file(suite: Suite, program: str) -> None:
    suite.add("conftest.py", f"\n\nimport pydantic\n{program}")
    suite.write("data.jsonl", '{"question": "one?", "facts": {"name": "Ada"}, "number": 5}\n')
    inputs = ["question", "facts"] if "facts" in program else ["question"]
    suite.write("test_qa.py", TEST.replace("['question']", str(inputs)).replace('["question"]', str(inputs)))
    run = suite.run()
    assert [test["error"] for test in run.tests] == [None], run.text
    run.result.assert_outcomes(passed=1)
