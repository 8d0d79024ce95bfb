"""``pitcheval label``: people label a run's answers, one key each, in a terminal or on a page, for a judge's exam."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.background import wait_until
from support.chromium import PROGRAM, Chromium
from support.command_line import Command
from support.html_page import Reader, data
from support.openai_server import Request
from support.run_documents import RUN_ID, document, record
from support.suite import Run, Suite

if sys.platform == "win32":  # pragma: no cover
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

from support.terminal import Terminal

ANSWERS = 30
HOSTILE = "\x1b[2J\x1b[1;31m<img src=x onerror='window.broken = 1'></script><!-- \u2028 \u202e \x07 `# [x](y)` 日本 end"
EXAM = """
import pytest


{}
def test_judge(verdict):
    pass
"""


def is_good(question: str) -> bool:
    """What people think of the answer."""
    return int(question.split()[1].rstrip("?")) % 3 > 0


@pytest.fixture
def labelled(suite: Suite) -> Suite:
    """A suite with a run of 30 answers: one of them is hostile, and one very long. Its judge thinks as people do."""
    records = []
    for number in range(ANSWERS):
        text = HOSTILE if number == 5 else "very long " * 3000 if number == 6 else f"answer to {number}"
        about: dict[str, Any] = {"inputs": {"question": f"question {number}?"}, "prediction": {"answer": text}}
        records.append(record(f"e{number}", 0.8125 if number % 3 else 0.1875, feedback="a verdict", **about))
    suite.write(f".pitcheval/runs/{RUN_ID}.json", json.dumps(document(records)))

    def score(request: Request) -> float:
        number = int(request.prompt.rpartition("question ")[2].split("?")[0])
        return 0.8125 if number % 3 else 0.1875

    suite.scores(score)
    return suite


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def examine(suite: Suite, marker: str, *arguments: str) -> Run:
    """Take the exam that the command's last line is the marker of."""
    suite.write("test_judge.py", EXAM.format(marker.removeprefix("exam: ")))
    return suite.run("test_judge.py", *arguments)


def figures(run: Run) -> dict[str, Any]:
    assert run.document is not None, run.text
    [exam] = run.document["exams"]
    found: dict[str, Any] = exam["exam"]["figures"]
    return found


def label_all(terminal: Terminal, first: int, last: int) -> None:
    """Label these places as `is_good` says."""
    for place in range(first, last + 1):
        text = terminal.wait_for(f"{place} of {ANSWERS}, {place - 1} labelled")
        question = next(line.strip() for line in text.split("\n") if line.startswith("  question "))
        terminal.press("y" if is_good(question) else "n")


ARGUMENTS = ("label", "last", "-o", "data/judge.jsonl", "--author")


def test_thirty_answers_in_a_terminal_with_the_keyboard_alone(labelled: Suite) -> None:
    """Stopped once, gone on with, labelled by another person too; then the judge takes its exam."""
    path = labelled.path / "data" / "judge.jsonl"
    with Terminal(labelled.path, *ARGUMENTS, "Ana") as first:
        label_all(first, 1, 12)
        first.wait_for("13 of 30, 12 labelled")
        assert len(rows(path)) == 12
        first.press("u")
        first.wait_for("12 of 30, 11 labelled")
        assert len(rows(path)) == 11
        label_all(first, 12, 12)
        first.wait_for("13 of 30, 12 labelled")
        first.press("q")
        assert first.end() == pytest.ExitCode.OK
        assert first.is_as_before()
        assert "labels: data/judge.jsonl: 12 more, 12 of 30 answers labelled by Ana" in first.text
    with Terminal(labelled.path, *ARGUMENTS, "Ana") as second:
        second.wait_for("1 of 18, 0 labelled by Ana")
        second.resize(60, 12)
        second.wait_for("-" * 57)
        second.press("n" * 18 + "x")
        second.wait_for("That was the last: 18 labelled, 0 skipped.")
        second.press("u" * 18)
        for place in range(1, 19):
            text = second.wait_for(f"{place} of 18, {place - 1} labelled")
            question = next(line.strip() for line in text.split("\n") if line.startswith("  question "))
            second.press("y" if is_good(question) else "n")
        second.wait_for("That was the last: 18 labelled, 0 skipped.")
        second.press("\r")
        assert second.end() == pytest.ExitCode.OK
        marker = second.text.replace("\n", "").partition("exam: ")[2]
    with Terminal(labelled.path, *ARGUMENTS, "Ben", "-n", "8") as other:
        other.wait_for("1 of 8, 0 labelled by Ben")
        other.press("yyyyyyyyq")
        assert other.end() == pytest.ExitCode.OK
    for terminal in (first, second, other):
        assert b"0.8125" not in terminal.output
        assert b"verdict" not in terminal.output
        assert b"\x1b[1;31m" not in terminal.output
        assert b"\x07" not in terminal.output
    found = rows(path)
    assert len(found) == ANSWERS + 8
    assert [row["labelled"]["by"] for row in found] == ["Ana"] * ANSWERS + ["Ben"] * 8
    assert {row["labelled"]["drawn"] for row in found} == {"at random"}
    assert [row["labelled"]["place"] for row in found] == [*range(1, ANSWERS + 1), *range(1, 9)]
    assert all(row["good"] == is_good(row["question"]) for row in found[:ANSWERS])
    run = examine(labelled, marker)
    run.result.assert_outcomes(passed=ANSWERS)
    assert figures(run)["people's alpha"]["of"] == 8
    assert {len(test["people"]) for test in run.tests} == {1, 2}
    assert all("labelled" not in test["labels"] for test in run.tests)
    assert "Ana" not in "".join(request.prompt for request in run.requests)


