"""The book of a session, as its options ask for one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.credentials.hiding import redact
from pytest_pitcheval.rollouts.answers.book import AnswerBook
from pytest_pitcheval.storage.answers.journals import AnswerJournal
from pytest_pitcheval.storage.answers.sources import open_source

if TYPE_CHECKING:
    from pytest_pitcheval.concurrency.process import Process

ALONE = "main"
"""The journal of a process that is no worker."""


def open_book(process: Process, keys: Callable[[], Collection[str]]) -> AnswerBook | None:
    """That of ``process``, whose LMs have been seen with ``keys``; None where answers are neither kept nor replayed.

    Raises:
        PitchevalError: one line: the answers cannot be read here, as where a worker runs on another machine.
    """
    settings = process.settings
    if settings.answers is None and settings.record is None:
        return None
    source, journal = None if settings.answers is None else open_source(settings.answers), None
    if settings.record is not None:
        with process.noting("--eval-record: nothing is kept of what this process is answered"):
            journal = AnswerJournal(process.make_runtime_dir(), process.worker.name if process.worker else ALONE)
    return AnswerBook(source, journal, Masking(process, keys), process.notes.add)


class Masking:
    """Makes of a plain value one without the credentials that are known by now."""

    def __init__(self, process: Process, keys: Callable[[], Collection[str]]) -> None:
        self._process = process
        self._keys = keys
        self._known: tuple[int, tuple[str, ...]] = -1, ()

    def __call__(self, value: Any) -> Any:
        keys = self._keys()
        if len(keys) != self._known[0]:  # finding them anew takes longer than an answer may
            self._known = len(keys), self._process.secrets(keys)
        return redact(value, self._known[1])
