"""pytest's reports of evaluation tests: which outcome an exception is, what a failure shows, the record on it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_pitcheval.credentials.hiding import redact_content
from pytest_pitcheval.errors import (
    CompileFailed,
    FixtureStopped,
    MarkerError,
    MetricFailed,
    PitchevalError,
    ProgramStopped,
)
from pytest_pitcheval.evaluation import sending
from pytest_pitcheval.evaluation.cleaning import Cleaner, has_colours
from pytest_pitcheval.evaluation.running_test import RUNNING, RunningTest
from pytest_pitcheval.lm.failures import is_lm_error
from pytest_pitcheval.reports import conversations, repeating
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.media import with_notes
from pytest_pitcheval.results.plain import WHOLE, plain, text_of
from pytest_pitcheval.results.records import Record

_PHASE = "pitcheval_phase"
"""The attribute of a report whose ``when`` says what kind of failure it is: the phase that it is of."""

_LABEL = 11
"""How wide a failure's column of names is."""

_FEEDBACK_LINES = 2
_PREDICTION_LINES = 3
_STEP_LINES = 5
"""How many lines of the terminal a failure gives to each; all of it is in the run file."""

_PACKAGE = Path(__file__).resolve().parents[1]


def finish(
    item: pytest.Item,
    call: pytest.CallInfo[None],
    report: pytest.TestReport,
    hidden: Callable[[], Sequence[str]],
    may_show_keys: bool,
    keys: Iterable[str] = (),
) -> None:
    """Make ``report`` say what happened to an evaluation test, and put the record on the last one.

    ``hidden`` gives the credentials that must not be seen in it; ``may_show_keys`` says whether a test without a
    record may have some, ``keys`` are those of the LMs that were seen in this process.
    """
    running = item.stash.get(RUNNING, None)
    if running is None:
        if may_show_keys:
            Cleaner(hidden(), has_colours(item.config)).report(report)
        return
    error = call.excinfo.value if call.excinfo else None
    if report.failed and error is not None:
        _set_outcome(report, error, running)
        _set_text(report, error)
    running.ended(report, error)
    if report.failed and report.when != "teardown":
        again = repeating.command(item.nodeid, repeating.how_to_repeat(item.config))
        whole = repeating.show(item.nodeid, item.config)
        shown = Record.from_dict(_as_sent(running.record(), hidden()))
        report.sections.append(("pitcheval", explain(shown, again, whole)))
    if report.longrepr or report.sections or report.user_properties or hasattr(report, "wasxfail"):
        Cleaner(hidden(), has_colours(item.config)).report(report)
    if call.when == "teardown":
        from pytest_pitcheval.reports import junit

        sent = _as_sent(running.record(), hidden())
        sending.put_on(report, sent, keys if hasattr(item.config, "workerinput") else None)
        report.user_properties.extend(junit.properties(Record.from_dict(sent)))


def _set_outcome(report: pytest.TestReport, error: BaseException, running: RunningTest) -> None:
    """pytest and JUnit call what fails in setup an error, what fails in the call a failure: so does this.

    What the program did wrong while a fixture called it is a failure; an LM that failed in the test's own body
    is an error.
    """
    setattr(report, _PHASE, report.when)
    if report.when == "setup" and (
        any(error is rollout.program_raised for rollout in running.rollouts) or isinstance(error, MarkerError)
    ):
        report.when = "call"
    elif report.when == "call" and (is_lm_error(error) or isinstance(error, PitchevalError)):
        report.when = "setup"


def finish_again(report: pytest.TestReport, hidden: Callable[[], Sequence[str]]) -> None:
    """See to ``report`` as it is logged: another plugin may have tried the test again within it.

    A failure that is none any more is of the phase that it was in, and what took its place shows no credentials.
    """
    phase = getattr(report, _PHASE, None)
    if phase and not report.failed:
        report.when = phase
    if phase and report.longrepr:
        Cleaner(hidden(), colours=True).report(report)


_FROM_USERS = (MarkerError, MetricFailed, ProgramStopped, FixtureStopped, CompileFailed)
"""What is raised from an exception of the user's own code."""


