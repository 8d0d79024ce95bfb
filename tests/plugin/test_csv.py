"""``pitcheval show --csv``: a run as spreadsheets and pandas open it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from typing import Any

import pytest
from support.command_line import Command
from support.openai_server import Request, chat_format
from support.suite import Suite

ROWS = [
    {"id": "one", "question": "question 0?", "answer": "größer", "topic": "=cmd|'/C calc'!A0", "level": -1},
    {"id": "two", "question": 'a "quoted",\nquestion 1?', "answer": "", "topic": "sums", "level": 0.5},
]


@pytest.fixture
def measured(suite: Suite) -> Suite:
    """A suite whose run of two rollouts of two examples is there."""
    suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))

    def answer(request: Request) -> str:
        return chat_format(score=0.25, feedback="- low") if request.model == "judge" else chat_format(answer="=1+1")

    suite.server.answer = answer
    suite.run("--eval-rollouts=2")
    return suite


def read(suite: Suite, name: str) -> list[dict[str, str]]:
    with (suite.path / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_for_spreadsheets(measured: Suite, command: Command) -> None:
    said = command("show", "last", "--csv=out/table.csv")
    assert (said.code, said.lines) == (pytest.ExitCode.OK, ["table: out/table.csv: 4 rows"])
    assert (measured.path / "out/table.csv").read_bytes().startswith(b"\xef\xbb\xbftest,optimization,")
    rows = read(measured, "out/table.csv")
    assert [(row["example_id"], row["rollout"]) for row in rows] == [
        ("one", "1"),
        ("one", "2"),
        ("two", "1"),
        ("two", "2"),
    ]
    assert {row["prediction.answer"] for row in rows} == {"'=1+1"}
    assert {row["feedback"] for row in rows} == {"'- low"}
    assert [rows[0][f"labels.{name}"] for name in ("answer", "topic", "level")] == [
        "größer",
        "'=cmd|'/C calc'!A0",
        "-1",
    ]
    assert rows[2]["inputs.question"] == 'a "quoted",\nquestion 1?'


def test_numbers_are_numbers_to_pandas(measured: Suite, command: Command) -> None:
    import pandas

    command("show", "last", "--csv=table.csv")
    frame = pandas.read_csv(measured.path / "table.csv")
    assert list(frame.columns)[:2] == ["test", "optimization"], "no mark before the first name"
    kinds = {name: frame[name].dtype.kind for name in ("score", "sample", "threshold", "labels.level", "rollout")}
    assert kinds == {"score": "f", "sample": "f", "threshold": "f", "labels.level": "f", "rollout": "i"}
    assert frame.groupby("example_id")["sample"].mean().to_dict() == {"one": 0.25, "two": 0.25}


def test_single_tests(measured: Suite, command: Command) -> None:
    command("show", "last", "[two]", "--csv=table.csv")
    assert {row["example_id"] for row in read(measured, "table.csv")} == {"two"}
    refused = command("show", "last", "[three]", "--csv=none.csv")
    assert (refused.code, refused.lines) == (pytest.ExitCode.USAGE_ERROR, [])
    assert refused.errors[0].startswith("ERROR: '[three]': expected part of the node ID of a test in ")
    assert not (measured.path / "none.csv").exists()


def test_standard_output_and_pipes(measured: Suite, command: Command) -> None:
    code = "import sys; from pytest_pitcheval.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = [sys.executable, "-c", code, "show", "last", "--csv=-"]
    found = subprocess.run(arguments, capture_output=True, check=True, cwd=measured.path, timeout=120)
    rows = list(csv.DictReader(found.stdout.decode("utf-8").splitlines(keepends=True)))
    assert (found.stderr, len(rows), rows[0]["labels.answer"]) == (b"", 4, "größer")
    os.mkfifo("pipe")
    read: list[Any] = []
    reader = threading.Thread(target=lambda: read.append((measured.path / "pipe").read_bytes()))
    reader.start()
    said = command("show", "last", "--csv=pipe")
    reader.join(60)
    assert said.lines == ["table: pipe: 4 rows"]
    assert read == [found.stdout]


def test_who_reads_may_leave(measured: Suite) -> None:
    code = "import sys; from pytest_pitcheval.cli import main; sys.exit(main(['show', 'last', '--csv=-']))"
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-c", code],
        stdout=writing,
        stderr=subprocess.PIPE,
        cwd=measured.path,
        timeout=120,
        check=False,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("output", ["", "data.jsonl/table.csv"])
def test_a_table_that_cannot_be_written(measured: Suite, command: Command, output: str) -> None:
    said = command("show", "last", f"--csv={output}")
    assert (said.code, said.lines) == (pytest.ExitCode.USAGE_ERROR, [])
    [line] = said.errors
    assert line.startswith(f"ERROR: --csv: {output!r}: the table could not be written: ")
