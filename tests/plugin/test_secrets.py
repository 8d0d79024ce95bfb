"""API keys are in no file and on no line that a run leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.openai_server import Failure, Request
from support.suite import INI, Suite

INI_KEY = "sk-ini-4f1d9c0b7a6e5d3c2b1a"
ENVIRONMENT_KEY = "gsk-env-9a8b7c6d5e4f3a2b1c0d"
OWN_KEY = "sk-own-1122334455667788aabb"

FREE_FORM = """
import os

def test_free(record_score, program, generator_lm):
    api_key = generator_lm.kwargs.get("api_key") or os.environ["OPENAI_API_KEY"]
    print("using", api_key)
    record_score(len(program(question="question 0?").answer))
"""


def echo(request: Request) -> Failure:
    """A provider that tells everybody which key it was shown."""
    return Failure(401, f"Incorrect API key provided: {request.headers['Authorization']}")


@pytest.fixture(params=["ini", "environment"])
def key(request: pytest.FixtureRequest, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> str:
    """The key in use: from the settings in the ini file, or from the environment."""
    ini = INI.format(url=suite.server.url)
    if request.param == "ini":
        suite.write("pytest.ini", ini.replace("sk-for-tests-only", INI_KEY))
        return INI_KEY
    suite.write("pytest.ini", ini.replace('    api_key = "sk-for-tests-only"\n', ""))
    monkeypatch.setenv("OPENAI_API_KEY", ENVIRONMENT_KEY)
    return ENVIRONMENT_KEY


def leaks(suite: Suite, secret: str) -> list[str]:
    """The files that hold the secret, or its better half; the suite's own are not counted."""
    half = secret[: len(secret) * 2 // 3].encode()
    own = {"pytest.ini", "conftest.py", "test_qa.py"}
    files = [path for path in suite.path.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return [str(path.relative_to(suite.path)) for path in files if path.name not in own and half in path.read_bytes()]


def written(suite: Suite) -> list[Path]:
    return [path for path in suite.path.rglob("*.json") if path.is_file()]


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["one-process", "n2"])
def test_an_error_that_echoes_the_key(suite: Suite, key: str, arguments: tuple[str, ...]) -> None:
    suite.server.fail = echo
    suite.rows(1)
    suite.add("test_qa.py", FREE_FORM)
    run = suite.run("--junitxml=junit.xml", "--showlocals", "-vv", "-rA", *arguments)
    run.result.assert_outcomes(errors=2)
    assert any(key in (request.headers["Authorization"] or "") for request in run.requests)
    assert "Incorrect API key provided" in run.text
    assert "using ***" in run.text
    assert key[: len(key) * 2 // 3] not in run.text + run.result.stderr.str()
    assert {test["status"] for test in run.tests} == {"error"}
    assert (suite.path / "junit.xml").is_file()
    assert leaks(suite, key) == []


def test_a_good_run(suite: Suite, key: str) -> None:
    run = suite.run(
        "--optimization=bootstrap", "--save-program=program.json", "--eval-json=run.json", "--junitxml=junit.xml"
    )
    run.result.assert_outcomes(passed=3)
    assert all(key in (request.headers["Authorization"] or "") for request in run.requests)
    assert {path.parent.name for path in written(suite)} == {suite.path.name, "programs", "runs"}
    assert leaks(suite, key) == []
    assert key not in run.text


def test_a_key_in_a_users_own_lm(suite: Suite) -> None:
    suite.add(
        "conftest.py",
        f"""

@pytest.fixture(scope="session")
def generator_lm():
    return dspy.LM("openai/generator", api_base={suite.server.url!r}, api_key={OWN_KEY!r}, num_retries=0)
""",
    )
    suite.server.fail = echo
    suite.rows(1)
    run = suite.run("--junitxml=junit.xml", "-vv")
    run.result.assert_outcomes(errors=1)
    assert "Incorrect API key provided" in run.text
    assert OWN_KEY not in run.text
    assert leaks(suite, OWN_KEY) == []


def test_a_program_that_puts_a_key_into_its_prediction(suite: Suite, key: str) -> None:
    suite.add(
        "conftest.py",
        """

class Careless(dspy.Module):
    def forward(self, question):
        lm = dspy.settings.lm
        lm(question)
        import os
        return dspy.Prediction(answer=lm.kwargs.get("api_key") or os.environ["OPENAI_API_KEY"])


@pytest.fixture(scope="session")
def program():
    return Careless()
""",
    )
    suite.rows(1)
    run = suite.run("--eval-threshold=0.9")
    run.result.assert_outcomes(failed=1)
    assert run.tests[0]["prediction"] == {"answer": "***"}
    assert key not in run.text


def test_a_test_that_only_uses_an_lm(suite: Suite, key: str) -> None:
    """It is no evaluation and leaves no record, but it has the key all the same."""
    suite.server.fail = echo
    suite.write("test_qa.py", "def test_lm(generator_lm):\n    generator_lm('question 0?')\n")
    run = suite.run("-vv", "--showlocals", "--junitxml=junit.xml")
    run.result.assert_outcomes(failed=1)
    assert "Incorrect API key provided" in run.text
    assert key not in run.text
    assert leaks(suite, key) == []
