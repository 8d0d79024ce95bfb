"""`pitcheval init --like`: a project that starts as an example suite is green at once, and nothing is overwritten."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Command
from support.openai_server import Request, chat_format
from support.suite import Suite

from pytest_pitcheval.command.first_suite import gallery

each_suite = pytest.mark.parametrize("name", gallery.names())


def rows(name: str) -> list[dict[str, Any]]:
    texts = gallery.suite_files(name)
    files = (texts[path] for path in ("data/test.jsonl", "data/train.jsonl") if path in texts)
    return [json.loads(line) for text in files for line in text.splitlines()]


def expert(name: str) -> Any:
    """Answers as a good model does: what the rows of the suite expect, an agent's tool by tool."""
    known = rows(name)

    def answer(request: Request) -> str:
        asked = str(request.messages[-1]["content"])
        row = next(row for row in known if str(row.get("pitch", row.get("question"))) in asked)
        if "tool" in row:
            if found := re.search(r"of \w+: (\d+)", asked):
                return chat_format(tool="half", of=found[1], more=False)
            return chat_format(tool=row["tool"], of=row["of"], more=row.get("calls") == 2)
        output = "deal" if "deal" in row else "answer"
        return chat_format(**{output: row[output]})

    return answer


def start(suite: Suite, command: Command, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[str]:
    """``pitcheval init`` in a fresh folder, which is the working directory then; what it said."""
    (suite.path / "pytest.ini").unlink()
    folder = suite.path / "fresh"
    folder.mkdir()
    monkeypatch.chdir(folder)
    said = command("init", *arguments)
    assert (said.code, said.errors) == (pytest.ExitCode.OK, [])
    return said.lines


@each_suite
def test_a_started_project_is_green_with_a_good_model(
    suite: Suite, command: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """All files are there, and plain ``pytest`` runs them; with the embedded LM, ``tox -e example`` does."""
    lines = start(suite, command, monkeypatch, "--like", name, "--generator-model=openai/generator")
    texts = gallery.suite_files(name)
    recorded = f"recorded: {sum(path.startswith('recorded/') for path in texts)} files"
    told = dict.fromkeys(recorded if path.startswith("recorded/") else path for path in texts)
    assert lines == ["wrote .gitignore", *(f"wrote {path}" for path in told), "next: pytest"]
    changed = {path for path, text in texts.items() if Path(path).read_text(encoding="utf-8") != text}
    assert changed == {gallery.CONFIGURATION}
    suite.server.answer = expert(name)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-tests-only")
    given = ["-o", f"generator_api_base={suite.server.url}", "--eval-mlflow=off", "--eval-json=run.json"]
    result = suite.pytester.runpytest_inprocess("-pno:cacheprovider", "-pno:hypothesispytest", *given)
    assert result.ret == pytest.ExitCode.OK, result.stdout.str()
    document = json.loads(Path("run.json").read_text(encoding="utf-8"))
    assert len(document["tests"]) == len(texts["data/test.jsonl"].splitlines())
    [summary] = document["summary"]
    assert summary["mean"] >= 0.99


def test_questions_are_answered_without_a_model_from_what_was_recorded(
    suite: Suite, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(suite, command, monkeypatch, "--like", "retrieval")
    Path("data/handbook.txt").unlink()  # the retriever is in the recording, too
    Path("search.py").write_text("def search(question: str) -> list[str]:\n    raise NotImplementedError\n")
    given = ["--eval-replay=recorded", "--eval-mlflow=off", "--eval-json=run.json"]
    result = suite.pytester.runpytest_inprocess("-pno:cacheprovider", "-pno:hypothesispytest", *given)
    assert result.ret == pytest.ExitCode.OK, result.stdout.str()
    document = json.loads(Path("run.json").read_text(encoding="utf-8"))
    assert {test["lm_calls"]["fresh"] for test in document["tests"]} == {0}
    assert all(test["prediction"]["paragraphs"] for test in document["tests"])


def test_nothing_is_overwritten(suite: Suite, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    start(suite, command, monkeypatch, "--like=extraction", "--folder=deals")
    Path("deals/conftest.py").write_text("# mine\n", encoding="utf-8")
    Path("deals/deals.py").unlink()
    said = command("init", "--like=extraction", "--folder=deals")
    assert (said.code, said.lines, len(said.errors)) == (pytest.ExitCode.USAGE_ERROR, [], 1)
    assert said.errors[0].startswith("ERROR: --folder: 'deals' has .gitignore, README.md, conftest.py, data/test.jsonl")
    assert Path("deals/conftest.py").read_text(encoding="utf-8") == "# mine\n"
    assert not Path("deals/deals.py").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--like", "nothing"], "--like: 'nothing': expected agent, extraction, pitch or retrieval"),
        (["--like", "../example_suite/pitch"], "--like: '../example_suite/pitch': expected agent, "),
        (["--like="], "--like: '': expected agent, "),
        ([], "init: expected MODULE:CLASS or --like=NAME, none given"),
        (["qa:QA", "--like=pitch"], "init: expected MODULE:CLASS or --like=NAME, both given"),
    ],
)
def test_a_wrong_name_is_one_line(suite: Suite, command: Command, arguments: list[str], line: str) -> None:
    before = sorted(suite.path.rglob("*"))
    said = command("init", *arguments)
    assert (said.code, said.lines, len(said.errors)) == (pytest.ExitCode.USAGE_ERROR, [], 1)
    assert said.errors[0].startswith(f"ERROR: {line}")
    assert sorted(suite.path.rglob("*")) == before
