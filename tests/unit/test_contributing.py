"""CONTRIBUTING names files that exist, all folders, all benchmarks and all dependencies."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from benchmarks.__main__ import BENCHMARKS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pytest_pitcheval"
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CODE = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", TEXT, flags=re.DOTALL | re.MULTILINE))


def test_the_files_that_it_names_exist() -> None:
    named = {text for text in CODE if re.fullmatch(r"[\w.-]+(/[\w.-]+)*(/|\.(py|md|toml|ini|xsd))", text)}
    assert len(named) > 60
    assert not [name for name in named if not (ROOT / name).exists() and not (PACKAGE / name).exists()]


def test_every_file_and_folder_of_the_package_has_its_floor() -> None:
    floors = TEXT[TEXT.index("| floor |") : TEXT.index("## The way of one example")]
    files = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    folders = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    rows = "".join(line for line in floors.splitlines() if line.startswith("|"))
    assert set(re.findall(r"`(\w+\.py|\w+/)`", rows)) == files | folders


def test_it_names_every_benchmark() -> None:
    assert set(BENCHMARKS) <= set(CODE)


def test_it_says_why_each_dependency_is_there() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lists = project[project.index("dependencies = [") : project.index("[project.scripts]")]
    names = set(re.findall(r'"([\w-]+)(?:>=[^"]*)?"[],]', lists))
    assert {"dspy", "optuna", "ruff"} <= names
    assert names <= set(CODE)


def test_it_names_the_jobs_of_tox() -> None:
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    for name in re.findall(r"`tox -e (\w+)", TEXT):
        assert f"[testenv:{name}]" in tox or name.startswith("py"), name


def test_no_file_folder_or_function_outgrows_the_house() -> None:
    folders = {path.parent: len(list(path.parent.glob("*.py"))) for path in PACKAGE.rglob("__init__.py")}
    assert folders.pop(PACKAGE) <= 14
    assert {folder.name: files for folder, files in folders.items() if files > 13} == {}
    sources = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert [path.name for path, source in sources.items() if source.count("\n") > 300] == []
    lengths = {
        f"{path.name}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, source in sources.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assert {name: lines for name, lines in lengths.items() if lines > 40} == {}


def test_ci_calls_the_test_command_of_the_readme() -> None:
    command = re.search(r"`([^`]+)` runs this project's tests", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert command, "README.md names none"
    assert f"&& {command[1]};" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
