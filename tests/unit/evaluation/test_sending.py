"""Records get to the process that reports as they were, whatever is in them, and take little room on the way."""

from __future__ import annotations

import random
import string
from typing import Any

import pytest

from pytest_pitcheval.evaluation import sending

RECORDS: list[dict[str, Any]] = [
    {"score": None},
    {"inputs": {"question": "caf\u00e9 \u202e"}, "samples": [0.5, 1e308, -0.0], "later_rollouts": [{"feedback": None}]},
    {"prediction": {"answer": "long " * 100_000}},
    {"prediction": {"answer": "{" * 20_000}, "rollout_key": 2**53 - 1},
]


def report() -> pytest.TestReport:
    return pytest.TestReport("t.py::t", ("t.py", 1, "t"), {}, "passed", None, "teardown")


@pytest.mark.parametrize("keys", [["sk-\ud800", "sk-1"], [], None])
@pytest.mark.parametrize("record", RECORDS)
def test_a_record_arrives_as_it_was(record: dict[str, Any], keys: list[str] | None) -> None:
    carrier = report()
    sending.put_on(carrier, record, keys)
    assert sending.take_from(carrier) == (record, sorted(keys or []))
    assert sending.take_from(carrier) is None  # pytest keeps the report, and not the record with it


def test_a_report_without_a_record_carries_none() -> None:
    assert sending.take_from(report()) is None


def test_what_waits_to_be_read_takes_little_room() -> None:
    chance = random.Random(0)
    words = ["".join(chance.choices(string.ascii_lowercase, k=6)) for _ in range(2_000)]
    answer = " ".join(chance.choices(words, k=150_000))
    carrier, before = report(), set(vars(report()))
    sending.put_on(carrier, {"prediction": {"answer": answer}}, keys=[])
    (carried,) = (value for name, value in vars(carrier).items() if name not in before)
    assert isinstance(carried, bytes)  # which xdist can send, whatever the record says
    assert len(carried) < len(answer) / 2
