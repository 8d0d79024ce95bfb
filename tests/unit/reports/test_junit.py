"""The properties of tests in JUnit XML, and what is added to the file that pytest has written."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.junit_file import counts_of, properties_of, read_suite, schema

from pytest_pitcheval.reports.junit import amend, escape, properties, totals
from pytest_pitcheval.results.deciding.decisions import Decision
from pytest_pitcheval.results.deciding.gates import GateResult
from pytest_pitcheval.results.records import Record, Status, Usage
from pytest_pitcheval.results.summaries.summary import Summary

RECORD = Record("t.py::test[e0]", "t.py::test", "e0", "none", "passed", rollout_id="now/t.py::test[e0]")
FAILED = GateResult("t.py::test", "none", "min_mean", "failed", 0.5, 0.6, "mean 0.5 is below 0.6")
PASSED = dataclasses.replace(FAILED, gate="min_pass_rate", status="passed", reason="pass rate 1 reaches 0.6")
PYTEST = (
    '<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="0" '
    'failures="1" skipped="0" tests="2" time="0.010" timestamp="2026-01-01T00:00:00+00:00" hostname="here">{}'
    '<testcase classname="t" name="test[e0]" time="0.001" /><testcase classname="t" name="test[e1]" time="0.001">'
    '<failure message="low">&lt;low&gt; ä</failure></testcase></testsuite></testsuites>'
)


def decided(*gates: GateResult, summaries: Sequence[Summary] = ()) -> Decision:
    """What a session came to that has these gates."""
    return Decision(list(summaries), None, [], list(gates))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file as pytest writes it, with two tests, one of them failed."""
    path = tmp_path / "junit.xml"
    path.write_text(PYTEST.format(""), encoding="utf-8")
    return path


def test_all_there_is_to_know_of_a_test() -> None:
    record = dataclasses.replace(
        RECORD,
        score=0.1 + 0.2,
        threshold=0.5,
        generator=Usage(1, 2, 0, 30, 40, 0.001),
        judge=Usage(10, 0, 0, 300, 400, 0.25),
        seconds=1.5,
    )
    assert properties(record) == [
        ("pitcheval.score", "0.30000000000000004"),
        ("pitcheval.threshold", "0.5"),
        ("pitcheval.rollout_id", "now/t.py::test[e0]"),
        ("pitcheval.optimization", "none"),
        ("pitcheval.example_id", "e0"),
        ("pitcheval.fresh_calls", "11"),
        ("pitcheval.cached_calls", "2"),
        ("pitcheval.failed_calls", "0"),
        ("pitcheval.prompt_tokens", "330"),
        ("pitcheval.completion_tokens", "440"),
        ("pitcheval.cost", "0.251"),
        ("pitcheval.seconds", "1.5"),
    ]


def test_what_is_not_known_of_a_test_is_left_out() -> None:
    record = dataclasses.replace(RECORD, example_id=None, judge=Usage(fresh=1, cost=None))
    assert dict(properties(record)).keys() == {
        f"pitcheval.{name}"
        for name in (
            "rollout_id",
            "optimization",
            "fresh_calls",
            "cached_calls",
            "failed_calls",
            "prompt_tokens",
            "completion_tokens",
            "seconds",
        )
    }


def test_metrics_of_a_test_are_properties() -> None:
    record = dataclasses.replace(RECORD, metrics={"words": (3.0, 4.0), "some": (None, 1.0), "seconds": (1.0, 2.0)})
    said = {name: value for name, value in properties(record) if ".metric." in name}
    assert said == {"pitcheval.metric.words": "3.5", "pitcheval.metric.some": "1.0"}


def test_labels_that_can_name_a_slice_are_properties() -> None:
    labels = {"topic": "refunds", "level": 3, "critical": False, "sources": ["a"], "notes": "x" * 101, "none": None}
    said = dict(properties(dataclasses.replace(RECORD, labels={**labels, "a\x00": "b"})))
    names = {name: value for name, value in said.items() if ".label." in name}
    assert names == {
        "pitcheval.label.topic": "refunds",
        "pitcheval.label.level": "3",
        "pitcheval.label.critical": "False",
        "pitcheval.label.a#x00": "b",
    }


def test_nothing_is_not_the_same_as_unknown() -> None:
    found = dict(properties(dataclasses.replace(RECORD, score=0.0)))
    assert (found["pitcheval.score"], found["pitcheval.cost"]) == ("0.0", "0.0")


def test_totals() -> None:
    one = dataclasses.replace(RECORD, score=0.5, generator=Usage(1, 2, 0, 30, 40, 0.5), judge=Usage(1), seconds=1.5)
    statuses: list[Status] = ["passed", "passed", "passed", "failed", "failed", "error", "skipped"]
    records = [dataclasses.replace(one, status=status) for status in statuses]
    records[-1] = dataclasses.replace(records[-1], score=None)
    assert dict(totals("now", records)) == {
        "pitcheval.run_id": "now",
        "pitcheval.examples": "7",
        "pitcheval.scored": "6",
        "pitcheval.passed": "3",
        "pitcheval.failed": "2",
        "pitcheval.errors": "1",
        "pitcheval.skipped": "1",
        "pitcheval.left_out": "0",
        "pitcheval.unchanged": "0",
        "pitcheval.asked": "7",
        "pitcheval.fresh_calls": "14",
        "pitcheval.cached_calls": "14",
        "pitcheval.failed_calls": "0",
        "pitcheval.prompt_tokens": "210",
        "pitcheval.completion_tokens": "280",
        "pitcheval.cost": "3.5",
        "pitcheval.seconds": "10.5",
    }


