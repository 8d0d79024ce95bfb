"""What one process of a session leaves in the shared folder for others to read: its flights, its end, its progress."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError

_CRASHED = "crashed-"
_FLYING = "flying-"


def note_crash(folder: Path, worker: str) -> None:
    """Tell the other workers that ``worker`` is dead."""
    (folder / f"{_CRASHED}{worker}").touch()


def log_path(folder: Path, worker: str) -> Path:
    """Where ``worker`` writes down its flights."""
    return folder / f"flights-{worker}.jsonl"


class Flown(NamedTuple):
    """What the flight log of a worker says, by node ID.

    Attributes:
        begun: the tests that it has made LM calls for ahead.
        in_flight: those of them that were not finished.
        alone: the last test that it ran with nothing else in flight, because of an earlier crash.
    """

    begun: frozenset[str]
    in_flight: frozenset[str]
    alone: str | None


def read_log(path: Path) -> Flown:
    """What a worker has written down."""
    lines = files.read_text(path, whole_lines=True).splitlines() if path.exists() else []
    entries: list[tuple[str, str]] = [entry for line in lines if (entry := _entry(line)) is not None]
    landed = Counter(nodeid for what, nodeid in entries if what == "landed")
    begun = Counter(nodeid for what, nodeid in entries if what == "begun")
    alone = [nodeid for what, nodeid in entries if what == "alone"]
    return Flown(frozenset(begun), frozenset(begun - landed), alone[-1] if alone else None)


def _entry(line: str) -> tuple[str, str] | None:
    """What a line of the log says; None if it is none, as where a full disk has cut it off."""
    try:
        what, nodeid = json.loads(line)
    except (ValueError, TypeError):
        return None
    return str(what), str(nodeid)


class FlightLog:
    """The flights of one worker on disk, and those of workers that have crashed.

    Where it cannot be written it is given up, and ``note`` is told what will be missing.
    """

    def __init__(self, folder: Path, worker: str, note: Callable[[str], object] = lambda text: None) -> None:
        self._folder = folder
        self._note = note
        self._file: IO[bytes] | None = None
        self._mutex = threading.Lock()
        self._dead: dict[str, Flown] = {}
        with self._noting():
            self._file = log_path(folder, worker).open("ab", buffering=0)  # nothing is left to be written at the end

    def add(self, what: str, nodeid: str) -> None:
        """Note that a flight of ``nodeid`` has ``begun`` or ``landed``, or that it runs ``alone``."""
        with self._mutex, self._noting():
            if self._file is not None:  # it is None at the end of a session, whose flights nobody waits for
                self._file.write(f"{json.dumps([what, nodeid])}\n".encode())

    def close(self) -> None:
        """Note nothing more."""
        with self._mutex:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._close()
            self._note(f"after a crash of a worker, its tests that were in flight will be lost: no flight log: {error}")

    def was_begun(self, nodeid: str) -> bool:
        """Whether a worker that has crashed had begun with ``nodeid``: some of it is paid for."""
        return any(nodeid in flown.begun for flown in self._crashed())

    def is_suspect(self, nodeid: str) -> bool:
        """Whether ``nodeid`` was in flight or alone when a worker crashed, so that it may have been the reason."""
        return any(nodeid in flown.in_flight or nodeid == flown.alone for flown in self._crashed())

    def _crashed(self) -> Collection[Flown]:
        for path in self._folder.glob(f"{_CRASHED}*"):
            worker = path.name.removeprefix(_CRASHED)
            if worker not in self._dead:
                self._dead[worker] = read_log(log_path(self._folder, worker))
        return self._dead.values()


def write_flying(folder: Path, worker: str, in_flight: int, waiting: int) -> None:
    """Tell the controller how many rollouts ``worker`` has in flight, and how many LM calls wait for the limit."""
    with contextlib.suppress(OSError):  # a full disk costs the line of progress its numbers
        files.write_json(folder / f"{_FLYING}{worker}.json", [in_flight, waiting], indent=None)


def read_flying(folder: Path) -> tuple[int, int]:
    """What all workers have told, in sum."""
    told = [(0, 0)]
    for path in folder.glob(f"{_FLYING}*.json"):
        with contextlib.suppress(PitchevalError):
            told.append(files.read_json(path))
    return sum(numbers[0] for numbers in told), sum(numbers[1] for numbers in told)
