"""What a session will take, by run files of earlier ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support import run_documents

from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Usage
from pytest_pitcheval.storage import estimates
from pytest_pitcheval.storage.estimates import Wanted

RUN = "20261124T000000.000000Z"
FEW, MANY = Key("test_qa.py::test_few", "none"), Key("test_qa.py::test_many", "bootstrap")


def wanted(key: Key, examples: int) -> list[Wanted]:
    return [Wanted(f"{key.test}[{number}]", key) for number in range(examples)]


def row(one: Wanted) -> dict[str, Any]:
    about: dict[str, Any] = {"nodeid": one.nodeid, "test": one.key.test, "optimization": one.key.optimization}
    made = run_documents.record("0", generator=Usage(fresh=1), judge=Usage(), seconds=2.0, **about)
    return made.to_dict()


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    path = folder / "runs" / f"{RUN}.json"
    path.parent.mkdir(parents=True)
    document = {"schema_version": 3, "run": {"id": RUN, "timestamp": RUN}, "tests": rows}
    path.write_text(json.dumps(document), encoding="utf-8")


def test_each_test_and_method_is_in_a_sample() -> None:
    found = estimates.sample([*wanted(MANY, 10_000), *wanted(FEW, 3)])
    assert [one for one in found if one.key == FEW] == wanted(FEW, 3)
    many = [one for one in found if one.key == MANY]
    assert 25 <= len(many) <= 50
    assert int(many[-1].nodeid.partition("[")[2][:-1]) > 9_000


def test_records_outside_a_sample_are_not_looked_at(tmp_path: Path) -> None:
    everything = wanted(MANY, 1_000)
    chosen = estimates.sample(everything)
    broken = [{"nodeid": one.nodeid} for one in everything if one not in chosen]
    write(tmp_path, [*broken, *map(row, chosen)])
    before = estimates.look_back(tmp_path, chosen, (None, None), ())
    [estimate] = estimates.estimate(everything, before)
    assert estimate.took is not None
    assert (estimate.examples, estimate.known, estimate.took.calls) == (1_000, len(chosen), 1_000.0)
    assert estimate.took.seconds == 2_000.0


def test_a_run_with_a_broken_record_of_a_sample_tells_nothing(tmp_path: Path) -> None:
    [one] = wanted(FEW, 1)
    write(tmp_path, [{"nodeid": one.nodeid}])
    assert estimates.look_back(tmp_path, [one], (None, None), ()).of(one) is None
