"""What a CI server that reads only the JUnit XML file sees."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from support.junit_file import counts_of, properties_of, read_suite
from support.openai_server import Failure, Request, chat_format, dspy_answer
from support.suite import TEST, Run, Suite

GATED = TEST.replace("threshold=0.5", "threshold=0.5, min_mean=0.8, min_pass_rate=0.2")

SKIPS_E3 = """

def pytest_runtest_setup(item):
    if "e3" in item.name:
        pytest.skip("not this one")
"""

LEGACY = ("-o", "junit_family=xunit1")
"""In the other family pytest warns of its own record_property."""

PRICED = ("--generator-model=openai/gpt-4o-mini", "--evaluator-model=openai/gpt-4o-mini")
"""Models that have a price, for the provider on loopback."""


def mixed(suite: Suite) -> None:
    """Four examples: e0 passes, e1 scores low, e2 is an error of the judge, e3 is skipped."""
    suite.rows(4)
    suite.add("conftest.py", SKIPS_E3)

    def answer(request: Request) -> str:
        if request.model != "judge":
            return dspy_answer(request)
        return chat_format(score=0.1 if "question 1?" in request.prompt else 0.9, feedback="as it is")

    suite.server.answer = answer
    suite.server.fail = lambda request: (
        Failure(message="out of order") if request.model == "judge" and "question 2?" in request.prompt else None
    )


def junit_of(suite: Suite, legacy: bool = False) -> ElementTree.Element:
    return read_suite(suite.path / "junit.xml", legacy)


def cases_of(junit: ElementTree.Element) -> dict[str, ElementTree.Element]:
    return {case.get("name", ""): case for case in junit.iterfind("testcase")}


def as_text(values: dict[str, Any]) -> dict[str, str]:
    """Values of the run file as properties."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    return {f"pitcheval.{name}": text for name, text in texts.items() if values[name] is not None}


