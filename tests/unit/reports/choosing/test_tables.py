"""Several variants beside each other, as rows and words that all reports have."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_pitcheval.reports.choosing.lines import of_function
from pytest_pitcheval.reports.choosing.tables import tables
from pytest_pitcheval.results.choosing.side_by_side import MethodResult
from pytest_pitcheval.results.choosing.worth import Worth
from pytest_pitcheval.results.formats import WIDTH
from pytest_pitcheval.results.significance.paired import PairedDifference

TEST = "test_qa.py::test_qa"
MORE = PairedDifference(12, 0.25, (0.15, 0.35), 0.00005, 0.0001, 0.1)
SAME = PairedDifference(12, 0.0, (-0.1, 0.1), 0.5, 1.0, 0.1)


def of(
    name: str,
    result: PairedDifference | None = None,
    best: bool = False,
    worth: Worth | None = None,
    unlike: Sequence[str] = (),
) -> MethodResult:
    worth = worth or Worth(0.5, 0.02, 1.5)
    return MethodResult(
        f"{TEST}[{name}]", "none", "plain none", result, best, worth=worth, function=TEST, unlike=tuple(unlike)
    )


def test_variants_are_told_below_their_function_in_80_columns() -> None:
    results = [
        of("plain"),
        of("careful", MORE, best=True, worth=Worth(0.75, 0.031, 2.5)),
        of("retrieval_of_twenty_passages" * 2, MORE, True, Worth(0.74, 0.02, 2, True)),
    ]
    lines = list(of_function(TEST, results))
    assert lines[:6] == [
        "test_qa.py::test_qa",
        "  method  mean difference    95 % interval       p cost/point seconds",
        "  plain",
        "    none 0.500          -                -       -     $0.020     1.5",
        "  careful",
        "    none 0.750     +0.250 +0.150 to +0.350 < 0.001     $0.031     2.5",
    ]
    assert " ".join(line.strip() for line in lines[8:]) == (
        "difference: to plain none, on the examples that both have scored best: careful none; within noise of it: "
        "retrieval_of_twenty_passagesretrieval_of_twenty_passages none; the cheapest of these: "
        "retrieval_of_twenty_passagesretrieval_of_twenty_passages none, $0.020 a point of score"
    )
    assert max(map(len, lines)) <= WIDTH
    assert list(of_function("test_qa.py::test_other", results)) == []


@pytest.mark.parametrize(
    ("results", "words", "note"),
    [
        (
            [of("plain"), of("careful", unlike=["judge"])],
            "nothing is compared, as another judge scored each of them",
            "; not compared: careful none (another judge)",
        ),
        (
            [of("plain"), of("careful", MORE, True), of("kind", unlike=["metric", "judge"])],
            "best: careful none; no other is within noise of it",
            "; not compared: kind none (another metric and judge)",
        ),
        (
            [of("plain", None, True, Worth(0.5, None, 1.0)), of("careful", SAME, True)],
            "best: plain none; within noise of it: careful none; which of these is the cheapest is not known, as "
            "plain has no price",
            "",
        ),
    ],
)
def test_what_is_to_be_taken(results: list[MethodResult], words: str, note: str) -> None:
    [table] = tables(results)
    assert table.words == words
    assert table.note == f"difference: to plain none, on the examples that both have scored{note}"
    assert (table.head.models, table.test, table.name) == ("variant", TEST, TEST)
    assert [row.verdict for row in table.rows if "another" in row.verdict] == [
        f"another {' and '.join(one.unlike)}" for one in results if one.unlike
    ]


def test_methods_of_a_model_and_parameters_stand_together_however_they_ran() -> None:
    ran = [("a", "plain", "none"), ("b", "plain", "none"), ("b", "kind", "none"), ("a", "kind", "none")]
    ran += [(model, name, "simba") for model, name, _ in ran]
    worth = Worth(0.5, 0.01, 1.0)
    [table] = tables(
        MethodResult(f"{TEST}[{name}]", method, "a plain none", SAME, True, model, worth=worth, function=TEST)
        for model, name, method in ran
    )
    assert [(row.models, row.what) for row in table.rows] == [
        (f"{model} {name}", method) for model in "ab" for name in ("plain", "kind") for method in ("none", "simba")
    ]


def test_tables_of_two_judges_have_names_of_their_own() -> None:
    found = tables(
        MethodResult(TEST, "none", "", SAME, True, model, judge, worth=Worth(0.5, 0.01, 1.0))
        for judge in ("openai/j", "openai/k")
        for model in ("openai/a", "openai/b")
    )
    assert [table.name for table in found] == [
        f"{TEST} beside openai/a none, judge {judge}" for judge in ("openai/j", "openai/k")
    ]
