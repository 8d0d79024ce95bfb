"""The built-in metrics of a whole set. Texts and numbers in; numpy, and no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.names import ACCURACY, BLEU, F1_MACRO, PEARSON, ROUGE, SPEARMAN
from pytest_pitcheval.options.extras import missing_package
from pytest_pitcheval.results.aggregates.classes import Value, as_classes, as_numbers, as_texts
from pytest_pitcheval.results.aggregates.computation import Computation, Item, Undefined
from pytest_pitcheval.results.aggregates.fields import Pairs, pairs_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Positions = NDArray[np.intp]

_RESAMPLES = 999


class _BuiltIn:
    """A `computation.Computation` of one field."""

    cost = 0.0
    resamples = _RESAMPLES

    def __init__(self, pairs: Pairs, of: Callable[[Positions], float]) -> None:
        self.fields = (pairs.field,)
        self._of = of

    def value(self, chosen: Sequence[int]) -> float:
        import numpy as np

        return self._of(np.asarray(chosen, dtype=np.intp))


def prepare(name: str, items: Sequence[Item]) -> Computation:
    """The metric called ``name`` for these items; raises Undefined."""
    if missing := missing_package(name):
        raise Undefined(missing)
    pairs = pairs_of(items)
    return _BuiltIn(pairs, _METRICS[name](pairs))


def _accuracy(pairs: Pairs) -> Callable[[Positions], float]:
    """The share of predictions that are their label."""
    labels, predictions, _ = _codes(pairs)
    return lambda chosen: float((labels[chosen] == predictions[chosen]).mean())


def _f1_macro(pairs: Pairs) -> Callable[[Positions], float]:
    """The mean over classes of the harmonic mean of precision and recall; of classes that are labelled or predicted.

    As scikit-learn's ``f1_score(average="macro")`` has it.
    """
    import numpy as np

    labels, predictions, classes = _codes(pairs)

    def of(chosen: Positions) -> float:
        of_labels, of_predictions = labels[chosen], predictions[chosen]
        right = np.bincount(of_labels[of_labels == of_predictions], minlength=classes)
        sizes = np.bincount(of_labels, minlength=classes) + np.bincount(of_predictions, minlength=classes)
        known = sizes > 0
        return float((2 * right[known] / sizes[known]).mean())

    return of


def _codes(pairs: Pairs) -> tuple[Positions, Positions, int]:
    """Labels and predictions as numbers of their classes, and how many classes there are."""
    import numpy as np

    labels, predictions = as_classes(pairs.labels, pairs.predictions)
    classes: dict[Value, int] = {}
    codes = [classes.setdefault(value, len(classes)) for value in (*labels, *predictions)]
    found = np.asarray(codes, dtype=np.intp)
    return found[: len(labels)], found[len(labels) :], len(classes)


def _pearson(pairs: Pairs) -> Callable[[Positions], float]:
    """Pearson's correlation of labels and predictions."""
    labels, predictions = _numbers(pairs)
    return lambda chosen: _correlation(labels[chosen], predictions[chosen])


def _spearman(pairs: Pairs) -> Callable[[Positions], float]:
    """Spearman's: Pearson's of their ranks, equal values having the mean of theirs."""
    labels, predictions = _numbers(pairs)
    return lambda chosen: _correlation(_ranks(labels[chosen]), _ranks(predictions[chosen]))


def _numbers(pairs: Pairs) -> tuple[Floats, Floats]:
    import numpy as np

    labels, predictions = as_numbers(pairs.labels, "labels"), as_numbers(pairs.predictions, "predictions")
    return np.asarray(labels, dtype=float), np.asarray(predictions, dtype=float)


def _correlation(labels: Floats, predictions: Floats) -> float:
    deviations = []
    for values, what in ((labels, "labels"), (predictions, "predictions")):
        if (values == values[0]).all():
            raise Undefined(
                f"all {what} are equal: no correlation" if len(values) > 1 else "one example: no correlation"
            )
        scaled = values / abs(values).max()  # squares of large numbers are beyond all floats
        centred = scaled - scaled.mean()
        deviations.append(centred / (centred @ centred) ** 0.5)
    return float(min(max(deviations[0] @ deviations[1], -1.0), 1.0))


def _ranks(values: Floats) -> Floats:
    import numpy as np

    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: Floats = last - (counts - 1) / 2
    return means[places]


def _bleu(pairs: Pairs) -> Callable[[Positions], float]:
    """The corpus's BLEU as sacrebleu has it, 0 to 1; a label may be a list of references."""
    import numpy as np
    from sacrebleu.metrics.bleu import BLEU as Bleu

    references, predictions = as_texts(pairs.labels, "labels", several=True), as_texts(pairs.predictions, "predictions")
    sentences = Bleu(effective_order=True)  # which changes a sentence's score, and no count
    found = [sentences.sentence_score(text[0], labels) for text, labels in zip(predictions, references, strict=True)]
    counts = np.asarray([[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in found])

    def of(chosen: Positions) -> float:
        *grams, ours, theirs = (int(total) for total in counts[chosen].sum(axis=0))
        half = len(grams) // 2
        return float(Bleu.compute_bleu(grams[:half], grams[half:], ours, theirs).score) / 100

    return of


def _rouge(pairs: Pairs) -> Callable[[Positions], float]:
    """The mean of ROUGE-L's F measure as rouge-score has it, without a stemmer; a label may be a list of references."""
    import numpy as np
    from rouge_score.rouge_scorer import RougeScorer

    references, predictions = as_texts(pairs.labels, "labels", several=True), as_texts(pairs.predictions, "predictions")
    scorer = RougeScorer(["rougeL"])
    scores = [
        scorer.score_multi(labels, text[0])["rougeL"].fmeasure
        for text, labels in zip(predictions, references, strict=True)
    ]
    found = np.asarray(scores, dtype=float)
    return lambda chosen: float(found[chosen].mean())


_METRICS: Mapping[str, Callable[[Pairs], Callable[[Any], float]]] = {
    ACCURACY: _accuracy,
    F1_MACRO: _f1_macro,
    PEARSON: _pearson,
    SPEARMAN: _spearman,
    BLEU: _bleu,
    ROUGE: _rouge,
}
