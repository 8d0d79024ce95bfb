"""The table for spreadsheets: its columns, its rows, and that nothing in it is a formula."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.run_documents import TEST, record, run_file

from pytest_pitcheval.reports.spreadsheet import cell, table
from pytest_pitcheval.results.plain import VALUE, Bounds
from pytest_pitcheval.results.records import Record


def rows(*records: Record, missing: dict[str, str] | None = None) -> list[dict[str, str]]:
    file = run_file(records, missing=missing)
    return list(csv.DictReader(io.StringIO("".join(table(file, file.outcome.collected)))))


def test_a_row_for_each_rollout() -> None:
    later = ({"prediction": {"answer": "again", "reason": "why"}, "feedback": "better"},)
    labels = {"answer": "42", "topic": "sums", "critical": True, "sources": ["a", 1]}
    first, second, other = rows(
        record(
            "a",
            0.5,
            samples=(0.25, 0.75),
            later_rollouts=later,
            labels=labels,
            metrics={"words": (3.0, None), "named": (1.0,)},
        ),
        record("b", 0.75),
    )
    assert list(first) == [
        *("test", "optimization", "example_id", "rollout", "status", "score", "sample", "threshold"),
        *("inputs.question", "labels.answer", "labels.topic", "labels.critical", "labels.sources"),
        *("prediction.answer", "prediction.reason", "feedback", "metrics.words", "metrics.named", "error", "nodeid"),
    ]
    assert [(row["rollout"], row["score"], row["sample"]) for row in (first, second)] == [
        ("1", "0.5", "0.25"),
        ("2", "0.5", "0.75"),
    ]
    assert [row["prediction.answer"] for row in (first, second, other)] == ["answer of a", "again", "answer of b"]
    assert (first["labels.critical"], json.loads(second["labels.sources"])) == ("TRUE", ["a", 1])
    assert [row["metrics.named"] for row in (first, second)] == ["1.0", ""]
    assert [row["metrics.words"] for row in (first, second, other)] == ["3.0", "", ""]
    assert (other["rollout"], other["labels.answer"]) == ("1", "")


def test_what_has_no_score_has_a_row() -> None:
    failed, skipped, lost = rows(
        record("a", None), record("b", None, status="skipped", error=None), missing={"c": "worker gw0 crashed"}
    )
    assert (failed["status"], failed["score"], failed["sample"]) == ("error", "", "")
    assert (failed["error"], failed["inputs.question"]) == ("the provider is down", "question of a?")
    assert (skipped["status"], skipped["error"]) == ("skipped", "")
    assert (lost["status"], lost["error"], lost["nodeid"]) == ("missing", "worker gw0 crashed", f"{TEST}[c]")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30 1234", "'+49 30 1234"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\ttext", "'\ttext"),
        ("\r=1", r"\x0d=1"),
        (" \n =HYPERLINK(1)", "' \n' =HYPERLINK(1)"),
        ("\u00a0=1", "'\u00a0=1"),
        ("\ufeff=1", r"\ufeff=1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("a;=cmd|'x'!A1;b", "a;'=cmd|'x'!A1;b"),
        ("a\n@SUM(A1)", "a\n'@SUM(A1)"),
        ("- one\n- two\n+ three", "'- one\n- two\n+ three"),
        ("plain, \"quoted\"; 'text'", "plain, \"quoted\"; 'text'"),
        ("-0.5", "-0.5"),
        ("+1e-3", "+1e-3"),
        ("-1+1", "'-1+1"),
        ("-.5", "-.5"),
        ("-\u0663", "'-\u0663"),
        ("", ""),
        (-0.5, "-0.5"),
        (10**30, str(10**30)),
        (True, "TRUE"),
        (None, ""),
        ({"a": "=1"}, '{"a": "=1"}'),
        (["é"], '["é"]'),
        ("\x1b[31m\x00", r"\x1b[31m\x00"),
    ],
)
def test_cells(value: Any, text: str) -> None:
    assert cell(value, VALUE) == text


SEPARATORS = st.sampled_from([",", ";", "\t"])
TEXTS = st.text(st.sampled_from("=+-@\t\r\n;,\"' a1(|!\u00a0\u200b\uff1d"), max_size=12)


@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_no_text_is_a_formula(texts: list[str]) -> None:
    file = run_file([record("a", 0.5, labels=dict(zip("abcd", texts, strict=False)))])
    lines = "".join(table(file, file.outcome.collected))
    for row in csv.reader(io.StringIO(lines)):
        for found in row:
            begins = found.lstrip()[:1] in tuple("=+-@\uff1d")
            assert not begins or float(found) is not None, found


def test_long_texts_fit_into_a_cell() -> None:
    bounds = Bounds(50, 1 << 62, 100, ", all in run.json")
    assert cell("x" * 150, bounds) == "x" * 100 + "[... 50 characters more, all in run.json]"
    long = {"wide": "\U0001f600" * 100_000, "invisible": "\x00" * 100_000, "formulas": ";=A(" * 50_000}
    [row] = rows(record("a", 0.5, prediction=long))
    for name in long:
        text = row[f"prediction.{name}"]
        assert text.endswith(" characters more, all in run.json]")
        assert len(text.encode("utf-16-le")) // 2 <= 32_767
