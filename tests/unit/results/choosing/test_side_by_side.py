"""Several methods of one test side by side."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pytest_pitcheval.results.baselines import Measurement, Measurements
from pytest_pitcheval.results.choosing.side_by_side import best_methods, compare_methods, difference
from pytest_pitcheval.results.keys import Key

TEST = "t.py::test"


def measured(*scores: float, start: int = 0) -> Measurements:
    return Measurements({str(n): Measurement((score,)) for n, score in enumerate(scores, start)})


LOW, MIDDLE, HIGH = measured(*[0.2, 0.3] * 6), measured(*[0.5, 0.6] * 6), measured(*[0.8, 0.9] * 6)
NEAR_HIGH = measured(*[0.9, 0.7] * 6)


@pytest.mark.parametrize(
    ("groups", "best"),
    [
        ({"none": LOW, "simba": HIGH}, {"simba"}),
        ({"none": HIGH, "simba": LOW}, {"none"}),
        ({"none": LOW, "simba": HIGH, "copro": NEAR_HIGH}, {"simba", "copro"}),
        ({"none": LOW, "simba": MIDDLE, "copro": HIGH}, {"copro"}),
        ({"none": HIGH, "simba": HIGH}, {"none", "simba"}),
        ({"none": measured(0.0, 0.0), "simba": measured(1.0, 1.0)}, {"none", "simba"}),  # two examples show nothing
    ],
)
def test_best_are_those_that_are_not_established_to_be_worse(groups: dict[str, Measurements], best: set[str]) -> None:
    assert best_methods(groups) == best


def test_a_mean_of_easy_examples_is_not_better_on_the_same_ones() -> None:
    whole = measured(*[1.0] * 6, *[0.0] * 6)
    easy = measured(*[1.0] * 6)
    assert best_methods({"none": whole, "simba": easy}) == {"none", "simba"}


def test_methods_without_a_common_example_cannot_be_told_apart() -> None:
    one, two = measured(1.0, 1.0), measured(0.0, 0.0, start=2)
    assert difference(one, two) is None
    assert best_methods({"none": one, "simba": two}) == {"none", "simba"}


def test_each_is_compared_with_the_first() -> None:
    keys = [Key(TEST, "none"), Key("u.py::test", "none"), Key(TEST, "simba")]
    results = compare_methods(keys, {Key(TEST, "simba"): HIGH, Key(TEST, "none"): LOW, Key("u.py::test", "none"): LOW})
    assert [(one.test, one.optimization, one.first, one.best) for one in results] == [
        (TEST, "none", "none", False),
        (TEST, "simba", "none", True),
    ]
    first, second = results
    assert first.result is None
    assert second.result is not None
    assert second.result.difference == 0.6


def test_only_common_examples_count() -> None:
    found = difference(measured(0.5, 0.5, 0.0), measured(0.75, 1.0, start=1))
    assert found is not None
    assert (found.examples, found.difference) == (2, 0.625)


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [Key(TEST, "none")],
        [Key(TEST, "none"), Key("u.py::test", "none")],
        [Key(TEST, "none"), Key(TEST, "nothing scored")],
    ],
)
def test_one_method_is_no_matrix(keys: list[Key]) -> None:
    assert compare_methods(keys, {Key(TEST, "none"): LOW, Key("u.py::test", "none"): LOW}) == []


def test_becomes_json() -> None:
    results = compare_methods(
        [Key(TEST, "none"), Key(TEST, "simba")], {Key(TEST, "simba"): HIGH, Key(TEST, "none"): LOW}
    )
    data = json.loads(json.dumps([one.to_dict() for one in results], allow_nan=False))
    assert (data[0]["result"], data[1]["result"]["difference"], data[1]["best"]) == (None, 0.6, True)


def parameters(*names: str) -> list[Key]:
    return [Key(f"{TEST}[{name}]", "none") for name in names]


def judged(group: Measurements, judge: str) -> Measurements:
    return dataclasses.replace(group, fingerprints={"metric": "m", "judge": judge})


def test_tests_of_one_function_are_a_function_of() -> None:
    plain, careful, other = *parameters("plain", "careful"), Key("t.py::test_other[plain]", "none")
    first, second = compare_methods([plain, other, careful], {plain: LOW, careful: HIGH, other: LOW})
    assert [(one.test, one.function, one.first) for one in (first, second)] == [
        (plain.test, TEST, "plain none"),
        (careful.test, TEST, "plain none"),
    ]
    assert (first.result, first.best, second.best) == (None, False, True)
    assert second.result is not None
    assert second.result.difference == 0.6
    assert second.worth is not None
    assert second.worth.mean == HIGH.mean


def test_parameters_models_and_methods_are_in_one_table() -> None:
    keys = [
        Key(f"{TEST}[{name}]", method, model)
        for model in ("openai/a", "openai/b")
        for name in ("plain", "careful")
        for method in ("none", "simba")
    ]
    results = compare_methods(keys, dict.fromkeys(keys, MIDDLE))
    assert [one.key for one in results] == keys
    assert {one.first for one in results} == {"openai/a plain none"}
    assert [one.key.member for one in results][-1] == "openai/b careful simba"
    assert "function" in results[0].to_dict()


def test_parameters_of_a_test_without_a_dataset_are_its_examples() -> None:
    keys = parameters("one", "two")
    assert compare_methods(keys, dict.fromkeys(keys, Measurements({"": Measurement((0.5,))}))) == []


def test_what_another_judge_has_scored_is_not_compared() -> None:
    plain, careful, third = parameters("plain", "careful", "third")
    measured = {plain: judged(LOW, "a"), careful: judged(HIGH, "b"), third: judged(MIDDLE, "a")}
    results = compare_methods(list(measured), measured)
    assert [(one.unlike, one.result is None, one.best) for one in results] == [
        ((), True, False),
        (("judge",), True, False),
        ((), False, True),
    ]
    assert [one.best for one in compare_methods([plain, careful], measured)] == [False, False]
