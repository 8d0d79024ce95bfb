"""A few kills of the benchmark, with fixed seeds: nothing that had arrived is lost, nothing is left."""

from __future__ import annotations

import sys

import pytest

from benchmarks import kills

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")


# Seeds that kill 0.84, 0.39 and 0.35 s after the first request: on no machine is the session over by then.
@pytest.mark.parametrize(("seed", "target"), [(1, "controller"), (43, "worker"), (113, "tracker")])
def test_a_kill_loses_nothing_and_leaves_nothing(seed: int, target: kills.Target) -> None:
    outcome = kills.kill(seed, target)
    assert outcome.hit
    assert outcome.is_good, outcome
