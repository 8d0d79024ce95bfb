"""Pictures and sounds in whole runs: answered again without a provider, put together from shards, judged in exams."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Command
from support.openai_server import Request, chat_format
from support.suite import Run, Suite

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WAVE = b"RIFF\x24\x00\x00\x00WAVEfmt " + b"\0" * 30

CONFTEST = '''
import dspy
import pydantic
import pytest


class Slide(pydantic.BaseModel):
    title: str
    pictures: list[dspy.Image]


class Spot(pydantic.BaseModel):
    x: int


class Look(dspy.Signature):
    """Say what is there."""

    question: str = dspy.InputField()
    picture: dspy.Image | None = dspy.InputField()
    slide: Slide | None = dspy.InputField()
    sound: dspy.Audio | None = dspy.InputField()
    paper: dspy.File | None = dspy.InputField()
    history: dspy.History = dspy.InputField()
    answer: str = dspy.OutputField()
    spot: Spot = dspy.OutputField()


class Looking(dspy.Module):
    """Hands on what it has seen."""

    def __init__(self):
        super().__init__()
        self.look = dspy.Predict(Look)

    def forward(self, picture: dspy.Image | None, **rest):
        found = self.look(picture=picture, **rest)
        return dspy.Prediction(answer=found.answer, spot=found.spot, seen=picture)


class Judge:
    def __init__(self, lm):
        self.judge = dspy.Predict("question, picture: dspy.Image, answer -> score: float")
        self.judge.set_lm(lm)

    def __call__(self, example, pred, trace=None):
        assert isinstance(pred.spot, Spot), pred.spot
        if example.get("picture") is None:
            return 0.75
        assert isinstance(example.picture, dspy.Image), example.picture
        return self.judge(question=example.question, picture=example.picture, answer=pred.answer).score


@pytest.fixture
def program():
    return Looking()


@pytest.fixture(scope="session")
def metric(evaluator_lm):
    return Judge(evaluator_lm)
'''

INPUTS = ["question", "picture", "slide", "sound", "paper", "history"]
NOTHING: dict[str, Any] = {**dict.fromkeys(INPUTS), "question": "?", "history": {"messages": []}}


def marked(dataset: str = "data/rows.jsonl", kind: str = "evaluation", fixture: str = "score", more: str = "") -> str:
    return (
        "import pytest\n\n\n"
        f"@pytest.mark.{kind}({dataset!r}, inputs={INPUTS!r}{more})\n"
        f"def test_qa({fixture}):\n    assert {fixture} >= 0\n"
    )


def write(suite: Suite, *rows: dict[str, Any], dataset: str = "data/rows.jsonl") -> None:
    lines = (json.dumps({"id": f"e{n}", **NOTHING, **row}) + "\n" for n, row in enumerate(rows))
    suite.write(dataset, "".join(lines))


@pytest.fixture
def looking(suite: Suite) -> Suite:
    """A program that takes media of all kinds, and files of them beside the dataset."""
    (suite.path / "data").mkdir()
    for name, content in {"a.png": PIXEL, "b.png": PIXEL + b"b", "same.png": PIXEL, "s.wav": WAVE}.items():
        (suite.path / "data" / name).write_bytes(content)
    (suite.path / "data" / "paper.pdf").write_bytes(b"%PDF-1.4 nothing")
    suite.write("conftest.py", CONFTEST)
    suite.write("test_qa.py", marked())

    def answer(request: Request) -> str:
        if request.model == "judge":
            return chat_format(score=0.25 if "bad" in str(request.messages) else 0.75)
        return chat_format(answer=f"answer {request.number}", spot={"x": request.number})

    suite.server.answer = answer
    return suite


def parts_of(run: Run, kind: str) -> list[Any]:
    """The parts of this kind of all messages that the program's LM was sent."""
    contents = [message["content"] for request in run.by("generator") for message in request.messages]
    return [part[kind] for content in contents if isinstance(content, list) for part in content if part["type"] == kind]


def kept(suite: Suite) -> set[str]:
    return {path.name for path in (suite.path / ".pitcheval" / "media").iterdir()}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


ROWS: list[dict[str, Any]] = [
    {"picture": "a.png"},
    {"picture": "same.png"},
    {"slide": {"title": "One", "pictures": ["a.png", "b.png"]}},
    {"sound": "s.wav", "paper": "paper.pdf"},
    {"history": {"messages": [{"question": "Before?", "picture": "b.png", "answer": "That."}]}},
    {"picture": base64.b64encode(PIXEL).decode()},
]


