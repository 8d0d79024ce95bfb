"""All tables, printed."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.gate_simulation import lives, one_gate, sessions, stopping, whole_sets
from benchmarks.gate_simulation.rates import RUNS, Rate


def main(runs: int = RUNS) -> None:
    """Print all tables."""
    started = time.perf_counter()
    for line in lines(runs):
        print(line.rstrip(), flush=True)
    print(f"{time.perf_counter() - started:.0f} s")


def lines(runs: int) -> Iterator[str]:
    """The tables, line by line."""
    yield f"{runs:,} simulated runs a cell; ± is one standard error of the simulation, in points."
    yield f"! is above 5 % by more than two standard errors, which are {200 * Rate(runs // 20, runs).error:.2f} points."
    yield from one_gate.equal_lines(runs)
    yield from one_gate.unequal_lines(runs)
    yield from one_gate.beyond_lines(runs)
    yield from one_gate.detection_lines(runs)
    yield from one_gate.coverage_lines(runs)
    yield from sessions.session_lines(runs)
    yield from sessions.affected_lines(runs)
    yield from lives.life_lines()
    yield from stopping.stopping_lines(runs)
    yield from whole_sets.whole_set_lines()
