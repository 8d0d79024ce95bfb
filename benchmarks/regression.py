"""Does the regression gate tell a real change from chance? An example suite on the embedded LM, again and again."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SUITE = Path(__file__).parents[1] / "example_suite" / "pitch"
REPEATS = 10


def main() -> None:
    """Print the gate's verdict on the program without its demos, and on ten repeats of what the baseline measured."""
    with tempfile.TemporaryDirectory() as folder:
        baseline = Path(folder, "baseline.json")
        run(baseline, "bootstrap", "--eval-update-baseline")
        print("method     exit  mean  verdict")
        show("none", *run(baseline, "none"))
        found = [run(baseline, "bootstrap") for _ in range(REPEATS)]
        for code, document in found:
            show("bootstrap", code, document)
    alarms = sum(gate(document)["status"] == "failed" for _, document in found)
    print(f"alarms where nothing has changed: {alarms} of {REPEATS}")


def run(baseline: Path, method: str, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and run file of one run."""
    document = baseline.with_name("run.json")
    command = [sys.executable, "-m", "pytest", "-q", "test_deal.py::test_deal", "-n", "4", "-p", "no:cacheprovider"]
    mine = [f"--optimization={method}", f"--eval-baseline={baseline}", f"--eval-json={document}", "--eval-mlflow=off"]
    done = subprocess.run([*command, *mine, *options], cwd=SUITE, stdout=subprocess.DEVNULL, check=False)
    found: dict[str, Any] = json.loads(document.read_text(encoding="utf-8"))
    return done.returncode, found


def gate(document: dict[str, Any]) -> dict[str, Any]:
    """The verdict of the regression gate."""
    [found] = [one for one in document["gates"] if one["gate"] == "max_regression"]
    verdict: dict[str, Any] = found
    return verdict


def show(method: str, code: int, document: dict[str, Any]) -> None:
    verdict = gate(document)
    print(
        f"{method:<10} {code:4} {document['summary'][0]['mean']:5.3f}  {verdict['status']}: {verdict['reason']}",
        flush=True,
    )
