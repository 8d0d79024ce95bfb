"""What it costs to keep every answer of a run in a file: long answers, many of them, beside the same run without.

The suite of `throughput`, whose examples make two calls each. Runs take turns, as a machine is not the same from one to
the next; what is told is the median of each way.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from support.openai_server import OpenAIServer, Request, dspy_answer

from benchmarks.throughput import HEAD, INI, Measured, measure, pytest_, write

EXAMPLES, LATENCY, CONCURRENCY = 1_000, 0.5, 64
CHARACTERS = 4_000
"""Of an answer."""
ROUNDS = 3
WAYS = {"nothing is kept": (), "an archive": ("--eval-record=run.zip",), "a folder": ("--eval-record=answers",)}


def long_answer(request: Request) -> str:
    """The server's usual answer, and much more text."""
    return f"{dspy_answer(request)}\n{'word ' * (CHARACTERS // 5)}"


def main() -> None:
    """Print a table, and the ratios with their bounds."""
    print(f"{EXAMPLES} examples x 2 calls x {LATENCY:g} s, answers of {CHARACTERS} characters\n{HEAD}")
    found: dict[str, list[Measured]] = {way: [] for way in WAYS}
    with OpenAIServer(answer=long_answer, latency=LATENCY) as server, tempfile.TemporaryDirectory() as folder:
        suite = write(Path(folder), server, EXAMPLES)
        (suite / "pytest.ini").write_text(INI, encoding="utf-8")
        for _ in range(ROUNDS):
            for way, options in WAYS.items():
                command = pytest_("test_evaluation.py", "-q", f"--eval-concurrency={CONCURRENCY}", *options)
                found[way].append(measure(suite, server, command))
                print(found[way][-1].row(way), flush=True)
        kept = (suite / "run.zip").stat().st_size / 1e6
    plain, *others = ([(one.wall, one.cpu) for one in runs] for runs in found.values())
    wall, cpu = (statistics.median(each) for each in zip(*plain, strict=True))
    for way, runs in zip(list(WAYS)[1:], others, strict=True):
        with_wall, with_cpu = (statistics.median(each) for each in zip(*runs, strict=True))
        each = (with_cpu - cpu) / (2 * EXAMPLES) * 1_000
        print(f"{way:<12} {with_wall / wall:5.2f} of the time (bound 1.05), {each:5.2f} ms of CPU an answer (bound 1)")
    print(f"the archive has {kept:.1f} MB\n")
