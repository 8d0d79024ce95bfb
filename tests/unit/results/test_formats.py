"""Numbers and tables as text."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_pitcheval.results import formats
from pytest_pitcheval.results.records import Record, Usage


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1.0k"),
        (12_345, "12.3k"),
        (99_949, "99.9k"),
        (99_999, "99.9k"),
        (100_000, "100k"),
        (999_999, "999k"),
        (1_000_000, "1.0M"),
        (99_999_999, "99.9M"),
        (123_456_789, "123M"),
    ],
)
def test_tokens(count: int, text: str) -> None:
    assert formats.tokens(count) == text
    assert len(text) <= 5


@pytest.mark.parametrize(
    ("fresh", "cost", "text"),
    [
        (0, 0.0, "-"),
        (1, None, "-"),
        (1, 0.0, "$0.0000"),
        (1, 0.01234, "$0.0123"),
        (1, 0.9999, "$0.9999"),
        (1, 12.345, "$12.35"),
        (1, 1234.5, "$1234.50"),
    ],
)
def test_cost(fresh: int, cost: float | None, text: str) -> None:
    assert formats.cost(Usage(fresh=fresh, cost=cost)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.4, "0 s"),
        (41.2, "41 s"),
        (99.4, "99 s"),
        (100.0, "2 min"),
        (180.0, "3 min"),
        (5999.0, "100 min"),
        (6000.0, "1.7 h"),
        (9000.0, "2.5 h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (0.0, "0.000"), (0.12345, "0.123"), (1.0, "1.000")])
def test_number(value: float | None, text: str) -> None:
    assert formats.number(value) == text


@pytest.mark.parametrize(
    ("bounds", "signed", "text"),
    [
        (None, False, "-"),
        (None, True, "-"),
        ((0.7, 0.80251), False, "0.700-0.803"),
        ((-0.12, 0.3), True, "-0.120 to +0.300"),
    ],
)
def test_interval(bounds: tuple[float, float] | None, signed: bool, text: str) -> None:
    assert formats.interval(bounds, signed) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "-"), (0.0, "0 %"), (0.001, "1 %"), (0.5, "50 %"), (0.999, "99 %"), (1.0, "100 %")],
)
def test_percent_says_all_and_none_only_of_these(share: float | None, text: str) -> None:
    assert formats.percent(share) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0, "< 0.001"), (0.00099, "< 0.001"), (0.001, "0.001"), (1 / 32, "0.031"), (0.0496, "0.050"), (1.0, "1.000")],
)
def test_p_value(p: float, text: str) -> None:
    assert formats.p_value(p) == text


@pytest.mark.parametrize("length", [0, 79, 80, 81, 1000])
def test_a_line_too_wide_is_cut(length: int) -> None:
    found = formats.cut("x" * length)
    assert len(found) == min(length, 80)
    assert found.endswith("\u2026") == (length > 80)


def test_a_text_is_wrapped_behind_an_indent() -> None:
    lines = formats.wrap("word " * 40, "    ")
    assert all(len(line) <= 80 for line in lines)
    assert [line.startswith("    ") for line in lines] == [False, *[True] * (len(lines) - 1)]
    assert " ".join(lines).split() == ["word"] * 40


def test_a_table_is_aligned() -> None:
    assert list(formats.table([("method", "n"), ("a", "100")])) == ["  method   n", "  a      100"]


@pytest.mark.parametrize("width", [60, 70, 71, 72, 73, 74, 75, 76, 77, 200])
def test_a_table_stays_within_the_terminal(width: int) -> None:
    lines = list(formats.table([("m" * width, "n"), ("a", "1")]))
    assert all(len(line) <= 80 for line in lines)
    assert len(lines) in (2, 4)


@pytest.mark.parametrize(("number", "text"), [(0, "0 examples"), (1, "1 example"), (2, "2 examples")])
def test_a_noun_is_counted(number: int, text: str) -> None:
    assert formats.count(number) == text
    assert formats.count(number, "row") == text.replace("example", "row")


@pytest.mark.parametrize(("number", "text"), [(0, ""), (1, "a"), (3, "a, b, c"), (4, "a, b, c and 1 more")])
def test_of_many_names_some_are_shown_and_all_are_counted(number: int, text: str) -> None:
    assert formats.some("abcdefgh"[:number], 3) == text


@pytest.mark.parametrize(
    ("samples", "threshold", "text"),
    [
        ((0.75,), None, "0.750"),
        ((0.75,), 0.5, "0.750, threshold 0.5"),
        ((0.5, 1.0), 0.0, "0.750 (rollouts 0.5, 1), threshold 0"),
    ],
)
def test_a_score_is_told_with_its_rollouts_and_its_threshold(
    samples: tuple[float, ...], threshold: float | None, text: str
) -> None:
    record = Record("t.py::t", "t.py::t", None, "none", "passed", score=0.75, samples=samples, threshold=threshold)
    assert formats.score(record) == text
    assert formats.score(dataclasses.replace(record, score=None)) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(None, "-"), (0, "0"), (1.0, "1"), (0.5, "0.500"), (-0.25, "-0.250"), (0.00032, "0.00032")],
        *[(34.75, "34.75"), (999.96, "1000"), (1234.6, "1235"), (-1234.6, "-1235"), (12_345_678.0, "1.235e+07")],
    ],
)
def test_measures(value: float | None, text: str) -> None:
    assert formats.measure(value) == text


@pytest.mark.parametrize(
    ("samples", "verdicts", "text"),
    [
        ((0.75,), ((0.5, 1.0),), "0.750 (verdicts 0.5 and 1)"),
        ((0.75, 0.75), ((0.5, 1.0), (0.75, 0.75)), "0.750 (rollouts 0.75 of 0.5 and 1, 0.75 of 0.75 and 0.75)"),
        ((0.5, 1.0), ((0.5, 0.5),), "0.750 (rollouts 0.5 of 0.5 and 0.5, 1)"),  # a file that contradicts itself
    ],
)
def test_a_score_is_told_with_its_verdicts(
    samples: tuple[float, ...], verdicts: tuple[tuple[float, ...], ...], text: str
) -> None:
    record = Record("t.py::t", "t.py::t", None, "none", "passed", score=0.75, samples=samples, verdicts=verdicts)
    assert formats.score(record) == text


def test_intervals_of_measures() -> None:
    assert formats.measures((0.25, 1234.6)) == "0.250 to 1235"
    assert formats.measures(None) == "-"


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (None, "-"),
        (0.0, "$0.00"),
        (12.345, "$12.35"),
        (0.5, "$0.50"),
        (0.0123, "$0.012"),
        (0.0000603, "$0.000060"),
        (1e-12, "$0.000000000"),
    ],
)
def test_a_price_has_two_digits_that_count(dollars: float | None, text: str) -> None:
    assert formats.price(dollars) == text


def test_rows_stand_below_the_titles_that_they_share() -> None:
    rows = [("method", "mean"), ("none", "0.5"), ("simba", "0.75"), ("none", "1")]
    assert list(formats.table(rows, ["a", "a", "b"])) == [
        "  method  mean",
        "  a",
        "    none   0.5",
        "    simba 0.75",
        "  b",
        "    none     1",
    ]
    assert list(formats.table(rows, ["", "", ""])) == list(formats.table(rows))
    wide = [("method", "mean"), ("n" * 90, "0.5"), ("simba", "0.75")]
    assert [line.strip()[:5] for line in formats.table(wide, ["a", "b"])] == [
        "metho",
        "mean",
        "a",
        "nnnnn",
        "0.5",
        "b",
        "simba",
        "0.75",
    ]
