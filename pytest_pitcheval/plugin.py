"""The pytest hooks of every session, each a few lines that call an object.

What happens to single tests is in `evaluation/hooks.py` and `session/listening.py`, which are registered only where
there are evaluation tests, and the session's state is made only when something asks for it: a suite that does not use
the plugin pays for an option parser and a look at its fixtures' names.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pitcheval import garbage, state
from pytest_pitcheval.fixtures import (  # noqa: F401  # pytest looks for fixtures in the plugin's own module
    _dspy_settings,
    _pitcheval_test,
    aggregates,
    compiled_program,
    evaluator_lm,
    example,
    generator_lm,
    metric,
    optimization,
    prediction,
    program,
    record_score,
    rollout_id,
    score,
    trainset,
    valset,
    verdict,
)
from pytest_pitcheval.options import registration
from pytest_pitcheval.ownership import give_way, idle_markers, is_watched, uncallable_tests
from pytest_pitcheval.state import existing_session, get_session

if TYPE_CHECKING:
    from pytest_pitcheval.session.session import Session

_EVALUATION = """\
evaluation(dataset, *, inputs, threshold=None, rollouts=None,
    judge_rollouts=1, limit=None, min_mean=None, max_mean=None,
    min_aggregate=None, min_pass_rate=None, max_error_rate=None,
    max_regression=None, max_example_drop=None, lower_is_better=(), slices=(),
    must_pass=None, types={}): a test for each example of dataset: a path
    relative to the test file (.jsonl, .json, .csv, .parquet), a list of
    dspy.Example, or a callable that returns one. inputs: the names of its input
    fields; threshold: the lowest score that passes; rollouts: how often to ask
    each (1); judge_rollouts: how often to judge each prediction (1); limit:
    only the first so many. min_... and max_... are gates for all examples
    together, of means and drops also by metric: {"score": 0.8, "relevancy":
    0.6}; min_aggregate: of metrics of the whole set: {"f1_macro": 0.8};
    lower_is_better: metrics that get worse when they rise; slices: labels whose
    values are shown each by itself, with gates as {"topic": {"min_mean": 0.6}};
    must_pass: the label of examples whose test must pass; types: what values of
    a column become, where the program's signature does not say it:
    {"picture": dspy.Image}."""
_JUDGE_EXAM = """\
judge_exam(dataset, *, inputs, outputs, label, min_kappa=0.6,
    max_false_pass=None, threshold=None, rollouts=None, slices=(),
    types=None): a test for each row of dataset, in which the metric judges the
    answer in the columns outputs, beside what people said of it in the column
    label: 0 or 1, true or false, a grade from 0 to 1, or a list of these.
    min_kappa and max_false_pass say when the judge qualifies: gates on its
    scores wait for that. types: what values of a column become; what the
    fixture program declares, unless this says it."""
_OPTIMIZATION = """\
optimization(method, **settings): optimize the program with method
    before it is evaluated, unless --optimization names others; settings go to
    DSPy's optimizer. Several make a test for each method."""


