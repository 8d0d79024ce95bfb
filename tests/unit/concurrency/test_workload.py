"""How many workers gain, by what the last session came to."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pitcheval.concurrency.workers import workload
from pytest_pitcheval.concurrency.workers.workload import Meter, Workload, sum_up


@pytest.mark.parametrize(
    ("tests", "others", "start", "test", "body", "most", "concurrency", "cores", "workers"),
    [
        (60, 0, 1.0, 0.006, 0.0, 4, 32, 2, 1),  # all of it is less than the imports of another worker
        (1_000, 0, 1.0, 0.006, 0.0, 4, 64, 2, 2),
        (1_000, 0, 1.0, 0.006, 0.0, 4, 64, 8, 4),
        (1_000, 0, 1.0, 0.002, 0.0, 4, 64, 8, 2),
        (1_000, 0, 6.0, 0.006, 0.0, 4, 64, 8, 1),  # imports that take long
        (60, 0, 1.0, 0.006, 0.5, 4, 32, 2, 4),  # the tests themselves wait for something, cores or not
        (60, 0, 1.0, 0.006, 0.0, 8, 300, 2, 5),  # more in flight than one process keeps up with
        (60, 1, 1.0, 0.006, 0.0, 4, 32, 2, 4),  # a test that is not made ahead
        (0, 0, 0.0, 0.0, 0.0, 4, 8, 2, 1),
    ],
)
def test_a_further_worker_must_take_over_more_than_its_imports_cost(
    tests: int,
    others: int,
    start: float,
    test: float,
    body: float,
    most: int,
    concurrency: int,
    cores: int,
    workers: int,
) -> None:
    assert Workload(tests, others, start, test, body).workers(most, concurrency, cores) == workers


def test_a_session_is_summed_up_over_its_processes() -> None:
    found = sum_up(22, 1, body=2.2, meters=[(1.0, 0.5, 10), (1.5, 1.5, 10)], before=None)
    assert found == Workload(22, 1, start=1.5, test=0.1, body=0.1)


def test_few_tests_tell_nothing() -> None:
    before = Workload(60, 0, 1.0, 0.006, 0.01)
    assert sum_up(3, 0, 0.1, [(1.0, 0.5, 2)], before) == Workload(3, 0, 1.0, 0.006, 0.01)
    assert sum_up(3, 0, 0.1, [(1.0, 0.5, 2)], None) is None
    assert sum_up(3, 0, 0.1, [], None) is None


def test_the_first_test_is_charged_with_what_is_imported_late() -> None:
    meter = Meter()
    assert meter.read() is None
    meter.test_ended()
    meter.test_ended()
    read = meter.read()
    assert read is not None
    assert read[0] > 0
    assert read[2] == 1


def test_a_workload_is_kept_in_the_folder(tmp_path: Path) -> None:
    assert workload.read(tmp_path) is None
    workload.write(tmp_path, Workload(60, 0, 1.0, 0.006, 0.01))
    assert workload.read(tmp_path) == Workload(60, 0, 1.0, 0.006, 0.01)


@pytest.mark.parametrize("text", ["", "[]", '{"ahead": "x"}', '{"ahead": 1e999}', '{"ahead": 1}'])
def test_a_file_that_is_none_of_ours_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "workload.json").write_text(text, encoding="utf-8")
    assert workload.read(tmp_path) is None