def test_what_was_typed_is_kept_whatever_ends_it(labelled: Suite) -> None:
    path = labelled.path / "data" / "judge.jsonl"
    for number, end in enumerate(("Ctrl-C", "killed"), 1):
        with Terminal(labelled.path, *ARGUMENTS, "Ana") as terminal:
            terminal.wait_for(f"1 of {ANSWERS - number + 1}, 0 labelled")
            terminal.press("y")
            terminal.wait_for("1 labelled")
            if end == "Ctrl-C":
                os.killpg(terminal.process.pid, signal.SIGINT)
                assert terminal.end() == pytest.ExitCode.OK
                assert terminal.is_as_before()
                assert "1 more, 1 of 30 answers labelled by Ana" in terminal.text
            else:
                terminal.process.kill()
        assert len(rows(path)) == number


def test_a_dumb_terminal_gets_no_control_characters(labelled: Suite) -> None:
    """Nor is one that has ASCII alone given anything else, the author's name included."""
    locale = {"TERM": "dumb", "LC_ALL": "C"} | dict.fromkeys(("PYTHONUTF8", "PYTHONCOERCECLOCALE"), "0")
    locale["PYTHONIOENCODING"] = ""  # which tox sets
    with Terminal(labelled.path, *ARGUMENTS, "Zoë", "-n", "3", environment=locale) as terminal:
        terminal.wait_for("1 of 3, 0 labelled")
        terminal.press("ysn")
        terminal.wait_for("2 labelled, 1 skipped")
        terminal.press("q")
        assert terminal.end() == pytest.ExitCode.OK
        assert b"\x1b" not in terminal.output
        assert terminal.output.isascii()
    assert {row["labelled"]["by"] for row in rows(labelled.path / "data" / "judge.jsonl")} == {"Zoë"}
    assert [row["good"] for row in rows(labelled.path / "data" / "judge.jsonl")] == [1, 0]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


CODES = {"Enter": 13, "Backspace": 8}
"""Windows' numbers of keys that are no characters."""


class LabelPage:
    """The page in the browser, with the keyboard alone."""

    def __init__(self, browser: Chromium, path: Path) -> None:
        self.downloads = path.parent / "downloads"
        self.page = browser.open(path)
        self.page.ask("Page.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.press(
                key, CODES.get(key, ord(key[0].upper())), "\r" if key == "Enter" else key if len(key) == 1 else ""
            )

    @property
    def progress(self) -> str:
        return self.page.text("#progress")

    def saved(self) -> Path:
        """The file that was saved last, once it is there."""
        wait_until(lambda: any(self.downloads.glob("*.jsonl")))
        return max(self.downloads.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)

    def check(self) -> None:
        """Nothing went wrong, and nothing was asked of anybody."""
        assert self.page.messages == []
        assert self.page.run("window.broken === undefined")
        assert [one for one in self.page.requests[1:] if not one.startswith(("data:", "blob:"))] == []


needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="there is no chromium")


