"""Every command and snippet of README and docs works as it stands there; what cannot be run is parsed and checked."""

from __future__ import annotations

import ast
import configparser
import functools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.command_line import Command
from support.markdown_blocks import PAGES, README, ROOT, Block, blocks
from support.openai_server import Failure, Request, chat_format, dspy_answer
from support.suite import Suite

from benchmarks.__main__ import BENCHMARKS
from pytest_pitcheval.options.table import OPTIONS
from pytest_pitcheval.storage import baseline_documents
from pytest_pitcheval.storage.answers import recording
from pytest_pitcheval.storage.answers.manifest import Manifest
from pytest_pitcheval.storage.answers.recording import Recording

CAPITALS = {
    "Chile": "Santiago",
    "Kenya": "Nairobi",
    "Norway": "Oslo",
    "Japan": "Tokyo",
    "Egypt": "Cairo",
    "Cuba": "Havana",
    "Nepal": "Kathmandu",
    "Ghana": "Accra",
    "Peru": "Lima",
}
KNOWN_TO_SMALLER = {"Chile", "Norway"}


def capital(request: Request) -> str:
    """What the models of the pages know: ``smaller`` two capitals, ``judge`` nothing, the others all."""
    country = re.findall(r"capital of (\w+)\?", request.prompt)[-1:]
    if request.model == "judge" or not country:
        return dspy_answer(request)
    knows = country[0] in KNOWN_TO_SMALLER or request.model != "smaller"
    return chat_format(reasoning="As I recall.", answer=f"It is {CAPITALS[country[0]] if knows else 'not known'}.")


class Reader:
    """Does what a page says, in a suite with the README's own program."""

    def __init__(self, suite: Suite, command: Command) -> None:
        self._suite = suite
        self._command = command
        self.printed: list[str] = []

    def follow(self, page: list[Block]) -> None:
        """Write the files of a page, run its commands, compare what they print."""
        for block in page:
            if block.file and block.language != "yaml":
                self._suite.write(block.file, block.text)
            elif block.language == "sh":
                for line in block.lines:
                    self._run(shlex.split(line, comments=True))
            elif block.language == "text":
                check_printed(block, self.printed)

    def _run(self, words: list[str]) -> None:
        program, *arguments = words
        if program == "pytest":
            run = self._suite.run(*arguments)
            assert run.result.ret in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), run.text
            self.printed = run.result.outlines
        else:
            assert program == "pitcheval"
            said = self._command(*arguments)
            assert said.errors == []
            self.printed = said.lines


def normalized(line: str) -> str:
    """``line`` without what differs from run to run: times, IDs, the widths that follow from them."""
    line = re.sub(r"\d{8}T\d{6}\.\d{6}Z", "RUN", line)
    line = re.sub(r"\b[0-9a-f]{32}\b", "ID", line)
    line = re.sub(r"(?<=%) +(\d+ +\d+) .*", r" \1 ...", line)  # tokens, cost and time
    line = re.sub(r"answer \d+", "answer #", line)
    return " ".join(re.sub(r"[-=]{3,}", "---", line).split())


def check_printed(block: Block, printed: list[str]) -> None:
    """That ``printed`` has the lines of ``block``, one after the other, or with ``...`` between them."""
    found = [normalized(line) for line in printed]
    start = 0
    for part in re.split(r"^ *\.\.\.\n", block.text, flags=re.MULTILINE):
        wanted = [normalized(line) for line in part.splitlines()]
        starts = (at for at in range(start, len(found)) if matches(wanted, found[at : at + len(wanted)]))
        at = next(starts, None)
        assert at is not None, "\n".join([block.place, *wanted, "is not in", *found[start:]])
        start = at + len(wanted)


def matches(wanted: list[str], found: list[str]) -> bool:
    """Whether they are the same; a line may end in ``...``."""
    return len(wanted) == len(found) and all(
        one.startswith(line[:-3]) if line.endswith("...") else one == line
        for line, one in zip(wanted, found, strict=True)
    )


@pytest.fixture
def reader(suite: Suite, command: Command) -> Reader:
    (suite.path / "data.jsonl").unlink()
    suite.server.answer = capital
    reader = Reader(suite, command)
    reader.follow([block for block in blocks(README) if block.file])
    return reader


@pytest.mark.parametrize("page", [page for page in PAGES if page != README], ids=lambda page: page.name)
def test_a_page_does_what_it_says(reader: Reader, page: Path) -> None:
    reader.follow(blocks(page))


def test_the_readme_does_what_it_says(reader: Reader) -> None:
    """After its first result, which is an example suite's."""
    page = blocks(README)
    [start] = [number for number, block in enumerate(page) if block.file == "conftest.py"]
    reader.follow(page[start:])


@pytest.mark.parametrize("block", [block for page in PAGES for block in blocks(page)], ids=lambda block: block.place)
def test_every_block_is_of_a_kind_that_is_checked(block: Block) -> None:
    assert block.language in {"python", "jsonl", "sh", "text", "yaml"}
    if block.language == "python":
        compile(block.text, block.place, "exec")