def _set_text(report: pytest.TestReport, error: BaseException) -> None:
    """What the user can mend is one line; where code of theirs raised, its traceback follows."""
    if not isinstance(error, PitchevalError):
        return
    text, cause = str(error), error.__cause__
    if cause is not None and isinstance(error, _FROM_USERS) and not isinstance(cause, PitchevalError):
        frames = [frame for frame in traceback.extract_tb(cause.__traceback__) if not _is_ours(frame.filename)]
        text += "\n\n" + "".join(traceback.format_list(frames)) + f"{type(cause).__name__}: {text_of(cause)}"
    report.longrepr = text


def _is_ours(filename: str) -> bool:
    return _PACKAGE in Path(filename).resolve().parents


def _as_sent(record: Record, hidden: Sequence[str]) -> dict[str, Any]:
    """The record as plain values without credentials, as it leaves this process."""
    data: dict[str, Any] = plain(record.to_dict(), WHOLE)
    return redact_content(data, hidden)


def explain(record: Record, again: str, whole: str) -> str:
    """What one needs to know of a test that did not pass, in a handful of lines.

    ``again`` is the command that repeats it, ``whole`` the one that shows what was cut here.
    """
    texts = [
        *_labelled("score", formats.score(record) or "none: the example could not be scored"),
        *_labelled("metrics", ", ".join(f"{name} {value:.3g}" for name, value in record.further.items())),
        *_labelled("feedback", record.feedback or "", _FEEDBACK_LINES),
        *_labelled("labels", ", ".join(_of_labels(record.labels))),
        *_of_agent(record.prediction or {}),
        *_of_prediction({name: one for name, one in (record.prediction or {}).items() if not _is_agents(one)}),
    ]
    lines = [line for line, _ in texts]
    if any(is_cut for _, is_cut in texts):
        lines.append(f"{'whole':<{_LABEL}}{whole}")
    lines.append(f"{'rollout':<{_LABEL}}{record.rollout_id}")
    lines.append(f"{'repeat':<{_LABEL}}{again}")
    return "\n".join(lines)


def _of_labels(labels: Mapping[str, Any]) -> Iterator[str]:
    """Those that have a value, as in ``topic refunds``."""
    for name, value in labels.items():
        if value is not None and value != "":
            yield f"{name} {conversations.text_of(value)}"


def _is_agents(value: Any) -> bool:
    found = conversations.conversation(value)
    return found is not None and found.acts


def _of_agent(prediction: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """The last steps of the first field in which tools were called."""
    found = next(
        (one for value in prediction.values() if (one := conversations.conversation(value)) and one.acts), None
    )
    for position, line in enumerate(conversations.last_steps(found, _STEP_LINES) if found else ()):
        [(shown, is_cut)] = _labelled("steps" if not position else "", line)
        yield shown, is_cut or line.startswith("(")


def _of_prediction(prediction: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Its first fields, which share `_PREDICTION_LINES`."""
    lines_each = max(_PREDICTION_LINES // max(len(prediction), 1), 1)
    fields = list(prediction.items())[:_PREDICTION_LINES]
    told = {name: _of_field(value) for name, value in fields}
    shown = [line for name, text in told.items() for line in _labelled(name, text, lines_each)]
    left_out = list(prediction)[_PREDICTION_LINES:]
    return [*shown, *((line, True) for line, _ in _labelled("also", formats.some(left_out)))]


def _of_field(value: Any) -> str:
    found = None if isinstance(value, str) else conversations.conversation(value)
    return conversations.text_of(value) if found else str(with_notes(value)).strip() or repr(value)


def _labelled(label: str, text: str, most: int = 1) -> list[tuple[str, bool]]:
    """``label`` and ``text`` in at most ``most`` lines, and with each whether it has been cut; nothing for no text."""
    if not text.strip():
        return []
    name = f"{label:<{_LABEL - 1}} "
    lines, is_cut = formats.first_lines(f"{name}{text}", most, " " * _LABEL)
    return [(line, is_cut) for line in lines]
