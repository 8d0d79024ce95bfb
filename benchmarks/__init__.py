"""Benchmarks; ``python -m benchmarks`` runs all, ``python -m benchmarks startup`` one."""

import sys
from pathlib import Path

# For the servers on loopback that tests use
sys.path.append(str(Path(__file__).parents[1] / "tests"))