def spent(entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry of the run file says of LM calls, by the names of the properties."""
    return {
        "fresh_calls": entry["lm_calls"]["fresh"],
        "cached_calls": entry["lm_calls"]["cached"],
        "failed_calls": entry["lm_calls"]["failed"],
        "prompt_tokens": entry["tokens"]["prompt"],
        "completion_tokens": entry["tokens"]["completion"],
        "cost": entry["cost"],
        "seconds": entry["seconds"],
    }


def of_test(test: dict[str, Any]) -> dict[str, str]:
    """The properties that a test of the run file must have."""
    names = ("score", "threshold", "rollout_id", "optimization", "example_id")
    return as_text({name: test[name] for name in names} | spent(test))


def only_summary(run: Run) -> dict[str, Any]:
    assert run.document is not None
    summary: dict[str, Any]
    [summary] = run.document["summary"]
    return summary


def test_properties_are_those_of_the_run_file(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    mixed(suite)
    run = suite.run("--junit-xml=junit.xml", *plugin_args)
    run.result.assert_outcomes(passed=1, failed=1, errors=1, skipped=1)
    cases = cases_of(junit_of(suite))
    assert {name: properties_of(case) for name, case in cases.items()} == {
        f"test_qa[{test['example_id']}]": of_test(test) for test in run.tests
    }
    assert properties_of(cases["test_qa[e1]"])["pitcheval.score"] == "0.1"
    assert "pitcheval.score" not in properties_of(cases["test_qa[e2]"])


def test_the_price_is_there_where_it_is_known(suite: Suite) -> None:
    run = suite.run("--junit-xml=junit.xml", *PRICED)
    junit = junit_of(suite)
    costs = [properties_of(case)["pitcheval.cost"] for case in junit.iterfind("testcase")]
    assert [float(cost) for cost in costs] == [test["cost"] for test in run.tests]
    assert float(properties_of(junit)["pitcheval.cost"]) == pytest.approx(sum(map(float, costs)))
    assert all(float(cost) > 0 for cost in costs)


def test_every_method_is_a_test_with_its_own_properties(suite: Suite) -> None:
    run = suite.run("--junit-xml=junit.xml", "--optimization=none,labeled")
    run.result.assert_outcomes(passed=6)
    found = [properties_of(case) for case in junit_of(suite).iterfind("testcase")]
    assert sorted(found, key=str) == sorted(map(of_test, run.tests), key=str)
    assert len({one["pitcheval.rollout_id"] for one in found}) == 6


def test_totals_stand_on_the_suite(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    mixed(suite)
    run = suite.run("--junit-xml=junit.xml", *plugin_args)
    assert run.document is not None
    summary = only_summary(run)
    expected = as_text(
        {
            "run_id": run.document["run"]["id"],
            "examples": 4,
            "scored": 2,
            "passed": 1,
            "failed": 1,
            "errors": 1,
            "skipped": 1,
            "left_out": 0,
            "unchanged": 0,
            "asked": 4,
            **spent(summary),
        }
    )
    found = properties_of(junit_of(suite))
    seconds = found.pop("pitcheval.seconds"), expected.pop("pitcheval.seconds")
    assert float(seconds[0]) == pytest.approx(float(seconds[1]))  # summed up in another order
    assert found == expected
    assert found["pitcheval.fresh_calls"] == str(len(run.requests))


@pytest.mark.parametrize("family", ["legacy", "xunit1", "xunit2"])
def test_a_low_score_is_a_failure_and_a_failed_call_an_error(suite: Suite, family: str) -> None:
    mixed(suite)
    suite.write("test_qa.py", GATED)
    run = suite.run("--junit-xml=junit.xml", "-o", f"junit_family={family}")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    junit = junit_of(suite, legacy=family != "xunit2")
    assert counts_of(junit) == {"tests": 5, "failures": 2, "errors": 1, "skipped": 1}
    outcomes = {
        name: [child.tag for child in case if child.tag != "properties"] for name, case in cases_of(junit).items()
    }
    assert outcomes == {
        "test_qa[e0]": [],
        "test_qa[e1]": ["failure"],
        "test_qa[e2]": ["error"],
        "test_qa[e3]": ["skipped"],
        "min_mean test_qa.py::test_qa [none]": ["failure"],
    }
    assert properties_of(junit)["pitcheval.examples"] == "4"


def test_a_failed_gate_is_a_failed_test(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.write("test_qa.py", GATED)
    run = suite.run("--junit-xml=junit.xml", *plugin_args)
    run.result.assert_outcomes(passed=3)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    junit = junit_of(suite)
    assert counts_of(junit) == {"tests": 4, "failures": 1, "errors": 0, "skipped": 0}
    case = cases_of(junit)["min_mean test_qa.py::test_qa [none]"]
    assert case.get("classname") == "pitcheval.gates"
    failure = case.find("failure")
    assert failure is not None
    assert f"FAIL {failure.get('message')}" in run.result.outlines
    assert "0.8" in (failure.get("message") or "")


def test_each_method_has_its_own_failed_gates(suite: Suite) -> None:
    suite.write("test_qa.py", GATED)
    suite.run("--junit-xml=junit.xml", "--optimization=none,labeled")
    gates = [case.get("name") for case in junit_of(suite).iterfind("testcase[@classname='pitcheval.gates']")]
    assert gates == ["min_mean test_qa.py::test_qa [none]", "min_mean test_qa.py::test_qa [labeled]"]


def test_gates_that_hold_are_no_tests(suite: Suite) -> None:
    suite.write("test_qa.py", GATED.replace("0.8", "0.75"))
    run = suite.run("--junit-xml=junit.xml")
    assert run.result.ret == pytest.ExitCode.OK
    assert run.document is not None
    assert [gate["status"] for gate in run.document["gates"]] == ["passed", "passed"]
    assert counts_of(junit_of(suite)) == {"tests": 3, "failures": 0, "errors": 0, "skipped": 0}


def test_characters_that_xml_cannot_hold(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.write("data.jsonl", json.dumps({"id": "e\x00\ufffe", "question": "question \x07?"}) + "\n")
    styled = GATED.replace("(score)", "(score, style)").replace(
        "\n@pytest.mark.evaluation",
        '\n@pytest.mark.parametrize("style", ["\\x1b[31m\\uffff"])\n@pytest.mark.evaluation',
    )
    suite.write("test_qa.py", styled)
    suite.server.answer = lambda request: (
        chat_format(score=0.1, feedback="so \x00\x1b\ufffe so")
        if request.model == "judge"
        else chat_format(answer="\x00\x1b[1m\ufffe\x7f")
    )
    run = suite.run("--junit-xml=junit.xml", *plugin_args)
    run.result.assert_outcomes(failed=1)
    [test] = run.tests
    assert (test["example_id"], test["prediction"]) == ("e\x00\ufffe", {"answer": "\x00\x1b[1m\ufffe\x7f"})
    junit = junit_of(suite)
    case, min_mean, min_pass_rate = junit.findall("testcase")
    assert properties_of(case)["pitcheval.example_id"] == "e#x00#xFFFE"
    assert min_mean.get("name") == r"min_mean test_qa.py::test_qa[\x1b[31m\uffff] [none]"
    assert (min_pass_rate.get("name") or "").startswith(r"min_pass_rate test_qa.py::test_qa[\x1b")


def test_what_a_test_is_of_stays_even_where_a_key_is_in_its_name(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    """Or it would be another test once the key is not set, or is a new one."""
    suite.write("data.jsonl", json.dumps({"id": "sk-for-tests-only", "question": "?"}) + "\n")
    keyed = GATED.replace("(score)", "(score, key)").replace(
        "\n@pytest.mark.evaluation",
        '\n@pytest.mark.parametrize("key", ["sk-for-tests-only"], ids=["a"])\n@pytest.mark.evaluation',
    )
    suite.write("test_qa.py", keyed)
    run = suite.run("--junit-xml=junit.xml", *plugin_args)
    case, gate = junit_of(suite).findall("testcase")
    assert properties_of(case)["pitcheval.example_id"] == run.tests[0]["example_id"] == "sk-for-tests-only"
    assert properties_of(case)["pitcheval.rollout_id"] == run.tests[0]["rollout_id"]
    assert gate.get("name") == f"min_mean {run.tests[0]['test']} [none]"


def test_a_suite_without_evaluation_tests_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        def test_good(record_property):
            record_property("own", 1)

        def test_bad(record_testsuite_property):
            record_testsuite_property("ARCH", "PPC")
            assert not "bad"

        @pytest.mark.skip
        def test_skipped(): pass
        """
    )
    written = []
    for arguments in ((), ("-p", "no:pitcheval")):
        result = pytester.runpytest_inprocess("--junit-xml=junit.xml", "--tb=short", *LEGACY, *arguments)
        result.assert_outcomes(passed=1, failed=1, skipped=1)
        text = (pytester.path / "junit.xml").read_bytes()
        written.append(re.sub(rb'(time|timestamp)="[^"]*"', rb'\1=""', text))
    assert written[0] == written[1]
    assert b"pitcheval" not in written[0]


