"""What is known of the evaluation test that is running, until it becomes its record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pitcheval.collection.markers import Evaluation, parse_evaluation
from pytest_pitcheval.collection.parametrization import optimization_of
from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.errors import MarkerError, one_line
from pytest_pitcheval.names import EXAMPLE, GENERATOR, JUDGE
from pytest_pitcheval.programs.identities import example_identity
from pytest_pitcheval.results.plain import plain
from pytest_pitcheval.results.records import Collected, Record, Status, Usage, function_of, total
from pytest_pitcheval.results.score import Score
from pytest_pitcheval.rollouts.rollout import Generator, RolloutRun
from pytest_pitcheval.rollouts.rollout_id import RolloutId
from pytest_pitcheval.rollouts.scopes import Answers, RolloutScope
from pytest_pitcheval.settings.settings import Settings

if TYPE_CHECKING:
    from pytest_pitcheval.evaluation.flights import Flight
    from pytest_pitcheval.evaluation.lanes import Lane

RUNNING: pytest.StashKey[RunningTest] = pytest.StashKey()
"""Where an item keeps its `RunningTest` while it runs."""


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


def may_run_ahead(item: pytest.Item) -> bool:
    """Whether nothing is known that would keep a coming test from asking for a prediction of the plugin's own."""
    if "prediction" not in getattr(item, "fixturenames", ()) or not isinstance(_params(item).get("example"), Row):
        return False
    conditions = [mark.args for mark in item.iter_markers("skipif")]
    runs = all(mark.kwargs.get("run", True) for mark in item.iter_markers("xfail"))
    skipped = item.get_closest_marker("skip") or any(each is not False for args in conditions for each in args)
    return runs and not skipped


class RunningTest:
    """One attempt at one evaluation test: its rollouts, and what they came to.

    Attributes:
        order: its place in the queue of those who wait for a slot.
        runs: its rollouts, the first of which is also of whatever the test itself calls.
        alone: whether nothing else may be in flight, because a worker crashed that may have done so over this test.
        flights: those of them that are made in threads.
        function_fixtures: the fixtures that have been set up for it alone, in order.
        generator: what its predictions are made with, once that is known.
    """

    def __init__(
        self,
        item: pytest.Item,
        settings: Settings,
        timestamp: str,
        answers: Answers = Answers.FRESH,
        attempt: int = 1,
        place: int = 0,
    ) -> None:
        self.item = item
        self.about = collected(item, settings)
        self.optimization = optimization_of(item, settings)
        self.evaluation = evaluation_of(item)
        self.rollout_id = RolloutId(timestamp, item.nodeid, attempt=attempt)
        self.order = (place,)
        self._answers = answers
        self.runs: list[RolloutRun] = [RolloutRun(RolloutScope(self.rollout_id, answers))]
        self.alone = False
        self.flights: list[Flight] = []
        self.lane: Lane | None = None
        self.function_fixtures: list[str] = []
        self.score: Score | None = None
        self.named_scores: dict[str, float] = {}
        self.example: Any = None
        self.prediction: Any = None
        self.program: Any = None
        self.generator: Generator | None = None
        self.has_own_fixtures = False
        self.later_rollouts: list[dict[str, Any]] = []
        self.program_file: str | None = None
        self.fingerprints: dict[str, str] = {}
        self.own_threshold = self.evaluation.threshold if self.evaluation else None
        self.rollout_count = settings.rollouts.or_default(1, self.evaluation.rollouts if self.evaluation else None)
        self._row: Any = _params(item).get("example")
        if isinstance(self._row, Row):
            self.fingerprints[EXAMPLE] = example_identity(self._row.values)
        self._status: Status = "passed"
        self._error: str | None = None

    @property
    def scope(self) -> RolloutScope:
        """The scope of the first rollout."""
        return self.runs[0].scope

    @property
    def asks_for_score(self) -> bool:
        """Whether the test asks for a score."""
        return "score" in getattr(self.item, "fixturenames", ())

    def make_example(self) -> Any:
        """The ``dspy.Example`` of the test's row, the same one each time."""
        if self.example is None:
            from pytest_pitcheval.programs.trainsets import as_example

            self.example = as_example(self._row)
        return self.example

    def run(self, number: int) -> RolloutRun:
        """The rollout ``number`` from 0; those up to it are made if need be."""
        while len(self.runs) <= number:
            sample = self.rollout_id.with_sample(len(self.runs))
            self.runs.append(RolloutRun(RolloutScope(sample, self._answers)))
        return self.runs[number]

    def restart(self) -> None:
        """Forget what was begun with other fixtures than the test has; what was paid for answers from the cache."""
        for flight in self.flights:
            flight.cancel()
        self.flights.clear()
        scope = RolloutScope(self.rollout_id, Answers.RESUMED if self._answers is Answers.FRESH else self._answers)
        self.runs = [RolloutRun(scope)]

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
        return total(run.scope.usage(part) for run in self.runs)

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
            seconds=sum(run.seconds for run in self.runs),
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
