"""What the README shows works as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import Suite
from openai_server import chat_format

from pytest_pitcheval.methods import METHODS
from pytest_pitcheval.options import INI_ONLY, LM_ARGUMENTS, MLFLOW_TAGS, OPTIONS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def block(first_line: str) -> str:
    """The code block that begins with this line."""
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    [found] = [text for text in blocks if text.startswith(first_line)]
    return str(found)


def test_the_program_of_the_readme(suite: Suite) -> None:
    suite.write("conftest.py", block("# conftest.py"))
    suite.write("test_qa.py", block("# test_qa.py"))
    rows = [{"id": town, "question": f"Where is {town}?", "answer": "Peru"} for town in ("cusco", "ica")]
    suite.write("data/test.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    suite.server.answer = lambda request: chat_format(reasoning="I know.", answer="It is in Peru, near Lima.")
    run = suite.run("--optimization=none,bootstrap", "-n2")
    run.result.assert_outcomes(passed=4)
    assert [gate["status"] for gate in run.document["gates"]] == ["passed", "passed"]  # type: ignore[index]
    suite.server.answer = lambda request: chat_format(reasoning="I guess.", answer="It is in Chile.")
    assert suite.run().result.ret == pytest.ExitCode.TESTS_FAILED


def test_every_option_key_and_method_stands_in_the_readme() -> None:
    options = {option.flag for option in OPTIONS}
    assert set(re.findall(r"--(?:optimization|generator|evaluator|train|test|save|eval)[a-z-]*", README)) == options
    keys = {option.name for option in INI_ONLY} | {*LM_ARGUMENTS, *MLFLOW_TAGS}
    assert {key for key in keys if f"`{key}`" not in README} == set()
    assert {method for method in METHODS if f"`{method}`" not in README} == set()


def test_every_fixture_stands_in_the_readme(suite: Suite) -> None:
    suite.write("test_none.py", "")
    listed = suite.run("--fixtures", "test_none.py").text
    names = re.findall(r"^(\w+)(?: \[session scope\])? -- .*pytest_pitcheval/fixtures.py", listed, flags=re.MULTILINE)
    assert len(names) == 13
    assert {name for name in names if f"`{name}`" not in README} == set()
