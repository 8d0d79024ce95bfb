"""Whatever is waited for, the wait has an end, and costs its own call, its own entry, or a line."""

from __future__ import annotations

import sys

import pytest
from support.openai_server import Failure
from support.suite import Suite

NO_LOCKS = """
import errno, fcntl, os


def flock(handle, operation):
    raise OSError(errno.ENOLCK, "No locks available")


fcntl.flock = flock
"""
"""To be added to a conftest: a file system without locks, as NFS without its lock service."""

FULL = '''

@pytest.fixture(autouse=True)
def disk_that_is_full_from_the_second_test_on(request):
    """What is written to a file fails from then on, the files of the plugin's temporary folder first of all."""
    import resource
    import sys

    if "e1" in request.node.name:
        sys.dont_write_bytecode = True  # half of it might be kept, for all processes after this one
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
'''


@pytest.mark.parametrize("arguments", ["-p no:xdist", "-n2"])
@pytest.mark.parametrize("seconds", [86_400, 1e9])
def test_a_provider_that_asks_for_a_day_costs_its_own_call(suite: Suite, arguments: str, seconds: float) -> None:
    suite.rows(4)
    suite.server.fail = lambda request: (
        Failure(429, "daily quota", retry_after=seconds) if "question 1?" in request.prompt else None
    )
    run = suite.run(*arguments.split(), "--eval-timeout=20", "--eval-concurrency=2")
    run.result.assert_outcomes(passed=3, errors=1)
    assert len(run.requests) == 1 + 3 * 2
    assert {test["example_id"]: test["status"] for test in run.tests}["e1"] == "error"


def test_what_a_provider_asks_a_call_to_wait_is_bounded_in_sum(suite: Suite) -> None:
    """Each wait is shorter than the patience; three of them are not."""
    suite.rows(1)
    suite.server.fail = lambda request: Failure(429, retry_after=2)
    run = suite.run("--eval-timeout=5")
    run.result.assert_outcomes(errors=1)
    assert len(run.requests) == 3


@pytest.mark.parametrize("model", ["generator", "judge"])
def test_a_provider_that_drips_does_not_hold_up_compiling(suite: Suite, model: str) -> None:
    """A byte at a time never exceeds a client's timeout, which is one for each read."""
    suite.rows(1)
    suite.server.fail = lambda request: (
        Failure(drip=0.3) if request.model == model and "train" in request.prompt else None
    )
    run = suite.run("--optimization=bootstrap", "--train-size=2", "--eval-timeout=2")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED or model == "judge"
    assert "no end of its answer after 2 s" in run.text
    assert [request for request in run.requests if "train" in request.prompt and request.model == model]


def test_an_lm_ends_a_dripping_answer_where_no_timeout_of_a_test_does(suite: Suite) -> None:
    suite.server.fail = lambda request: Failure(drip=0.3) if "question 1?" in request.prompt else None
    run = suite.run("-p", "no:timeout", "--eval-timeout=2")
    run.result.assert_outcomes(passed=2, errors=1)
    assert "no end of its answer after 2 s" in run.tests[1]["error"]


def test_an_async_program_that_is_dripped_at_ends_too(suite: Suite) -> None:
    suite.add(
        "conftest.py",
        """

class Later(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    async def aforward(self, question):
        return await self.ask.acall(question=question)


@pytest.fixture(scope="session")
def program():
    return Later()
""",
    )
    suite.server.fail = lambda request: Failure(drip=0.3) if "question 1?" in request.prompt else None
    run = suite.run("-p", "no:timeout", "--eval-timeout=2")
    run.result.assert_outcomes(passed=2, errors=1)
    assert "no end of its answer after 2 s" in run.tests[1]["error"]


def test_a_wait_for_the_rate_limit_is_no_dripping_answer(suite: Suite) -> None:
    """Five compiling calls at one a second, each of which may take two seconds."""
    suite.rows(1)
    run = suite.run(
        "-p", "no:timeout", "--optimization=bootstrap", "--train-size=5", "--eval-rate-limit=1/s", "--eval-timeout=2"
    )
    run.result.assert_outcomes(passed=1)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX locks")
@pytest.mark.parametrize("options", ["", "--optimization=labeled"])
def test_a_file_system_without_locks_costs_a_line(suite: Suite, options: str) -> None:
    suite.write("conftest.py", NO_LOCKS + (suite.path / "conftest.py").read_text(encoding="utf-8"))
    suite.rows(6)
    run = suite.run("-n2", "--eval-timeout=60", "--eval-concurrency=4", *options.split(), subprocess=True)
    run.result.assert_outcomes(passed=6)
    assert "keeps to its part: no locks" in run.text


def test_a_rate_limit_that_cannot_be_shared_is_divided(suite: Suite) -> None:
    suite.write("conftest.py", NO_LOCKS + (suite.path / "conftest.py").read_text(encoding="utf-8"))
    suite.rows(4)
    run = suite.run("-n2", "--eval-timeout=60", "--eval-rate-limit=8/s", subprocess=True)
    run.result.assert_outcomes(passed=4)
    assert "each keeps to its part of the rate limit" in run.text


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX processes")
def test_a_full_temporary_folder_costs_no_test(suite: Suite) -> None:
    suite.add("conftest.py", FULL)
    suite.rows(6)
    run = suite.run("-n2", "--eval-timeout=60", subprocess=True)
    run.result.assert_outcomes(passed=6)
    assert len(run.tests) == 6


@pytest.mark.parametrize("silent", [True, False], ids=["hangs", "drips"])
def test_an_lm_of_the_users_own_without_an_end_costs_its_compilation(suite: Suite, silent: bool) -> None:
    """Nothing of ours stands around its calls; a client's timeout is ten minutes, and none where bytes drip."""
    suite.add(
        "conftest.py",
        f"""

@pytest.fixture(scope="session")
def generator_lm():
    return dspy.LM("openai/generator", api_base={suite.server.url!r}, api_key="own", num_retries=0, temperature=1.0)
""",
    )
    suite.server.fail = lambda request: Failure(drip=60.0 if silent else 0.3) if "train" in request.prompt else None
    run = suite.run("--optimization=bootstrap", "--train-size=4", "--eval-timeout=2", subprocess=True)
    run.result.assert_outcomes(errors=1, skipped=2)
    assert "openai/generator: no end of its answer after 2 s" in run.tests[0]["error"]
    assert len(run.by("generator")) == 1, "what was given up asks nobody any more"
