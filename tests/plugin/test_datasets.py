"""Datasets as a user writes them: files, lists and callables, their test IDs, samples, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet
from support.suite import TEST, Run, Suite

ROWS = [{"id": "a", "question": "one?"}, {"id": "b", "question": "two?"}, {"id": "c", "question": "three?"}]


def write_test(suite: Suite, arguments: str, name: str = "test_data.py", before: str = "") -> None:
    """A test of each example that needs no LM, and a test of no example beside it."""
    suite.write(
        name,
        f"import dspy\nimport pytest\n{before}\n\n@pytest.mark.evaluation({arguments})\n"
        "def test_example(example):\n    assert set(example.inputs().keys()) == {'question'}\n\n\n"
        "def test_other():\n    pass\n",
    )


def run_each(suite: Suite, arguments: Mapping[str, str], before: str = "") -> Run:
    """Run ``test_<name>`` with each of the markers' arguments; one run, because each one takes a second."""
    tests = [
        f"@pytest.mark.evaluation({marker})\ndef test_{name}(example):\n"
        "    assert set(example.inputs().keys()) == {'question'}\n"
        for name, marker in arguments.items()
    ]
    suite.write("test_data.py", "\n\n".join([f"import dspy\nimport pytest\n{before}", *tests]))
    return suite.run("test_data.py")


def run_test(suite: Suite, arguments: str, *options: str, before: str = "") -> Run:
    write_test(suite, arguments, before=before)
    return suite.run("test_data.py", *options)


def ids(run: Run) -> list[str]:
    """The example IDs of the run's records."""
    return [test["example_id"] for test in run.tests]


def questions(run: Run) -> list[str]:
    return [test["inputs"]["question"] for test in run.tests]


def the_error(run: Run) -> str:
    """The error of the one test that failed; everything else of the suite passed."""
    run.result.assert_outcomes(failed=1, passed=1)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    [test] = run.tests
    assert test["nodeid"] == "test_data.py::test_example[wrong-marker]"
    assert (test["status"], test["example_id"], test["score"]) == ("failed", None, None)
    error: str = test["error"]
    assert error in run.result.outlines, run.text  # on a line of its own, whole
    assert "Traceback" not in run.text
    return error


class TestSources:
    def test_files(self, suite: Suite) -> None:
        suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))
        suite.write("data.json", json.dumps(ROWS, indent=2))
        suite.write("data.csv", "id,question\na,one?\nb,two?\nc,three?\n")
        parquet.write_table(pyarrow.Table.from_pylist(ROWS), suite.path / "data.parquet")
        run = run_each(
            suite,
            {name: f"'data.{name}', inputs=['question']" for name in ("jsonl", "json", "csv", "parquet")},
        )
        run.result.assert_outcomes(passed=4 * 3)
        assert ids(run) == ["a", "b", "c"] * 4
        assert questions(run) == ["one?", "two?", "three?"] * 4

    def test_python_values(self, suite: Suite) -> None:
        suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))
        arguments = {
            "dicts": "ROWS, inputs=['question']",
            "callable": "lambda: ROWS, inputs=['question']",
            "generator": "(row for row in ROWS), inputs=['question']",
            "generator_function": "generate, inputs=['question']",
            "examples": "[dspy.Example(**row) for row in ROWS], inputs='question'",
            "examples_with_inputs": "[dspy.Example(**row).with_inputs('question') for row in ROWS]",
            "other_inputs": "[dspy.Example(**row).with_inputs('id') for row in ROWS], inputs=['question']",
            "path": "pathlib.Path('data.jsonl'), inputs=('question',)",
        }
        before = f"import pathlib\nROWS = {ROWS!r}\ndef generate():\n    yield from ROWS"
        run = run_each(suite, arguments, before)
        run.result.assert_outcomes(passed=len(arguments) * 3)
        assert ids(run) == ["a", "b", "c"] * len(arguments)
        assert questions(run) == ["one?", "two?", "three?"] * len(arguments)

    def test_a_path_is_relative_to_the_test_file(self, suite: Suite) -> None:
        suite.write("data.jsonl", '{"question": "beside the ini file"}\n')
        suite.write("tests/data/data.jsonl", '{"question": "beside the tests"}\n')
        write_test(suite, "'data/data.jsonl', inputs=['question']", "tests/test_data.py")
        run = suite.run("tests")
        run.result.assert_outcomes(passed=2)
        assert questions(run) == ["beside the tests"]

    def test_a_byte_order_mark_windows_line_ends_and_blank_lines(self, suite: Suite) -> None:
        lines = ["\ufeff" + json.dumps(ROWS[0]), "", json.dumps(ROWS[1]), "   ", ""]
        (suite.path / "data.jsonl").write_bytes("\r\n".join(lines).encode("utf-8"))
        run = run_test(suite, "'data.jsonl', inputs=['question']")
        run.result.assert_outcomes(passed=3)
        assert ids(run) == ["a", "b"]

    def test_many_rows(self, suite: Suite) -> None:
        suite.rows(2000)
        write_test(suite, "'data.jsonl', inputs=['question']")
        result = suite.run("test_data.py", "--collect-only", "-qq").result
        assert result.ret == pytest.ExitCode.OK
        assert result.outlines[:1] == ["test_data.py: 2001"]

    def test_examples_of_a_list_are_not_changed(self, suite: Suite) -> None:
        """``with_inputs`` of the marker is for a copy: another test may name other inputs of the same examples."""
        suite.write(
            "test_data.py",
            """
import dspy
import pytest

EXAMPLES = [dspy.Example(question="?", context="!")]

@pytest.mark.evaluation(EXAMPLES, inputs=["question"])
def test_one(example):
    assert list(example.inputs().keys()) == ["question"]

@pytest.mark.evaluation(EXAMPLES, inputs=["question", "context"])
def test_two(example):
    assert set(example.inputs().keys()) == {"question", "context"}
""",
        )
        suite.run("test_data.py").result.assert_outcomes(passed=2)


