"""Datasets into rows, and samples of them."""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from pytest_pitcheval.collection.rows import Row, load_rows, moved, places_of, sample
from pytest_pitcheval.errors import MarkerError

few = settings(max_examples=30, deadline=None, database=None)

INPUTS = ("question",)
NO_FIELD = "no field 'question', which the evaluation marker names in inputs; its fields are "
NO_OBJECT = "found; expected an object with the example's fields"
NO_ROWS = "expected a JSON array of examples, an object with one such array in it, or one object a line"
A_LINE = "; expected one object a line"
CUT = "not UTF-16-LE text: truncated data"
GZIP_ENDS = "a.csv.gz: not gzip: Compressed file ended before the end-of-stream marker was reached"
UNFINISHED = "Expecting property name enclosed in double quotes"
TRAILING = "1:17: not JSON: Illegal trailing comma before end of array"
if sys.version_info < (3, 13):
    TRAILING = "2:1: not JSON: Expecting value"
NO_SET = "dataset is a set, which has another order in each process; expected a list"
NO_DATASET = "expected a path, a list of dspy.Example or a callable"


class Example:
    """Has what is used of ``dspy.Example``."""

    def __init__(self, *inputs: str, **fields: Any) -> None:
        self._inputs, self._fields = inputs, fields

    def toDict(self) -> dict[str, Any]:
        return self._fields

    def inputs(self) -> dict[str, Any]:
        if not self._inputs:
            raise ValueError("Inputs have not been set for this example.")
        return {name: self._fields[name] for name in self._inputs}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Row]]:
    """Loads a file with the given content; places in errors are relative to its folder."""
    monkeypatch.chdir(tmp_path)

    def load(name: str, content: str | bytes, inputs: tuple[str, ...] = INPUTS) -> list[Row]:
        path = tmp_path / name
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return load_rows(name, inputs, tmp_path)

    return load


def values(rows: list[Row]) -> list[dict[str, Any]]:
    return [dict(row.values) for row in rows]


BOTH = [{"id": "a", "question": "1?"}, {"id": "b", "question": "2?"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"id": "a", "question": "1?"}\n{"id": "b", "question": "2?"}\n'),
        ("a.jsonl", '{"id": "a", "question": "1?"}\n{"id": "b", "question": "2?"}'),
        ("a.jsonl", '\r\n{"id": "a", "question": "1?"}\r\n\r\n  \r\n{"id": "b", "question": "2?"}\r\n\r\n'),
        ("a.jsonl", '\ufeff{"id": "a", "question": "1?"}\n{"id": "b", "question": "2?"}\n'),
        ("A.JSONL", '{"id": "a", "question": "1?"}\n{"id": "b", "question": "2?"}\n'),
        ("a.json", json.dumps(BOTH)),
        ("a.json", "\ufeff\n" + json.dumps(BOTH, indent=4) + "\n"),
        ("a.csv", "id,question\na,1?\nb,2?\n"),
        ("a.csv", "\ufeffid,question\r\na,1?\r\n\r\nb,2?\r\n"),
        ("a.csv", 'id,question\na,"1?"\nb,"2?"'),
        ("a.json", '{"id": "a", "question": "1?"}\n{"id": "b", "question": "2?"}\n'),
        (
            "a.json",
            '{"version": 1, "empty": [], "data": [{"id": "a", "question": "1?"},\n{"id": "b", "question": "2?"}]}',
        ),
        ("a.jsonl", json.dumps(BOTH, indent=4)),
        ("a.jsonl", '{"id": "a", "question": "1?"}\r\n{"id": "b", "question": "2?"}'.encode("utf-16")),
        ("a.csv", "\ufeffid,question\r\na,1?\r\nb,2?\r\n".encode("utf-16-be")),
        ("a.jsonl.gz", gzip.compress(b'{"id": "a", "question": "1?"}\n{"id": "b", "question": "2?"}\n', mtime=0)),
        ("a.CSV.GZ", gzip.compress(b"id,question\na,1?\nb,2?\n", mtime=0)),
    ],
)
def test_reads_a_file(load: Callable[..., list[Row]], name: str, content: str | bytes) -> None:
    rows = load(name, content)
    assert values(rows) == BOTH
    assert [(row.id, row.inputs) for row in rows] == [("a", INPUTS), ("b", INPUTS)]