def test_media_of_all_kinds_are_sent_kept_once_recorded_and_shown(looking: Suite, command: Command) -> None:
    write(looking, *ROWS)
    run = looking.run("-n2", "--eval-record=answers", "--eval-html=page.html")
    run.result.assert_outcomes(passed=len(ROWS))
    urls = [part["url"] for part in parts_of(run, "image_url")]
    assert len(urls) == 6
    assert {url.partition(",")[0] for url in urls} == {"data:image/png;base64"}
    assert len(parts_of(run, "input_audio")) == len(parts_of(run, "file")) == 1
    expected = {f"{sha(PIXEL)}.png", f"{sha(PIXEL + b'b')}.png", f"{sha(WAVE)}.wav"}
    assert kept(looking) == {*expected, f"{sha(b'%PDF-1.4 nothing')}.pdf"}
    text = json.dumps(run.document)
    assert base64.b64encode(PIXEL).decode() not in text
    tests = {test["example_id"]: test for test in run.tests}
    assert tests["e0"]["prediction"]["seen"] == tests["e1"]["inputs"]["picture"] == tests["e5"]["inputs"]["picture"]
    assert tests["e4"]["inputs"]["history"]["messages"][0]["picture"]["sha256"] == sha(PIXEL + b"b")
    page = (looking.path / "page.html").read_text(encoding="utf-8")
    assert page.count(base64.b64encode(PIXEL).decode()) == 1
    shutil.rmtree(looking.path / ".pitcheval")
    again = looking.run("--eval-replay=answers")
    assert again.requests == []
    assert [test["prediction"] for test in again.tests] == [test["prediction"] for test in run.tests]
    assert expected <= kept(looking)
    (looking.path / "data" / "b.png").write_bytes(PIXEL + b"changed")
    changed = looking.run("--eval-replay=answers")
    assert changed.requests == []
    asked = {test["example_id"]: test["status"] for test in changed.tests}
    assert asked == {**dict.fromkeys(asked, "passed"), "e2": "error", "e4": "error"}


def test_shards_bring_their_media_along(looking: Suite, command: Command) -> None:
    write(looking, *ROWS[:3])
    for number, part in enumerate(("e0 or e1", "e2")):
        looking.run("-k", part, "--eval-json=shard.json")
        folder = looking.path / f"shard-{number}"  # as a CI job hands it on
        folder.mkdir()
        shutil.move(looking.path / "shard.json", folder)
        shutil.move(looking.path / ".pitcheval" / "media", folder / "media")
    shutil.rmtree(looking.path / ".pitcheval")
    assert command("merge", "shard-0/shard.json", "shard-1/shard.json").code == 0
    assert kept(looking) == {f"{sha(PIXEL)}.png", f"{sha(PIXEL + b'b')}.png"}
    command("report", "shard-0/shard.json", "-o", "one.html")
    assert base64.b64encode(PIXEL).decode() in (looking.path / "one.html").read_text(encoding="utf-8")


def test_exams_have_pictures_and_objects_as_evaluations_have(looking: Suite) -> None:
    rows = [
        {"picture": "a.png", "answer": ["good", "bad"][n % 2], "spot": {"x": n}, "good": 1 - n % 2} for n in range(22)
    ]
    write(looking, *rows, dataset="data/judge.jsonl")
    more = ", outputs=['answer', 'spot'], label='good'"
    looking.write("test_qa.py", marked("data/judge.jsonl", "judge_exam", "verdict", more))
    run = looking.run("-n2", "--eval-update-baseline")
    run.result.assert_outcomes(passed=22)
    assert (len(run.by("judge")), run.by("generator")) == (22, [])
    assert "one example at a time" not in run.text
    assert run.tests[0]["inputs"]["picture"]["sha256"] == sha(PIXEL)
    assert looking.run().requests == []  # as the baseline has it
    (looking.path / "data" / "a.png").write_bytes(PIXEL + b"changed")
    assert len(looking.run().requests) == 22
    write(looking, *rows, {**rows[0], "picture": "gone.png"}, {**rows[0], "spot": "left"}, dataset="data/judge.jsonl")
    wrong = looking.run("-n2")
    wrong.result.assert_outcomes(failed=2, skipped=22)
    assert wrong.requests == []
    errors = [test["error"] for test in wrong.tests if test["status"] == "failed"]
    assert errors[0] == (
        "data/judge.jsonl:23: column 'picture': 'gone.png': no such file (a path is relative to the dataset); "
        "expected dspy.Image | None"
    )
    assert errors[1].startswith("data/judge.jsonl:24: column 'spot': 'left': Input should be a valid dictionary")