COLUMNS = ["base", "items", "keys", "inputs", "labels", "toDict", "copy", "get", "_store", "__class__", "dspy_id", ""]
"""Names that ``dspy.Example`` has for other things."""


class TestColumns:
    def test_each_arrives_whatever_its_name(self, suite: Suite) -> None:
        row = {"question": "?", **{name: f"value of {name}" for name in [*COLUMNS, "self"]}}
        suite.write("data.jsonl", json.dumps(row) + "\n")
        suite.write("data.json", json.dumps({"data": [row]}))
        suite.add(
            "conftest.py",
            f"""
class Echo(dspy.Module):
    def forward(self, **inputs):
        return dspy.Prediction(answer=inputs)


@pytest.fixture(scope="session")
def program():
    return Echo()


@pytest.fixture(scope="session")
def metric():
    def metric(example, pred, trace=None):
        assert example["self"] == "value of self"
        return float(pred.answer == {{name: example[name] for name in {COLUMNS!r}}})

    return metric
""",
        )
        tests = [
            f"@pytest.mark.evaluation('data.{name}', inputs={COLUMNS!r})\ndef test_{name}(score): pass\n"
            for name in ("jsonl", "json")
        ]
        suite.write("test_data.py", "\n".join(["import pytest", *tests]))
        run = suite.run("test_data.py")
        assert [test["score"] for test in run.tests] == [1.0, 1.0], run.text
        assert [len(test["inputs"]) for test in run.tests] == [len(COLUMNS)] * 2

    def test_an_example_that_cannot_be_copied_costs_its_own_test(self, suite: Suite) -> None:
        suite.write("test_qa.py", UNCOPIED)
        run = suite.run()
        assert [test["status"] for test in run.tests] == ["passed", "passed", "error", "passed"]
        assert run.tests[2]["error"] == "TypeError: this one is not copied"


UNCOPIED = """
import dspy
import pytest


class Alone(dspy.Example):
    def with_inputs(self, *keys):
        raise TypeError("this one is not copied")


EXAMPLES = [dspy.Example(question=f"{n}?").with_inputs("question") for n in range(4)]
EXAMPLES[2] = Alone(question="2?")


@pytest.mark.evaluation(EXAMPLES, inputs=["question"])
def test_qa(score):
    assert score
"""


