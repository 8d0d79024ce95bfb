"""Makes the README's pictures from a real run of an example suite: what its terminal shows, and its HTML page.

`PYTHONPATH=tests python docs/pictures/make.py`, where the embedded LM and Chromium are installed, takes a minute.
"""

from __future__ import annotations

import html
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from support.chromium import Chromium, Page

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
COMMAND = ["pytest", "example_suite/pitch", "--optimization=none,bootstrap"]
WITHOUT = [f"-pno:{name}" for name in ("cacheprovider", "hypothesispytest", "random_order", "rerunfailures")]
"""Plugins that are installed here for the tests alone."""
COLUMNS, ROWS = 80, 40
COLOURS = {"31": "#f97583", "32": "#85e89d", "33": "#ffea7f", "34": "#79b8ff", "35": "#b392f0", "36": "#56d4dd"}
TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #1b1f24; width: max-content }
pre { margin: 0; padding: 16px; width: 80ch; white-space: pre-wrap; overflow-wrap: anywhere; color: #e1e4e8;
  font: 13px/1.35 "DejaVu Sans Mono", monospace }
b { font-weight: 700 }
</style><pre><span style="color: #85e89d">$</span> %s
%s</pre>"""


def main() -> None:
    """Run the suite in a copy, and write both pictures beside this file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suite, page = folder / "example_suite" / "pitch", folder / "report.html"
        left = shutil.ignore_patterns(".pitcheval", "__pycache__")
        shutil.copytree(REPOSITORY / "example_suite" / "pitch", suite, ignore=left)
        shown = in_terminal([sys.executable, "-m", *COMMAND, *WITHOUT], folder, f"--eval-html={page}")
        terminal = folder / "terminal.html"
        terminal.write_text(TERMINAL % (" ".join(COMMAND), as_html(shown)), encoding="utf-8")
        with Chromium(folder) as browser:
            take(browser.open(terminal), "pre", HERE / "terminal.png")
            opened = browser.open(page, prefers_color_scheme="light")
            opened.resize(1000, 700)
            opened.screenshot(HERE / "report.png")


def in_terminal(command: list[str], folder: Path, *hidden: str) -> str:
    """What a terminal of 80 columns shows of a run that must end well; ``hidden`` arguments are not in the picture."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": str(ROWS), "TERM": "xterm"}
    environment |= {"DSPY_CACHEDIR": str(folder / "cache"), "MLFLOW_TRACKING_URI": ""}
    with subprocess.Popen(
        [*command, *hidden], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        written = b""
        while part := _read(ours):
            written += part
    if process.returncode:
        raise SystemExit(written.decode())
    return written.decode("utf-8").replace(str(folder), "")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # a terminal whose other side is gone
        return b""


def as_html(written: str) -> str:
    """The lines as they stand at the end, with their colours."""
    written = re.sub(
        r"\x1bD\x1bM|\x1b7.*?\x1b8", "", written, flags=re.DOTALL
    )  # the progress line, which is gone at the end
    lines = [
        re.split(r"\r(?!\n)|\x1b\[2K|\x1b\[K", line)[-1].rstrip() for line in written.replace("\r\n", "\n").split("\n")
    ]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    parts = re.split(r"\x1b\[([\d;]*)m", text)
    found = html.escape(parts[0])
    for codes, part in zip(parts[1::2], parts[2::2], strict=True):
        colour = next((COLOURS[code] for code in codes.split(";") if code in COLOURS), "inherit")
        weight = "bold" if "1" in codes.split(";") else "normal"
        found += f'<span style="color: {colour}; font-weight: {weight}">{html.escape(part)}</span>' if part else ""
    return re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", found)


def take(page: Page, selector: str, path: Path) -> None:
    """A picture of one element."""
    width, height = page.run(
        f"(box => [box.width, box.height])(document.querySelector({selector!r}).getBoundingClientRect())"
    )
    page.resize(round(width), round(height))
    page.screenshot(path)


if __name__ == "__main__":
    main()
