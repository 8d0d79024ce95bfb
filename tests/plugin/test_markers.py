"""The markers as a user writes them, right and wrong."""

from __future__ import annotations

import sys

import pytest
from support.suite import Suite

EXPECTED = "expected evaluation(dataset, *, inputs, "
DID_YOU_MEAN = ", did you mean 'threshold'" if sys.version_info >= (3, 13) else ""
WRONG = {
    'evaluation("data.jsonl", inputs=["question"], treshold=0.5)': (
        f"evaluation marker: got an unexpected keyword argument 'treshold'{DID_YOU_MEAN}; {EXPECTED}"
    ),
    'evaluation(inputs=["question"])': (
        "evaluation marker: missing 1 required positional argument: 'dataset'; " + EXPECTED
    ),
    'evaluation("data.jsonl", ["question"])': (
        "evaluation marker: takes one positional argument, the dataset, but 2 were given; " + EXPECTED
    ),
    'evaluation("data.jsonl", inputs=["question"], threshold="high")': (
        "evaluation marker: threshold='high': expected a number, 0 or more"
    ),
    'evaluation("data.jsonl", inputs=["question"], threshold=float("nan"))': (
        "evaluation marker: threshold=nan: expected a number, 0 or more"
    ),
    'evaluation("data.jsonl", inputs=["question"], rollouts=0)': (
        "evaluation marker: rollouts=0: expected a whole number, 1 or more"
    ),
    'evaluation("data.jsonl", inputs=["question"], limit=-1)': (
        "evaluation marker: limit=-1: expected a whole number, 1 or more"
    ),
    'evaluation("data.jsonl", inputs=["question"], min_pass_rate="all")': (
        "evaluation marker: min_pass_rate='all': expected a number, 0 or more"
    ),
    'evaluation("data.jsonl", inputs=3)': "evaluation marker: inputs=3: expected a list of field names",
    "evaluation": "evaluation marker: missing 1 required positional argument: 'dataset'; " + EXPECTED,
    "optimization()": "optimization marker: (): expected one method name",
    "optimization(3)": "optimization marker: (3,): expected one method name",
    'optimization("knn", "copro")': "optimization marker: ('knn', 'copro'): expected one method name",
    'optimization("bootstrapp")': "optimization marker: 'bootstrapp': expected one of none, labeled, bootstrap, ",
}
"""Markers, and how the one line begins that tells what is wrong with them."""

RIGHT = '@pytest.mark.evaluation("data.jsonl", inputs=["question"])\n'


def write_tests(suite: Suite, markers: list[str], body: str = "def test_{n}(score):\n    pass\n") -> None:
    """A test for each marker, those of an optimization with a dataset beside it, and one that is not ours."""
    tests = [
        f"@pytest.mark.{marker}\n{RIGHT if marker.startswith('optimization') else ''}{body.format(n=n)}"
        for n, marker in enumerate(markers)
    ]
    suite.write("test_qa.py", "\n\n".join(["import pytest", *tests, "def test_other():\n    pass\n"]))


def test_wrong_markers_are_one_failed_test_with_one_line_each(suite: Suite) -> None:
    write_tests(suite, list(WRONG))
    run = suite.run("--strict-markers")
    run.result.assert_outcomes(failed=len(WRONG), passed=1)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.requests == []
    assert [test["nodeid"] for test in run.tests] == [f"test_qa.py::test_{n}[wrong-marker]" for n in range(len(WRONG))]
    for line, test in zip(WRONG.values(), run.tests, strict=True):
        assert test["status"] == "failed"
        assert test["error"].startswith(line)
    shown = [line for line in run.result.outlines if line.startswith(("evaluation marker: ", "optimization marker: "))]
    assert shown == [test["error"] for test in run.tests]  # whole, and each once
    assert "Traceback" not in run.text


def test_of_a_test_with_other_fixtures_the_marker_is_told_first(suite: Suite) -> None:
    """Neither an undefined program nor a compilation comes before it."""
    suite.write("conftest.py", "")
    for body in ("def test_{n}(example, prediction):\n    pass\n", "def test_{n}(compiled_program):\n    pass\n"):
        write_tests(suite, ["optimization(3)"], body)
        if "example" not in body:
            suite.write("test_qa.py", (suite.path / "test_qa.py").read_text(encoding="utf-8").replace(RIGHT, ""))
        run = suite.run()
        run.result.assert_outcomes(failed=1, passed=1)
        assert run.tests[0]["error"] == "optimization marker: (3,): expected one method name"


@pytest.mark.parametrize("marker", ["evaluation('data.jsonl', inputs=3)", "optimization('bootstrapp')"])
def test_a_wrong_marker_with_workers(suite: Suite, marker: str) -> None:
    write_tests(suite, [marker])
    run = suite.run("-n2")
    run.result.assert_outcomes(failed=1, passed=1)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    [line] = [one for one in run.result.outlines if one.startswith(run.tests[0]["error"])]
    assert line.startswith(marker.partition("(")[0] + " marker: ")


def test_an_evaluation_that_asks_for_no_example(suite: Suite) -> None:
    write_tests(suite, ["evaluation('data.jsonl', inputs=['question'])"], "def test_{n}():\n    pass\n")
    run = suite.run()
    run.result.assert_outcomes(failed=1, passed=1)
    assert "evaluation marker: the test asks for none of example, prediction and score" in run.result.outlines


def test_an_example_without_an_evaluation(suite: Suite) -> None:
    suite.write("test_qa.py", "def test_qa(example):\n    pass\n")
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    line = "example: expected an evaluation marker on the test, which says where examples are"
    assert line in run.result.outlines


def test_pytest_lists_both(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--markers")
    result.stdout.fnmatch_lines(
        ["@pytest.mark.evaluation(dataset, [*], inputs, *", "@pytest.mark.optimization(method, [*][*]settings): *"]
    )


def test_strict_markers_know_both(suite: Suite) -> None:
    suite.write(
        "test_qa.py",
        f'import pytest\n\n@pytest.mark.optimization("none")\n{RIGHT}def test_qa(example):\n    pass\n',
    )
    suite.run("--strict-markers").result.assert_outcomes(passed=3)


def test_several_methods_are_a_test_each(suite: Suite) -> None:
    """In the order in which they stand in the file."""
    suite.write(
        "test_qa.py",
        '\nimport pytest\n\n@pytest.mark.optimization("none")\n@pytest.mark.optimization("labeled", k=2)\n'
        f"{RIGHT}def test_qa(example, optimization):\n"
        '    assert dict(optimization.settings) == ({"k": 2} if str(optimization) == "labeled" else {})\n',
    )
    run = suite.run()
    run.result.assert_outcomes(passed=6)
    assert [(test["nodeid"].partition("[")[2], test["optimization"]) for test in run.tests] == [
        (f"{method}-e{n}]", method) for method in ("none", "labeled") for n in range(3)
    ]
    alone = suite.run("--optimization=labeled")
    alone.result.assert_outcomes(passed=3)
    assert [test["nodeid"].partition("[")[2] for test in alone.tests] == ["e0]", "e1]", "e2]"]
    assert {test["optimization"] for test in alone.tests} == {"labeled"}
