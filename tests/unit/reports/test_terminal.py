"""The section at the end of pytest's output."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from support.run_documents import report

from pytest_pitcheval.reports import terminal
from pytest_pitcheval.reports.choosing.lines import matrix
from pytest_pitcheval.reports.results import Results
from pytest_pitcheval.results.choosing.side_by_side import MethodResult
from pytest_pitcheval.results.collected import Requirements
from pytest_pitcheval.results.comparison import Comparison
from pytest_pitcheval.results.deciding.decisions import Decision
from pytest_pitcheval.results.deciding.gates import GateResult
from pytest_pitcheval.results.records import Usage
from pytest_pitcheval.results.significance.paired import PairedDifference
from pytest_pitcheval.results.subjects import SliceSummary
from pytest_pitcheval.results.summaries.summary import MetricSummary, Missing, Summary
from pytest_pitcheval.storage.baseline_files import Update

TEST = "test_qa.py::test_qa"


def summary(
    optimization: str = "none",
    examples: int = 12,
    mean: float | None = 0.7512,
    ci95: tuple[float, float] | None = (0.7, 0.80251),
    usage: Usage = Usage(fresh=24, cached=3, prompt_tokens=12_000, completion_tokens=345, cost=0.0123),  # noqa: B008
    seconds: float = 41.0,
    unscored: Iterable[Missing] = (),
    test: str = TEST,
) -> Summary:
    missing = tuple(unscored)
    scored = examples - len(missing)
    return Summary(
        *(test, optimization, examples, scored, scored, 0, mean, ci95, usage, usage, Usage(), seconds, missing),
        asked=Requirements(),
    )


def results(decision: Decision, **more: Any) -> Results:
    return Results(dataclasses.replace(report([]), decision=decision), **more)


def lines(*summaries: Summary, gates: Iterable[GateResult] = ()) -> list[tuple[str, bool]]:
    return list(terminal.lines(results(Decision(list(summaries), None, [], list(gates))), Path.cwd()))


def test_one_test() -> None:
    assert lines(summary()) == [
        ("test_qa.py::test_qa", False),
        ("  method scored  mean 95 % interval passed fresh cached tokens    cost time", False),
        ("  none    12/12 0.751   0.700-0.803  100 %    24      3  12.3k $0.0123 41 s", False),
    ]


def test_metrics_and_slices_stand_below_their_test() -> None:
    metrics = {
        "seconds": MetricSummary(1.5, (1.25, 1.75), 12),
        "relevancy": MetricSummary(0.8125, (0.75, 0.875), 11),
        "words": MetricSummary(1234.5, None, 1),
    }
    slices = (SliceSummary("topic", "refunds", 4, 3, 2, 0.5, (0.25, 0.75)), SliceSummary("topic", "returns"))
    found = [line for line, _ in lines(dataclasses.replace(summary(), metrics=metrics, slices=slices))]
    assert found[3:] == [
        "  metric    known  mean  95 % interval",
        "  relevancy 11/12 0.812 0.750 to 0.875",
        "  words      1/12  1234              -",
        "  slice         scored  mean 95 % interval passed",
        "  topic=refunds    3/4 0.500   0.250-0.750   50 %",
        "  topic=returns   gone     -             -      -",
    ]


def test_what_a_test_takes_is_shown_where_a_gate_is_about_it() -> None:
    one = dataclasses.replace(summary(), metrics={"seconds": MetricSummary(1.5, None, 12)})
    gate = GateResult(TEST, "none", "max_mean", "passed", 1.5, 2.0, "mean 1.5 is within 2", metric="seconds")
    assert not any(line.startswith("  metric") for line, _ in lines(one))
    assert any(line.split() == ["seconds", "12/12", "1.5", "-"] for line, _ in lines(one, gates=[gate]))


def test_metrics_and_slices_of_several_methods_say_which() -> None:
    metrics, slices = {"words": MetricSummary(3.0, None, 12)}, (SliceSummary("t", "x" * 100, 1, 1, 1, 1.0),)
    both = [dataclasses.replace(summary(name), metrics=metrics, slices=slices) for name in ("none", "simba")]
    found = [line for line, _ in lines(*both)]
    assert [line.split()[:2] for line in found if line.startswith("  words")] == [
        ["words", "[none]"],
        ["words", "[simba]"],
    ]
    assert [line for line in found if "t=x" in line] == [
        f"  t={'x' * 30}… [none]    1/1 1.000             -  100 %",
        f"  t={'x' * 29}… [simba]    1/1 1.000             -  100 %",
    ]


def test_of_many_metrics_and_slices_the_first_are_shown() -> None:
    slices = tuple(SliceSummary("topic", str(number), 1, 1, 1, 1.0) for number in range(25))
    metrics = {f"metric{number}": MetricSummary(1.0, None, 12) for number in range(22)}
    found = [line for line, _ in lines(dataclasses.replace(summary(), metrics=metrics, slices=slices))]
    assert len([line for line in found if line.startswith("  topic=")]) == 20
    assert len([line for line in found if line.split()[0].startswith("metric") and "12/12" in line]) == 20
    assert [line for line in found if "more" in line] == [
        "  ... and 2 more, all in the run file",
        "  ... and 5 more, all in the run file",
    ]


def test_what_is_not_known_is_a_dash() -> None:
    _, _, (row, _), *_ = lines(summary(mean=None, ci95=None, usage=Usage(fresh=1, cost=None)))
    assert row.split() == ["none", "12/12", "-", "-", "100", "%", "1", "0", "0", "-", "41", "s"]


def test_methods_of_a_test_stand_in_one_table() -> None:
    found = [line for line, _ in lines(summary("none"), summary("simba", mean=0.8), summary(test="b.py::t"))]
    assert [line.split()[0] for line in found] == [TEST, "method", "none", "simba", "b.py::t", "method", "none"]
    assert found[2].index("0.751") == found[3].index("0.800")


def test_a_method_stands_above_its_numbers_where_both_are_too_wide_for_a_row() -> None:
    method = "our_own.optimizers:PatientOptimizer"
    found = [line for line, _ in lines(summary("none"), summary(method, mean=0.8))]
    assert [line.split()[0] for line in found] == [TEST, "method", "scored", "none", "12/12", method, "12/12"]
    assert found[4].index("0.751") == found[6].index("0.800") == found[2].index("mean") - 1


def test_rows_fit_a_terminal_of_80_columns() -> None:
    large = Usage(fresh=1234, cached=1234, prompt_tokens=99_999, cost=123.45)
    found = lines(summary("bootstrap_random", examples=100, usage=large, seconds=5999), summary("none"))
    assert max(len(line) for line, _ in found) <= 80


def test_examples_without_a_score_are_named_as_bad_news() -> None:
    unscored = [Missing(f"{TEST}[e0]", "error: down"), Missing(f"{TEST}[e1]", "not run")]
    assert lines(summary(unscored=unscored))[3:] == [
        ("  2 of 12 examples have no score [none]: the mean is of 10 of 12", True),
        ("    test_qa[e0]: error: down", True),
        ("    test_qa[e1]: not run", True),
    ]


def test_one_example_alone_without_a_score() -> None:
    found = lines(summary(examples=1, mean=None, unscored=[Missing(f"{TEST}[e0]", "not run")]))
    assert found[3][0] == "  1 of 1 example has no score [none]"


def test_of_many_examples_without_a_score_ten_are_named() -> None:
    found = lines(summary(unscored=[Missing(f"{TEST}[e{n}]", "not run") for n in range(12)]))
    assert [line for line, _ in found if "not run" in line] == [f"    test_qa[e{n}]: not run" for n in range(10)]
    assert found[-1] == ("    ... and 2 more, all in the run file", True)


def test_gates() -> None:
    gates = [
        GateResult(TEST, "none", "min_mean", "failed", 0.5, 0.6, "mean 0.5 is below 0.6"),
        GateResult(TEST, "none", "min_pass_rate", "passed", 1.0, 0.9, "pass rate 1 reaches 0.9"),
    ]
    assert lines(gates=gates) == [
        ("FAIL min_mean=0.6 test_qa.py::test_qa [none]: mean 0.5 is below 0.6", True),
        ("ok   min_pass_rate=0.9 test_qa.py::test_qa [none]: pass rate 1 reaches 0.9", False),
    ]


def result(difference: float, p: float) -> PairedDifference:
    return PairedDifference(12, difference, (difference - 0.1, difference + 0.1), p / 2, p, 0.1)


def test_several_methods_stand_against_the_first() -> None:
    methods = [
        MethodResult(TEST, "none", "none", None, False),
        MethodResult(TEST, "simba", "none", result(0.25, 0.0001), True),
        MethodResult(TEST, "copro", "none", result(0.2, 0.0312), True),
    ]
    assert list(matrix(methods)) == [
        "  method against none    95 % interval       p",
        "  none              -                -       -",
        "  simba        +0.250 +0.150 to +0.350 < 0.001 best within noise",
        "  copro        +0.200 +0.100 to +0.300   0.031 best within noise",
    ]
    assert list(matrix(methods[:2]))[2].endswith(" best")
    assert list(matrix([])) == []


COMPARED = Comparison(TEST, "none", "none", result=result(-0.25, 0.01), mean_before=0.75, mean_after=0.5)


@pytest.mark.parametrize(
    ("comparison", "texts"),
    [
        (COMPARED, ["test_qa.py::test_qa [none]: 0.750, now 0.500"]),
        (
            dataclasses.replace(COMPARED, against="simba"),
            ["test_qa.py::test_qa [none]: 0.750 with simba, now 0.500"],
        ),
        (Comparison(TEST, "none", "none", refused="judge"), ["test_qa.py::test_qa [none]: not compared"]),
        (Comparison(TEST, "none", "none"), ["test_qa.py::test_qa [none]: nothing to compare"]),
        (
            dataclasses.replace(
                COMPARED,
                added=("a",),
                removed=("b", "c"),
                not_run=("d", "e", "f"),
                changed=("g",),
                unscored=("h",),
                differs=("program", "generator"),
            ),
            [
                "test_qa.py::test_qa [none]: 0.750, now 0.500",
                "1 added: a; 2 removed: b, c; 3 not run; 1 with another row: g; 1 without a score now: h; "
                "changed: program, generator",
            ],
        ),
        (
            dataclasses.replace(COMPARED, added=tuple(map(str, range(12)))),
            [
                "test_qa.py::test_qa [none]: 0.750, now 0.500",
                "12 added: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more",
            ],
        ),
    ],
)
def test_what_was_compared(comparison: Comparison, texts: list[str]) -> None:
    decision = Decision([summary()], [comparison], [], [])
    head, *rest = [line for line, _ in terminal.compared(decision, "b.json")]
    assert head == "compared with b.json"
    assert " ".join(" ".join(rest).split()) == " ".join(texts)
    assert all(len(line) <= 80 for line in rest)


def test_a_test_that_the_baseline_does_not_know_is_named() -> None:
    decision = Decision([summary()], [], [], [])
    assert list(terminal.compared(decision, "b.json"))[1] == (f"  {TEST} [none]: not in the baseline", False)


@pytest.mark.parametrize(
    ("update", "text"),
    [
        ((1, 0, 0), "baseline: b.json: 1 example written, 0 kept, 0 removed"),
        ((12, 3, 1), "baseline: b.json: 12 examples written, 3 kept, 1 removed"),
    ],
)
def test_an_update_is_counted(tmp_path: Path, update: tuple[int, int, int], text: str) -> None:
    found = results(Decision([], None, [], []), update=Update(tmp_path / "b.json", *update))
    assert list(terminal.lines(found, tmp_path)) == [(text, False)]


def test_files_are_shown_relative_and_problems_as_bad_news(tmp_path: Path) -> None:
    paths, problems = [tmp_path / "runs" / "a.json"], ["the run file could not be written: full"]
    found = results(Decision([], None, [], []), paths=paths, problems=problems)
    assert list(terminal.lines(found, tmp_path)) == [
        ("the run file could not be written: full", True),
        (f"run file: {Path('runs', 'a.json')}", False),
    ]
