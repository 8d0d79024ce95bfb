"""Runs that wait to be logged: a small file each, written before anything is tried."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_pitcheval import files, timestamps
from pytest_pitcheval.errors import PitchevalError

SCHEMA_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Waiting:
    """A run that is to be logged.

    Attributes:
        run: its ID.
        file: its run file.
        where: the tracker that it is meant for, without credentials.
        name: the MLflow run's name, or None.
        tags: further tags.
        traces: whether a trace of each example is wanted.
        programs: files of compiled programs.
        tries: how often the tracker has refused it, or did not finish with it in time.
        logged: the MLflow run that has all of it but for its media, or None.
    """

    run: str
    file: str
    where: str
    name: str | None = None
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    traces: bool = False
    programs: tuple[str, ...] = ()
    tries: int = 0
    logged: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class Spool:
    """The runs of an ``--eval-dir`` that wait.

    Its files may have come with a checkout: they name nothing outside of that folder, and a run only by its ID.
    """

    def __init__(self, directory: Path) -> None:
        self.folder = directory / "spool"
        self._runs, self._programs = directory / "runs", directory / "programs"

    def add(self, waiting: Waiting) -> None:
        """From now on the run waits; a second time is as once."""
        files.write_json(self._path(waiting.run), {"schema_version": SCHEMA_VERSION, **waiting.to_dict()})

    def is_there(self, waiting: Waiting) -> bool:
        """Whether there is a run file to send, and no link to elsewhere."""
        return files.is_within(Path(waiting.file), self._runs)

    def remove(self, run: str) -> None:
        """The run was logged."""
        self._path(run).unlink(missing_ok=True)

    def set_aside(self, run: str) -> Path:
        """The run waits no more, but can be put back by hand; returns where it is."""
        aside = self.folder / "refused" / self._path(run).name
        aside.parent.mkdir(exist_ok=True)
        return self._path(run).replace(aside)

    def _path(self, run: str) -> Path:
        return self.folder / f"{run}.json"

    def waiting(self) -> list[Waiting]:
        """The runs that wait, oldest first; what is no such file is left where it is."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                found.append(self._read(path))
            except PitchevalError:  # another version's: not ours to send or to delete
                continue
        return found

    def _read(self, path: Path) -> Waiting:
        document = files.read_json(path)
        files.check_version(document, SCHEMA_VERSION, str(path))
        told = {field.name: document[field.name] for field in dataclasses.fields(Waiting) if field.name in document}
        waiting = files.validated(Waiting, told, str(path))
        if waiting.run != path.stem or not timestamps.is_run_id(waiting.run):
            raise PitchevalError(f"{path}: expected the ID of a run, which is the file's name")
        # Where the run and its programs are follows from the folder, which may have been moved, and not from the file.
        programs = (self._programs / Path(program).name for program in waiting.programs)
        return dataclasses.replace(
            waiting,
            file=str((self._runs / f"{waiting.run}.json").absolute()),
            programs=tuple(str(one.absolute()) for one in programs if files.is_within(one, self._programs)),
        )
