"""What a newcomer reads in a terminal of 80 columns: options, ini keys, markers and fixtures, all explained."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_pitcheval.options.option import Option
from pytest_pitcheval.options.table import INI_ONLY, LM_ARGUMENTS, MLFLOW_TAGS, OPTIONS

WIDTH = 80


class Ask:
    """pytest, asked for help in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "pytest", *arguments]
        return subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    return Ask(tmp_path)


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


def test_options(ask: Ask) -> None:
    text = ask("--help")
    group = text.partition("evaluation of DSPy programs:\n")[2].partition("\n\n")[0]
    assert [option.flag for option in OPTIONS if f"\n  {option.flag}" not in f"\n{group}"] == []
    assert widest(group) <= WIDTH


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.metavar], ids=lambda option: option.flag)
def test_an_option_with_a_value_tells_its_default(option: Option) -> None:
    told = option.help.partition("; default: ")[2]
    assert told
    if isinstance(option.default, (int, float, str)):
        assert told.startswith(f"{option.default:g}" if isinstance(option.default, float) else str(option.default))


def test_ini_keys(ask: Ask) -> None:
    text = " ".join(ask("--help").split())
    assert [option.name for option in OPTIONS if f"as {option.flag}" not in text] == []
    further = {option.name: option.help for option in INI_ONLY} | LM_ARGUMENTS | MLFLOW_TAGS
    told = {name: re.search(rf"{name} \(\w+\): {re.escape(meaning)}", text) for name, meaning in further.items()}
    assert [name for name, found in told.items() if found is None] == []


def test_markers(ask: Ask) -> None:
    text = ask("--markers")
    names = ("evaluation(", "judge_exam(", "optimization(")
    ours = [part for part in text.split("\n\n") if part.removeprefix("@pytest.mark.").startswith(names)]
    assert len(ours) == 3
    assert max(map(widest, ours)) <= WIDTH


def test_fixtures(ask: Ask) -> None:
    text = ask("--fixtures")
    ours = re.findall(
        r"^(\w+)(?: \[session scope\])? -- \S*pytest_pitcheval/fixtures.py:\d+\n(.*?)\n\n\n?(?=\S)",
        text,
        flags=re.MULTILINE | re.DOTALL,
    )
    assert len(ours) == 15
    assert {name for name, docstring in ours if "no docstring" in docstring or not docstring.strip()} == set()
    assert max(widest(docstring) for _, docstring in ours) <= WIDTH