def test_reads_parquet(tmp_path: Path) -> None:
    parquet.write_table(pyarrow.Table.from_pylist(BOTH), tmp_path / "a.parquet")
    assert values(load_rows(Path("a.parquet"), INPUTS, tmp_path)) == BOTH


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b", "\x0c", "\x1c"])
def test_only_line_ends_end_a_line(load: Callable[..., list[Row]], separator: str) -> None:
    question = f"one{separator}two?"
    [row] = load("a.jsonl", json.dumps({"question": question}, ensure_ascii=False))
    assert row.values["question"] == question
    [row] = load("a.csv", f"question\n{question}\n")
    assert row.values["question"] == question


def test_a_quoted_cell_keeps_its_line_ends(load: Callable[..., list[Row]]) -> None:
    [row] = load("a.csv", 'question\r\n"one\r\ntwo, ""three"""\r\n')
    assert row.values["question"] == 'one\r\ntwo, "three"'


@pytest.mark.parametrize(
    ("own", "ids"),
    [
        ([None, None], ["0", "1"]),
        (["", "x"], ["0", "x"]),
        ([7, 0], ["7", "0"]),
        ([1.5, "caf\u00e9"], ["1.5", "caf\u00e9"]),
        (["a::b[c]", "a b"], ["a::b[c]", "a b"]),
    ],
)
def test_ids(load: Callable[..., list[Row]], own: list[Any], ids: list[str]) -> None:
    lines = [json.dumps({"question": "?", **({} if one is None else {"id": one})}) for one in own]
    assert [row.id for row in load("a.jsonl", "\n".join(lines))] == ids


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", "", "a.jsonl: no examples in it"),
        ("a.jsonl", "\n \n", "a.jsonl: no examples in it"),
        ("a.json", "[]", "a.json: no examples in it"),
        ("a.csv", "", "a.csv: no examples in it"),
        ("a.csv", "id,question\n", "a.csv: no examples in it"),
        ("a.txt", "?", "a.txt: expected a file that ends in .jsonl, .json, .csv, .parquet"),
        ("a", "?", "a: expected a file that ends in .jsonl, .json, .csv, .parquet"),
        ("a.jsonl", '{"question": 1}\n\n{"question": \n', f"a.jsonl:3:13: not JSON: Expecting value{A_LINE}"),
        ("a.jsonl", '{"question": 1\n{"question": 2}\n', f"a.jsonl:1:15: not JSON: Expecting ',' delimiter{A_LINE}"),
        ("a.jsonl", '{"question": 1} {"question": 2}\n', f"a.jsonl:1:17: not JSON: Extra data{A_LINE}"),
        ("a.jsonl", '{"question": 1}\n["question"]\n', f"a.jsonl:2: list {NO_OBJECT}"),
        ("a.jsonl", '"question"', f"a.jsonl:1: str {NO_OBJECT}"),
        ("a.json", "{}", f"a.json:1: {NO_ROWS}"),
        ("a.json", '"[]"', f"a.json:1: {NO_ROWS}"),
        ("a.json", '[\n{"question": 1},\n{"question" 2}]', "a.json:3:13: not JSON: Expecting ':' delimiter"),
        ("a.json", '[{"question": 1},\n\n3]', f"a.json:3: int {NO_OBJECT}"),
        ("a.json", '[\n{"id": "[",\n"question": 1},\n{\n"id": 2}]', f"a.json:4: {NO_FIELD}'id'"),
        ("a.jsonl", '{"question": 1}\n{"answer": 1}', f"a.jsonl:2: {NO_FIELD}'answer'"),
        ("a.csv", "id,answer\na,1\n", f"a.csv:2: {NO_FIELD}'id', 'answer'"),
        ("a.csv", "id,question\na\n", "a.csv:2: expected 2 columns, not 1"),
        ("a.csv", "id,question\na,1?\nb,2?,3?\n", "a.csv:3: expected 2 columns, not 3"),
        ("a.csv", "id,question\n\n\na\n", "a.csv:4: expected 2 columns, not 1"),
        ("a.csv", 'id,question\na,"1?"b\n', "a.csv:2: not CSV: ',' expected after '\"'"),
        ("a.csv", 'id,question\na,"1?', "a.csv:2: not CSV: unexpected end of data"),
        ("a.jsonl", '{"id": "a", "question": 1}\n' * 2, "a.jsonl:2: the id 'a' stands at a.jsonl:1 already"),
        ("a.csv", "id,question\na,1\nb,2\na,3\n", "a.csv:4: the id 'a' stands at a.csv:2 already"),
        ("a.jsonl", '{"id": 1, "question": 1}\n{"question": 2}', "a.jsonl:2: the id '1' stands at a.jsonl:1 already"),
        ("a.jsonl", b'{"question": 1}\n"caf\xe9"\n', "a.jsonl:2:5: not UTF-8 text: invalid continuation byte"),
        ("a.csv", b"question\n1\ncaf\xe9\n", "a.csv:3:4: not UTF-8 text: invalid continuation byte"),
        ("a.json", '{"a": [{"question": 1}], "b": [{"question": 1}]}', f"a.json:1: {NO_ROWS}"),
        ("a.json", '{"rows":\n [{"question": 1},\n  {"answer": 2}]}', f"a.json:3: {NO_FIELD}'answer'"),
        ("a.json", '[{"question": 1},\n]', f"a.json:{TRAILING}"),
        (
            "a.jsonl",
            '{"question": 1}\n{"question": 1, "x": 0, "question": 2}\n',
            "a.jsonl:2: the field 'question' stands there twice in one object",
        ),
        (
            "a.json",
            '[\n{"question": 1, "x": {"y": 1, "y": 2}}]',
            "a.json: the field 'y' stands there twice in one object",
        ),
        ("a.jsonl", '{\n"question": 1}\n', f"a.jsonl:1:2: not JSON: {UNFINISHED}{A_LINE}"),
        ("a.csv", "id;question\na;1\n", f"a.csv:2: {NO_FIELD}'id;question'"),
        ("a.csv", "question,id,question\n1,a,2\n", "a.csv:1: the column 'question' stands there twice"),
        ("a.jsonl", '{"question": 1}\n{"qu\xe9": 1}'.encode("utf-16")[:-1], f"a.jsonl:2:10: {CUT}"),
        ("a.csv.gz", gzip.compress(b"id,question\na,1?\n", mtime=0)[:-9], GZIP_ENDS),
        ("a.json", b'["\xff"]', "a.json:1:3: not UTF-8 text: invalid start byte"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used(
    load: Callable[..., list[Row]], name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(MarkerError) as raised:
        load(name, content)
    assert str(raised.value) == message


def test_a_cell_has_no_limit(load: Callable[..., list[Row]]) -> None:
    """Retrieved documents are longer than the csv module's own limit, which other code may rely on."""
    before = csv.field_size_limit()
    [row] = load("a.csv", f'question\n"{"x" * 200_000}"\n')
    assert len(row.values["question"]) == 200_000
    assert csv.field_size_limit() == before


def test_an_example_that_cannot_be_read_is_one_line() -> None:
    class Broken(Example):
        def toDict(self) -> dict[str, Any]:
            raise LookupError("gone")

    with pytest.raises(MarkerError, match=r"^dataset\[1\]: its toDict\(\) raised LookupError: gone$"):
        load_rows([Example("question", question=1), Broken()], INPUTS, Path())


def test_what_dspy_adds_to_examples_is_no_field() -> None:
    """``dspy.datasets`` puts a new random ID into each example of each process."""
    [row] = load_rows([Example("question", question=1, dspy_uuid="6f1c", dspy_split="train")], (), Path())
    assert dict(row.values) == {"question": 1}
    [row] = load_rows([{"question": 1, "dspy_uuid": "6f1c"}], INPUTS, Path())
    assert dict(row.values) == {"question": 1, "dspy_uuid": "6f1c"}


def test_the_line_of_a_byte_far_down_in_a_file(load: Callable[..., list[Row]]) -> None:
    good = "".join(json.dumps({"id": n, "question": "x" * 100}) + "\n" for n in range(1000)).encode()
    with pytest.raises(MarkerError, match=r"^a\.jsonl:1001:\d+: not UTF-8"):
        load("a.jsonl", good + b'{"question": "\xff"}\n')


def test_a_file_that_is_nested_too_deep(load: Callable[..., list[Row]]) -> None:
    with pytest.raises(MarkerError, match=r"^a\.jsonl:1: not JSON: "):
        load("a.jsonl", "[" * 100_000)


def test_a_file_that_is_not_parquet(load: Callable[..., list[Row]]) -> None:
    with pytest.raises(MarkerError, match=r"^a\.parquet: not Parquet: .*$"):
        load("a.parquet", "question\n1?\n")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing.jsonl", "no such file (a dataset's path is relative to its test file)"),
        ("folder.jsonl", "expected a file, not a folder"),
    ],
)
def test_no_such_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, problem: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(MarkerError) as raised:
        load_rows(name, INPUTS, tmp_path)
    assert str(raised.value) == f"{name}: {problem}"


def test_places_are_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.jsonl").write_text("3", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MarkerError) as raised:
        load_rows("a.jsonl", INPUTS, tmp_path / "tests")
    assert str(raised.value).startswith(f"{os.path.join('tests', 'a.jsonl')}:1: ")


def generate() -> Iterator[dict[str, Any]]:
    yield from BOTH


@pytest.mark.parametrize(
    "dataset", [BOTH, tuple(BOTH), lambda: BOTH, generate, generate(), [Example(**one) for one in BOTH]]
)
def test_sequences_and_callables(dataset: object) -> None:
    rows = load_rows(dataset, INPUTS, Path())
    assert values(rows) == BOTH
    assert [row.id for row in rows] == ["a", "b"]


def test_examples_that_know_their_inputs() -> None:
    example = Example("question", "context", question="?", context="!", answer=1)
    [row] = load_rows([example], (), Path())
    assert row.inputs == ("question", "context")
    assert row.source is example


def test_the_markers_inputs_win() -> None:
    [row] = load_rows([Example("question", question="?", context="!")], ("context",), Path())
    assert row.inputs == ("context",)


def broken() -> Iterator[dict[str, Any]]:
    yield from BOTH
    raise LookupError("the table\nis gone")


def failing() -> list[dict[str, Any]]:
    raise LookupError("the table\nis gone")


@pytest.mark.parametrize(
    ("dataset", "inputs", "message"),
    [
        ([], INPUTS, "dataset: no examples in it"),
        (list, INPUTS, "dataset: no examples in it"),
        (3, INPUTS, f"evaluation marker: dataset=3: {NO_DATASET}"),
        (None, INPUTS, f"evaluation marker: dataset=None: {NO_DATASET}"),
        ({"a": 1}, INPUTS, f"evaluation marker: dataset={{'a': 1}}: {NO_DATASET}"),
        ([*BOTH, "x"], INPUTS, f"dataset[2]: str {NO_OBJECT}"),
        ([{"a": 1}], INPUTS, f"dataset[0]: {NO_FIELD}'a'"),
        (BOTH, (), "dataset[0]: the evaluation marker has no inputs=[...], nor has the example"),
        ([Example(question="?")], (), "dataset[0]: the evaluation marker has no inputs=[...], nor has the example"),
        ([*BOTH, BOTH[0]], INPUTS, "dataset[2]: the id 'a' stands at dataset[0] already"),
        (frozenset("ab"), INPUTS, f"evaluation marker: {NO_SET}"),
        (lambda: {1, 2}, INPUTS, f"evaluation marker: {NO_SET}"),
        (failing, INPUTS, "evaluation marker: dataset=failing: it raised LookupError: the table is gone"),
        (broken, INPUTS, "evaluation marker: dataset=broken: it raised LookupError: the table is gone"),
    ],
)  # fmt: skip
def test_a_sequence_that_cannot_be_used(dataset: object, inputs: tuple[str, ...], message: str) -> None:
    with pytest.raises(MarkerError) as raised:
        load_rows(dataset, inputs, Path())
    assert str(raised.value) == message


def test_rows_that_another_process_has_elsewhere() -> None:
    """Labels may be random; rows that one of them alone has, and values that nobody can compare, are no matter."""

    def places(*questions: object) -> dict[str, dict[str, list[str]]]:
        rows = load_rows([{"question": one, "label": id(one)} for one in questions], INPUTS, Path())
        return {"test_qa": places_of(rows)}

    assert moved([places("a", "b", "c")] * 2) is None
    assert moved([places("a", "b", "b"), places("a", "b", "b")]) is None
    assert moved([places("a", "b"), places("a", "c")]) is None
    assert moved([places("a", object()), places("a", object())]) is None
    assert moved([places("a", "b"), places("b", "a")]) == "test_qa"
    assert moved([places("a", "b", "c"), places("c", "d", "e")]) == "test_qa"


@few
@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 2**32))
def test_a_sample_keeps_the_order_and_is_the_same_for_a_seed(count: int, size: int, seed: int) -> None:
    items = list(range(count))
    drawn = sample(items, size, seed)
    assert drawn == sample(items, size, seed)
    assert drawn == sorted(set(drawn))
    assert set(drawn) <= set(items)
    assert len(drawn) == min(size, count)


@few
@given(st.lists(st.integers()), st.integers())
def test_no_size_is_everything(items: list[int], seed: int) -> None:
    assert sample(items, None, seed) == items


def test_other_seeds_draw_other_samples() -> None:
    assert len({tuple(sample(range(100), 10, seed)) for seed in range(20)}) == 20


def test_a_sample_stays_as_it_is() -> None:
    """A replay draws again: another sample would ask for calls that the first run did not make."""
    assert sample(range(20), 5, 0) == [1, 8, 12, 13, 15]
