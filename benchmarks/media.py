"""What examples with a picture of 2 MB each cost: run file, page, memory of the controller and of the workers.

The controller's memory must not grow with the pictures; a worker's may by what is in flight. Linux only: it reads
``/proc``.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from support.openai_server import OpenAIServer, Request, chat_format

from benchmarks.html import LOADED

EXAMPLES = (50, 100, 200)
WIDTH, HEIGHT = 1000, 667
"""Pixels, three bytes each: 2 MB, as nothing is compressed."""
MORE, PAGE, LOAD = 1_000_000, 10_000_000, 1_000.0
"""The most bytes that the pictures may add to the run file, and that the page may have; milliseconds to open it."""
GROWTH = 1.1
"""How many times as much memory the most pictures may take as the fewest."""
REPEATS = 5

_FILES = {
    "pytest.ini": """
[pytest]
eval_mlflow = off
generator_model = openai/generator
generator_api_base = {url}
generator_settings =
    api_key = "none"
""",
    "conftest.py": """
import os
from pathlib import Path

import dspy
import pytest


class Look(dspy.Signature):
    '''Say what is there.'''

    question: str = dspy.InputField()
    {field}answer: str = dspy.OutputField()


@pytest.fixture(scope="session")
def program():
    return dspy.Predict(Look)


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: 0.75


def note_peak(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    Path(os.environ["PEAKS"], name).write_text(str(peak))


def pytest_runtest_logfinish():
    if "PYTEST_XDIST_WORKER" in os.environ:
        note_peak(os.environ["PYTEST_XDIST_WORKER"])


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        note_peak("controller")
""",
    "test_look.py": """
import pytest


@pytest.mark.evaluation("data.jsonl", inputs={inputs}, threshold=0.5)
def test_look(score):
    assert score >= score.threshold
""",
}


class Cost(NamedTuple):
    """What one run took: bytes of its run file and page, and the peaks in bytes of its processes."""

    run_file: int
    page: int
    controller: int
    workers: list[int]


def main() -> None:
    """Print a row for each number of pictures, what they come to, and how fast the page of the most opens."""
    with tempfile.TemporaryDirectory() as folder, OpenAIServer() as server:
        server.answer = _answer(server)
        _make_pictures(Path(folder, "pictures"))
        costs = {count: _run(Path(folder), server.url, count) for count in EXAMPLES}
        text = _run(Path(folder), server.url, EXAMPLES[-1], pictures=False)
        print(f"{'':>14} {'run file':>10} {'page':>9} {'controller':>11} {'workers':>16}")
        _print(f"{EXAMPLES[-1]} texts", text)
        for count, cost in costs.items():
            _print(f"{count} pictures", cost)
        most = costs[EXAMPLES[-1]]
        more, growth = most.run_file - text.run_file, most.controller / costs[EXAMPLES[0]].controller
        print(f"run file: {more / 1e3:.0f} kB more than texts alone{_verdict(more < MORE)}")
        print(f"page: {most.page / 1e6:.1f} MB{_verdict(most.page < PAGE)}")
        print(f"controller: {growth:.2f} times as much with {EXAMPLES[-1]} pictures as with {EXAMPLES[0]}", end="")
        print(f"{_verdict(growth < GROWTH)}; {most.controller / text.controller:.2f} times as with texts")
        growths = [statistics.mean(costs[count].workers) / statistics.mean(text.workers) for count in EXAMPLES]
        print(f"a worker: {', '.join(f'{one:.2f}' for one in growths)} times as much as with texts")
        _open(Path(folder), f"page-{EXAMPLES[-1]}-True.html", f"page-{EXAMPLES[-1]}-False.html")


def _verdict(holds: bool) -> str:
    return ", ok" if holds else ", TOO MUCH"


def _print(name: str, cost: Cost) -> None:
    workers = " + ".join(f"{peak / 1e6:.0f}" for peak in cost.workers)
    sizes = f"{cost.run_file / 1e3:7.0f} kB {cost.page / 1e6:6.2f} MB"
    print(f"{name:>14} {sizes} {cost.controller / 1e6:8.0f} MB {workers:>13} MB", flush=True)


def _answer(server: OpenAIServer) -> Callable[[Request], str]:
    def answer(request: Request) -> str:
        server.clear()  # it would keep all pictures that it was shown
        return chat_format(answer="a picture")

    return answer


def _make_pictures(folder: Path) -> None:
    from PIL import Image

    folder.mkdir()
    for number in range(EXAMPLES[-1]):
        picture = Image.frombytes("RGB", (WIDTH, HEIGHT), os.urandom(WIDTH * HEIGHT * 3))
        picture.save(folder / f"{number}.png", compress_level=0)


def _run(folder: Path, url: str, count: int, pictures: bool = True) -> Cost:
    """One session with two workers over ``count`` rows."""
    field = "picture: dspy.Image = dspy.InputField()\n    " if pictures else ""
    inputs = ["question", "picture"] if pictures else ["question"]
    for name, text in _FILES.items():
        Path(folder, name).write_text(text.format(url=url, field=field, inputs=inputs), encoding="utf-8")
    rows = [
        {"question": f"question {n}?"} | ({"picture": f"pictures/{n}.png"} if pictures else {}) for n in range(count)
    ]
    Path(folder, "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    name = f"{count}-{pictures}"
    own, page = folder / f"own-{name}", folder / f"page-{name}.html"
    peaks = folder / f"peaks-{name}"
    peaks.mkdir()
    environment = {**os.environ, "PEAKS": str(peaks), "LITELLM_LOCAL_MODEL_COST_MAP": "true"}
    command = [sys.executable, "-m", "pytest", "-q", "-n2", "-p", "no:cacheprovider"]
    subprocess.run(
        [*command, f"--eval-dir={own}", f"--eval-html={page}"],
        cwd=folder,
        env={**environment, "DSPY_CACHEDIR": str(folder / f"cache-{name}")},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    [run_file] = (own / "runs").glob("*.json")
    found = {path.name: int(path.read_text()) for path in peaks.iterdir()}
    return Cost(run_file.stat().st_size, page.stat().st_size, found.pop("controller"), list(found.values()))


def _open(folder: Path, pictures: str, texts: str) -> None:
    """Print how long both pages take in Chromium until one can read them; what else the machine does slows both."""
    from support.chromium import PROGRAM, Chromium

    if PROGRAM is None:
        print("there is no chromium to open the page in")
        return
    found: dict[str, list[float]] = {pictures: [], texts: []}
    with Chromium(folder) as browser:
        for name in [*found] * REPEATS:
            opened = browser.open(folder / name)
            found[name].append(float(opened.run(LOADED)))
            opened.close()
    median, alone = statistics.median(found[pictures]), statistics.median(found[texts])
    print(f"page opened in {median:.0f} ms, {max(found[pictures]):.0f} at most{_verdict(median < LOAD)}", end="; ")
    print(f"{median / alone:.2f} times as long as with texts")
