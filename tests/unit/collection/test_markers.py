"""Markers parsed into frozen values, and which method a test runs with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_pitcheval.collection.markers import Evaluation, choose_optimizations, parse_evaluation, parse_optimization
from pytest_pitcheval.errors import MarkerError
from pytest_pitcheval.results.collected import Requirements
from pytest_pitcheval.settings.choices import Choice
from pytest_pitcheval.settings.methods import Optimization


def evaluation(*arguments: Any, **settings: Any) -> Evaluation:
    return parse_evaluation(pytest.Mark("evaluation", arguments, settings, _ispytest=True))


def optimization(*arguments: Any, **settings: Any) -> Optimization:
    return parse_optimization(pytest.Mark("optimization", arguments, settings, _ispytest=True))


def test_every_argument() -> None:
    parsed = evaluation(
        "a.csv", inputs=["question"], threshold=1, rollouts=2, limit=3, min_mean=0.5, min_pass_rate=0.25
    )
    assert parsed == Evaluation("a.csv", ("question",), 1, 2, 3, min_mean=0.5, min_pass_rate=0.25)
    assert parsed.requirements() == Requirements({"min_mean": {"score": 0.5}, "min_pass_rate": {"score": 0.25}})


def test_only_the_dataset() -> None:
    parsed = evaluation(Path("a.csv"))
    assert parsed == Evaluation(Path("a.csv"))
    assert parsed.requirements() == Requirements()


def test_a_gate_of_zero_is_a_gate() -> None:
    assert evaluation("a.csv", min_mean=0).requirements().gates == {"min_mean": {"score": 0.0}}


@pytest.mark.parametrize(
    ("inputs", "names"), [("question", ("question",)), (["a", "b"], ("a", "b")), (("a",), ("a",)), ([], ())]
)
def test_inputs(inputs: object, names: tuple[str, ...]) -> None:
    assert evaluation("a.csv", inputs=inputs).inputs == names


@pytest.mark.parametrize("inputs", [3, None, {"a": 1}, {"a"}, [1], b"a"])
def test_inputs_that_are_no_names(inputs: object) -> None:
    with pytest.raises(MarkerError) as raised:
        evaluation("a.csv", inputs=inputs)
    assert str(raised.value) == f"evaluation marker: inputs={inputs!r}: expected a list of field names"


NUMBERS: list[Any] = ["high", -0.5, True, float("nan"), float("inf"), 10**400, [1], 1j]
WHOLE_NUMBERS: list[Any] = [*NUMBERS, 0, -1, 1.5]


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize("name", ["threshold", "min_mean", "max_mean", "min_pass_rate", "max_error_rate"])
def test_what_is_no_number(name: str, value: Any) -> None:
    with pytest.raises(MarkerError) as raised:
        evaluation("a.csv", **{name: value})
    by_metric = ", or a mapping of metrics to numbers" if name.endswith("mean") else ""
    assert str(raised.value) == f"evaluation marker: {name}={value!r}: expected a number, 0 or more{by_metric}"


def test_limits_by_metric() -> None:
    asked = evaluation(
        "a.csv",
        min_mean={"score": 0.8, "logprob": -2},
        max_mean={"words": 120, "seconds": 3},
        max_regression={"relevancy": 0.1, "cost": 0.2},
        max_example_drop=0.5,
        lower_is_better=["words"],
    ).requirements()
    assert asked == Requirements(
        {
            "min_mean": {"score": 0.8, "logprob": -2.0},
            "max_mean": {"words": 120.0, "seconds": 3.0},
            "max_regression": {"relevancy": 0.1, "cost": 0.2},
            "max_example_drop": {"score": 0.5},
        },
        ("words",),
    )
    assert [asked.is_lower_better(name) for name in ("words", "seconds", "cost", "tokens", "score")] == [True] * 4 + [
        False
    ]


LIMITS: list[Any] = [{}, {"words": "few"}, {"": 1}, {1: 1}, {"words": None}, {"words": True}, {"words": float("nan")}]


@pytest.mark.parametrize("value", [*LIMITS, {"score": -1}, {"words": {"words": 1}}])
def test_what_are_no_limits_of_metrics(value: Any) -> None:
    with pytest.raises(MarkerError) as raised:
        evaluation("a.csv", min_mean=value)
    expected = "expected a number, 0 or more, or a mapping of metrics to numbers"
    assert str(raised.value) == f"evaluation marker: min_mean={value!r}: {expected}"


def test_drops_are_not_negative_and_rates_are_of_no_metric() -> None:
    with pytest.raises(MarkerError, match=r"^evaluation marker: max_regression=\{'words': -1\}: expected a number, 0"):
        evaluation("a.csv", max_regression={"words": -1})
    with pytest.raises(MarkerError, match=r"^evaluation marker: min_pass_rate=\{'words': 1\}: expected a number, 0"):
        evaluation("a.csv", min_pass_rate={"words": 1})


@pytest.mark.parametrize("value", [3, {"words": 1}, [1], "score", ["words", "score"], "", [""]])
def test_what_is_better_lower_is_no_list_of_metrics(value: Any) -> None:
    with pytest.raises(MarkerError) as raised:
        evaluation("a.csv", lower_is_better=value)
    assert str(raised.value).startswith(f"evaluation marker: lower_is_better={value!r}: expected a list of metrics")


@pytest.mark.parametrize("value", WHOLE_NUMBERS)
@pytest.mark.parametrize("name", ["rollouts", "judge_rollouts", "limit"])
def test_what_is_no_whole_number(name: str, value: Any) -> None:
    with pytest.raises(MarkerError) as raised:
        evaluation("a.csv", **{name: value})
    assert str(raised.value) == f"evaluation marker: {name}={value!r}: expected a whole number, 1 or more"


@pytest.mark.parametrize(
    ("arguments", "settings", "reason"),
    [
        ((), {}, "missing 1 required positional argument: 'dataset'"),
        ((), {"inputs": ["a"]}, "missing 1 required positional argument: 'dataset'"),
        ((), {"dataset": "a.csv"}, "takes one positional argument, the dataset, but 0 were given"),
        (("a.csv", ["a"]), {}, "takes one positional argument, the dataset, but 2 were given"),
        (("a.csv",), {"dataset": "b.csv"}, "got multiple values for argument 'dataset'"),
        (("a.csv",), {"treshold": 1}, "got an unexpected keyword argument 'treshold'"),
    ],
)
def test_wrong_arguments(arguments: tuple[Any, ...], settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(MarkerError) as raised:
        evaluation(*arguments, **settings)
    assert str(raised.value).startswith(f"evaluation marker: {reason}")
    assert str(raised.value).partition("; expected ")[2].startswith("evaluation(dataset, *, inputs")


def test_a_method_with_settings() -> None:
    assert optimization("knn", k=5) == Optimization("knn", {"k": 5})
    assert optimization("mine:Optimizer") == Optimization("mine:Optimizer", {})


@pytest.mark.parametrize("arguments", [(), (3,), ("knn", 3), (None,)])
def test_no_method(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(MarkerError) as raised:
        optimization(*arguments)
    assert str(raised.value) == f"optimization marker: {arguments!r}: expected one method name"


def test_an_unknown_method() -> None:
    with pytest.raises(MarkerError, match=r"^optimization marker: 'knnn': expected one of none, labeled, .*$"):
        optimization("knnn")


KNN, GEPA = Optimization("knn", {"k": 5}), Optimization("gepa", {"auto": "heavy"})


@pytest.mark.parametrize(
    ("marked", "command_line", "ini", "chosen"),
    [
        ([], None, None, [Optimization()]),
        ([], None, ("knn",), [Optimization("knn")]),
        ([], ("gepa",), ("knn",), [Optimization("gepa")]),
        ([KNN, GEPA], None, ("simba",), [KNN, GEPA]),
        ([KNN], ("simba",), None, [Optimization("simba")]),
        ([KNN], ("none", "knn"), None, [Optimization(), KNN]),
        ([KNN, Optimization("knn", {"k": 7})], None, None, [Optimization("knn", {"k": 7})]),
    ],
)
def test_the_method_that_holds(
    marked: list[Optimization],
    command_line: tuple[str, ...] | None,
    ini: tuple[str, ...] | None,
    chosen: list[Optimization],
) -> None:
    found = choose_optimizations(marked, Choice(command_line, ini))
    assert [(one.method, dict(one.settings)) for one in found] == [(one.method, dict(one.settings)) for one in chosen]


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_regression": {"score.corrected": 0.1}},
        {"max_example_drop": {"score.corrected": 0.1}},
        {"slices": {"topic": {"min_mean": {"score.corrected": 0.5}}}},
    ],
)
def test_of_a_corrected_mean_only_the_mean_of_all_is_known(arguments: dict[str, Any]) -> None:
    assert evaluation("a.csv", min_mean={"score.corrected": 0.8}, max_mean={"score.corrected": 0.9}).requirements()
    with pytest.raises(
        MarkerError, match=r"expected 'score\.corrected' in min_mean and max_mean of all examples alone"
    ):
        evaluation("a.csv", **arguments)
