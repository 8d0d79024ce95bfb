"""The example suites, which `pitcheval init --like` copies: small, whole, and as their READMEs and the options say."""

from __future__ import annotations

import ast
import configparser
import io
import json
import re
import tokenize
from pathlib import Path

import pytest
from support.command_line import exit_code

from pytest_pitcheval.command.first_suite import gallery
from pytest_pitcheval.options.table import OPTIONS

SUITES = gallery.folder()
NAMES = gallery.names()
each_suite = pytest.mark.parametrize("name", NAMES)

SETS = ("test", "train")
MOST_LINES_OF_CODE = 60
MOST_LINES_OF_README = 10
_NO_CODE = {getattr(tokenize, kind) for kind in ("COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENDMARKER")}


def lines_of_code(source: str) -> int:
    """Without docstrings, comments and empty lines."""
    docs: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            docs |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in _NO_CODE]
    return len({line for token in tokens for line in range(token.start[0], token.end[0] + 1)} - docs)


def rows(name: str, file: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in gallery.suite_files(name).get(f"data/{file}", "").splitlines()]


def test_the_command_and_the_readme_name_every_suite(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(NAMES) >= {"agent", "extraction", "pitch", "retrieval"}
    monkeypatch.setenv("COLUMNS", "200")
    exit_code(["init", "--help"])
    for text in capsys.readouterr().out, (SUITES / "README.md").read_text(encoding="utf-8"):
        assert [name for name in NAMES if name not in text] == []


def test_code_is_what_is_no_comment_docstring_or_empty_line() -> None:
    assert (
        lines_of_code('"""Doc."""\n\n# comment\nx = [\n    1,\n]  # another\n\n\ndef f():\n    """Doc."""\n    y = 1\n')
        == 5
    )


@each_suite
def test_a_suite_is_read_in_one_sitting(name: str) -> None:
    """The tests of a metric are not counted: they are there to be read one by one."""
    code = {path: text for path, text in gallery.suite_files(name).items() if path.endswith(".py")}
    assert 20 < sum(lines_of_code(text) for path, text in code.items() if path != "test_metric.py") < MOST_LINES_OF_CODE
    readme = [line for line in gallery.suite_files(name)["README.md"].splitlines() if line.strip()]
    assert len(readme) <= MOST_LINES_OF_README


@each_suite
def test_a_suite_is_whole(name: str) -> None:
    texts = gallery.suite_files(name)
    assert {"README.md", "conftest.py", gallery.CONFIGURATION, "data/test.jsonl"} <= set(texts)
    assert gallery.MODEL in texts[gallery.CONFIGURATION]
    assert not [path for path in texts if path.endswith((".pyc", ".db", ".html"))]


@each_suite
def test_the_demos_are_no_tests(name: str) -> None:
    ids = [row["id"] for row in rows(name, "test.jsonl")]
    assert len(set(ids)) == len(ids) >= 8
    asked, learned = ({row.get("pitch", row.get("question")) for row in rows(name, f"{file}.jsonl")} for file in SETS)
    assert not asked & learned


@each_suite
def test_all_suites_together_are_configured_as_each_alone(name: str) -> None:
    together, alone = (configparser.ConfigParser() for _ in range(2))
    together.read(SUITES / gallery.CONFIGURATION)
    alone.read(SUITES / name / gallery.CONFIGURATION)
    differing = {key for key, value in alone["pytest"].items() if together["pytest"].get(key) != value}
    assert differing <= {"eval_concurrency"}


def readmes() -> list[Path]:
    return [SUITES / "README.md", *(SUITES / name / "README.md" for name in NAMES)]


@pytest.mark.parametrize("readme", readmes(), ids=lambda path: path.parent.name)
def test_the_readmes_name_files_options_and_folders_that_exist(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    flags = set(re.findall(r"(?<![\w-])--(?:optimization|generator|evaluator|eval)[a-z-]*", text))
    assert flags <= {option.flag for option in OPTIONS}
    commands = re.findall(r"^    (pytest|pitcheval|pip)\b", text, flags=re.MULTILINE)
    assert commands
    named = re.findall(r"\b([\w/]+\.(?:py|jsonl|txt|ini|md))\b", text) + re.findall(r"\bexample_suite/\w+", text)
    roots = (readme.parent, SUITES.parent)
    assert [file for file in named if not any((root / file).exists() for root in roots)] == []
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert [link for link in links if "://" not in link and not (readme.parent / link).exists()] == []
