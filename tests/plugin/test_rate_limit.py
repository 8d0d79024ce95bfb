"""One rate limit for all threads and workers, and a provider's word that holds for all of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from support.openai_server import Failure, Request
from support.suite import Suite

SHORT = 0.5
"""Seconds of a window in which no more arrives than may be sent in one second, though some take longer to arrive."""


def most_in_a_window(requests: Sequence[Request], seconds: float) -> int:
    """The most requests that arrived within any ``seconds``."""
    times = sorted(request.started for request in requests)
    return max(sum(start <= time < start + seconds for time in times) for start in times)


@pytest.mark.parametrize("arguments", ["-p no:xdist", "-n2"])
def test_a_limit_holds_in_every_window_for_program_and_judge(suite: Suite, arguments: str) -> None:
    suite.rows(30)
    log = ["--log-file=log.txt", "--log-file-mode=a", "--log-level=DEBUG"]
    run = suite.run(*arguments.split(), *log, "--eval-rate-limit=20/s", "--eval-concurrency=16")
    run.result.assert_outcomes(passed=30)
    assert len(run.requests) == 60
    assert most_in_a_window(run.requests, SHORT) <= 20
    assert most_in_a_window(run.requests, 1.0) > 5
    waited = re.findall(r"waited (\d+\.\d\d) s for (.*)", (suite.path / "log.txt").read_text(encoding="utf-8"))
    assert {"a slot", "the rate limit"} <= {what for _, what in waited}
    assert all(float(seconds) >= 0.05 for seconds, _ in waited)


def test_compiling_keeps_to_it_as_well(suite: Suite) -> None:
    suite.rows(2)
    run = suite.run("--optimization=bootstrap", "--eval-rate-limit=8/s")
    run.result.assert_outcomes(passed=2)
    assert len(run.requests) > 8
    assert most_in_a_window(run.requests, SHORT) <= 8


def test_limits_by_model(suite: Suite) -> None:
    suite.rows(12)
    run = suite.run("--eval-rate-limit=*/judge=6/s")
    run.result.assert_outcomes(passed=12)
    assert most_in_a_window(run.by("judge"), SHORT) <= 6
    assert most_in_a_window(run.by("generator"), 1.0) > 6


def test_tokens_are_limited(suite: Suite) -> None:
    """A request has about 150 tokens here, so that four a second are within the limit, and twelve are not."""
    suite.rows(6)
    run = suite.run("--eval-rate-limit=1000tokens/s", "--eval-concurrency=12")
    run.result.assert_outcomes(passed=6)
    assert most_in_a_window(run.requests, 1.0) < 12


@pytest.mark.parametrize("arguments", ["-p no:xdist", "-n2"])
def test_retry_after_pauses_everybody(suite: Suite, arguments: str) -> None:
    suite.rows(16)
    suite.server.latency = 0.05
    refused: list[Request] = []

    def fail(request: Request) -> Failure | None:
        if len(suite.server.requests) > 12 and not refused:
            refused.append(request)
            return Failure(429, "too many", retry_after=3)
        return None

    suite.server.fail = fail
    run = suite.run(*arguments.split())
    run.result.assert_outcomes(passed=16)
    assert all(test["score"] == 0.75 for test in run.tests)
    assert len(run.requests) == 32 + 1
    said = next(request.finished for request in run.requests if request.status == 429)
    assert said is not None
    at_work = 1.0  # what was on its way before the provider's word had reached it
    assert not [request for request in run.requests if said + at_work < request.started < said + 3]


def test_a_refused_call_is_not_a_failed_one(suite: Suite) -> None:
    numbers = {2, 3, 5}
    suite.server.fail = lambda request: Failure(429, retry_after=0) if request.number in numbers else None
    run = suite.run("--eval-concurrency=1")
    run.result.assert_outcomes(passed=3)
    assert sum(test["lm_calls"]["fresh"] for test in run.tests) == len(run.requests) == 6 + 3
    assert [test["lm_calls"]["failed"] for test in run.tests] == [0, 0, 0]


def test_a_provider_that_refuses_for_ever_is_an_error_and_no_score(suite: Suite) -> None:
    suite.rows(1)
    suite.server.fail = lambda request: Failure(429, retry_after=0)
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    assert len(run.requests) == 10
    assert (run.tests[0]["status"], run.tests[0]["score"]) == ("error", None)


def test_a_wait_that_is_too_long_is_an_error(suite: Suite) -> None:
    suite.rows(1)
    suite.server.fail = lambda request: Failure(429, retry_after=4000)
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    assert len(run.requests) == 1


def test_waiting_is_charged_to_no_test(suite: Suite) -> None:
    """Ten requests at one a second, with a timeout of six seconds that the last of them would exceed."""
    suite.rows(5)
    run = suite.run("--eval-rate-limit=1/s", "--eval-timeout=6")
    run.result.assert_outcomes(passed=5)
    assert sum(test["seconds"] for test in run.tests) < 6