_DIST_CHOSEN = pytest.StashKey[bool]()
"""Whether the user said how xdist is to distribute tests."""
_IDLE_MARKERS = pytest.StashKey[set[Any]]()
"""The classes and modules with an evaluation marker of which no test makes use."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and ini keys are registered. pytest, API Reference: Initialization hooks."""
    registration.add_options(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None, object, object]:
    """A conftest.py is going to import DSPy. pytest, API Reference: Bootstrapping hooks."""
    garbage.put_off()
    try:
        return (yield)
    except BaseException:  # pytest never configures itself, and so never unconfigures
        garbage.resume()
        raise


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Notes whether the user chose a distribution, before xdist does. pytest, API Reference: Initialization hooks."""
    config.stash[_DIST_CHOSEN] = config.getoption("dist", "no") != "no"  # xdist sets it itself next
    code: Any = yield
    if code is not None and (session := existing_session(config)):
        session.exit_status = lambda: int(code)
    return code


def pytest_configure(config: pytest.Config) -> None:
    """Markers are declared, and wrong options are told. pytest, API Reference: Initialization hooks."""
    config.addinivalue_line("markers", _EVALUATION)
    config.addinivalue_line("markers", _JUDGE_EXAM)
    config.addinivalue_line("markers", _OPTIMIZATION)
    state.begin(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """What the session took is given back. pytest, API Reference: Initialization hooks."""
    garbage.resume()
    if session := existing_session(config):
        session.close()


@pytest.hookimpl(optionalhook=True, tryfirst=True)  # before xdist counts them on the terminal
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    """Workers are about to start: those that would gain nothing are not. pytest-xdist, newhooks.py."""
    session = existing_session(config)
    if session and session.controller and not config.stash.get(_DIST_CHOSEN, False):
        session.controller.keep_back(specs)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker is about to start, and is told whose session it is. pytest-xdist, newhooks.py."""
    session = get_session(node.config)
    planned = not node.config.stash.get(_DIST_CHOSEN, False)
    node.workerinput["pitcheval"] = session.told_to_workers(planned, node.config.getoption("tx", None) or ())
    if session.controller and (reserve := session.controller.workforce.reserve):
        node.workerinput["workercount"] = reserve.most
    session.listen()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Workers get their tests at once, unless the user chose otherwise. pytest-xdist, newhooks.py."""
    if config.stash.get(_DIST_CHOSEN, False):
        return None
    from pytest_pitcheval.concurrency import scheduling

    session = get_session(config)
    reserve = session.controller.workforce.reserve if session.controller else None
    return scheduling.AtOnceScheduling(config, log, session.process, reserve)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """A worker has told what it has collected. pytest-xdist, newhooks.py."""
    if controller := get_session(node.config).controller:
        controller.begin()
        get_session(node.config).check_places()
        if controller.has_evaluations:
            ids[:] = controller.texts.of(ids)  # xdist keeps those of each worker, and all are the same


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A worker has ended: what it collected is kept, and a crash is noted. pytest-xdist, newhooks.py."""
    from pytest_pitcheval.session.worker_ends import worker_ended

    session = get_session(node.config)
    worker_ended(session.process, session.controller, node, crashed=bool(error))


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport, sched: Any) -> None:
    """A worker crashed with this test, which may not be to blame. pytest-xdist, newhooks.py."""
    process = get_session(sched.config).process
    if process.has_collected:
        from pytest_pitcheval.concurrency import scheduling

        scheduling.examine_crash(process.runtime_dir, crashitem, report, sched)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """What conftest.py and test modules import is there, or xdist's workers import it. pytest: Collection hooks."""
    try:
        return (yield)
    finally:
        garbage.resume()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, Any]:
    """Tests that pytest cannot call get a report that says why. pytest, API Reference: Collection hooks."""
    report = yield
    if report.failed and "mark.evaluation(" in str(report.longrepr) and "positional argument" in str(report.longrepr):
        from pytest_pitcheval.collection import swallowed

        report.sections.append(("pitcheval", swallowed.HINT))
    elif report.passed and type(collector) in (pytest.Module, pytest.Class) and (names := uncallable_tests(collector)):
        from pytest_pitcheval.collection import swallowed

        report.result = [*report.result, *swallowed.swallowed(collector, names)]
    return report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test becomes one for each example, method and model. pytest, API Reference: Collection hooks."""
    give_way(metafunc.definition)
    if is_watched(metafunc.definition):
        get_session(metafunc.config).parametrize(metafunc)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before tests are deselected, and after others have changed their order
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, object, object]:
    """Markers that nobody uses are noted, other slices are left out; with --eval-stop, examples are put in order.

    pytest, API Reference: Collection hooks.
    """
    if idle := idle_markers(items):
        config.stash[_IDLE_MARKERS] = idle
    session = existing_session(config)
    if session:
        session.found(items)
        session.select(items)
    outcome = yield
    if session:
        session.put_in_order(items)
    return outcome


@pytest.hookimpl(tryfirst=True)  # what is written there is read as soon as xdist has told of it
def pytest_collection_finish(session: pytest.Session) -> None:
    """What was collected decides whether tests are watched. pytest, API Reference: Collection hooks."""
    if idle := session.config.stash.get(_IDLE_MARKERS, None):
        from pytest_pitcheval.collection import marker_checks

        marker_checks.blame(session, idle)
    if any(map(is_watched, session.items)):
        get_session(session.config).collect(session.items)


@pytest.hookimpl(wrapper=True, trylast=True)  # after pytest has written its XML file, before its terminal summary
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Sums up before pytest writes its XML, and publishes after it. pytest, API Reference: Test running hooks."""
    ours = existing_session(session.config)
    if ours is None:
        return (yield)
    ours.exit_status = lambda: int(session.exitstatus)
    ours.conclude()
    _fail_if_bad(session, ours)
    try:
        outcome = yield
    finally:  # pytest's own XML file may not fit on the disk
        ours.publish()
        _fail_if_bad(session, ours)
    return outcome


def _fail_if_bad(session: pytest.Session, ours: Session) -> None:
    is_bad = ours.cut_off if ours.results is None else ours.results.bad
    if is_bad and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What the run came to is printed. pytest, API Reference: Reporting hooks."""
    session = existing_session(config)
    if session and session.results:
        from pytest_pitcheval.session.closing.summary import write_summary

        write_summary(terminalreporter, session.results, config)
    elif session and session.cut_off:  # in tests that are no evaluations
        terminalreporter.write_line(f"pitcheval: {session.cut_off}", red=True)
