"""What the plugin costs a suite that does not use it: whole pytest processes, with it and without, in turn."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAIRS = 41
SIZES = (1, 1000)


def main() -> None:
    """Print the median difference of the pairs, in CPU and wall milliseconds, for one test and for 1,000."""
    print(f"medians of {PAIRS} pairs; a difference is 'with the plugin' minus '-p no:pitcheval'")
    print("tests   wall ms  difference    CPU ms  difference  CPU ratio")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            tests = "".join(f"def test_{number}(): pass\n" for number in range(size))
            Path(folder, "test_trivial.py").write_text(tests, encoding="utf-8")
            print(row(size, folder))


def row(size: int, folder: str) -> str:
    """One line of the table."""
    run(folder), run(folder, "-p", "no:pitcheval")  # compiled files, and the disk's cache
    pairs = [(run(folder), run(folder, "-p", "no:pitcheval")) for _ in range(PAIRS)]
    wall, cpu = (statistics.median(without[i] for _, without in pairs) * 1000 for i in (0, 1))
    more = [statistics.median(have[i] - without[i] for have, without in pairs) * 1000 for i in (0, 1)]
    ratio = statistics.median(have[1] / without[1] for have, without in pairs)
    return f"{size:5}  {wall:8.1f}  {more[0]:+10.1f}  {cpu:8.1f}  {more[1]:+10.1f}  {ratio:9.3f}"


def run(folder: str, *options: str) -> tuple[float, float]:
    """Wall and CPU seconds of one pytest process."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    cpu, wall = children_seconds(), time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - wall, children_seconds() - cpu


def children_seconds() -> float:
    """CPU seconds of all ended child processes, to the microsecond."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
