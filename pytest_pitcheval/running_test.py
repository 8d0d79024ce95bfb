"""What is known of the evaluation test that is running, until it becomes its record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_pitcheval.errors import MarkerError
from pytest_pitcheval.evaluation import one_line
from pytest_pitcheval.markers import Evaluation, parse_evaluation
from pytest_pitcheval.options import Settings
from pytest_pitcheval.parametrization import optimization_of
from pytest_pitcheval.records import Collected, Record, Usage, plain, total
from pytest_pitcheval.rollouts import RolloutId
from pytest_pitcheval.scopes import GENERATOR, JUDGE, RolloutScope
from pytest_pitcheval.scores import Score


def check_markers(item: pytest.Item) -> None:
    """Raise MarkerError if a marker of ``item`` or its dataset is wrong, or ``evaluation`` not made use of."""
    for parameter in getattr(getattr(item, "callspec", None), "params", {}).values():
        if isinstance(parameter, MarkerError):
            raise parameter
    marked = any(mark.name == "evaluation" for mark in item.own_markers)  # a class's or module's may be for others
    if marked and "example" not in getattr(item, "fixturenames", ()):
        raise MarkerError("evaluation marker: the test asks for none of example, prediction and score")


def evaluation_of(item: pytest.Item) -> Evaluation | None:
    """The test's ``evaluation`` marker, None without one or where it is wrong (its own test tells that)."""
    mark = item.get_closest_marker("evaluation")
    try:
        return parse_evaluation(mark) if mark else None
    except MarkerError:
        return None


def collected(item: pytest.Item, settings: Settings) -> Collected:
    """What the controller must know of ``item`` before it has run."""
    params = dict(getattr(getattr(item, "callspec", None), "params", {}))
    row = params.pop("example", None)
    params.pop("optimization", None)
    evaluation = evaluation_of(item)
    return Collected(
        nodeid=item.nodeid,
        test=_test_name(item, params),
        example_id=getattr(row, "id", None),
        optimization=str(optimization_of(item, settings)),
        gates=evaluation.gates if evaluation else {},
    )


def _test_name(item: pytest.Item, params: Mapping[str, Any]) -> str:
    """The node ID of the function, with parameters of the user's own: each combination is a test of its own."""
    name = item.nodeid.partition("[")[0]
    return name + (f"[{','.join(f'{k}={_as_text(v)}' for k, v in params.items())}]" if params else "")


def _as_text(parameter: Any) -> str:
    """The same in every worker and every run: no addresses."""
    if parameter is None or isinstance(parameter, (str, int, float)):
        return str(parameter)
    if isinstance(parameter, (list, tuple, Mapping)):
        return json.dumps(plain(parameter))
    return str(getattr(parameter, "__name__", type(parameter).__name__))


class RunningTest:
    """One attempt at one evaluation test: its rollouts, and what they came to."""

    def __init__(self, item: pytest.Item, settings: Settings, timestamp: str, attempt: int) -> None:
        self.about = collected(item, settings)
        self.optimization = optimization_of(item, settings)
        self.evaluation = evaluation_of(item)
        self.rollout_id = RolloutId(timestamp, item.nodeid, attempt=attempt)
        self._replay = settings.replay is not None
        self.scopes: list[RolloutScope] = [RolloutScope(self.rollout_id, self._replay)]
        self.score: Score | None = None
        self.named_scores: dict[str, float] = {}
        self.example: Any = None
        self.prediction: Any = None
        self.predict: Callable[[RolloutScope], Any] | None = None
        self.program_raised: BaseException | None = None
        self.seconds = 0.0
        self._status = "passed"
        self._error: str | None = None

    @property
    def scope(self) -> RolloutScope:
        """The scope of the first rollout, and of whatever the test itself calls."""
        return self.scopes[0]

    def next_scope(self) -> RolloutScope:
        """The scope of a further rollout."""
        scope = RolloutScope(self.rollout_id.with_sample(len(self.scopes)), self._replay)
        self.scopes.append(scope)
        return scope

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Adds the time within it to the test's ``seconds``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - start

    def note(self, report: pytest.TestReport, error: BaseException | None) -> None:
        """Take the outcome of a phase into account; the first that did not pass names the status."""
        if report.passed or self._status in ("failed", "error"):
            return
        self._status = "skipped" if report.skipped else "failed" if report.when == "call" else "error"
        if error is not None and not (isinstance(error, AssertionError) and self.score is not None):
            self._error = one_line(error)

    def usage(self, part: str) -> Usage:
        """What the LM calls of ``part`` took, over all rollouts."""
        return total(scope.usage(part) for scope in self.scopes)

    def record(self) -> Record:
        """The test's record."""
        score = self.score
        return Record(
            nodeid=self.about.nodeid,
            test=self.about.test,
            example_id=self.about.example_id,
            optimization=self.about.optimization,
            status=self._status,
            score=None if score is None else float(score),
            threshold=score.threshold if score is not None and score.has_threshold else None,
            samples=() if score is None else score.samples,
            metrics={**(score.metrics if score is not None else {}), **self.named_scores},
            feedback=None if score is None else score.feedback,
            error=self._error,
            rollout_id=str(self.rollout_id),
            rollout_key=int(self.rollout_id),
            generator=self.usage(GENERATOR),
            judge=self.usage(JUDGE),
            seconds=self.seconds,
            inputs=plain(self.example.inputs().toDict()) if self.example is not None else {},
            prediction=plain_prediction(self.prediction),
        )


def plain_prediction(prediction: Any) -> dict[str, Any] | None:
    """A prediction's fields as plain values; what has no fields is under ``value``."""
    if prediction is None:
        return None
    fields = plain(prediction)
    return fields if isinstance(fields, dict) else {"value": fields}
