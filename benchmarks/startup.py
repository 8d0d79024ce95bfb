"""What the plugin costs a suite that does not use it: whole pytest processes, with it and without, in turn.

Processor times of short processes differ by some per cent from run to run; their instructions, which valgrind counts
where it is installed, by less than a thousandth.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAIRS = 41
SIZES = (1, 1000)
WITHOUT = ("-p", "no:pitcheval")


def main() -> None:
    """Print the median difference of the pairs, in CPU and wall milliseconds, for one test and for 1,000."""
    print(f"medians of {PAIRS} pairs; a difference is 'with the plugin' minus '{' '.join(WITHOUT)}'")
    print("tests   wall ms  difference    CPU ms  difference  CPU ratio  instructions")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            tests = "".join(f"def test_{number}(): pass\n" for number in range(size))
            Path(folder, "test_trivial.py").write_text(tests, encoding="utf-8")
            print(row(size, folder))


def row(size: int, folder: str) -> str:
    """One line of the table."""
    run(folder), run(folder, *WITHOUT)  # compiled files, and the disk's cache
    pairs = [pair(folder, turn) for turn in range(PAIRS)]
    wall, cpu = (statistics.median(without[i] for _, without in pairs) * 1000 for i in (0, 1))
    more = [statistics.median(have[i] - without[i] for have, without in pairs) * 1000 for i in (0, 1)]
    ratio = statistics.median(have[1] / without[1] for have, without in pairs)
    counted = f"{instructions(folder) / instructions(folder, *WITHOUT):12.4f}" if shutil.which("valgrind") else "-"
    return f"{size:5}  {wall:8.1f}  {more[0]:+10.1f}  {cpu:8.1f}  {more[1]:+10.1f}  {ratio:9.3f}  {counted:>12}"


def pair(folder: str, turn: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """`run` with the plugin and without, each of them first in every other turn."""
    if turn % 2:
        without = run(folder, *WITHOUT)
        return run(folder), without
    return run(folder), run(folder, *WITHOUT)


def run(folder: str, *options: str) -> tuple[float, float]:
    """Wall and CPU seconds of one pytest process."""
    cpu, wall = children_seconds(), time.perf_counter()
    start([], folder, *options)
    return time.perf_counter() - wall, children_seconds() - cpu


def instructions(folder: str, *options: str) -> int:
    """How many machine instructions one pytest process needs."""
    done = start(
        ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"], folder, *options
    )
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    assert found, done.stderr
    return int(found[1].replace(",", ""))


def start(prefix: list[str], folder: str, *options: str) -> subprocess.CompletedProcess[str]:
    """One pytest process, under the program ``prefix``."""
    command = [*prefix, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONHASHSEED"] = "0"
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)


def children_seconds() -> float:
    """CPU seconds of all ended child processes, to the microsecond."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
