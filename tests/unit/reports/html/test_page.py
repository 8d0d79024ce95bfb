"""The HTML page, as text: what is in it, and that nothing in it comes from anywhere else."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.html_page import Reader, data
from support.run_documents import TEST, record, report

import pytest_pitcheval
from pytest_pitcheval.reports.html import page
from pytest_pitcheval.reports.html.groups import Group
from pytest_pitcheval.reports.run_reports import RunReport
from pytest_pitcheval.results.collected import Requirements
from pytest_pitcheval.results.records import Usage

HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> \u2028 \" ' & {{ 7 * 7 }} ]]>"


def hostile() -> RunReport:
    """A run with hostile text wherever there may be any."""
    about: dict[str, Any] = {
        "nodeid": HOSTILE,
        "test": HOSTILE,
        "optimization": HOSTILE,
        "feedback": HOSTILE,
        "error": HOSTILE,
        "inputs": {HOSTILE: HOSTILE},
        "prediction": {HOSTILE: HOSTILE},
        "rollout_id": HOSTILE,
        "fingerprints": {"program": HOSTILE},
        "metrics": {HOSTILE: (1.0,)},
    }
    then = [record(HOSTILE, 0.9, **{**about, "fingerprints": {"program": "x"}}), record(HOSTILE + "old", **about)]
    gates = {"min_mean": 0.99}
    return report([record(HOSTILE, 0.5, **about)], then, missing={HOSTILE: HOSTILE}, gates=gates, argv=[HOSTILE])


def test_hostile_text_adds_no_element_and_no_script() -> None:
    harmless = report(
        [record("a", 0.5)], [record("a", 0.9), record("old")], missing={"b": "c"}, gates={"min_mean": 0.99}
    )
    read = Reader(page.render(hostile()))
    assert {tag for tag, _ in read.elements} <= {tag for tag, _ in Reader(page.render(harmless)).elements} | {"code"}
    assert len(read.scripts) == 2
    assert not any(name.startswith("on") for _, attributes in read.elements for name in attributes)
    assert "alert(1)" in read.text, "it is shown, as text"
    assert data(page.render(hostile()))["examples"][0]["inputs"] == {HOSTILE: HOSTILE}


@settings(max_examples=60, deadline=None, database=None)
@given(st.recursive(st.text(st.characters(exclude_categories=["Cs"])) | st.floats(0, 1) | st.none(), st.lists))
def test_what_is_embedded_is_read_back(value: Any) -> None:
    text = page.embedded(value)
    assert json.loads(text) == value
    assert not re.search("[<>&\u2028\u2029]", text)


def test_nothing_comes_from_elsewhere() -> None:
    read = Reader(page.render(hostile()))
    for tag, attributes in read.elements:
        assert tag not in ("img", "iframe", "object", "embed", "base")
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))
    [policy] = [one["content"] for _, one in read.elements if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_the_numbers_are_those_of_the_run() -> None:
    now = [record(f"e{n}", 0.5 + n / 50) for n in range(12)]
    then = [record(f"e{n}", 0.9) for n in range(12)]
    text = Reader(page.render(report(now, then, gates={"min_mean": 0.9}))).text
    assert "Failed 2 of 2 gates failed." in text
    assert "-0.290 against the baseline (95 % -0.336 to -0.244): 12 regressed" in text
    assert "mean 0.61 is below 0.9" in text
    assert "0.900 in the baseline, 0.610 now, on 12 examples that both have." in text


def test_an_example_has_all_its_rollouts_and_the_baselines() -> None:
    later = ({"prediction": {"answer": "second"}, "feedback": "worse"},)
    now = record("a", 0.5, samples=(0.75, 0.25), later_rollouts=later, metrics={"length": (3.0, None)})
    [row] = page.data(report([now], [record("a", 0.9)], repeat={"folder": "..", "options": ["--eval-rollouts=2"]}))[
        "examples"
    ]
    assert row["rollouts"] == [
        {
            "score": 0.75,
            "metrics": {"length": 3.0},
            "prediction": {"answer": "answer of a"},
            "feedback": "feedback of a",
        },
        {"score": 0.25, "metrics": {"length": None}, "prediction": {"answer": "second"}, "feedback": "worse"},
    ]
    assert row["was"] == [{"score": 0.9, "prediction": {"answer": "answer of a"}, "feedback": "feedback of a"}]
    assert (row["before"], row["change"], row["threshold"]) == (0.9, -0.4, 0.5)
    assert row["usage"] == {"program": [1, 0, 0, 100, 20, 0.001], "metric": [1, 0, 0, 150, 10, 0.002]}
    assert row["repeat"] == f"pytest '../{TEST}[a]' --eval-rollouts=2"
    assert row["replay"] == f"{row['repeat']} --eval-replay=20260102T030405.000006Z"


def test_a_baseline_of_scores_alone() -> None:
    found = report([record("a", 0.5)], [record("a", 0.9)])
    [row] = page.data(dataclasses.replace(found, before={}))["examples"]
    assert row["was"] == [{"score": 0.9}]


def test_a_run_file_of_another_run_of_that_id_is_not_taken_for_the_baseline() -> None:
    """Its scores tell: what it predicted was scored otherwise."""
    found = report([record("a", 0.5)], [record("a", 0.9)])
    other = record("a", 0.8)
    [row] = page.data(dataclasses.replace(found, before={other.nodeid: other}))["examples"]
    assert row["was"] == [{"score": 0.9}]


def test_an_example_without_a_score_has_what_the_baseline_predicted() -> None:
    [row] = page.data(report([record("a", None)], [record("a", 0.9)]))["examples"]
    assert [one["prediction"] for one in row["was"]] == [{"answer": "answer of a"}]
    assert (row["note"], row.get("change")) == ("had a score in the baseline", None)


def test_what_is_missing_stands_among_the_examples() -> None:
    rows = page.data(report([record("a")], missing={"b": "worker gw1 crashed while it ran"}))["examples"]
    assert [(row["example"], row["status"], row["error"]) for row in rows] == [
        ("a", "passed", None),
        ("b", "missing", "worker gw1 crashed while it ran"),
    ]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (report([]), "No example was evaluated, so there is no score."),
        (report([record("a")]), "There was no baseline to compare with."),
        (report([record("a")]), "One score, 0.750: nothing to draw."),
        (report([record("a")]), "No gate was set."),
        (report([record("a", None)]), "Nothing was scored."),
        (report([record("a")], [record("b")]), "No example is the same as in the baseline."),
        (report([record("a")], [record("a", test="other.py::t")]), "Not in the baseline."),
        (
            report([record("a", fingerprints={"judge": "x 1"})], [record("a", fingerprints={"judge": "y 2"})]),
            "not compared: judge 'x 1', not 'y 2'",
        ),
        (report([record("a")], [record("a", optimization="mipro")]), "0.750 with mipro in the baseline"),
    ],
)
def test_where_there_is_little_to_say(found: RunReport, said: str) -> None:
    assert said in Reader(page.render(found)).text


def test_costs_that_are_not_known() -> None:
    unknown = record("a", generator=Usage(1, cost=None))
    assert page.data(report([unknown]))["examples"][0]["usage"]["program"][-1] is None


def test_an_older_run_file_that_tells_little_is_shown_all_the_same() -> None:
    found = report([record("a")], finished="soon")
    assert "20260102T030405.000006Z" in Reader(page.render(found)).text


def test_plots_say_in_words_what_they_show() -> None:
    found = report([record(f"e{n}", n / 10) for n in range(11)], [record(f"e{n}", 0.5) for n in range(11)])
    read = Reader(page.render(found))
    drawn = [attributes for tag, attributes in read.elements if tag == "svg"]
    assert len(drawn) == 4
    assert all(one.get("role") == "img" and (one.get("aria-label") or one.get("aria-labelledby")) for one in drawn)
    assert "0.95 to 1.00: 1 now" in read.text
    assert "5 fell, 5 rose, 1 are the same" in read.text


def test_every_file_of_the_package_is_installed() -> None:
    """What is no module must be named as package data."""
    root = Path(__file__).parents[4]
    [globs] = re.findall(
        r'^ +"pytest_pitcheval.reports.html": (\[.*\]),$', (root / "setup.py").read_text(), re.MULTILINE
    )
    source = root / "pytest_pitcheval"
    named = {path for pattern in json.loads(globs) for path in (source / "reports" / "html").glob(pattern)}
    files = {path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in files if path.suffix != ".py"} == {*named, source / "py.typed"}
    templates = Path(pytest_pitcheval.__file__).parent / "reports" / "html" / "templates"
    expected = {f"{name}.{suffix}" for name in ("report", "label") for suffix in ("html", "css", "js")}
    assert {path.name for path in templates.iterdir()} == expected


@pytest.mark.parametrize(("drop", "direction"), [(0.2, "bad"), (-0.2, "good"), (0.0, "")])
def test_only_an_established_change_has_a_colour(drop: float, direction: str) -> None:
    names = [f"e{n}" for n in range(8)]
    noisy = [record(name, 0.6 - drop - n % 2 / 50) for n, name in enumerate(names)]
    found = report(noisy, [record(name, 0.6 - n % 3 / 50) for n, name in enumerate(names)])
    [group] = [Group.of(found, summary) for summary in found.decision.summaries]
    assert group.direction == direction


def test_what_is_not_compared_has_not_stayed_the_same() -> None:
    found = report([record("a", fingerprints={"judge": "x 1"})], [record("a", fingerprints={"judge": "y 2"})])
    assert "not compared with the baseline: another judge" in Reader(page.render(found)).text


def test_nothing_in_the_file_turns_the_direction_of_a_text() -> None:
    said = "\u202egpj.exe\u2066\u200b\x9b\U000e0041"
    about: dict[str, Any] = {"test": said, "optimization": said, "inputs": {said: said}, "prediction": {said: said}}
    about |= {"labels": {"topic": said}, "metrics": {said: (0.5,)}}
    asked = Requirements(slices={"topic": {"min_mean": {"score": 0.9}}})
    text = page.render(report([record(said, 0.5, **about)], argv=[said], asked=asked))
    assert not set(said) - set("gpj.exe") & set(text)
    assert data(text)["examples"][0]["inputs"] == {said: said}, "the script gets what was said, and shows escapes"