@needs_chromium
def test_thirty_answers_on_a_page_with_the_keyboard_alone(labelled: Suite, command: Command, browser: Chromium) -> None:
    said = command(*ARGUMENTS, "Ana", "--html=label.html")
    assert (said.code, said.errors) == (pytest.ExitCode.OK, [])
    path = labelled.path / "label.html"
    text = path.read_text(encoding="utf-8")
    assert "0.8125" not in text
    assert "a verdict" not in text
    assert [tag for tag, _ in Reader(text).elements if tag in ("img", "a", "iframe")] == []
    opened = LabelPage(browser, path)
    page = opened.page
    opened.press("y")  # in the field of the name
    assert page.run("document.getElementById('by').value") == "y"
    opened.press("Backspace", "Enter", "A", "n", "a", "Enter")
    assert opened.progress == "1 of 30, 0 labelled by Ana"
    for place in range(ANSWERS):
        question = page.texts("#answer .text")[0]
        assert page.run("scrollY") == 0
        if place == 4:
            opened.press("y", "u", "s", "u", "u", "u")
            assert opened.progress == "3 of 30, 2 labelled by Ana"
            for _ in range(2):
                opened.press("y" if is_good(page.texts("#answer .text")[0]) else "n")
        opened.press("y" if is_good(question) else "n")
    assert opened.progress == "30 labelled by Ana"
    assert page.texts("#end h1") == ["That was the last one"]
    opened.press("y", "n")
    assert opened.progress == "30 labelled by Ana"
    opened.press("q")
    assert page.text("#note") == "30 labels saved as judge.jsonl"
    opened.check()
    saved = opened.saved()
    found = rows(saved)
    assert all(row["good"] == is_good(row["question"]) for row in found)
    assert [row["labelled"]["place"] for row in found] == list(range(1, ANSWERS + 1))
    hostile = next(row for row in found if row["question"] == "question 5?")
    assert "window.broken" in hostile["answer"]
    labelled.write("data/judge.jsonl", saved.read_text(encoding="utf-8"))
    again = command(*ARGUMENTS, "Ana")
    assert (again.errors, again.lines[:1]) == (
        [],
        ["labels: data/judge.jsonl: 0 more, 30 of 30 answers labelled by Ana"],
    )
    run = examine(labelled, said.lines[-1])
    run.result.assert_outcomes(passed=ANSWERS)


@needs_chromium
def test_a_page_goes_on_where_it_was_closed_and_is_another_one_for_another_person(
    labelled: Suite, command: Command, browser: Chromium
) -> None:
    assert command(*ARGUMENTS, "Ana", "--html=label.html", "--grades=5", "-n9", "--label=grade").code == 0
    path = labelled.path / "label.html"
    first = LabelPage(browser, path)
    first.press("Enter", "1", "5", "s", "3")
    assert first.progress == "5 of 9, 3 labelled by Ana"
    again = LabelPage(browser, path)
    again.press("Enter")
    assert again.progress == "5 of 9, 3 labelled by Ana"
    again.press("y", "6", "x")
    assert again.progress == "5 of 9, 3 labelled by Ana"
    other = LabelPage(browser, path)
    other.press("B", "Enter", "q")
    assert other.progress == "1 of 9, 0 labelled by B"
    assert other.page.text("#note") == "nothing is labelled yet"
    other.press("2", "q")
    [row] = rows(other.saved())
    assert (row["grade"], row["labelled"]["by"], row["labelled"]["kind"]) == (0.25, "B", "person")
    for one in (first, again, other):
        one.check()


@needs_chromium
@pytest.mark.parametrize("width", [320, 1400])
def test_the_page_fits_its_window(labelled: Suite, command: Command, browser: Chromium, width: int) -> None:
    """Whatever is in an answer; and what can be pressed stays in sight."""
    command(*ARGUMENTS, "Ana", "--html=label.html")
    opened = LabelPage(browser, labelled.path / "label.html")
    opened.page.resize(width, 600)
    opened.press("Enter")
    for _ in range(ANSWERS):
        assert opened.page.run("document.documentElement.scrollWidth") <= width
        bottom = opened.page.run("document.querySelector('#buttons').getBoundingClientRect().bottom")
        assert bottom <= 600
        opened.press("y")
    opened.check()


PICTURES = """

class Draw(dspy.Module):
    def forward(self, question):
        from PIL import Image
        import base64, io
        made = io.BytesIO()
        Image.new("RGB", (40, 30), "red").save(made, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(made.getvalue()).decode()}"
        return dspy.Prediction(picture=dspy.Image(url=url))


@pytest.fixture(scope="session")
def program():
    return Draw()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: 0.25
"""


