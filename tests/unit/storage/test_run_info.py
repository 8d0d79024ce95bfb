"""``run`` of a run file: what older and newer versions wrote, and what is none."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.storage.run_info import GitState, Repeat, RunInfo

RUN_ID = "20261126T010203.500000Z"
INFO = RunInfo(
    RUN_ID,
    RUN_ID,
    argv=("-n4", "--optimization=none"),
    git=GitState("0123abcd", "main", dirty=False),
    versions={"dspy": "3.4.1"},
    generator_model="openai/generator",
    generator_temperature=1.0,
    finished="20261126T010213.750000Z",
    repeat=Repeat("..", ("--optimization=none",)),
)


def test_comes_back_from_a_file() -> None:
    assert RunInfo.from_dict(INFO.to_dict(), "run.json") == INFO


def test_what_an_older_file_does_not_tell_is_none_and_what_a_newer_one_adds_is_left_out() -> None:
    data = {"id": RUN_ID, "timestamp": RUN_ID, "git": {"commit": "0123", "signed": True}, "weather": "fine"}
    assert RunInfo.from_dict(data, "run.json") == RunInfo(RUN_ID, RUN_ID, git=GitState("0123"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "run.json: not a run file: expected run.id and run.timestamp in it"),
        ({"id": RUN_ID}, "run.json: not a run file: expected run.id and run.timestamp in it"),
        ({**INFO.to_dict(), "argv": "-n4"}, r"run.json: run.argv: .*"),
        ({**INFO.to_dict(), "git": {"commit": 12}}, r"run.json: run.git.commit: .*"),
        ({**INFO.to_dict(), "seed": "7"}, r"run.json: run.seed: .*"),
    ],
)
def test_what_is_none_is_said_in_a_line(data: Any, reason: str) -> None:
    with pytest.raises(PitchevalError, match=f"^{reason}$"):
        RunInfo.from_dict(data, "run.json")


def test_when_it_began_and_how_long_it_took() -> None:
    began = datetime(2026, 11, 26, 1, 2, 3, 500_000, timezone.utc)
    assert INFO.times == (began, timedelta(seconds=10.25))
    assert RunInfo(RUN_ID, RUN_ID).times is None
    assert RunInfo("mine", "mine", finished=RUN_ID).times is None
