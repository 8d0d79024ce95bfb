"""What ``pitcheval estimate`` does: pytest collects, and earlier runs say what the tests will take. No LM is asked."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Sequence

import pytest

from pytest_pitcheval.collection.collected import asked_by
from pytest_pitcheval.ownership import is_ours
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.printable import printable
from pytest_pitcheval.settings.budgets import dollars
from pytest_pitcheval.settings.settings import Settings, read_settings
from pytest_pitcheval.storage import estimates
from pytest_pitcheval.storage.estimates import Estimate, Took, Wanted

_HEAD = ("method", "examples", "known", "calls", "tokens", "cost", "time")
_COLLECTED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


class _Collecting:
    """A pytest plugin that sees what would run."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.wanted: list[Wanted] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.settings = settings = read_settings(session.config)
        for item in session.items:
            if is_ours(item):
                asked = asked_by(item, settings)
                own = asked.evaluation.rollouts if asked.evaluation else None
                verdicts = (asked.program_marker.judge_rollouts if asked.program_marker else None) or 1
                rollouts = settings.rollouts.or_default(1, own)
                self.wanted.append(Wanted(item.nodeid, asked.about.key, rollouts, verdicts))


def run(arguments: Sequence[str]) -> int:
    """Print what ``pytest`` with these arguments would take; returns pytest's exit codes."""
    collecting, output = _Collecting(), io.StringIO()
    with contextlib.redirect_stdout(output):
        code = pytest.main(["--collect-only", "-q", *arguments], plugins=[collecting])
    if code not in _COLLECTED or collecting.settings is None:
        print(output.getvalue(), file=sys.stderr, end="")
        return int(code)
    if not collecting.wanted:
        print("no evaluation test would run")
        return int(pytest.ExitCode.NO_TESTS_COLLECTED)
    for line in lines(collecting.settings, collecting.wanted):
        print(printable(line))
    return int(pytest.ExitCode.OK)


def lines(settings: Settings, wanted: Sequence[Wanted]) -> Iterator[str]:
    """A table for each test, and all of them together."""
    before = estimates.look_back(settings.directory, wanted, settings.models, settings.prices)
    found = estimates.estimate(wanted, before)
    for test in dict.fromkeys(one.test for one in found):
        yield test
        rows = [_row(one, settings.concurrency) for one in found if one.test == test]
        yield from formats.table([_HEAD, *rows])
    known = [one.took for one in found if one.took is not None]
    if known:
        yield from formats.wrap(_sum(estimates.total(known), settings), "  ")
    if nothing := [one.key.name for one in found if one.took is None]:
        yield from formats.wrap(
            f"not known, as no earlier run has them with these models: {formats.some(nothing)}", "  "
        )
    if any(one.optimization != "none" for one in found):
        yield "compiling is not in it"


def _sum(whole: Took, settings: Settings) -> str:
    cap, text = settings.cap.cost, f"all together: {whole.text(settings.concurrency)}"
    text += f" with {settings.concurrency} in flight"
    if cap is not None and whole.cost is not None and whole.cost > cap:
        text += f"; {settings.cap.named_by} = {dollars(cap)} cuts it off"
    return text


def _row(one: Estimate, concurrency: int) -> tuple[str, ...]:
    about = (one.key.variant, str(one.examples), str(one.known))
    if one.took is None:
        return (*about, "-", "-", "-", "-")
    cost = "-" if one.took.cost is None else dollars(one.took.cost)
    seconds = formats.duration(one.took.seconds / concurrency)
    return (*about, str(round(one.took.calls)), formats.tokens(round(one.took.tokens)), cost, seconds)
