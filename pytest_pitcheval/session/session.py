"""The state of one pytest process, reached through `state.get_session`: it puts the parts together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pitcheval import garbage, waits
from pytest_pitcheval.concurrency.process import KEY, Process
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.ownership import is_ours
from pytest_pitcheval.results.plain import plain
from pytest_pitcheval.results.printable import printable_line
from pytest_pitcheval.rollouts.answers.telling import ANSWERS, told_by
from pytest_pitcheval.session import beginning
from pytest_pitcheval.session.closing import ending
from pytest_pitcheval.session.controller import Controller
from pytest_pitcheval.session.worker_ends import NOTES
from pytest_pitcheval.session.workforce import METER, SPENT
from pytest_pitcheval.settings.settings import read_settings

if TYPE_CHECKING:
    from pytest_pitcheval.evaluation.runner import Runner
    from pytest_pitcheval.lm.named_lms import NamedLMs
    from pytest_pitcheval.reports.results import Results
    from pytest_pitcheval.rollouts.answers.book import AnswerBook


class Session:
    """One process of one session: the controller, one of its xdist workers, or pytest on its own.

    Attributes:
        controller: what hears of all tests; None in workers.
        runner: the running tests; None in xdist's controller, and where no test has to do with LMs.
        datasets: by test function, the IDs of all examples, sampled or not.
    """

    def __init__(self, config: pytest.Config, started: float) -> None:
        self.config = config
        settings = read_settings(config)
        worker = Process.of_worker(settings, config)
        self.controller: Controller | None = None
        if worker is None:
            beginning.check_providers(settings, config)
            self.process, baseline, repeated = beginning.begin(settings, config.rootpath)
            self.controller = Controller(self.process, config, baseline, started, repeated)
        else:
            self.process = beginning.informed(worker, config.workerinput[KEY])  # type: ignore[attr-defined]
            ending.end_without_controller()
        self.datasets: dict[str, list[str]] = {}
        self._places: dict[str, dict[str, list[str]]] = {}
        self.runner: Runner | None = None
        self.exit_status: Callable[[], int] = lambda: pytest.ExitCode.OK
        """pytest's exit code, as soon as that is known; in the end what it returns, which other plugins may change."""
        self._watching = False
        self._in_files: dict[str, int] = {}

    def told_to_workers(self, planned: bool, transports: Iterable[str]) -> dict[str, Any]:
        """What an xdist worker must know: as `Process.told_to_workers`, and what the baseline has if that is needed."""
        told = self.process.told_to_workers(planned, transports)
        if self.process.before is not None:
            from pytest_pitcheval.storage import baseline_documents

            told["before"] = baseline_documents.to_text(self.process.before)
        return told

    # Collection

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Make the tests of one function; note its whole dataset, if it is an evaluation."""
        from pytest_pitcheval.collection import parametrization
        from pytest_pitcheval.collection.rows import places_of

        if is_ours(metafunc.definition):
            rows = parametrization.parametrize(metafunc, self.process.settings)
            self.datasets[metafunc.definition.nodeid] = [plain(row.id) for row in rows]
            if self.process.worker is not None and (places := places_of(rows)):
                self._places[metafunc.definition.nodeid] = places
        else:
            parametrization.parametrize_models(metafunc, self.process.settings)

    def found(self, items: Sequence[pytest.Item]) -> None:
        """Note where tests stand: reports keep to that, whatever order other plugins have them run in."""
        self._in_files = {item.nodeid: place for place, item in enumerate(items)}

    def select(self, items: list[pytest.Item]) -> None:
        """Take from ``items`` what ``--eval-slice`` leaves out; a label that no row has is a usage error."""
        if self.process.settings.slice is None:
            return
        from pytest_pitcheval.collection import slicing

        try:
            left_out = slicing.left_out(items, self.process.settings.slice)
        except PitchevalError as error:
            if self.controller:
                raise pytest.UsageError(printable_line(str(error))) from None
            self._tell({"tests": [], "datasets": {}, "refused": str(error)})
            left_out = list(items)
        if left_out:
            gone = set(left_out)
            items[:] = [item for item in items if item not in gone]
            self.config.hook.pytest_deselected(items=left_out)

    def put_in_order(self, items: list[pytest.Item]) -> None:
        """Put each test's examples in random order, where the first ones are to speak for all."""
        if self.process.settings.stop:
            from pytest_pitcheval.collection.ordering import put_in_random_order

            put_in_random_order(items, self.process.settings)
            self.found(items)

    def collect(self, items: Sequence[pytest.Item]) -> None:
        """Watch the tests, of which one at least is to be watched; a worker tells the controller of evaluations."""
        from pytest_pitcheval.evaluation.hooks import MarkerHooks, RunningHooks
        from pytest_pitcheval.evaluation.runner import Runner

        waits.keep_time()
        controller = self.controller
        update = controller.update if controller else lambda: None  # the controller says how far the session is
        self.runner = Runner(self.process, self.config, items, update)
        self.config.pluginmanager.register(RunningHooks(self.runner, self.secrets), "pitcheval-running")
        self.config.pluginmanager.register(MarkerHooks(), "pitcheval-markers")
        if self.process.budget.is_set:
            from pytest_pitcheval.evaluation.hooks import RefusalHooks

            self.config.pluginmanager.register(RefusalHooks(), "pitcheval-refusals")
        if controller:
            controller.runner = self.runner
            self.listen()
        ours = [item for item in items if is_ours(item)]
        if ours:
            self._collect(ours, len(items))

    def _collect(self, items: Sequence[pytest.Item], all_items: int) -> None:
        from pytest_pitcheval.collection.collected import collected, may_run_ahead
        from pytest_pitcheval.evaluation import timeouts

        for item in items:
            timeouts.add_default(item, self.process.settings.timeout)
        by_nodeid = {item.nodeid: item for item in items}  # once, though ``--keep-duplicates`` runs it twice
        in_order = sorted(by_nodeid, key=lambda nodeid: self._in_files.get(nodeid, len(self._in_files)))
        tests = [collected(by_nodeid[nodeid], self.process.settings) for nodeid in in_order]
        ahead = [item.nodeid for item in items if may_run_ahead(item)]
        others = all_items - len(ahead)
        if self.controller:
            self.controller.workforce.work = (len(ahead), others)
            self.controller.collected, self.controller.datasets = tests, self.datasets
            self.controller.begin()
        else:
            garbage.freeze()
            if self._places and self.process.worker is not None and not self.process.worker.apart:
                self.process.put_places(self._places)
            self._tell(
                {
                    "tests": [test.to_dict() for test in tests],
                    "datasets": self.datasets,
                    "ahead": ahead,
                    "others": others,
                }
            )

    def _tell(self, told: Mapping[str, Any]) -> None:
        """Tell the controller what this worker has collected: all workers collect the same."""
        assert self.process.worker is not None
        shared = not self.process.worker.apart and (self.process.has_collected or self.process.put_collected(told))
        if not shared:
            self.config.workeroutput[KEY] = told  # type: ignore[attr-defined]

    def check_places(self) -> None:
        """End the session in one line if two workers have a row under different IDs: nobody would know what was run."""
        from pytest_pitcheval.collection.rows import moved

        if test := moved(self.process.read_places()):
            pytest.exit(
                f"{test}: its dataset has another order in another worker; expected the same rows in the same order "
                "each time, such as sorted(...) or random.Random(0).sample(...)",
                returncode=pytest.ExitCode.USAGE_ERROR,
            )

    def listen(self) -> None:
        """From now on hear of single tests."""
        if not self._watching and self.controller:
            from pytest_pitcheval.session.listening import ListeningHooks

            self._watching = True
            self.config.pluginmanager.register(ListeningHooks(self.controller), "pitcheval-listening")

    # What tests use

    @functools.cached_property
    def lms(self) -> NamedLMs:
        """The LMs that the options name."""
        from pytest_pitcheval.lm.named_lms import NamedLMs

        return NamedLMs(self.process.settings, self.process.runtime_dir, self.process.owner_pid)

    def asked_by_request(self, request: pytest.FixtureRequest) -> Runner:
        """A fixture of ours is set up, perhaps for a test that nobody watches, as it does not ask for it by name."""
        if self.runner is None:
            self.collect(request.session.items)
        assert self.runner is not None
        return self.runner

    def secrets(self) -> tuple[str, ...]:
        """The credentials that must appear in no report and no file, longest first."""
        if self.controller is not None:
            return self.controller.secrets()
        return self.process.secrets(self.runner.lm_keys if self.runner else ())

    # The end

    @property
    def results(self) -> Results | None:
        """What the session came to, in the process that reports."""
        return self.controller.results if self.controller else None

    def conclude(self) -> None:
        """Begin nothing more; the process that reports sums the session up."""
        if self.runner is not None:
            self.runner.pool.close()
            if rollouts := self.runner.rollouts_made:
                self.process.notes.extend(rollouts.models.lines())
        if self.controller is not None:
            self.controller.stop()
            self._conclude(self.controller)
        else:
            output: dict[str, Any] = self.config.workeroutput  # type: ignore[attr-defined]
            output[NOTES] = self.process.notes.lines
            output[SPENT] = self.process.budget.untold
            output[ANSWERS] = told_by(self._book, self.process)
            if self.runner is not None and (read := self.runner.meter.read()):
                output[METER] = list(read)

    @property
    def _book(self) -> AnswerBook | None:
        """The answers that are kept or replayed in this process."""
        rollouts = self.runner.rollouts_made if self.runner else None
        return rollouts.book if rollouts else None

    def _conclude(self, controller: Controller) -> None:
        controller.make_room()
        self._clean_kept_reports(controller.late_secrets())
        if not controller.measures:
            return
        ended_well = self.exit_status() == pytest.ExitCode.OK
        if controller.has_something_to_tell or (ended_well and controller.has_evaluations):
            from pytest_pitcheval.session.closing.conclusion import conclude, never_run

            controller.exit_status = self.exit_status()
            if told := told_by(self._book, self.process):
                controller.heard.hear(told, self.process.runtime_dir)
            controller.results = conclude(controller, self.secrets())
            if ended_well:
                controller.results.problems.extend(never_run(controller.results))

    def _clean_kept_reports(self, late: Sequence[str]) -> None:
        """What pytest prints at the end of tests that were over before these credentials were known."""
        kept = getattr(self.config.pluginmanager.get_plugin("terminalreporter"), "stats", {}) if late else {}
        for report in (report for reports in kept.values() for report in reports):
            if isinstance(report, pytest.TestReport) and (report.longrepr or report.sections):
                from pytest_pitcheval.evaluation.cleaning import Cleaner, has_colours

                Cleaner(late, has_colours(self.config)).report(report)

    @property
    def cut_off(self) -> str | None:
        """Why LM calls were not sent: less was done than was asked for; None where all were."""
        expenses = self.controller.expenses if self.controller else None
        return expenses.reached if expenses and expenses.refused else None

    def publish(self) -> None:
        """Once pytest has written its own files: complete them, and log the run."""
        if self.controller is not None:
            self.controller.publish()

    def close(self) -> None:
        """Give back what this process took; whoever owns the session's folder ends its servers too."""
        if self.controller is not None:
            self.controller.close()
        if self.runner is not None:
            self.runner.close()
            if ending.is_pytests_own():
                ending.Ending(lambda: self.exit_status(), self.runner.started_threads).prepare()
        if self.process.owns_folder and (self.process.runtime_dir.exists() or self.results is not None):
            from pytest_pitcheval.lm.embedded import starting

            starting.stop(self.process.runtime_dir)
            self.process.remove_runtime_dir()
