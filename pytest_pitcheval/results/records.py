"""Records: what a test leaves behind, as plain values that survive JSON, xdist and JUnit."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from pytest_pitcheval.names import DECIDED, GENERATOR, JUDGE, MEASURED, SCORE, UNCHANGED, LeftOut
from pytest_pitcheval.results.keys import Keyed, without_unnamed

Status = Literal["passed", "failed", "error", "skipped"]
"""``failed`` is a low score, or the program raised; ``error`` is no verdict; what is xfailed is ``skipped``."""

PARTS = (GENERATOR, JUDGE)
"""Whose LM calls are counted: the program's, and the metric's."""

Label = str | int | float | bool

SHORT = 100
"""Characters of the longest label that can name a slice."""

FINITE: Any = {"allow_inf_nan": False}
"""How pydantic reads a dataclass from a file: without it, a whole number too large for a float is read as infinity."""


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """LM calls and what they took.

    Attributes:
        fresh: calls that went to the provider.
        cached: calls answered from DSPy's cache.
        failed: those of the fresh calls that ended in an error, after DSPy's retries.
        prompt_tokens, completion_tokens: of the fresh calls.
        cost: US dollars of the fresh calls; None where the price of one is not known.
        embeddings: requests to hosted embedders, which are no LM calls: their tokens are not known, and their cost only
            where options name a price.
    """

    __pydantic_config__ = FINITE

    fresh: int = 0
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0
    embeddings: int = 0

    def __add__(self, other: Usage) -> Usage:
        known = self.cost is not None and other.cost is not None
        return Usage(
            self.fresh + other.fresh,
            self.cached + other.cached,
            self.failed + other.failed,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            (self.cost or 0.0) + (other.cost or 0.0) if known else None,
            self.embeddings + other.embeddings,
        )

    @property
    def failed_text(self) -> str:
        """``2 of 12 LM calls failed``; empty where none did."""
        if not self.failed:
            return ""
        asked = max(self.fresh + self.cached, self.failed)
        return f"{self.failed} of {asked} LM call{'' if asked == 1 else 's'} failed"

    @property
    def remarks(self) -> list[str]:
        """What is to be said of the calls beside their numbers: those that failed, and those of embedders."""
        embedded = f"{self.embeddings} request{'' if self.embeddings == 1 else 's'} to embedders"
        return [*filter(None, [self.failed_text, embedded if self.embeddings else ""])]

    def to_dict(self) -> dict[str, Any]:
        return {
            "lm_calls": {"fresh": self.fresh, "cached": self.cached, "failed": self.failed},
            "tokens": {"prompt": self.prompt_tokens, "completion": self.completion_tokens},
            "cost": self.cost,
            "embeddings": self.embeddings,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Usage:
        calls, tokens = data["lm_calls"], data["tokens"]
        return cls(
            calls["fresh"],
            calls["cached"],
            calls["failed"],
            tokens["prompt"],
            tokens["completion"],
            data["cost"],
            data.get("embeddings", 0),  # older files lack it
        )


def total(usages: Iterable[Usage]) -> Usage:
    """The sum of ``usages``; nothing at all costs nothing."""
    return sum(usages, Usage())


class Omission(NamedTuple):
    """Why an example does not run, as code and as people read it (``decided after 42 of 100``)."""

    why: LeftOut
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Record(Keyed):
    """The one record of one test; `to_dict` is its form in the run file.

    Attributes:
        test: the test function's node ID, with parameters of the user's own.
        example_id: the row's ID; None for a test without a dataset.
        optimization: the method's name.
        score: the mean of ``samples``, as the metric returned them, 0 to 1 as a rule; None for an unscored example.
        threshold: the lowest score that passed; None where there was none.
        own_threshold: what the test itself, or its marker, asked for.
        samples: the score of each rollout; of an unchanged example, the baseline's.
        metrics: further numbers by name, that of each rollout, None where a rollout has none: what the metric returned
            beside the score, `names.MEASURED`, and what ``record_score`` was given with a name, which has one alone.
            Of an unchanged example, the baseline's.
        feedback: what the metric said of the first rollout.
        error: why the test has no verdict, or what it raised, in one line; None for a low score.
        xfail: why the test was expected to fail, if it was and did: it ran, other than those that were skipped.
        rollout_id: of the first rollout: session timestamp and node ID.
        rollout_key: that ID as the number in DSPy's cache key, below 2**53.
        generator, judge: the LM calls of the program, and of the metric.
        seconds: what the rollouts took together, without compiling and without waiting for permission to ask.
        fingerprints: by `names.ROLES` and `names.ORIGIN`, what the score was measured with.
        inputs: the example's input fields.
        labels: the other columns of its row: expected answers, tags.
        left_out: why the example did not run, or not to its end; ``error`` says it to people. None where it did.
        prediction: the fields that the program returned in the first rollout; None where it returned nothing.
        program_file: the stored compiled program, below the ``--eval-dir``.
        later_rollouts: ``prediction`` and ``feedback`` of each rollout after the first one.
        people: in a judge's exam, how people labelled the answer, 0 to 1 each; empty in other tests.
        verdicts: by rollout, the score of each verdict on its prediction; empty where there is one on each.
        labelled: in a judge's exam, whose answer people labelled, and how it was drawn, as far as its row says.
        model, evaluator: as `Key` has them.
        aggregates: by name, where the metrics of the whole set come from that the test's fixture gives.
    """

    __pydantic_config__ = FINITE

    nodeid: str
    test: str
    example_id: str | None
    optimization: str
    status: Status
    score: float | None = None
    threshold: float | None = None
    own_threshold: float | None = None
    samples: tuple[float, ...] = ()
    metrics: Mapping[str, tuple[float | None, ...]] = dataclasses.field(default_factory=dict)
    feedback: str | None = None
    error: str | None = None
    rollout_id: str = ""
    rollout_key: int = 0
    generator: Usage = Usage()
    judge: Usage = Usage()
    seconds: float = 0.0
    fingerprints: Mapping[str, str] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    labels: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    prediction: Mapping[str, Any] | None = None
    program_file: str | None = None
    later_rollouts: tuple[Mapping[str, Any], ...] = ()
    xfail: str | None = None
    left_out: LeftOut | None = None
    people: tuple[float, ...] = ()
    verdicts: tuple[tuple[float, ...], ...] = ()
    labelled: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    model: str = ""
    evaluator: str = ""
    aggregates: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def is_unchanged(self) -> bool:
        """Whether it was not asked, as nothing has changed since the baseline, whose samples it has."""
        return self.left_out == UNCHANGED

    @property
    def known_score(self) -> float | None:
        """Its score, or that of the baseline where it is unchanged."""
        return statistics.mean(map(float, self.samples)) if self.is_unchanged and self.samples else self.score

    @property
    def holds(self) -> bool:
        """Whether its test passed, or passed when it was measured for the baseline, and is unchanged."""
        return self.status == "passed" or self.is_unchanged

    @property
    def status_text(self) -> str:
        """Its status and, if there is more to say, why: ``error: no LM answered``."""
        return f"{self.status}: {self.error}" if self.error else self.status

    @property
    def predictions(self) -> tuple[Mapping[str, Any] | None, ...]:
        """That of each rollout, None for one that returned nothing."""
        return self.prediction, *(rollout.get("prediction") for rollout in self.later_rollouts)

    def values(self, metric: str = SCORE) -> tuple[float, ...]:
        """What each rollout has of ``metric``; nothing where it lacks in one: a mean is never that of the survivors."""
        if metric == SCORE:
            return self.samples
        values = self.metrics.get(metric, ())
        return () if None in values else tuple(value for value in values if value is not None)

    @property
    def further(self) -> dict[str, float]:
        """The means of the metrics that are not measured by nature, over the rollouts that have them."""
        known = {name: [value for value in values if value is not None] for name, values in self.metrics.items()}
        return {name: statistics.mean(map(float, v)) for name, v in known.items() if v and name not in MEASURED}

    @property
    def timestamp(self) -> str:
        """That of the session in which its rollouts were made; empty where it is not known."""
        return self.rollout_id.partition("/")[0]

    @property
    def usage(self) -> Usage:
        return self.generator + self.judge

    @property
    def short_labels(self) -> dict[str, Label]:
        """The labels that can name a slice: numbers, truth values, and texts of up to `SHORT` characters."""
        return {name: value for name, value in self.labels.items() if _is_short(value)}

    def without_texts(self) -> Record:
        """What sums, gates, comparisons and baselines need of it: no inputs, answers, feedback, and long labels.

        Of the rollout's ID, the session's time stamp is left.
        """
        texts: dict[str, Any] = {"inputs": {}, "prediction": None, "feedback": None, "later_rollouts": ()}
        return dataclasses.replace(self, labels=self.short_labels, rollout_id=self.timestamp, **texts)

    def to_dict(self) -> dict[str, Any]:
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        data["metrics"] = {name: list(values) for name, values in self.metrics.items()}
        data["later_rollouts"] = [dict(rollout) for rollout in self.later_rollouts]
        data |= {"samples": list(self.samples), "people": list(self.people)}
        optional = {"verdicts": list(map(list, data.pop("verdicts"))), "labelled": dict(data.pop("labelled"))}
        data |= {name: value for name, value in optional.items() if value}
        data |= self.usage.to_dict()
        data |= {part: getattr(self, part).to_dict() for part in PARTS}
        return without_unnamed(data)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        known = {**_OLDER, **data}
        fields = {field.name: known[field.name] for field in dataclasses.fields(cls)}
        fields["metrics"] = {name: _by_rollout(values) for name, values in known["metrics"].items()}
        fields |= {name: tuple(known[name]) for name in ("samples", "later_rollouts", "people")}
        fields["verdicts"] = tuple(map(tuple, known["verdicts"]))
        if isinstance(known["left_out"], bool):  # schema version 2 knows one reason
            fields["left_out"] = DECIDED if known["left_out"] else None
        fields |= {part: Usage.from_dict(data[part]) for part in PARTS}
        return cls(**fields)


_OLDER: dict[str, Any] = {"xfail": None, "labels": {}, "left_out": None, "labelled": {}, "aggregates": {}}
_OLDER |= {"model": "", "evaluator": ""}
_OLDER |= dict.fromkeys(("later_rollouts", "people", "verdicts"), ())
"""What older files lack, and most records."""


def own_first(metrics: Iterable[str]) -> list[str]:
    """The names of the user's own metrics, then those of `names.MEASURED`."""
    return sorted(metrics, key=lambda name: name in MEASURED)


def label_text(value: Any) -> str | None:
    """How a label names a slice: texts as they are, ``true`` and ``3`` as JSON has them; None for what names none."""
    if not _is_short(value):
        return None
    return value if isinstance(value, str) else json.dumps(value)


def _is_short(label: Any) -> bool:
    return isinstance(label, (bool, int, float)) or (isinstance(label, str) and len(label) <= SHORT)


def _by_rollout(values: Any) -> tuple[Any, ...]:
    """A metric's values as a file has them: older files have their mean alone."""
    return tuple(values) if isinstance(values, (list, tuple)) else (values,)
