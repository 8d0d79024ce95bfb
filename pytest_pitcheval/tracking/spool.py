"""Runs that wait to be logged: a small file each, written before anything is tried."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_pitcheval import files
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
    """

    run: str
    file: str
    where: str
    name: str | None = None
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    traces: bool = False
    programs: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class Spool:
    """The runs of an ``--eval-dir`` that wait."""

    def __init__(self, directory: Path) -> None:
        self.folder = directory / "spool"

    def add(self, waiting: Waiting) -> None:
        """From now on the run waits; a second time is as once."""
        files.write_json(self._path(waiting.run), {"schema_version": SCHEMA_VERSION, **waiting.to_dict()})

    def remove(self, run: str) -> None:
        """The run was logged."""
        self._path(run).unlink(missing_ok=True)

    def _path(self, run: str) -> Path:
        return self.folder / f"{run}.json"

    def waiting(self) -> list[Waiting]:
        """The runs that wait, oldest first; what is no such file is left where it is."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                found.append(_read(path))
            except PitchevalError:  # another version's: not ours to send or to delete
                continue
        return found


def _read(path: Path) -> Waiting:
    document = files.read_json(path)
    files.check_version(document, SCHEMA_VERSION, str(path))
    fields = {field.name: document.get(field.name) for field in dataclasses.fields(Waiting)}
    return files.validated(Waiting, fields, str(path))