def test_an_exam_without_the_program_says_its_types_itself(looking: Suite) -> None:
    rows = [{"picture": "a.png", "answer": "good", "spot": {"x": n}, "good": n % 2} for n in range(4)]
    write(looking, *rows, dataset="data/judge.jsonl")
    more = ", outputs=['answer', 'spot'], label='good', min_kappa=None, types=TYPES"
    text = marked("data/judge.jsonl", "judge_exam", "verdict", more)
    types = "import conftest\nimport dspy\n\nTYPES = {'picture': dspy.Image, 'spot': conftest.Spot}\n"
    looking.write("test_qa.py", types + text)
    broken = CONFTEST.replace("    return Looking()", "    raise RuntimeError('no such program')")
    looking.write("conftest.py", broken)
    looking.run().result.assert_outcomes(passed=4)
    looking.write("test_qa.py", types + text.replace("TYPES)", "{'picture': 'Image'})"))
    said = looking.run().tests[0]["error"]
    assert said.startswith("judge_exam marker: types={'picture': 'Image'}: expected a mapping of columns to types")
    looking.write("test_qa.py", types + text.replace("TYPES)", "{'photo': dspy.Image})"))
    assert "judge_exam marker: types='photo': no row of" in looking.run().text


def test_a_picture_in_a_label_is_a_picture_in_records(looking: Suite) -> None:
    write(looking, {"expected": "b.png"}, {"expected": "https://host/b.png"})
    looking.write("test_qa.py", "import dspy\n" + marked(more=", types={'expected': dspy.Image}"))
    run = looking.run()
    assert run.tests[0]["labels"]["expected"]["sha256"] == sha(PIXEL + b"b")
    assert run.tests[1]["labels"]["expected"] == "https://host/b.png"
    assert Path(looking.path / ".pitcheval" / "media" / f"{sha(PIXEL + b'b')}.png").exists()


DRAWING = """
import base64
import io

import dspy
import PIL.Image
import pydantic
import pytest


class Made(pydantic.BaseModel):
    name: str
    picture: dspy.Image


class Draw(dspy.Module):
    def forward(self, question):
        picture = PIL.Image.effect_noise((60, 60), 50)
        file = io.BytesIO()
        picture.save(file, "PNG")
        text = base64.b64encode(file.getvalue()).decode()
        url = f"data:image/png;base64,{text}"
        made = Made(name="noise", picture=dspy.Image(url=url))
        return dspy.Prediction(opened=picture, raw=file.getvalue(), alone=[{"b64_json": text}], made=made)


@pytest.fixture(scope="session")
def program():
    return Draw()


@pytest.fixture(scope="session")
def metric():
    def judge(example, pred, trace=None):
        return dspy.Prediction(score=0.25, feedback=f"as data:image/png;base64,{pred.alone[0]['b64_json']}")

    return judge
"""


def test_whatever_a_program_draws_with_is_a_picture_of_the_record(suite: Suite, command: Command) -> None:
    suite.write("conftest.py", DRAWING)
    suite.rows(1)
    run = suite.run("-n2", "--eval-rollouts=2", "--eval-html=page.html")
    [test] = run.tests
    predicted = test["prediction"]
    pictures = [predicted["opened"], predicted["raw"], predicted["alone"][0]["b64_json"], predicted["made"]["picture"]]
    assert {one["media"] for one in pictures} == {"image/png"}
    assert len({one["sha256"] for one in pictures[1:]}) == 1
    assert test["feedback"].startswith("as [image/png, ")
    assert "iVBORw0KGgo" not in json.dumps(run.document)
    assert "alone [{'b64_json': '[image/png, " in " ".join(run.text.split())
    assert f"media/{pictures[1]['sha256']}.png" in "\n".join(command("show", "last", "e0").lines)
    page = (suite.path / "page.html").read_text(encoding="utf-8")
    assert all(one["sha256"] in page for one in pictures)