def options_in(text: str) -> set[str]:
    """The options of this plugin that ``text`` names."""
    return set(re.findall(r"--(?:optimization|generator|evaluator|train|test|save|eval)(?:-[a-z]+)*\b", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert options_in(text) <= {option.flag for option in OPTIONS}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).is_file()] == []


def test_the_readme_leads_to_every_page_and_picture() -> None:
    links = set(re.findall(r"\]\((docs/[^)#]+)\)", README.read_text(encoding="utf-8")))
    pages = {page for page in PAGES if page != README} | set((ROOT / "docs" / "pictures").glob("*.png"))
    assert links == {page.relative_to(ROOT).as_posix() for page in pages}


def yaml_blocks() -> list[Block]:
    return [block for page in PAGES for block in blocks(page) if block.language == "yaml"]


def program(name: str) -> Path:
    """The console script of that name."""
    return Path(sys.executable).with_name(name)


def scripts(value: Any) -> Iterator[str]:
    """The commands of a workflow: of steps their ``run``, of GitLab's jobs their ``script``."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("run", "script"):
                yield from [item] if isinstance(item, str) else item
            else:
                yield from scripts(item)
    elif isinstance(value, list):
        for item in value:
            yield from scripts(item)


@pytest.mark.parametrize("block", yaml_blocks(), ids=lambda block: block.place)
def test_workflows(block: Block, tmp_path: Path) -> None:
    """They are YAML; their shell is shell; pytest and pitcheval know the options that they are given."""
    (tmp_path / "pitcheval-baseline.json").write_text(baseline_documents.to_text({}), encoding="utf-8")
    answers = Recording(tmp_path, Manifest("20261126T000000.000000Z"), None, {}, None, keeps=bool)
    recording.write(answers, tmp_path / "answers")
    commands = [re.sub(r"\$\{\{.*?\}\}", "value", text) for text in scripts(yaml.safe_load(block.text))]
    subprocess.run(["bash", "-n"], input="\n".join(commands), text=True, check=True)
    called = [shlex.split(line) for text in commands for line in text.splitlines()]
    ours = [words for words in called if words[0] in ("pytest", "pitcheval")]
    assert ours
    for words in ours:
        command = [str(program(words[0])), *words[1:], "--help"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@functools.cache
def commands() -> set[str]:
    """Those that ``pitcheval`` has."""
    done = subprocess.run([program("pitcheval"), "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"^    (\w+) ", done.stdout, flags=re.MULTILINE))


def test_the_readme_lists_every_command() -> None:
    rows = re.findall(r"^\| `pitcheval (\w+)", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(commands())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_a_page_only_mentions(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    mentioned = [shlex.split(command) for command in re.findall(r"`((?:python|tox|pitcheval) [^`]+)`", text)]
    environments = configparser.ConfigParser()
    environments.read(ROOT / "tox.ini")
    for words in mentioned:
        if words[:3] == ["python", "-m", "benchmarks"]:
            assert set(words[3:]) <= set(BENCHMARKS)
        elif words[0] == "tox":
            assert f"testenv:{words[2]}" in environments
        elif words[0] == "pitcheval":
            assert words[1] in commands()
        else:
            assert words[:4] == ["python", "-m", "pip", "install"]


VALUE = "\0"
"""Stands for whatever a message is given."""


@functools.cache
def templates() -> list[str]:
    """All texts of the package's source, with `VALUE` where one is put in."""
    found = []
    for path in (ROOT / "pytest_pitcheval").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else VALUE for part in node.values]
                found.append("".join(map(str, parts)))
    return found


TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = [" ".join(message.split()) for message in re.findall(r"\*\*`(.+?)`\*\*", TROUBLESHOOTING, flags=re.DOTALL)]
OF_PYTEST_TIMEOUT = "Timeout (>...s) from pytest-timeout"


@pytest.mark.parametrize("message", [message for message in MESSAGES if message != OF_PYTEST_TIMEOUT])
def test_every_message_that_is_explained_exists(message: str) -> None:
    fixed = [part for part in message.split("...") if part]
    assert sum(map(len, fixed)) >= 18
    pattern = re.compile(".*".join(map(re.escape, fixed)), re.DOTALL)
    assert any(pattern.search(template) for template in templates()), message


def test_no_message_is_overlooked() -> None:
    assert len(MESSAGES) == TROUBLESHOOTING.count("**`") > 30


def test_the_message_of_pytest_timeout(suite: Suite) -> None:
    suite.server.fail = lambda request: Failure(hang=True)
    run = suite.run("--eval-timeout=0.5", "-k", "e0")
    pattern = ".*".join(map(re.escape, OF_PYTEST_TIMEOUT.split("...")))
    assert re.search(pattern, run.text)
