"""The process that hears of all tests: records in, progress and results out."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pitcheval import garbage
from pytest_pitcheval.concurrency.flight_log import read_flying
from pytest_pitcheval.concurrency.process import Process
from pytest_pitcheval.credentials.hiding import redact_content
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.printable import printable_line
from pytest_pitcheval.rollouts.answers.telling import ANSWERS, Heard
from pytest_pitcheval.session.shared_texts import SharedTexts
from pytest_pitcheval.session.workforce import Workforce

if TYPE_CHECKING:
    from pytest_pitcheval.evaluation.runner import Runner
    from pytest_pitcheval.reports.results import Results
    from pytest_pitcheval.results.collected import Collected
    from pytest_pitcheval.results.records import Record
    from pytest_pitcheval.session.display import Display
    from pytest_pitcheval.session.outbox import Outbox
    from pytest_pitcheval.session.stopping import Stopper
    from pytest_pitcheval.storage.expenses import Expenses
    from pytest_pitcheval.storage.references import LoadedBaseline, RepeatedRun


class Controller:
    """xdist's controller, or pytest on its own.

    Attributes:
        baseline: what scores are compared with, or None.
        repeated: the run that is replayed or continued, or None.
        started: when the session began, monotonic, in seconds.
        runner: the tests that run in this very process, None in xdist's controller.
        collected: the evaluation tests of this process.
        datasets: by test function, the IDs of all examples, sampled or not.
        records: by node ID, what came of the tests, without the texts that are in the journal.
        texts: what reports and records have in common.
        lost: by node ID, why a test that was begun left no record.
        keys: the credentials of LMs that workers have seen.
        heard: what the processes tell of recorded answers.
        exit_status: pytest's, as far as it is known when the session is concluded.
        results: what the session came to, once it has ended with evaluation tests.
    """

    def __init__(
        self,
        process: Process,
        config: pytest.Config,
        baseline: LoadedBaseline | None,
        started: float,
        repeated: RepeatedRun | None = None,
    ) -> None:
        self.process = process
        self.config = config
        self.baseline = baseline
        self.repeated = repeated
        self.started = started
        self.runner: Runner | None = None
        self.collected: Sequence[Collected] = ()
        self.datasets: Mapping[str, Sequence[str]] = {}
        self.records: dict[str, Record] = {}
        self._places: dict[str, int] = {}
        self.texts = SharedTexts()
        self.lost: dict[str, str] = {}
        self.keys: set[str] = set()
        self._hidden: frozenset[str] | None = None
        self._late: list[str] = []
        self._stopper: Stopper | None = None
        self.heard = Heard()
        self.exit_status = 0
        self.results: Results | None = None
        self._has_evaluations = False
        self.workforce = Workforce(process)

    @property
    def has_evaluations(self) -> bool:
        """Whether evaluation tests were collected, here or by workers."""
        if not self._has_evaluations:
            self._has_evaluations = bool(self.collected) or self.process.has_collected
        return self._has_evaluations

    @property
    def measures(self) -> bool:
        """Whether pytest runs the tests that it collects: ``--setup-plan`` is ``--setup-only`` to it as well."""
        return not any(self.config.getoption(option, False) for option in ("collectonly", "setuponly"))

    @functools.cached_property
    def outbox(self) -> Outbox:
        """What leaves this process."""
        from pytest_pitcheval.session.outbox import Outbox

        return Outbox(self.process, self.config.rootpath)

    def keep_back(self, specs: list[Any]) -> None:
        """Take from the execnet ``specs`` that xdist is going to start the workers that would gain nothing."""
        most = len(specs)
        if kept := self.workforce.keep_back(self.config.pluginmanager.get_plugin("dsession"), specs):
            from pytest_pitcheval.reports.progress import Progress

            Progress(self.config).say(f"{most - kept} of {most} workers: a further one would take longer than it saves")

    # Progress

    @functools.cached_property
    def _display(self) -> Display:
        from pytest_pitcheval.reports.progress import Progress
        from pytest_pitcheval.session.display import Display

        return Display(Progress(self.config), self._count(), self._flying, self._spent)

    @property
    def known_tests(self) -> Sequence[str]:
        """The evaluation tests that were collected, by node ID."""
        return [one.nodeid for one in self._collected()]

    def _collected(self) -> Sequence[Collected]:
        from pytest_pitcheval.results.collected import Collected

        return self.collected or [Collected.from_dict(test) for test in self.process.read_collected()["tests"]]

    def _count(self) -> int:
        return len(self.collected) or len(self.process.read_collected()["tests"])

    def _flying(self) -> tuple[int, int]:
        return self.runner.flying if self.runner else read_flying(self.process.runtime_dir)

    def _spent(self) -> str:
        return expenses.amounts if (expenses := self.expenses) else ""

    @property
    def expenses(self) -> Expenses | None:
        """What has been spent of what may be; None without a cap."""
        budget = self.process.budget
        if not budget.is_set:
            return None
        from pytest_pitcheval.storage.expenses import Expenses

        spent, before = budget.spent, budget.earlier
        return Expenses(
            max_cost=budget.cap.cost,
            max_tokens=budget.cap.tokens,
            cost=spent.cost,
            tokens=round(spent.tokens),
            cost_beside=spent.cost_beside,
            tokens_beside=round(spent.tokens_beside),
            cost_before=before.cost,
            tokens_before=round(before.tokens),
            reached=budget.reached,
            refused=round(spent.refused),
        )

    def update(self) -> None:
        """Say how far the session is."""
        if self.has_evaluations:
            self._display.update()

    def make_room(self) -> None:
        """pytest is going to write: take the progress line away."""
        if self.has_evaluations:
            self._display.erase()

    # Records

    def begin(self) -> None:
        """Evaluation tests are going to run: what is paid for from now on can be resumed.

        Raises:
            pytest.exit.Exception: another session has the same ID, or no example has the label of ``--eval-slice``.
        """
        self.check_slice()
        if self.has_evaluations and self.measures:
            from pytest_pitcheval.reports.progress import Progress

            garbage.freeze()
            Progress(self.config).open()
            try:
                self.outbox.begin()
            except PitchevalError as error:
                pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
            self._begin_stopping()
            self._display.estimate(self.process.settings, self._collected)

    def check_slice(self) -> None:
        """End the session in one line if a worker has found that no example has the label of ``--eval-slice``."""
        if self.process.settings.slice and (refused := self.process.read_collected().get("refused")):
            pytest.exit(printable_line(refused), returncode=pytest.ExitCode.USAGE_ERROR)

    def secrets(self) -> tuple[str, ...]:
        """All credentials that are known by now, longest first."""
        return self.process.secrets({*self.keys, *(self.runner.lm_keys if self.runner else ())})

    def late_secrets(self) -> list[str]:
        """Those that an LM was first seen with after the session had begun: what was told before may have them."""
        known = set(self.process.secrets(()))
        return [secret for secret in self.secrets() if secret not in known]

    def learn(self, keys: Iterable[str]) -> None:
        """A worker has seen LMs with these credentials: what was written down before does without them from now on."""
        self.keys.update(keys)
        hidden = frozenset({*self.keys, *(self.runner.lm_keys if self.runner else ())})
        if hidden == self._hidden:
            return
        self._hidden, self._late = hidden, self.late_secrets()
        if self._late and self.records:
            moved = self.outbox.journal.rewrite(lambda record: redact_content(record, self._late))
            self._places = {nodeid: moved.get(place, place) for nodeid, place in self._places.items()}

    def _begin_stopping(self) -> None:
        settings = self.process.settings
        if settings.replay:
            self.process.tell_standings()
        if not settings.stop or settings.replay or self._stopper is not None:
            return
        from pytest_pitcheval.results.deciding.decisions import stopping
        from pytest_pitcheval.session.stopping import Stopper
        from pytest_pitcheval.storage import references

        baseline = self.baseline.measured if self.baseline else None
        terms = references.terms_of(settings, settings.seed)
        decided = stopping(self._collected(), baseline, terms, gated=not settings.baseline.update)
        self._stopper = Stopper(self.process, decided)

    def keep(self, nodeid: str, record: Mapping[str, Any], is_final: bool = True) -> None:
        """A record has arrived; ``nodeid`` is the test's own, which may have a credential in it.

        ``is_final``: the test is not tried again.
        """
        if not self.measures:
            return
        from pytest_pitcheval.results.records import PARTS, Record

        if self.repeated is not None:
            record = self.repeated.completed(record)
        if self.runner is None and self._late:  # of other workers than the one that sent it
            record = redact_content(record, self._late)
        whole, place = Record.from_dict(record), self.outbox.add(record)
        names = ("nodeid", "example_id", *whole.key._fields, "fingerprints", "program_file", *PARTS)
        whole = dataclasses.replace(whole, **{name: self.texts.of(getattr(whole, name)) for name in names})
        self._display.add(whole)
        if self._stopper is not None and is_final:
            self._stopper.hear(whole)
        if place is None:
            self.records[nodeid] = whole
            self._places.pop(nodeid, None)
        else:
            small = whole.without_texts()
            self.records[nodeid] = dataclasses.replace(small, rollout_id=self.texts.of(small.rollout_id))
            self._places[nodeid] = place

    def whole(self, record: Record) -> Record:
        """A record with its texts; without them where the journal has been lost."""
        place = self._places.get(record.nodeid)
        data = None if place is None else self.outbox.journal.read(place)
        return record if data is None else type(record).from_dict(data)

    # The end

    def heard_of_answers(self, told: Mapping[str, Any]) -> None:
        """A worker has ended, and tells what it has in xdist's ``workeroutput``."""
        if told.get(ANSWERS):
            self.heard.hear(told[ANSWERS], self.process.runtime_dir)

    def stop(self) -> None:
        """Tell workers to begin no rollout that has not begun; what is in flight is not waited for."""
        if self.runner is None and self.process.runtime_dir.exists():
            with self.process.noting("workers finish what they have begun"):
                self.process.stop_path.touch()

    @property
    def has_something_to_tell(self) -> bool:
        """Whether an evaluation test was run."""
        return bool(self.records or (self.lost and self.has_evaluations))

    def publish(self) -> None:
        """Once pytest has written its own files: complete them, and log the run."""
        if self.results is not None:
            from pytest_pitcheval.evaluation.timeouts import left_of_session

            passed = time.monotonic() - self.started
            self.outbox.publish(self.results, functools.partial(left_of_session, self.config, passed))
            if not self.process.settings.replay:
                self.workforce.write(self.runner.meter if self.runner else None)
            self.results.logged.extend((line, True) for line in self.process.notes.lines)

    def close(self) -> None:
        """End what is still being sent."""
        if "outbox" in vars(self):
            self.outbox.close()
