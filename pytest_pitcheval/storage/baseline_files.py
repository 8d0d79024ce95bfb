"""Baseline files: read, and written by one process at a time."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from pytest_pitcheval import files
from pytest_pitcheval.names import LeftOut
from pytest_pitcheval.results import baselines
from pytest_pitcheval.results.baselines import Baseline, Measurements
from pytest_pitcheval.results.growth import Growth, add
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.storage.baseline_documents import from_document, to_text

_PATIENCE = 60
"""Seconds to wait for other sessions that write the same file; each takes milliseconds."""


@dataclasses.dataclass(frozen=True)
class Update:
    """What an update of a baseline file did: how many examples it wrote, kept as they were, and took out.

    It did nothing where examples were ``left_out`` of the run (how many, by reason), or the run was ``replayed`` from
    recorded answers. ``growth`` is what adding did; None where what was measured took the place of what was there.
    """

    path: Path
    written: int
    kept: int
    removed: int
    growth: Growth | None = None
    left_out: Mapping[LeftOut, int] = dataclasses.field(default_factory=dict)
    replayed: bool = False


def read(path: Path) -> Baseline:
    """The baseline at ``path``; a PitchevalError of one line if it is corrupt or of a newer schema."""
    return from_document(files.read_json(path), str(path))


def update(
    path: Path,
    lock_folder: Path,
    measured: Baseline,
    gone: Callable[[Key, str], bool],
    most: int | None = None,
    note: Callable[[str], object] = lambda text: None,
) -> Update:
    """Put what was measured into the file at ``path``, and take out the examples that are ``gone``.

    With ``most``, it is added to what is there, and of each example the ``most`` newest samples are kept.

    Raises:
        PitchevalError: the file there is none of ours.
        OSError: it cannot be written, or another process holds it.
    """
    with _alone(path, lock_folder, note):
        old = read(path) if path.exists() else {}
        if most is None:
            new, growth = baselines.update(old, measured, gone), None
        else:
            new, growth = add(old, measured, gone, most)
        files.write_output(path, to_text(new))
    written = _count(measured)
    kept = _count(new) - written
    removed = sum(name not in new[key].examples for key, group in old.items() for name in group.examples)
    return Update(path, written, kept, removed, growth)


def prune(path: Path, lock_folder: Path, gone: Callable[[Key, str], bool]) -> Baseline:
    """Take out the examples that are ``gone``, and the groups that have none then; returns what was taken out.

    Raises as `update` does.
    """
    with _alone(path, lock_folder):
        old = read(path)
        kept, taken = split(old, gone)
        if taken:
            files.write_output(path, to_text(kept))
    return taken


def split(baseline: Baseline, gone: Callable[[Key, str], bool]) -> tuple[Baseline, Baseline]:
    """What is kept of ``baseline``, and what is gone."""
    parts: tuple[dict[Key, Measurements], dict[Key, Measurements]] = {}, {}
    for key, group in baseline.items():
        for part, is_gone in zip(parts, (False, True), strict=True):
            examples = {name: one for name, one in group.examples.items() if gone(key, name) == is_gone}
            if examples or (group.exam is not None and gone(key, "") == is_gone):
                part[key] = dataclasses.replace(group, examples=examples)
    return parts


def _alone(
    path: Path, lock_folder: Path, note: Callable[[str], object] = lambda text: None
) -> AbstractContextManager[None]:
    """No other session writes the file at ``path`` meanwhile."""
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    return files.locked(lock_folder / f"{name}.lock", note, patience=_PATIENCE)  # its TimeoutError is an OSError


def _count(baseline: Baseline) -> int:
    return sum(len(group.examples) for group in baseline.values())
