"""Recorded answers that a session is to be made of: checked before any test runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pytest_pitcheval import files
from pytest_pitcheval.storage import run_files
from pytest_pitcheval.storage.answers import layout
from pytest_pitcheval.storage.answers.answer import COMPILING, FIXTURES, SHARED
from pytest_pitcheval.storage.answers.manifest import Manifest
from pytest_pitcheval.storage.answers.reading import check, document_at
from pytest_pitcheval.storage.answers.sources import Source, open_source
from pytest_pitcheval.storage.run_files import RunFile


class Replayable(NamedTuple):
    """What is known of recorded answers.

    Attributes:
        counts: by test, how many there are of it.
        run: the run that recorded them, where they are in an archive.
    """

    manifest: Manifest
    counts: Mapping[str, int]
    run: RunFile | None

    @property
    def tests(self) -> Mapping[str, int]:
        """The `counts` of tests alone."""
        return {test: count for test, count in self.counts.items() if not is_of_no_test(test)}


def is_of_no_test(place: str) -> bool:
    """Whether the answers of this place are of no single test."""
    return place in (SHARED, FIXTURES) or place.startswith(COMPILING)


def replayable(path: Path) -> Replayable:
    """All of it is read once, so that what is wrong is told before any test runs.

    Raises:
        PitchevalError: one line: it is missing, damaged, changed, hostile, or of a newer version.
    """
    source = open_source(path)
    counts = check(source)
    return Replayable(source.manifest, counts, _run(source))


def read_run(path: Path) -> RunFile:
    """A run's file, its journal, or the run that an archive has. Raises as `document_at` and `run_files.read`."""
    return run_files.from_document(document_at(path), path) if path.suffix == layout.SUFFIX else run_files.read(path)


def _run(source: Source) -> RunFile | None:
    text = source.read(layout.RUN) if layout.RUN in source.names() else None
    return None if text is None else run_files.from_document(files.parse_json(text, layout.RUN), Path(layout.RUN))
