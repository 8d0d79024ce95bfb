"""API keys are in no file and on no line that a run leaves behind."""

from __future__ import annotations

import base64
import contextlib
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.background import Background
from support.openai_server import Failure, Request
from support.suite import CONFTEST, INI, Suite

INI_KEY = "sk-ini-4f1d9c0b7a6e5d3c2b1a"
ENVIRONMENT_KEY = "gsk-env-9a8b7c6d5e4f3a2b1c0d"
OWN_KEY = "sk-own-1122334455667788aabb"
NEVER_KEY = "sk-never-called-99887766554433"

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


LATE = """

KEY = {key!r}


class Talkative(dspy.Module):
    def forward(self, question):
        if question == "question 3?":
            late = dspy.LM("openai/generator", api_base={url!r}, api_key=KEY, num_retries=0)
            while not os.path.exists("told"):
                time.sleep(0.01)
            late(question)
        print("printed", KEY)
        return dspy.Prediction(answer="the key is " + KEY)


@pytest.fixture(scope="session")
def program():
    return Talkative()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: dspy.Prediction(score=0.1, feedback=KEY)


def pytest_configure(config):
    global IS_WORKER
    IS_WORKER = hasattr(config, "workerinput")


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    if report.when == "teardown" and "e0" in report.nodeid and not IS_WORKER:
        pathlib.Path("told").touch()
    if report.when == "teardown" and "e4" in report.nodeid and "KILLED" in os.environ:
        os.kill(os.getpid(), 9)
"""
"""Three tests tell a key before the fourth makes an LM with it, in another worker where there are some."""


@pytest.fixture
def late(suite: Suite) -> Suite:
    suite.write("conftest.py", "import os\nimport pathlib\nimport time\n" + CONFTEST)
    suite.add("conftest.py", LATE.format(key=OWN_KEY, url=suite.server.url))
    suite.rows(5)
    return suite


@pytest.mark.parametrize("arguments", [("--eval-concurrency=1",), ("-n2",)], ids=["one-process", "n2"])
def test_a_key_that_is_seen_after_it_was_told(late: Suite, arguments: tuple[str, ...]) -> None:
    reports = ("--junitxml=junit.xml", "--eval-html=page.html", "--eval-markdown=run.md", "--eval-json=run.json")
    run = late.run(*arguments, *reports, "-rA", "-v", subprocess=True)
    run.result.assert_outcomes(failed=5)
    assert "the key is ***" in (late.path / "page.html").read_text(encoding="utf-8")
    assert "printed ***" in run.text
    assert OWN_KEY not in run.text
    assert leaks(late, OWN_KEY) == []


def test_a_journal_that_is_left_has_no_key_that_was_seen_by_then(late: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILLED", "1")
    run = late.run("--eval-concurrency=1", subprocess=True)
    assert run.result.ret == -signal.SIGKILL
    [journal] = late.path.glob(".pitcheval/runs/*.jsonl")
    assert journal.read_text(encoding="utf-8").count("the key is ***") == 4
    assert leaks(late, OWN_KEY) == []


def test_a_key_of_an_own_lm_is_known_before_its_first_call(suite: Suite) -> None:
    suite.add(
        "conftest.py",
        f"""

class Silent(dspy.Module):
    def __init__(self):
        super().__init__()
        self.never = dspy.Predict("question -> answer")
        self.never.lm = dspy.LM("openai/never", api_key={NEVER_KEY!r})

    def forward(self, question):
        return dspy.Prediction(answer={OWN_KEY!r}, never={NEVER_KEY!r}, code=base64.b64encode(b"a:" + KEY).decode())


@pytest.fixture(scope="session")
def program():
    return Silent()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: 0.1


@pytest.fixture(scope="session")
def generator_lm():
    return dspy.LM("openai/generator", api_base={suite.server.url!r}, api_key={OWN_KEY!r}, num_retries=0)
""",
    )
    suite.add("conftest.py", f"\n\nimport base64\n\nKEY = {NEVER_KEY.encode()!r}\n")
    suite.add(
        "test_qa.py",
        """

def test_plain(program):
    never = program.never.lm.kwargs["api_key"]
    raise RuntimeError(f"wrong key {never}")
""",
    )
    run = suite.run("--junitxml=junit.xml", "--showlocals", "-n2")
    assert [[*test["prediction"].values()][:2] for test in run.tests] == [["***", "***"]] * 3
    assert run.tests[0]["prediction"]["code"].startswith("YTp***")
    for key in (OWN_KEY, NEVER_KEY, base64.b64encode(NEVER_KEY.encode()).decode()[4:-4]):
        assert key not in run.text
        assert leaks(suite, key) == []


def test_warnings_show_no_key(suite: Suite, key: str) -> None:
    suite.add("test_qa.py", FREE_FORM.replace('print("using", api_key)', "import warnings; warnings.warn(api_key)"))
    run = suite.run("-k", "free", subprocess=True)
    run.result.assert_outcomes(passed=1, warnings=1, deselected=3)
    assert "UserWarning: ***" in run.text
    assert key not in run.text


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_child_processes_are_told_no_key(suite: Suite, background: Callable[..., Background]) -> None:
    """On no command line, and in no environment but where the user has put it."""
    ini = INI.format(url=suite.server.url).replace("sk-for-tests-only", INI_KEY)
    tracker = f"eval_mlflow = http://user:{OWN_KEY}@127.0.0.1:9"
    suite.write("pytest.ini", ini.replace("eval_mlflow = off", f"{tracker}\neval_mlflow_timeout = 5"))
    suite.server.latency = 0.3
    suite.rows(8)
    run, seen = background("-n2", "--eval-concurrency=2"), dict[str, str]()
    while run.process.poll() is None:
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                environment = (folder / "environ").read_text(errors="replace")
                if str(suite.path) in environment:
                    seen[(folder / "cmdline").read_text(errors="replace")] = environment
        time.sleep(0.05)
    assert any("tracking.child" in command for command in seen)
    assert any("sys.stdin.readline" in command for command in seen), "xdist's workers"
    told = "\n".join([*seen, *seen.values()])
    assert INI_KEY not in told
    assert OWN_KEY not in told