def test_one_unknown_price_makes_the_total_unknown() -> None:
    unknown = dataclasses.replace(RECORD, generator=Usage(fresh=1, cost=None))
    assert "pitcheval.cost" in dict(totals("now", [RECORD]))
    assert "pitcheval.cost" not in dict(totals("now", [RECORD, unknown]))


def test_a_failed_gate_is_a_failed_test(path: Path) -> None:
    amend(path, "now", [RECORD], decided(FAILED, PASSED))
    suite = read_suite(path)
    assert [case.get("name") for case in suite.iter("testcase")] == [
        "test[e0]",
        "test[e1]",
        "min_mean t.py::test [none]",
    ]
    assert counts_of(suite) == {"tests": 3, "failures": 2, "errors": 0, "skipped": 0}
    case = suite.findall("testcase")[-1]
    assert (case.get("classname"), case.get("time")) == ("pitcheval.gates", "0.000")
    [failure] = case
    message = "min_mean=0.6 t.py::test [none]: mean 0.5 is below 0.6"
    assert (failure.tag, failure.get("message"), failure.text) == ("failure", message, message)


def test_the_rest_of_the_file_stays(path: Path) -> None:
    before = ElementTree.canonicalize(path.read_text(encoding="utf-8"))
    amend(path, "now", [RECORD], decided(PASSED))
    suite = read_suite(path)
    assert suite[0].tag == "properties"
    assert properties_of(suite) == dict(totals("now", [RECORD]))
    text = path.read_text(encoding="utf-8")
    assert text.startswith('<?xml version="1.0" encoding="utf-8"?>')
    start, end = text.index("<properties>"), text.index("</properties>") + len("</properties>")
    assert ElementTree.canonicalize(text[:start] + text[end:]) == before


def test_what_a_crash_leaves_of_a_test_that_is_run_again_goes(path: Path) -> None:
    path.write_text(PYTEST.format('<testcase time="0.000" />'), encoding="utf-8")
    amend(path, "now", [RECORD], decided())
    suite = read_suite(path)
    assert [case.get("name") for case in suite.iter("testcase")] == ["test[e0]", "test[e1]"]
    assert counts_of(suite)["tests"] == 2


def test_properties_of_the_user_stay(path: Path) -> None:
    own = '<properties><property name="ARCH" value="PPC" /></properties>'
    path.write_text(PYTEST.format(own), encoding="utf-8")
    amend(path, "now", [RECORD], decided())
    suite = read_suite(path)
    assert len(suite.findall("properties")) == 1
    assert properties_of(suite) == {"ARCH": "PPC", **dict(totals("now", [RECORD]))}


@given(st.text(st.characters()))  # with surrogates
def test_any_text_can_be_put_into_xml_and_read_again(text: str) -> None:
    element = ElementTree.Element("property", value=escape(text))
    read = ElementTree.fromstring(ElementTree.tostring(element, "utf-8")).get("value")
    assert read == escape(text)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain <ä> & 😀\ttab\nline\rend", "plain <ä> & 😀\ttab\nline\rend"),
        ("\x00|\x1b|\x7f", "#x00|#x1B|#x7F"),
        ("\ud800|\udfff|\ufffe|\uffff", "#xD800|#xDFFF|#xFFFE|#xFFFF"),
        ("\x85|\ufffd|\U0010ffff", "\x85|\ufffd|\U0010ffff"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_names_that_xml_cannot_hold(path: Path) -> None:
    amend(path, "a\x00b", [RECORD], decided(dataclasses.replace(FAILED, test="t.py::test[a=\x1b]", reason="\ufffe")))
    suite = read_suite(path)
    assert properties_of(suite)["pitcheval.run_id"] == "a#x00b"
    case = suite.findall("testcase")[-1]
    assert case.get("name") == "min_mean t.py::test[a=#x1B] [none]"
    assert case[0].get("message") == "min_mean=0.6 t.py::test[a=#x1B] [none]: #xFFFE"


@pytest.mark.parametrize("text", ["", "not XML", "<testsuites>", "<testsuites />", "\x00"])
def test_a_file_that_is_not_pytests_is_told_and_stays(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ElementTree.ParseError):
        amend(path, "now", [RECORD], decided(FAILED))
    assert path.read_text(encoding="utf-8") == text


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        amend(tmp_path / "junit.xml", "now", [RECORD], decided(FAILED))


def test_behind_a_link_the_file_is_amended(path: Path) -> None:
    link = path.with_name("link.xml")
    link.symlink_to(path)
    amend(link, "now", [RECORD], decided(FAILED))
    assert link.is_symlink()
    assert read_suite(path).get("tests") == "3"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
@pytest.mark.timeout(30)  # to open it would wait for ever
def test_a_pipe_is_left_alone(tmp_path: Path) -> None:
    pipe = tmp_path / "junit.xml"
    os.mkfifo(pipe)
    amend(pipe, "now", [RECORD], decided(FAILED))
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    "wrong",
    [
        '<testsuites><testsuite name="a" tests="1" failures="0" /></testsuites>',
        '<testsuites><testsuite name="a" tests="1" failures="0" errors="0" time="1e-3" /></testsuites>',
        '<testsuites><testsuite name="a" tests="1" failures="0" errors="0"><testcase line="1" name="b" /></testsuite>'
        "</testsuites>",
        '<testsuites><testsuite name="a" tests="1" failures="0" errors="0"><testcase name="b"><passed /></testcase>'
        "</testsuite></testsuites>",
        '<testsuites><testsuite name="a" tests="1" failures="0" errors="0"><properties><property name="b" />'
        "</properties></testsuite></testsuites>",
        '<testsuite name="a" tests="1" failures="0" errors="0" />',
    ],
)
def test_the_schema_rejects_what_is_wrong(wrong: str) -> None:
    assert not schema().is_valid(ElementTree.fromstring(wrong))
