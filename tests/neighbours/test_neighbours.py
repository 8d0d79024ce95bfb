"""The plugins that stand beside this one in public suites, one at a time: the records are as without them.

Run in an environment of its own (``tox -e neighbours``), in which pytest loads no plugin by itself.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import pytest
from support.openai_server import Request
from support.suite import Suite

OURS = ("pitcheval", "timeout", "xdist")

NEIGHBOURS: dict[str, tuple[str, ...]] = {
    "anyio": (),
    "asyncio": ("-oasyncio_mode=auto",),
    "django": (),
    "flaky": ("--force-flaky", "--max-runs=2"),
    "html": ("-pmetadata", "-phtml_fixtures", "--html=report.html"),
    "pytest-bdd": (),
    "pytest-retry": ("--retries=1",),
    "pytest-split": ("--splits=1", "--group=1"),
    "pytest_cov": ("--cov=.",),
    "pytest_jsonreport": ("-pmetadata", "--json-report"),
    "randomly": (),
    "recording": ("--record-mode=none",),
    "repeat": ("--count=1",),
    "rerunfailures": ("--reruns=1",),
    "sugar": (),
}
"""By the name of its entry point, what makes the plugin do its work."""

FURTHER = """
import pytest


@pytest.mark.xfail(reason="known")
def test_expected(record_score):
    assert record_score(0.1) > 0.5


def test_skipped(record_score):
    record_score(0.2)
    pytest.skip("not today")


"""

EXPECTED = [
    ("test_further.py::test_expected", "skipped", 0.1, 0),
    ("test_further.py::test_skipped", "skipped", 0.2, 0),
    ("test_qa.py::test_qa[e0]", "passed", 0.75, 2),
    ("test_qa.py::test_qa[e1]", "failed", 0.25, 2),
    ("test_qa.py::test_qa[e2]", "passed", 0.75, 2),
]
"""Node ID, status, score and fresh LM calls of each record."""

TRY_AGAIN = ("flaky", "pytest-retry", "rerunfailures")
"""The plugins that try the failed test again: the calls of both attempts are counted."""


def seen(tests: list[dict[str, Any]]) -> list[tuple[str, str, float, int]]:
    """What `EXPECTED` is about, in its order."""
    return sorted((one["nodeid"], one["status"], one["score"], one["lm_calls"]["fresh"]) for one in tests)


def tried_again(plugin: str | None, row: tuple[str, str, float, int]) -> bool:
    """Whether the plugin has had the test of this row run twice."""
    return plugin in TRY_AGAIN and row[1] == "failed"


@pytest.fixture
def mixed(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A suite with a failure, an expected one and a skipped test, run without any plugin that is not named."""

    def score(request: Request) -> float:
        return 0.25 if "question 1?" in request.prompt else 0.75

    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    suite.write("test_further.py", FURTHER)
    suite.scores(score)
    return suite


@pytest.mark.parametrize("name", [None, *NEIGHBOURS])
def test_the_records_beside(mixed: Suite, name: str | None) -> None:
    plugins = [f"-p{plugin}" for plugin in (*OURS, *([name] if name else []))]
    run = mixed.run(*plugins, *NEIGHBOURS.get(name or "", ()), subprocess=True)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert seen(run.tests) == [(*row[:3], row[3] * (2 if tried_again(name, row) else 1)) for row in EXPECTED]
    assert "one example at a time" not in run.text + run.result.stderr.str()  # beside it, rollouts fly as well
    run.result.stdout.fnmatch_lines(["*= pitcheval =*", "*run file: *"])


def test_all_are_installed() -> None:
    """A name of an entry point that changes would leave a plugin out."""
    assert {*NEIGHBOURS, *OURS} <= {entry.name for entry in entry_points(group="pytest11")}
