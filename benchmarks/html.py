"""How fast the HTML page of a large run opens, filters, searches, sorts and opens an example: in Chromium.

``load`` is until one can read and use it, ``complete`` until the last row is there, which nothing waits
for and no limit is set to.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

EXAMPLES = 2000
WORDS = 300
REPEATS = 5
LIMIT = 1000.0
"""Milliseconds that each of these may take."""

# What was changed is on the screen in the frame after the next one
_TIMED = """(async () => {
    const frame = () => new Promise(requestAnimationFrame);
    const complete = async () => {
        while (document.getElementById("table-area").ariaBusy === "true") await new Promise((done) => setTimeout(done));
    };
    const input = (text) => {
        const field = document.getElementById("text");
        field.value = text;
        field.dispatchEvent(new Event("input"));
    };
    const steps = {
        "complete": () => {},
        "filter": () => document.querySelector(".filters button[value=regressed]").click(),
        "show all": () => document.querySelector(".filters button[value=all]").click(),
        "first search": () => input("pitch 1999:"),
        "next search": () => input("pitch 1"),
        "sort": () => { input(""); document.querySelector("#table thead th:nth-child(3) button").click(); },
        "open": () => document.querySelector("#table .open").click(),
    };
    const found = {};
    for (const [name, step] of Object.entries(steps)) {
        await frame();
        const start = performance.now();
        step();
        document.body.offsetHeight;
        await frame(); await frame();
        found[name] = performance.now() - start;
        await complete();
        if (name === "complete") found[name] = performance.now();
    }
    return found;
})()"""

LOADED = """new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"""


def main() -> None:
    """Print the median and the largest milliseconds of each step, and whether that is below the limit."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from support.chromium import PROGRAM, Chromium
    from support.run_documents import many

    from pytest_pitcheval.reports.html import page

    if PROGRAM is None:
        raise SystemExit("there is no chromium")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "page.html")
        path.write_text(page.render(many(EXAMPLES, WORDS)), encoding="utf-8")
        print(f"{EXAMPLES} examples, {path.stat().st_size / 1e6:.1f} MB; limit {LIMIT:.0f} ms")
        with Chromium(Path(folder)) as browser:
            found = [_measure(browser.open(path)) for _ in range(REPEATS)]
    print(f"{'':12} {'median':>7} {'largest':>7}")
    for name in found[0]:
        values = [one[name] for one in found]
        verdict = "" if name == "complete" else "ok" if max(values) < LIMIT else "too slow"
        print(f"{name:12} {statistics.median(values):7.0f} {max(values):7.0f}  {verdict}")


def _measure(page: Any) -> dict[str, float]:
    loaded: float = page.run(LOADED)
    steps: dict[str, float] = page.run(_TIMED)
    page.close()
    return {"load": loaded, **steps}