@needs_chromium
def test_pictures_are_shown_and_kept_beside_the_file(suite: Suite, command: Command, browser: Chromium) -> None:
    suite.add("conftest.py", PICTURES)
    suite.run()
    assert command(*ARGUMENTS, "Ana", "--html=label.html").code == pytest.ExitCode.OK
    opened = LabelPage(browser, suite.path / "label.html")
    opened.press("Enter")
    assert opened.page.run("document.querySelector('#answer img').naturalWidth") == 40
    opened.press("y", "n", "s", "q")
    opened.check()
    [first, second] = rows(opened.saved())
    picture = suite.path / "data" / first["picture"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert first["picture"] == second["picture"]


WRONG = {
    ("last",): "standard input is no terminal: expected one, or --html=PATH for a page",
    ("last", "-o", "judge.csv"): "--output: 'judge.csv': expected a file that ends in .jsonl",
    ("last", "-o", "folder.jsonl"): "--output: 'folder.jsonl': expected a file that ends in .jsonl",
    ("last", "-o", "data.jsonl"): "data.jsonl: no label 'good' in row 1: expected a file that pitcheval label writes, "
    "or --label=NAME with the name of the column there",
    ("last", "-o", "broken.jsonl"): "{folder}/broken.jsonl:1: cut off in the middle: expected a whole row",
    ("last", "test_other"): "no answer of a test with 'test_other' in the name of its function in it",
    ("last", "--author", " "): "--author: ' ': expected a name",
    ("last", "--author", "Ana\x1b[31m"): r"--author: 'Ana\x1b[31m': expected a name",
    ("last", "--label", "question"): "--label: 'question': the answers have a field of that name",
    ("last", "-n", "0"): "argument -n/--sample: '0': expected a whole number, 1 or more",
    ("last", "--grades", "10"): "argument --grades: '10': expected a whole number from 2 to 9",
    ("nowhere",): "'nowhere': expected a run ID of ",
    ("last", "--html=data.jsonl/label.html"): "data.jsonl",
}


def test_what_is_wrong_is_one_line(suite: Suite, command: Command) -> None:
    suite.run()
    suite.write("broken.jsonl", '{"good": 1')
    (suite.path / "folder.jsonl").mkdir()
    for arguments, message in WRONG.items():
        said = command("label", *arguments)
        assert said.code == pytest.ExitCode.USAGE_ERROR, arguments
        assert message.format(folder=suite.path) in said.errors[-1], (arguments, said.errors)
        assert "Traceback" not in "".join(said.errors)
    assert not (suite.path / "judge.jsonl").exists()


def test_who_labels_and_of_which_run(suite: Suite, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """By git's name; a replayed run has the answers of the one that it replays, and a folder may be read-only."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "Ana Example")
    first = suite.run()
    assert command("label", "last", "--html=first.html").code == pytest.ExitCode.OK
    found = data((suite.path / "first.html").read_text(encoding="utf-8"))
    assert found["by"] == "Ana Example"
    suite.run("--eval-replay=last")
    assert command("label", "last", "--html=again.html", "--near-threshold").code == pytest.ExitCode.OK
    again = data((suite.path / "again.html").read_text(encoding="utf-8"))
    assert {json.loads(before + "}")["id"] for _, before, _ in found["items"]} == {
        json.loads(before + "}")["id"] for _, before, _ in again["items"]
    }
    drawn = [json.loads("{" + after)["drawn"] for _, _, after in again["items"]]
    assert sorted(drawn) == ["at random", "at random", "near the threshold"]
    assert first.document is not None
    assert {json.loads("{" + after)["run"] for _, _, after in again["items"]} == {first.document["run"]["id"]}


def test_labels_by_models_qualify_nobody_unless_that_is_asked_for(suite: Suite) -> None:
    found = [
        {
            "id": f"j{n}",
            "question": f"exam {n}?",
            "answer": f"given {n}",
            "good": 1 - n % 2,
            "labelled": {"by": "gpt-5", "kind": "model"},
        }
        for n in range(24)
    ]
    suite.write("judge.jsonl", "".join(json.dumps(row) + "\n" for row in found))
    suite.scores(lambda request: 0.9 if int(request.prompt.rpartition("exam ")[2].split("?")[0]) % 2 == 0 else 0.2)
    marker = '@pytest.mark.judge_exam("judge.jsonl", inputs=["question"], outputs=["answer"], label="good")'
    refused = examine(suite, marker)
    refused.result.assert_outcomes(failed=1)
    assert "judge.jsonl:1: labelled by a model, 'gpt-5'; expected labels by people, or --eval-labels-by-models" in (
        " ".join(refused.text.split())
    )
    taken = suite.run("test_judge.py", "--eval-labels-by-models")
    taken.result.assert_outcomes(passed=24)
    assert figures(taken)["kappa"]["value"] == 1
    assert "labels by models: gpt-5" in " ".join(taken.text.split())
    assert taken.document is not None
    assert taken.document["run"]["repeat"]["options"] == ["--eval-labels-by-models"]
    suite.add("pytest.ini", "eval_labels_by_models = true\n")
    suite.run("test_judge.py").result.assert_outcomes(passed=24)