class TestIds:
    def test_from_the_row_or_its_position(self, suite: Suite) -> None:
        own: dict[str, list[Any]] = {
            "positions": [None, None],
            "numbers": [7, 0],
            "letters": ["caf\u00e9", "a b"],
            "signs": ["a::b", "x[y]/z"],
        }
        for name, found in own.items():
            rows = [{"question": "?", **({} if one is None else {"id": one})} for one in found]
            suite.write(f"{name}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        run = run_each(suite, {name: f"'{name}.jsonl', inputs=['question']" for name in own})
        run.result.assert_outcomes(passed=8)
        assert ids(run) == ["0", "1", "7", "0", "caf\u00e9", "a b", "a::b", "x[y]/z"]
        assert [test["nodeid"].removeprefix("test_data.py::") for test in run.tests] == [
            "test_positions[0]",
            "test_positions[1]",
            "test_numbers[7]",
            "test_numbers[0]",
            r"test_letters[caf\xe9]",
            "test_letters[a b]",
            "test_signs[a::b]",
            "test_signs[x[y]/z]",
        ]
        assert {test["test"] for test in run.tests} == {f"test_data.py::test_{name}" for name in own}

    def test_are_the_same_in_all_workers(self, suite: Suite) -> None:
        suite.write("data.jsonl", '{"question": 1}\n{"question": 2, "id": "caf\u00e9"}\n{"question": 3, "id": 7}\n')
        run = run_test(suite, "'data.jsonl', inputs=['question'], limit=3", "-n2")
        run.result.assert_outcomes(passed=4)
        assert ids(run) == ["0", "caf\u00e9", "7"]


class TestSamples:
    def test_a_limit_takes_the_first(self, suite: Suite) -> None:
        suite.rows(5)
        run = run_test(suite, "'data.jsonl', inputs=['question'], limit=2")
        assert ids(run) == ["e0", "e1"]

    def test_a_limit_beyond_the_end(self, suite: Suite) -> None:
        run = run_test(suite, "'data.jsonl', inputs=['question'], limit=9")
        assert ids(run) == ["e0", "e1", "e2"]

    def test_a_sample_is_drawn_with_the_seed_and_keeps_the_order(self, suite: Suite) -> None:
        suite.rows(30)
        arguments = "'data.jsonl', inputs=['question']"
        first, second, workers, other = (
            run_test(suite, arguments, "--test-size=5", *options)
            for options in ((), ("--eval-seed=0",), ("-n2",), ("--eval-seed=1",))
        )
        assert len(ids(first)) == 5
        assert ids(first) == sorted(ids(first), key=lambda one: int(one[1:]))
        assert ids(first) == ids(second) == ids(workers) != ids(other)
        assert first.document is not None
        assert other.document is not None
        assert [(run["seed"], run["test_size"]) for run in (first.document["run"], other.document["run"])] == [
            (0, 5),
            (1, 5),
        ]

    def test_a_sample_of_what_the_limit_leaves(self, suite: Suite) -> None:
        suite.rows(30)
        run = run_test(suite, "'data.jsonl', inputs=['question'], limit=6", "--test-size=4")
        assert len(ids(run)) == 4
        assert set(ids(run)) < {f"e{n}" for n in range(6)}

    def test_a_sample_larger_than_the_dataset_is_all_of_it(self, suite: Suite) -> None:
        run = run_test(suite, "'data.jsonl', inputs=['question']", "--test-size=100")
        assert ids(run) == ["e0", "e1", "e2"]

    def test_a_position_as_id_is_that_in_the_file(self, suite: Suite) -> None:
        suite.write("data.jsonl", "".join(json.dumps({"question": n}) + "\n" for n in range(30)))
        run = run_test(suite, "'data.jsonl', inputs=['question']", "--test-size=5")
        assert ids(run) == [str(question) for question in questions(run)]


FILES: dict[str, tuple[str | bytes, str]] = {
    "suffix.yaml": ("[]", ": expected a file that ends in .jsonl, .json, .csv, .parquet"),
    "empty.jsonl": ("", ": no examples in it"),
    "line.jsonl": (
        '{"question": 1}\n{"question": 2\n',
        ":2:15: not JSON: Expecting ',' delimiter; expected one object a line",
    ),
    "object.json": (
        '{"question": 1}',
        ":1: expected a JSON array of examples, an object with one such array in it, or one object a line",
    ),
    "list.jsonl": ('{"question": 1}\n\n[2]\n', ":3: list found; expected an object with the example's fields"),
    "field.csv": (
        "id,answer\na,1\n",
        ":2: no field 'question', which the evaluation marker names in inputs; its fields are 'id', 'answer'",
    ),
    "twice.jsonl": (
        '{"id": 1, "question": 1}\n{"id": "1", "question": 2}\n',
        ":2: the id '1' stands at twice.jsonl:1 already",
    ),
    "few.csv": ("id,question\na\n", ":2: expected 2 columns, not 1"),
    "many.csv": ("id,question\na,1\nb,2,3\n", ":3: expected 2 columns, not 3"),
    "latin.jsonl": (b'{"question": "\xff"}\n', ":1:15: not UTF-8 text: invalid start byte"),
}
"""Wrong files: what is in them, and the error after their name."""

VALUES = {
    "3, inputs=['question']": ("evaluation marker: dataset=3: expected a path, a list of dspy.Example or a callable"),
    "[], inputs=['question']": "dataset: no examples in it",
    "[3], inputs=['question']": "dataset[0]: int found; expected an object with the example's fields",
    "[{'q': 1}], inputs=['question']": (
        "dataset[0]: no field 'question', which the evaluation marker names in inputs; its fields are 'q'"
    ),
    "[dspy.Example(question='?')]": "dataset[0]: the evaluation marker has no inputs=[...], nor has the example",
}
"""Arguments of the marker, and the error."""


class TestErrors:
    def test_a_malformed_line_costs_its_test_and_no_other(self, suite: Suite) -> None:
        """Nothing of that dataset is asked: it must be mended anyway, and a part of it would not be what it is."""
        suite.rows(2)
        suite.write("broken.jsonl", '{"question": "first?"}\n{"question": }\n{"question": "third?"}\n')
        suite.add("test_qa.py", TEST.replace("data.jsonl", "broken.jsonl").replace("test_qa", "test_broken"))
        run = suite.run("--eval-min-mean=0.5")
        run.result.assert_outcomes(passed=2, failed=1)
        assert run.result.ret == pytest.ExitCode.TESTS_FAILED
        assert run.text.count("\nbroken.jsonl:2:14: not JSON: Expecting value; expected one object a line\n") == 1
        assert len(run.requests) == 4
        assert run.document is not None
        assert [gate["status"] for gate in run.document["gates"]] == ["passed", "failed"]

    def test_each_is_one_failed_test_with_one_line(self, suite: Suite) -> None:
        for name, (content, _) in FILES.items():
            (suite.path / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        arguments = {f"file{n}": f"{name!r}, inputs=['question']" for n, name in enumerate(FILES)}
        arguments |= {f"value{n}": value for n, value in enumerate(VALUES)}
        errors = [*(f"{name}{error}" for name, (_, error) in FILES.items()), *VALUES.values()]
        run = run_each(suite, arguments)
        run.result.assert_outcomes(failed=len(errors))
        assert run.result.ret == pytest.ExitCode.TESTS_FAILED
        assert [test["error"] for test in run.tests] == errors
        assert [test["nodeid"] for test in run.tests] == [
            f"test_data.py::test_{name}[wrong-marker]" for name in arguments
        ]
        assert all((test["status"], test["score"]) == ("failed", None) for test in run.tests)
        assert set(errors) <= set(run.result.outlines)  # each whole on a line of its own
        assert "Traceback" not in run.text

    def test_a_missing_file(self, suite: Suite, plugin_args: tuple[str, ...]) -> None:
        run = run_test(suite, "'missing.jsonl', inputs=['question']", *plugin_args)
        error = "missing.jsonl: no such file (a dataset's path is relative to its test file)"
        assert the_error(run) == error

    def test_a_file_of_a_subfolder_is_named_as_seen_from_where_pytest_runs(self, suite: Suite) -> None:
        suite.write("tests/data.jsonl", "\n3\n")
        write_test(suite, "'data.jsonl', inputs=['question']", "tests/test_data.py")
        run = suite.run("tests")
        run.result.assert_outcomes(failed=1, passed=1)
        assert run.tests[0]["error"].startswith("tests/data.jsonl:2: ")

    def test_parquet_without_pyarrow(self, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
        parquet.write_table(pyarrow.Table.from_pylist(ROWS), suite.path / "data.parquet")
        suite.write("conftest.py", "import sys\n\nsys.modules['pyarrow'] = None\n")
        error = the_error(run_test(suite, "'data.parquet', inputs=['question']"))
        assert error == (
            "data.parquet: reading Parquet needs pyarrow: python -m pip install 'pytest-pitcheval[parquet]'"
        )

    def test_a_callable_that_raises(self, suite: Suite) -> None:
        """It is code of the user's own: its exception is named, and where it was raised."""
        before = "def load_examples():\n    raise LookupError('the table is gone')"
        run = run_test(suite, "load_examples, inputs=['question']", before=before)
        run.result.assert_outcomes(failed=1, passed=1)
        error = "evaluation marker: dataset=load_examples: it raised LookupError: the table is gone"
        assert run.tests[0]["error"] == error
        assert error in run.result.outlines
        run.result.stdout.fnmatch_lines(['  File "*test_data.py", line 4, in load_examples'])
        assert "site-packages" not in run.text

    def test_nothing_is_compiled_for_a_wrong_dataset(self, suite: Suite) -> None:
        suite.write("data.jsonl", "3\n")
        run = suite.run("--optimization=bootstrap")
        run.result.assert_outcomes(failed=1)
        assert run.requests == []

    def test_several_methods_make_no_more_failures(self, suite: Suite) -> None:
        suite.write("data.jsonl", "3\n")
        run = suite.run("--optimization=none,bootstrap")
        run.result.assert_outcomes(failed=1)
        assert run.result.outlines.count("data.jsonl:1: int found; expected an object with the example's fields") == 1

    def test_a_skipped_test_is_skipped(self, suite: Suite) -> None:
        """``skipif`` the data is not there is what a marker is made for."""
        suite.write(
            "test_data.py",
            """
import pytest

@pytest.mark.skip(reason="no data here")
@pytest.mark.evaluation("missing.jsonl", inputs=["question"])
def test_example(example):
    pass
""",
        )
        suite.run("test_data.py").result.assert_outcomes(skipped=1)


class TestPlaces:
    """Where else the marker may stand."""

    def test_beside_parameters_of_the_users_own(self, suite: Suite) -> None:
        """A summary for each combination, in the test's name."""
        suite.write(
            "test_data.py",
            """
import pytest

@pytest.mark.parametrize("options", [{"a": 1}, {"a": 2}])
@pytest.mark.parametrize("style", ["short", "long"])
@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_style(example, style, options, record_score):
    record_score({"short": 0.25, "long": 0.5}[style] * options["a"])
""",
        )
        run = suite.run("test_data.py")
        run.result.assert_outcomes(passed=12)
        assert run.document is not None
        assert {(one["test"].partition("::")[2], one["examples"], one["mean"]) for one in run.document["summary"]} == {
            ("test_style[short-options0]", 3, 0.25),
            ("test_style[short-options1]", 3, 0.5),
            ("test_style[long-options0]", 3, 0.5),
            ("test_style[long-options1]", 3, 1.0),
        }
        assert sorted(set(ids(run))) == ["e0", "e1", "e2"]

    def test_on_a_class(self, suite: Suite) -> None:
        suite.write(
            "test_data.py",
            """
import pytest

@pytest.mark.evaluation("data.jsonl", inputs=["question"])
class TestQuestions:
    def test_one(self, example):
        assert example.question

    @pytest.mark.evaluation("data.jsonl", inputs=["question"], limit=1)
    def test_two(self, example):
        assert example.question
""",
        )
        run = suite.run("test_data.py")
        run.result.assert_outcomes(passed=4)
        assert [test["nodeid"].rpartition("::")[2] for test in run.tests] == [
            "test_one[e0]",
            "test_one[e1]",
            "test_one[e2]",
            "test_two[e0]",
        ]

    def test_on_a_module(self, suite: Suite) -> None:
        suite.write(
            "test_data.py",
            """
import pytest

pytestmark = pytest.mark.evaluation("data.jsonl", inputs=["question"])

def test_one(example):
    assert example.question

def test_two(example):
    assert example.question
""",
        )
        suite.run("test_data.py").result.assert_outcomes(passed=6)


SHUFFLED = """
import os

import dspy
import pytest


def in_another_order():
    rows = [dspy.Example(question=f"question {n}?").with_inputs("question") for n in range(6)]
    return rows[:: -1 if os.environ.get("PYTEST_XDIST_WORKER") == "gw1" else 1]


@pytest.mark.evaluation(in_another_order, inputs=["question"])
def test_qa(score):
    pass
"""


def test_a_dataset_in_another_order_in_another_worker_ends_the_session_in_one_line(suite: Suite) -> None:
    """Its tests have the same IDs everywhere: some rows would be run twice, others never."""
    suite.write("test_qa.py", SHUFFLED)
    run = suite.run("-n2", "--dist=load")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    run.result.stdout.fnmatch_lines(["*test_qa.py::test_qa: its dataset has another order in another worker; *"])
    assert run.requests == []
    suite.run().result.assert_outcomes(passed=6)