def test_nothing_is_added_where_no_evaluation_was_run(suite: Suite) -> None:
    suite.add("test_qa.py", "\n\ndef test_plain():\n    pass\n")
    suite.run("--junit-xml=junit.xml", "-k", "plain").result.assert_outcomes(passed=1)
    assert b"pitcheval" not in (suite.path / "junit.xml").read_bytes()


@pytest.mark.parametrize("arguments", ["-p no:xdist", "-n0"])  # pytest itself loses them under xdist
def test_properties_of_the_user_survive(suite: Suite, arguments: str) -> None:
    suite.add(
        "test_qa.py",
        """

def test_own(record_testsuite_property, record_property):
    record_testsuite_property("ARCH", "PPC")
    record_property("own", 1)


@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_both(score, record_property):
    record_property("own", 2)
""",
    )
    suite.run("--junit-xml=junit.xml", *LEGACY, *arguments.split()).result.assert_outcomes(passed=7)
    junit = junit_of(suite, legacy=True)
    assert len(junit.findall("properties")) == 1
    assert properties_of(junit)["ARCH"] == "PPC"
    assert properties_of(junit)["pitcheval.examples"] == "6"
    cases = cases_of(junit)
    assert properties_of(cases["test_own"]) == {"own": "1"}
    both = properties_of(cases["test_both[e0]"])
    assert (both["own"], both["pitcheval.score"]) == ("2", "0.75")


def test_a_test_that_crashed_its_worker(suite: Suite) -> None:
    dying = TEST.replace("(score)", "(score, example)").replace(
        "    assert", "    if '1' in example.question:\n        os._exit(1)\n    assert"
    )
    suite.write("test_qa.py", "import os\n" + dying)
    run = suite.run("-n2", "--junit-xml=junit.xml")
    run.result.assert_outcomes(passed=2, failed=1)
    junit = junit_of(suite)
    assert counts_of(junit) == {"tests": 3, "failures": 0, "errors": 1, "skipped": 0}
    cases = cases_of(junit)
    assert [name for name, case in cases.items() if not properties_of(case)] == ["test_qa[e1]"]
    assert cases["test_qa[e1]"].find("error") is not None
    assert properties_of(junit)["pitcheval.examples"] == "2"


