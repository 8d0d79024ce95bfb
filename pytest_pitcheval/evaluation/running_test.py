"""What is known of the evaluation test that is running, until it becomes its record."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from pytest_pitcheval.collection.collected import asked_by
from pytest_pitcheval.errors import one_line
from pytest_pitcheval.evaluation.examples import fields
from pytest_pitcheval.evaluation.examples.own_example import OwnExample
from pytest_pitcheval.names import EXAMPLE, GENERATOR, JUDGE, MEASURED, LeftOut
from pytest_pitcheval.ownership import fixture_names
from pytest_pitcheval.results.baselines import Measurement
from pytest_pitcheval.results.plain import text_of
from pytest_pitcheval.results.records import Omission, Record, Status, Usage, total
from pytest_pitcheval.results.score import Score
from pytest_pitcheval.rollouts.program_and_metric import Generator
from pytest_pitcheval.rollouts.rollout import Answers, Rollout, taken
from pytest_pitcheval.rollouts.rollout_id import RolloutId
from pytest_pitcheval.settings.settings import Settings
from pytest_pitcheval.storage.media import MediaFolder

RUNNING: pytest.StashKey[RunningTest] = pytest.StashKey()
"""Where an item keeps its `RunningTest` while it runs."""


def answers_of(settings: Settings) -> Answers:
    """Where the answers to LM calls may come from in this session."""
    if settings.answers is not None:  # what is missing there is asked for, if it may be
        return Answers.REPLAYED if settings.record is None else Answers.FRESH
    if settings.replay is not None and settings.record is None:
        return Answers.REPLAYED
    return Answers.RESUMED if settings.resume or settings.replay else Answers.FRESH


class RunningTest:
    """One attempt at one evaluation test: its rollouts, and what they came to.

    Whoever does something for the test says so by a method; the attributes are there to be read. ``earlier`` is what
    the LM calls of the attempts before it took, by part: they are paid for as well.

    Attributes:
        about: what the controller knows of it.
        optimization: the method that it runs with.
        order: its place in the queue of those who wait for a slot.
        rollouts: the first is also of whatever the test calls itself; with each, those of further verdicts on it.
        rollout_count: how many predictions a score is the mean of.
        judge_rollouts: how many verdicts there are on each of them.
        own_example: the plugin's own of its row.
        function_fixtures: those set up for it alone that may make a difference to its program, in order.
        example, prediction, generator: what `predicted_with` and `predicted` were told last.
        origin: what its score comes from, as far as `comes_from` was told.
        given: in a judge's exam, the answer that is judged and what people said of it.
        is_late: whether the test asked for the plugin's fixtures only while it ran, and not by name.
    """

    def __init__(
        self,
        item: pytest.Item,
        settings: Settings,
        timestamp: str,
        answers: Answers = Answers.FRESH,
        attempt: int = 1,
        place: int = 0,
        earlier: Mapping[str, Usage] = MappingProxyType({}),
    ) -> None:
        asked = asked_by(item, settings)
        self.item = item
        self.about = asked.about
        self.optimization = asked.optimization
        self.rollout_id = RolloutId(timestamp, item.nodeid, attempt=attempt)
        self.order = (place,)
        self.rollouts = [Rollout(self.rollout_id, answers)]
        self.rollout_count = settings.rollouts.or_default(1, asked.evaluation.rollouts if asked.evaluation else None)
        self.judge_rollouts = (asked.program_marker.judge_rollouts if asked.program_marker else None) or 1
        self.own_threshold = asked.evaluation.threshold if asked.evaluation else None
        self.function_fixtures: list[str] = []
        self.example: Any = None
        self.prediction: Any = None
        self.generator: Generator | None = None
        self.score: Score | None = None
        self.origin, self._aggregates = dict[str, str](), dict[str, str]()
        self.is_late = False
        self._answers = answers
        self._earlier = earlier
        self._thrown_away: list[Rollout] = []
        self.own_example = OwnExample(asked.row, asked.types)
        self._own_program: Any = None
        self._named_scores, self._later_rollouts = dict[str, float](), list[dict[str, Any]]()
        self._program_file: str | None = None
        self.given = asked.row.given if asked.row else None
        self._fingerprints, self._media = dict[str, str](), MediaFolder(settings.directory)
        self._status: Status = "passed"
        self._error: str | None = None
        self._omission: Omission | None = None
        self._baseline: Measurement | None = None

    @property
    def first(self) -> Rollout:
        """The first rollout, which is also of whatever the test itself calls."""
        return self.rollouts[0]

    @property
    def is_resumed(self) -> bool:
        """Whether its LM calls may have been paid for, by an earlier session or a worker that has crashed."""
        return self._answers is Answers.RESUMED

    @property
    def asks_for_score(self) -> bool:
        """Whether the test asks for a score."""
        return not {"score", "verdict"}.isdisjoint(fixture_names(self.item))

    def make_example(self) -> Any:
        """The ``dspy.Example`` of the test's row, the same one each time. Raises MarkerError for a wrong value."""
        before, made = self.own_example.made, self.own_example.make()
        self.example = self.example if made is before else made
        return made

    def forget_example(self) -> None:
        """It is over: what is large in its example must not wait for Python's garbage collector."""
        self.example = None
        self.own_example.forget()

    def rollout(self, number: int) -> Rollout:
        """The rollout ``number`` from 0, as `verdicts` counts them; those up to it are made if need be."""
        while len(self.rollouts) <= number:
            of_next = divmod(len(self.rollouts), self.judge_rollouts)
            self.rollouts.append(Rollout(self.rollout_id.with_sample(*of_next), self._answers))
        return self.rollouts[number]

    @property
    def verdicts(self) -> int:
        """How many verdicts a score is made of, each with a rollout of its own: all on the first prediction first."""
        return self.rollout_count * self.judge_rollouts

    # What happens to it

    def adopted(self) -> None:
        """The test has asked for a fixture of ours while it ran: nobody knew, so it has neither example nor method."""
        self.is_late = True

    def set_up(self, fixture: str) -> None:
        """A fixture was set up for this test alone, that may make a difference to its program."""
        if self.given is None or fixture in fixture_names(self.item):  # in an exam, the program is only looked at
            self.function_fixtures.append(fixture)

    def compiled(self, program: Any) -> None:
        """The plugin's own fixture ``compiled_program`` gave this."""
        self._own_program = program

    def stored_as(self, program_file: str) -> None:
        """The compiled program is in this file, below the ``--eval-dir``."""
        self._program_file = program_file

    def predicted_with(self, generator: Generator, example: Any, fingerprints: Mapping[str, str]) -> None:
        """The prediction is being made by ``generator`` from ``example``."""
        self.generator, self.example = generator, example
        self._fingerprints |= fingerprints

    def predicted(self, prediction: Any) -> None:
        """The first rollout's prediction is there."""
        self.prediction = prediction

    def is_own(self, program: Any, example: Any) -> bool:
        """Whether both are of the plugin's own fixtures: the user has overridden neither of these."""
        return program is self._own_program and example is self.own_example.made

    def comes_from(self, parts: Mapping[str, str]) -> None:
        """This is a part of what its score comes from: digits by name."""
        self.origin |= parts

    def judged_with(self, fingerprints: Mapping[str, str]) -> None:
        """The metric is being asked."""
        self._fingerprints |= fingerprints

    def judged_later(self, prediction: Any, feedback: str | None) -> None:
        """What a rollout after the first one came to."""
        self._later_rollouts.append(fields.plain_rollout(prediction, feedback, self._media.kept))

    def scored(self, score: Score, example: Any, prediction: Any) -> None:
        """The fixture ``score`` is there, with the example and the first prediction that it was given."""
        self.score, self.example, self.prediction = score, example, prediction

    def asserts(self, threshold: float) -> None:
        """The test itself names the threshold, in place of the marker's."""
        self.own_threshold = threshold

    def recorded(self, score: Score, name: str | None) -> None:
        """``record_score`` was called; without a ``name`` the score is the test's own."""
        if name is None:
            self.score = score
        else:
            self._named_scores[text_of(name)] = float(score)

    def restart(self) -> None:
        """Forget what was begun with other fixtures than the test has; what was paid for answers from the cache."""
        answers = Answers.RESUMED if self._answers is Answers.FRESH else self._answers
        self._thrown_away += self.rollouts
        self.rollouts = [Rollout(self.rollout_id, answers)]

    def has_aggregates(self, sources: Mapping[str, str]) -> None:
        """Its fixture gives these metrics of the whole set, by name where each comes from."""
        self._aggregates = dict(sources)

    def left_out(self, omission: Omission) -> None:
        """It will be skipped for this reason."""
        self._omission = omission

    def unchanged(self, omission: Omission, baseline: Measurement, fingerprints: Mapping[str, str]) -> None:
        """It is not asked: this is what the baseline has of it, measured with these."""
        self._omission, self._baseline, self._fingerprints = omission, baseline, dict(fingerprints)
        if baseline.predictions:
            self.make_example()  # metrics of the whole set are of it too
            self.prediction, *later = [None if one is None else dict(one) for one in baseline.predictions]
            self._later_rollouts = [{"prediction": one, "feedback": None} for one in later]

    def ended(self, report: pytest.TestReport, error: BaseException | None) -> None:
        """A phase has ended; the first that did not pass names the status."""
        if report.passed or self._status in ("failed", "error"):
            return
        self._status = "skipped" if report.skipped else "failed" if report.when == "call" else "error"
        omission = self._omission
        if omission is not None and omission.reason in text_of(error):  # else the user's own mark skipped it
            self._error = omission.reason
        elif error is not None and not (isinstance(error, AssertionError) and self.score is not None):
            self._error = one_line(error)

    # What it came to

    def usage(self, part: str) -> Usage:
        """What the LM calls of ``part`` took: over all rollouts, thrown away ones and earlier attempts too."""
        return self._earlier.get(part, Usage()) + self._own_usage(part)

    def _own_usage(self, part: str) -> Usage:
        return total(rollout.usage(part) for rollout in (*self._thrown_away, *self.rollouts))

    def _known_fingerprints(self) -> dict[str, str]:
        """A judge that the metric did not ask makes no difference."""
        asked = self._baseline or self._own_usage(JUDGE).fresh + self._own_usage(JUDGE).cached
        known = {role: mark for role, mark in self._fingerprints.items() if asked or role != JUDGE}
        example = None if EXAMPLE in known else self.own_example.identity(self._media.kept)
        return known if example is None else {EXAMPLE: example, **known}

    def _metrics(self) -> dict[str, tuple[float | None, ...]]:
        """By rollout: what each took, where there is a score, and the user's own numbers before that."""
        named = {name: (value,) for name, value in self._named_scores.items()}
        if self._baseline is not None:
            return {**self._baseline.metrics}
        if self.score is None or self._why_left_out:
            return {**named}
        took = [self._taken(sample) for sample in range(len(self.score.samples))]
        measured = {name: tuple(each[name] for each in took) for name in MEASURED}
        return {**measured, **self.score.by_rollout, **named}

    def _taken(self, sample: int) -> dict[str, float | None]:
        """What a prediction took, with all verdicts on it."""
        same = [one for one in (*self._thrown_away, *self.rollouts) if one.rollout_id.sample == sample]
        return taken(same, self._answers is not Answers.FRESH)

    @property
    def _why_left_out(self) -> LeftOut | None:
        return self._omission.why if self._omission and self._error == self._omission.reason else None

    def record(self) -> Record:
        """The test's record; one that did not run to its end has no score."""
        score = None if self._why_left_out else self.score
        measured = self._baseline or score
        return Record(
            nodeid=self.about.nodeid,
            example_id=self.about.example_id,
            **self.about.key._asdict(),
            status=self._status,
            score=None if score is None else float(score),
            threshold=score.threshold if score is not None and score.has_threshold else None,
            own_threshold=self.own_threshold,
            samples=() if measured is None else measured.samples,
            verdicts=() if score is None else score.verdicts,
            metrics=self._metrics(),
            feedback=None if score is None else fields.plain_feedback(score.feedback, self._media.kept),
            error=self._error,
            rollout_id=str(self.rollout_id),
            rollout_key=int(self.rollout_id),
            generator=self.usage(GENERATOR),
            judge=self.usage(JUDGE),
            seconds=sum(rollout.seconds for rollout in self.rollouts),
            fingerprints=self._known_fingerprints(),
            inputs=fields.plain_inputs(self.example, self._media.kept),
            labels=fields.plain_labels(self.own_example.row, self.example, self._media.kept),
            prediction=fields.plain_prediction(self.prediction, self._media.kept),
            program_file=self._program_file,
            later_rollouts=tuple(self._later_rollouts),
            left_out=self._why_left_out,
            people=self.given.people if self.given else (),
            labelled=dict(self.given.labelled) if self.given else {},
            aggregates=self._aggregates,
        )
