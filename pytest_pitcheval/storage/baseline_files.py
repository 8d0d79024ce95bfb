"""Baseline files: read, and written by one process at a time."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

from pytest_pitcheval import files
from pytest_pitcheval.results import baselines
from pytest_pitcheval.results.baselines import Baseline
from pytest_pitcheval.results.records import Key

_PATIENCE = 60
"""Seconds to wait for other sessions that write the same file; each takes milliseconds."""


@dataclasses.dataclass(frozen=True)
class Update:
    """What an update of a baseline file did: how many examples it wrote, kept as they were, and left out."""

    path: Path
    written: int
    kept: int
    removed: int


def read(path: Path) -> Baseline:
    """The baseline at ``path``; a PitchevalError of one line if it is corrupt or of a newer schema."""
    return baselines.from_document(files.read_json(path), str(path))


def update(
    path: Path,
    lock_folder: Path,
    measured: Baseline,
    gone: Callable[[Key, str], bool],
    note: Callable[[str], object] = lambda text: None,
) -> Update:
    """Put what was measured into the file at ``path``, and take out the examples that are ``gone``.

    Raises:
        PitchevalError: the file there is none of ours.
        OSError: it cannot be written, or another process holds it.
    """
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    with files.locked(lock_folder / f"{name}.lock", note, patience=_PATIENCE):  # its TimeoutError is an OSError
        old = read(path) if path.exists() else {}
        new = baselines.update(old, measured, gone)
        files.write_output(path, baselines.to_text(new))
    written = _count(measured)
    kept = _count(new) - written
    removed = sum(name not in new[key].examples for key, group in old.items() for name in group.examples)
    return Update(path, written, kept, removed)


def _count(baseline: Baseline) -> int:
    return sum(len(group.examples) for group in baseline.values())
