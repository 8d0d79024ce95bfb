"""The pictures, sounds and documents of a run on their way to MLflow: each once, by its content, up to a total."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.results.media import FOLDER, file_name, media_in, replaced

MOST = 100_000_000
"""Bytes of all media that are sent of one run."""

_FIELDS = ("inputs", "labels", "prediction", "later_rollouts")
"""What of a test has media."""


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Which media of a run are sent.

    Attributes:
        sizes: of each that is sent, its bytes by the name of its file.
        too_many: the same of those that are beyond `MOST`.
        gone: names of those whose bytes are not in the folder.
    """

    sizes: Mapping[str, int]
    too_many: Mapping[str, int]
    gone: frozenset[str] = frozenset()

    @property
    def left_out(self) -> str | None:
        """What is not sent and why, None where all is."""
        total, reasons = len(self.sizes) + len(self.too_many) + len(self.gone), []
        if self.too_many:
            reasons.append(f"{_megabytes(self.too_many)} beyond the {MOST / 1e6:.0f} MB of a run")
        if self.gone:
            reasons.append(f"{len(self.gone)} not in the folder {FOLDER}")
        return f"{len(self.too_many) + len(self.gone)} of {total} left out: {', '.join(reasons)}" if reasons else None


def _megabytes(sizes: Mapping[str, int]) -> str:
    return f"{sum(sizes.values()) / 1e6:.1f} MB"


def chosen(tests: Iterable[Mapping[str, Any]], folder: Path) -> Chosen:
    """Those that are sent, in the order of ``tests``; one that is too large leaves room for smaller ones after it."""
    sizes, too_many, gone, room = dict[str, int](), dict[str, int](), set[str](), MOST
    names = (file_name(medium) for test in tests for name in _FIELDS for medium in media_in(test.get(name)))
    for name in dict.fromkeys(names):
        path = folder / name
        if not files.is_within(path, folder):  # the run file may have come with a checkout
            gone.add(name)
        elif (size := path.stat().st_size) > room:
            too_many[name] = size
        else:
            sizes[name], room = size, room - size
    return Chosen(sizes, too_many, frozenset(gone))


def with_paths(document: Mapping[str, Any], sent: Chosen) -> Mapping[str, Any]:
    """The run file ``document`` with the artifact's path in place of each medium."""
    if not (sent.sizes or sent.too_many or sent.gone):
        return document

    def path_of(medium: Mapping[str, Any]) -> str:
        name = file_name(medium)
        return f"{FOLDER}/{name}" if name in sent.sizes else f"{FOLDER}/{name} (not logged)"

    tests = ({name: replaced(test[name], path_of) for name in _FIELDS if name in test} for test in document["tests"])
    return {**document, "tests": [{**test, **own} for test, own in zip(document["tests"], tests, strict=True)]}