DIES_IN_COMPANY = """
import os
import pathlib
import threading

class Dying(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        met = pathlib.Path("met")
        if question == "question 0?" and not met.exists():
            met.touch()
            threading.Event().wait()
        while question == "question 2?":
            if met.exists():
                os._exit(1)
        return self.ask(question=question)


@pytest.fixture(scope="session")
def program():
    return Dying()
"""


def test_a_test_that_is_run_again_as_another_crashed_the_worker(suite: Suite) -> None:
    suite.add("conftest.py", DIES_IN_COMPANY)
    suite.rows(4)
    run = suite.run("-n1", "--junit-xml=junit.xml")
    assert run.result.parseoutcomes() == {"passed": 3, "failed": 1, "rerun": 1}
    junit = junit_of(suite)
    assert counts_of(junit) == {"tests": 4, "failures": 0, "errors": 1, "skipped": 0}
    assert {name: case.find("error") is not None for name, case in cases_of(junit).items()} == {
        f"test_qa[e{number}]": number == 2 for number in range(4)
    }


def test_a_stopped_run(suite: Suite) -> None:
    mixed(suite)
    run = suite.run("-x", "--junit-xml=junit.xml")
    run.result.assert_outcomes(passed=1, failed=1)
    junit = junit_of(suite)
    assert list(cases_of(junit)) == ["test_qa[e0]", "test_qa[e1]"]
    assert properties_of(junit)["pitcheval.examples"] == "2"


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("junit.xml", "sub/junit.xml"),
        ("new/junit.xml", "sub/new/junit.xml"),
        ("link/../junit.xml", "sub/junit.xml"),
        ("$PLACE/junit.xml", "place/junit.xml"),
        ("~/junit.xml", "home/junit.xml"),
    ],
)
def test_where_the_file_is(suite: Suite, monkeypatch: pytest.MonkeyPatch, named: str, meant: str) -> None:
    monkeypatch.chdir(suite.pytester.mkdir("sub"))
    (suite.path / "sub" / "link").symlink_to(suite.pytester.mkdir("place"))
    monkeypatch.setenv("PLACE", str(suite.path / "place"))
    monkeypatch.setenv("HOME", str(suite.path / "home"))
    monkeypatch.setenv("USERPROFILE", str(suite.path / "home"))
    run = suite.run("..", f"--junit-xml={named}")
    assert run.result.ret == pytest.ExitCode.OK, run.text
    assert [path.relative_to(suite.path) for path in suite.path.rglob("*.xml")] == [Path(meant)]
    assert properties_of(read_suite(suite.path / meant))["pitcheval.examples"] == "3"


def test_without_pytests_own_plugin(suite: Suite) -> None:
    run = suite.run("-p", "no:junitxml")
    run.result.assert_outcomes(passed=3)
    assert run.result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize("spoil", ["write_text('not XML')", "unlink()"])
def test_a_file_that_cannot_be_amended_is_said(suite: Suite, spoil: str) -> None:
    suite.add(
        "conftest.py",
        f"""

@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    (session.config.rootpath / "junit.xml").{spoil}
""",
    )
    run = suite.run("--junit-xml=junit.xml")
    run.result.assert_outcomes(passed=3)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    [line] = [line for line in run.result.outlines if "could not be amended" in line]
    assert line.startswith(f"the JUnit file {suite.path / 'junit.xml'} could not be amended: ")
    assert "Traceback" not in run.text
    assert len(run.tests) == 3


def test_where_pytest_cannot_write_the_file_the_run_file_is_there(suite: Suite) -> None:
    run = suite.run("--junit-xml=pytest.ini/junit.xml")
    assert run.result.ret != pytest.ExitCode.OK
    assert [test["score"] for test in run.tests] == [0.75] * 3


def test_a_gate_that_failed_counts_although_a_later_hook_ends_pytest(suite: Suite) -> None:
    suite.write("test_qa.py", GATED)
    suite.add("conftest.py", "\n\ndef pytest_sessionfinish(session):\n    pytest.exit('enough')\n")
    assert suite.run("--junit-xml=junit.xml").result.ret == pytest.ExitCode.TESTS_FAILED
