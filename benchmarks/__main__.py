"""Runs the benchmarks named on the command line, or all of them."""

from __future__ import annotations

import sys

from benchmarks import (
    budget,
    endings,
    html,
    judges,
    kills,
    media,
    memory,
    mlflow_logging,
    recording,
    regression,
    scale,
    startup,
    throughput,
)
from benchmarks.gate_simulation import tables as gate_simulation

BENCHMARKS = {
    "startup": startup.main,
    "throughput": throughput.main,
    "scale": scale.main,
    "budget": budget.main,
    "recording": recording.main,
    "html": html.main,
    "memory": memory.main,
    "media": media.main,
    "mlflow": mlflow_logging.main,
    "gate_simulation": gate_simulation.main,
    "judges": judges.main,
    "regression": regression.main,
    "endings": endings.main,
    "kills": kills.main,
}


def main(names: list[str]) -> None:
    """Run the benchmarks ``names``; all without any."""
    for name in names or BENCHMARKS:
        if name not in BENCHMARKS:
            raise SystemExit(f"{name!r}: expected one of {', '.join(BENCHMARKS)}")
        print(f"== {name}")
        BENCHMARKS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
