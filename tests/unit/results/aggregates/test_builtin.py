"""Built-in metrics of the whole set, held against scikit-learn, SciPy, sacrebleu and rouge-score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pitcheval.results.aggregates.builtin import prepare
from pytest_pitcheval.results.aggregates.computation import Item, Undefined

from .support import computed, example, examples

CLASSES = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcdf")), min_size=1, max_size=40)
NUMBERS = st.lists(
    st.tuples(st.integers(0, 5), st.floats(-1e3, 1e3).map(lambda x: round(x, 2))), min_size=3, max_size=40
)


@given(CLASSES)
@settings(max_examples=60, deadline=None)
def test_classes_are_scored_as_scikit_learn_does_it(pairs: list[tuple[str, str]]) -> None:
    labels, predictions = map(list, zip(*pairs, strict=True))
    expected = sklearn.metrics.f1_score(labels, predictions, average="macro", zero_division=0)
    assert computed("f1_macro", labels, predictions) == pytest.approx(expected, abs=1e-12)
    expected = sklearn.metrics.accuracy_score(labels, predictions)
    assert computed("accuracy", labels, predictions) == pytest.approx(expected, abs=1e-12)


@given(NUMBERS)
@settings(max_examples=60, deadline=None)
def test_numbers_correlate_as_in_scipy(pairs: list[tuple[int, float]]) -> None:
    labels, predictions = map(list, zip(*pairs, strict=True))
    if len(set(labels)) < 2 or len(set(predictions)) < 2:
        with pytest.raises(Undefined, match="are equal"):
            computed("pearson", labels, predictions)
        return
    expected = scipy.stats.pearsonr(labels, predictions).statistic
    assert computed("pearson", labels, predictions) == pytest.approx(expected, abs=1e-9)
    expected = scipy.stats.spearmanr(labels, predictions).statistic
    assert computed("spearman", labels, predictions) == pytest.approx(expected, abs=1e-9)


REFERENCES = ["the cat sat on the mat", "a dog barks at night", "it rains"]
ANSWERS = ["the cat sat on a mat", "the dog barks all night long", "it rains"]


def test_bleu_is_that_of_sacrebleu() -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    expected = sacrebleu.corpus_bleu(ANSWERS, [REFERENCES]).score / 100
    assert computed("bleu", REFERENCES, ANSWERS) == pytest.approx(expected, abs=1e-9)
    two = [[text, "quite another reference"] for text in REFERENCES]
    expected = sacrebleu.corpus_bleu(ANSWERS, [list(one) for one in zip(*two, strict=True)]).score / 100
    assert computed("bleu", two, ANSWERS) == pytest.approx(expected, abs=1e-9)


def test_rouge_is_the_mean_of_rouge_l() -> None:
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"])
    pairs = zip(REFERENCES, ANSWERS, strict=True)
    expected = np.mean([scorer.score(reference, answer)["rougeL"].fmeasure for reference, answer in pairs])
    assert computed("rouge", REFERENCES, ANSWERS) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "predictions", "accuracy"),
    [
        (["true", "False", "true"], [True, False, False], 2 / 3),
        (["3", "4.0", "x"], [3, 4, 5], 2 / 3),
        ([True, 0, 1.0], [1, False, True], 1),
        (["1", "1.0"], ["1", "1"], 0.5),
        (["Yes"], ["yes"], 0),
        (["1_0", "\u0663", "nan"], [10, 3, "x"], 0),
    ],
)
def test_what_means_the_same_is_equal(labels: list[Any], predictions: list[Any], accuracy: float) -> None:
    assert computed("accuracy", labels, predictions) == pytest.approx(accuracy)


@pytest.mark.parametrize(
    ("name", "labels", "predictions", "reason"),
    [
        ("accuracy", ["a", ["b"]], ["a", "b"], "a list is no class"),
        ("f1_macro", ["a", "b"], ["a", {"topic": "b"}], "a mapping is no class"),
        ("accuracy", ["a", None], ["a", "b"], "example 'e1' has no label 'topic'"),
        ("accuracy", ["a", "b"], ["a", None], "example 'e1' has no prediction 'topic'"),
        ("pearson", ["1", "two"], [1, 2], "'two' among the labels: expected numbers"),
        ("spearman", [1, 2], [1, [2]], "a list among the predictions: expected numbers"),
        ("pearson", ["1", "1_0"], [1, 2], "'1_0' among the labels: expected numbers"),
        ("pearson", [1, 1], [1, 2], "all labels are equal"),
        ("pearson", [1, 2], [3, 3.0], "all predictions are equal"),
        ("pearson", [1], [1], "one example"),
        ("accuracy", ["a"], ["b" * 4_000_000], "too long to be kept whole"),
    ],
)
def test_what_has_no_value_says_why(name: str, labels: list[Any], predictions: list[Any], reason: str) -> None:
    with pytest.raises(Undefined, match=reason):
        computed(name, labels, predictions)


def test_one_field_must_be_both_label_and_prediction() -> None:
    two = example("e0", "a", "a", reasoning="so")
    with pytest.raises(Undefined, match="'topic', 'reasoning' are labels and are predicted"):
        prepare("accuracy", [Item(two, two.predictions[0])])
    [other] = examples(["a"], ["b"])
    with pytest.raises(Undefined, match="labels are 'topic', predicted is 'answer'"):
        prepare("accuracy", [Item(other, {"answer": "a"})])


def test_large_numbers_correlate_too() -> None:
    assert computed("pearson", [1e200, 2e200, 3e200], [1, 2, 3]) == pytest.approx(1)
