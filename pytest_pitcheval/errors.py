"""The plugin's own exceptions, so that callers can tell our complaints from anybody else's."""

from __future__ import annotations


class PitchevalError(Exception):
    """Something the user can mend; the message is one line that says what and how.

    It names the option, marker or fixture, the value it was given, and what was expected.
    """


class PitchevalWarning(UserWarning):
    """Something that makes a result mean less than it seems to, such as a test example in the trainset."""


class FixtureNotDefined(PitchevalError):
    """A fixture that the user writes was asked for, and is not there."""


class MarkerError(PitchevalError):
    """A wrong marker, or a dataset that cannot be read: fails the test it stands on, in one line."""


class LMCallFailed(PitchevalError):
    """An LM call of the rollout failed for good: the example has no score, and the test is an error."""


class ProgramStopped(PitchevalError):
    """The program called ``sys.exit()``, say, or was cancelled: that ends its own test, not the session."""


class NoPrediction(PitchevalError):
    """The program's stream ended without a dspy.Prediction: the example has no score, and the test is an error."""


class FixtureStopped(PitchevalError):
    """A fixture called ``sys.exit()``, say: that ends the test that asked for it, not those that come after."""


class MetricFailed(PitchevalError):
    """The metric could not score a prediction: the example has no score, and the test is an error."""


class CompileFailed(PitchevalError):
    """The optimizer raised; reported by one test, the other tests of that program are skipped."""


class StaleAnswer(PitchevalError):
    """A rollout was answered from a cache entry that it did not make itself."""


class Ambiguous(PitchevalError):
    """Several rollouts are in flight, and it cannot be told which of them an LM call belongs to."""


class NotForThreads(PitchevalError):
    """The program does what changes the whole process, while other rollouts are in flight."""


class ReplayMiss(PitchevalError):
    """A replay asked for something that its first run has not left: in DSPy's cache, or in a file of answers."""


class BudgetReached(PitchevalError):
    """An LM call was not sent, as the session had spent what it may; its test is skipped, with this as the reason."""


class NoPrice(PitchevalError):
    """The session may cost so much, and nobody knows what a model costs: that ends it as wrong options do."""


def one_line(error: object) -> str:
    """An exception as ``Type: message`` (ours: the message), or a text, on one line of at most 300 characters."""
    line = " ".join(_text(error).split())
    return line if len(line) <= 300 else line[:299] + "…"


def _text(error: object) -> str:
    if isinstance(error, str):
        return error
    try:
        text = str(error)
    except (Exception, SystemExit) as another:  # an exception's own code may be wrong too
        text = f"(its str() raised {type(another).__name__})"
    return text if isinstance(error, PitchevalError) else f"{type(error).__name__}: {text}"
