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
from pytest_pitcheval.examples import Row
from pytest_pitcheval.identities import example_identity
from pytest_pitcheval.markers import Evaluation, parse_evaluation
from pytest_pitcheval.names import EXAMPLE, GENERATOR, JUDGE
from pytest_pitcheval.parametrization import optimization_of
from pytest_pitcheval.records import Collected, Record, Status, Usage, function_of, plain, total
from pytest_pitcheval.rollouts import RolloutId
from pytest_pitcheval.scopes import Answers, RolloutScope
from pytest_pitcheval.scores import Score
from pytest_pitcheval.settings import Settings


def check_markers(item: pytest.Item) -> None:
    """Raise MarkerError if a marker of ``item`` or its dataset is wrong, or ``evaluation`` not made use of."""
    for parameter in _params(item).values():
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
    params = _params(item)
    row = params.pop("example", None)
    params.pop("optimization", None)
    evaluation = evaluation_of(item)
    optimization = optimization_of(item, settings)
    return Collected(
        nodeid=item.nodeid,
        test=_test_name(item, params),
        example_id=getattr(row, "id", None),
        optimization=str(optimization),
        gates=evaluation.gates if evaluation else {},
        settings=plain(optimization.settings),
    )


def _params(item: pytest.Item) -> dict[str, Any]:
    return dict(getattr(getattr(item, "callspec", None), "params", {}))


def _test_name(item: pytest.Item, params: Mapping[str, Any]) -> str:
    """The node ID of the function, with parameters of the user's own: each combination is a test of its own."""
    name = function_of(item.nodeid)
    return name + (f"[{','.join(f'{k}={_as_text(v)}' for k, v in params.items())}]" if params else "")


def _as_text(parameter: Any) -> str:
    """The same in every worker and every run: no addresses."""
    if parameter is None or isinstance(parameter, (str, int, float)):
        return str(parameter)
    if isinstance(parameter, (list, tuple, Mapping)):
        return json.dumps(plain(parameter))
    return str(getattr(parameter, "__name__", type(parameter).__name__))


def answers_of(settings: Settings) -> Answers:
    """Where the answers to LM calls may come from in this session."""
    if settings.replay is not None:
        return Answers.REPLAYED
    return Answers.FRESH if settings.resume is None else Answers.RESUMED


class RunningTest:
    """One attempt at one evaluation test: its rollouts, and what they came to."""

    def __init__(self, item: pytest.Item, settings: Settings, timestamp: str, attempt: int) -> None:
        self.about = collected(item, settings)
        self.optimization = optimization_of(item, settings)
        self.evaluation = evaluation_of(item)
        self.rollout_id = RolloutId(timestamp, item.nodeid, attempt=attempt)
        self._answers = answers_of(settings)
        self.scopes: list[RolloutScope] = [RolloutScope(self.rollout_id, self._answers)]
        self.score: Score | None = None
        self.named_scores: dict[str, float] = {}
        self.example: Any = None
        self.prediction: Any = None
        self.later_rollouts: list[dict[str, Any]] = []
        self.predict: Callable[[RolloutScope], Any] | None = None
        self.program_raised: BaseException | None = None
        self.seconds = 0.0
        self.program_file: str | None = None
        self.fingerprints: dict[str, str] = {}
        self.own_threshold = self.evaluation.threshold if self.evaluation else None
        if isinstance(row := _params(item).get("example"), Row):
            self.fingerprints[EXAMPLE] = example_identity(row.values)
        self._status: Status = "passed"
        self._error: str | None = None

    @property
    def scope(self) -> RolloutScope:
        """The scope of the first rollout, and of whatever the test itself calls."""
        return self.scopes[0]

    def next_scope(self) -> RolloutScope:
        """The scope of a further rollout."""
        scope = RolloutScope(self.rollout_id.with_sample(len(self.scopes)), self._answers)
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

    def note_later(self, prediction: Any, feedback: str | None) -> None:
        """What a rollout after the first one came to."""
        self.later_rollouts.append({"prediction": plain_prediction(prediction), "feedback": feedback})

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

    def _known_fingerprints(self) -> dict[str, str]:
        """A judge that the metric did not ask makes no difference."""
        asked = self.usage(JUDGE).fresh + self.usage(JUDGE).cached
        return {role: mark for role, mark in self.fingerprints.items() if asked or role != JUDGE}

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
            own_threshold=self.own_threshold,
            samples=() if score is None else score.samples,
            metrics={**(score.metrics if score is not None else {}), **self.named_scores},
            feedback=None if score is None else score.feedback,
            error=self._error,
            rollout_id=str(self.rollout_id),
            rollout_key=int(self.rollout_id),
            generator=self.usage(GENERATOR),
            judge=self.usage(JUDGE),
            seconds=self.seconds,
            fingerprints=self._known_fingerprints(),
            inputs=plain(self.example.inputs().toDict()) if self.example is not None else {},
            prediction=plain_prediction(self.prediction),
            program_file=self.program_file,
            later_rollouts=tuple(self.later_rollouts),
        )


def plain_prediction(prediction: Any) -> dict[str, Any] | None:
    """A prediction's fields as plain values; what has no fields is under ``value``."""
    if prediction is None:
        return None
    fields = plain(prediction)
    return fields if isinstance(fields, dict) else {"value": fields}
