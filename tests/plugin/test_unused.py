"""A suite that does not use the plugin does not notice it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from support.suite import Suite

HEAVY = {"dspy", "jinja2", "mlflow", "scipy", "litellm", "numpy", "pydantic", "openai"}

CONFTEST = """
import json
import os
import sys
from pathlib import Path

import pytest

@pytest.fixture
def example():
    return 1

@pytest.fixture(params=[1, 2])
def score(request):
    return request.param

@pytest.fixture(scope="session")
def program():
    return "nothing of DSPy's"

def pytest_sessionfinish(session):  # xdist gives a worker that is slow to end only seconds afterwards
    config = session.config
    process = os.environ.get("PYTEST_XDIST_WORKER", "main")
    seen = {"modules": sorted(sys.modules), "watching": config.pluginmanager.hasplugin("pitcheval-running")}
    Path(os.environ["SEEN"], f"{process}.json").write_text(json.dumps(seen), encoding="utf-8")
"""

TESTS = """
import pytest

@pytest.fixture
def prediction(program):
    return program

def test_plain():
    pass

def test_fixtures(example, score, prediction):
    assert example <= score and prediction == "nothing of DSPy's"

@pytest.mark.parametrize("metric", [1, 2])
def test_parameters(metric):
    assert metric == 1
"""


class Seen:
    """What the processes of one pytest run saw."""

    def __init__(self, result: pytest.RunResult, folder: Path) -> None:
        self.result = result
        seen = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.iterdir())}
        self.modules = {process: set(one["modules"]) for process, one in seen.items()}
        self.watching = {process: one["watching"] for process, one in seen.items()}

    @property
    def output(self) -> list[str]:
        """The output without what differs from run to run: times, and the list of plugins."""
        lines = [line for line in self.result.outlines if not line.startswith("plugins: ")]
        return [re.sub(r"in \d+\.\d+s", "in TIME", line) for line in lines]


@pytest.fixture
def plain_suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite with fixtures of its own that are called as the plugin's are."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # by which the suite's conftest tells its processes apart
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("TMPDIR", str(pytester.mkdir("temporary")))
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider --strict-markers\n")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_plain=TESTS)
    return pytester


def run(suite: pytest.Pytester, *arguments: str) -> Seen:
    """Run the suite in a process of its own; it must come out as it does without us, and leave nothing behind."""
    seen = suite.mkdir("seen" + "".join(re.findall(r"\w+", " ".join(arguments))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEEN", str(seen))
        before = set(suite.path.iterdir())
        result = suite.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=4, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    made = {path.name for path in set(suite.path.iterdir()) - before}
    assert {name for name in made if name not in ("stdout", "stderr") and not name.startswith("runpytest")} == set()
    assert list((suite.path / "temporary").iterdir()) == []
    return Seen(result, seen)


def test_nothing_is_imported_written_or_said(plain_suite: pytest.Pytester) -> None:
    with_us, without_us = run(plain_suite), run(plain_suite, "-p", "no:pitcheval")
    assert with_us.output == without_us.output
    added = with_us.modules["main"] - without_us.modules["main"]
    assert "pytest_pitcheval.plugin" in added
    assert not HEAVY & with_us.modules["main"]
    assert not [name for name in without_us.modules["main"] if name.startswith("pytest_pitcheval")]
    ours = {name for name in added if name.startswith("pytest_pitcheval")}
    assert not ours & {f"pytest_pitcheval.{name}" for name in ("session", "settings", "results", "errors")}
    assert len(added) < 16, sorted(added)
    assert with_us.watching == {"main": False}


def test_nor_in_workers(plain_suite: pytest.Pytester) -> None:
    seen = run(plain_suite, "-n2")
    assert set(seen.modules) == {"main", "gw0", "gw1"}
    for modules in seen.modules.values():
        assert not HEAVY & modules
    assert [seen.watching[worker] for worker in ("gw0", "gw1")] == [False, False]
    assert "pitcheval" not in "\n".join(line for line in seen.output if "no:pitcheval" not in line)


def test_the_rest_of_a_suite_that_has_one_evaluation(
    plain_suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fixtures that are only called like ours make no test ours."""
    plain_suite.makepyfile(
        test_free="""
        def test_free(record_score):
            record_score(1)
        """
    )
    plain_suite.makeini("[pytest]\naddopts = -p no:cacheprovider\ngenerator_model = openai/unused\n")
    monkeypatch.setenv("SEEN", str(plain_suite.mkdir("seen")))
    result = plain_suite.runpytest_subprocess("--eval-json=run.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["test_free.py::test_free", "*1/1*"])
    assert "test_plain.py" not in (plain_suite.path / "run.json").read_text(encoding="utf-8").split('"tests"')[1]


LEAVES_GARBAGE = """
import gc
from pathlib import Path


class Left:
    def __init__(self):
        self.myself = self

    def __del__(self):
        Path("found").touch()


def test_a_garbage():
    gc.disable()  # so that it is pytest that looks, at the end
    Left()
"""


def test_a_conftest_that_breaks_leaves_the_collector_as_it_was(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("raise ValueError('broken')")
    script = "import gc, pytest; usual = gc.get_threshold(); print(pytest.main(['-q']), gc.get_threshold() == usual)"
    assert pytester.run(sys.executable, "-c", script).outlines[-1] == "4 True"


def test_what_other_tests_leave_behind_is_still_found(suite: Suite) -> None:
    """pytest collects it to tell of exceptions that nobody raises, though an evaluation test has run meanwhile."""
    suite.write("test_a.py", LEAVES_GARBAGE)
    run = suite.run("test_a.py", "test_qa.py", "-p", "no:xdist", subprocess=True)
    run.result.assert_outcomes(passed=4)
    assert (suite.path / "found").exists()
