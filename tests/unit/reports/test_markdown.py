"""The summary for GitHub: read back by a parser of its markdown."""

from __future__ import annotations

import dataclasses
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.markdown_tables import tables
from support.run_documents import TEST, record, report
from support.strategies import texts

from pytest_pitcheval.reports import markdown
from pytest_pitcheval.results.collected import Requirements
from pytest_pitcheval.results.records import Record


def test_a_good_run() -> None:
    text = markdown.render(report([record("a"), record("b", 1.0)], gates={"min_mean": 0.5}))
    assert text.splitlines()[0] == "## ✅ pitcheval: passed"
    assert "\n2 examples passed.\n" in text
    [[head, row]] = tables(text)
    assert head == ["test", "method", "scored", "mean", "passed", "against the baseline", "gates"]
    assert row == [TEST, "none", "2/2", "0.875 [0.000-1.000]", "100 %", "-", "1 passed"]
    assert "Report:" not in text


def test_a_bad_run() -> None:
    before = [record(f"e{n}", 0.75) for n in range(12)]
    now = [record(f"e{n}", 0.5 - n / 50) for n in range(12)]
    text = markdown.render(report(now, before, gates={"min_mean": 0.5}), "out/report.html")
    results, gates, worst = tables(text)
    assert results[1][5].startswith("-0.360 [-0.4")
    assert [row[0] for row in gates[1:]] == ["min_mean=0.5", "max_regression=0.05"]
    assert {row[3] for row in gates[1:]} == {"failed"}
    assert "### Worst regressions (10 of 12)" in text
    assert worst[1] == ["e11", TEST, "none", "0.750", "0.280", "-0.470"]
    assert [row[0] for row in worst[1:]] == [f"e{n}" for n in range(11, 1, -1)]
    assert "Report: <code>out/report.html</code>" in text


HOSTILE = [
    "a|b",
    "a\\|b",
    "line one\nline | two\r\nthree",
    "`code` and ``more``",
    "<script>alert(1)</script><!-- -->",
    "@octocat #1 GH-1 :tada: $x$",
    "[link](https://example.org) ![image](http://example.org/a.png) www.example.org",
    "**bold** _it_ ~~gone~~ # title",
    "</code></td></table>",
    "&lt;b&gt; &#64;octocat",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_in_its_cell(text: str) -> None:
    before, now = [record("x", 0.9, example_id=text)], [record("x", 0.5, example_id=text)]
    worst = tables(markdown.render(report(now, before)))[-1]
    assert worst[1] == [" ".join(text.split()), TEST, "none", "0.900", "0.500", "-0.400"]


@pytest.mark.parametrize("text", HOSTILE)
def test_metrics_and_slices(text: str) -> None:
    asked = Requirements(slices={"topic": {}})
    metrics = {text: (0.5,), "seconds": (1.0,)}
    now = [record(name, 0.5, metrics=metrics, labels={"topic": text}) for name in "ab"]
    _, of_metrics, of_slices = tables(markdown.render(report(now, asked=asked)))
    name = " ".join(text.split())
    assert of_metrics == [
        ["metric", "test", "method", "known", "mean"],
        [name, TEST, "none", "2/2", "0.500 [0.500 to 0.500]"],
    ]
    assert of_slices[1] == [f"topic={name}", TEST, "none", "2/2", "0.500 [0.500-0.500]", "100 %"]


@settings(max_examples=200, deadline=None, database=None)
@given(texts | st.text(st.sampled_from("|\\`<>&*_[]()!@#:/. \na~$\u202e\u2028"), max_size=12))
def test_any_text_stays_text_in_its_cell(text: str) -> None:
    rows = tables("| a | b |\n| --- | --- |\n| " + markdown.code(text) + " | 1 |\n")
    [[_, [cell, other]]] = rows
    assert other == "1"
    unseen = ("Cc", "Cf", "Zl", "Zp")
    seen = (" " if unicodedata.category(character) in unseen else character for character in text)
    assert cell == " ".join("".join(seen).split())


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_is_mentioned_or_linked(text: str) -> None:
    """GitHub looks for these in the text between tags, but not in code; links it finds while it parses."""
    found = markdown.code(text)
    assert re.fullmatch(r"<code>[^<>]*</code>", found)
    assert not re.search(r"@|://|www\.|(?<!&)#", found)


def test_long_texts_are_cut() -> None:
    assert markdown.code("x" * 1000) == f"<code>{'x' * 159}…</code>"


def many(count: int) -> list[Record]:
    """Tests of a record each, with a long name: 500 of them have no room in a comment."""
    return [record(f"e{n}", test=f"test_{n}.py::{'long_' * 20}") for n in range(count)]


@pytest.mark.parametrize("limit", [markdown.COMMENT_LIMIT, 5_000])
def test_it_fits_and_says_what_it_leaves_out(limit: int) -> None:
    found = report(many(500))
    text = markdown.render(found, limit=limit)
    assert 0.9 * limit < len(text.encode()) <= limit
    [table] = tables(text)
    [left_out] = re.findall(r"^(\d+) more rows left out\.$", text, flags=re.MULTILINE)
    assert len(table) - 1 + int(left_out) == 500
    assert text.endswith("</code>\n"), "what was run stands at its end all the same"


def test_no_table_crowds_another_out() -> None:
    """500 tests, each with a failed gate, and one regression."""
    records, before = [*many(500), record("a", 0.5)], [record("a", 0.9)]
    text = markdown.render(report(records, before, gates={"min_mean": 0.9}))
    results, gates, worst = tables(text)
    left_out = [int(one) for one in re.findall(r"^(\d+) more rows left out\.$", text, flags=re.MULTILINE)]
    assert [len(results) - 1 + left_out[0], len(gates) - 1 + left_out[1]] == [501, 502]
    assert min(len(results), len(gates)) > 50
    assert [row[0] for row in worst[1:]] == ["a"]


def test_the_limit_is_one_of_bytes() -> None:
    found = report([record(f"e{n}", test=f"{n}{'é' * 100}") for n in range(400)])
    assert 60_000 < len(markdown.render(found).encode()) <= markdown.COMMENT_LIMIT


def test_nothing_is_left_out_where_there_is_room() -> None:
    text = markdown.render(report(many(100)))
    assert "left out" not in text
    assert len(tables(text)[0]) == 101


def test_tests_that_did_not_run_are_named_each_in_code_and_counted() -> None:
    tests = [f"tests/evaluation/test_{number}.py::test_of_something|long" for number in range(12)]
    run = report([record("a")])
    text = markdown.render(
        dataclasses.replace(run, baseline="b.json", decision=dataclasses.replace(run.decision, tests_not_run=tests))
    )
    [line] = [line for line in text.splitlines() if line.startswith("In the baseline but not run: ")]
    assert line.count("<code>tests/evaluation/test") == 10
    assert "test_of_something&#124;long</code>, <code>" in line
    assert line.endswith("</code> and 2 more.")
