"""Files: written whole or not at all, in a folder that git ignores."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_pitcheval.errors import PitchevalError

SCHEMA_VERSION = 1


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8; readers see the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o666 & ~_umask())  # mkstemp's own mode is for the owner only
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, document: Any, *, indent: int | None = 1) -> None:
    """Write ``document`` (plain values) to ``path``, atomically."""
    write_atomically(path, json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The document in ``path``; a PitchevalError of one line if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PitchevalError(f"{path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise PitchevalError(f"{path}: not JSON: {' '.join(str(error).split())}") from None


def make_directory(directory: Path) -> Path:
    """``directory``, made if need be, with a ``.gitignore`` of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    if not ignore.exists():
        write_atomically(ignore, "# made by pytest-pitcheval\n*\n")
    return directory


def run_path(directory: Path, run_id: str) -> Path:
    """Where the run file of ``run_id`` is."""
    return directory / "runs" / f"{run_id}.json"


def find_run(directory: Path, reference: str) -> Path:
    """The run file that ``reference`` names: a run ID, a path, or ``last``.

    Raises:
        PitchevalError: there is none.
    """
    runs = sorted((directory / "runs").glob("*.json"))
    if reference == "last":
        if not runs:
            raise PitchevalError(f"no run in {directory / 'runs'} yet")
        return runs[-1]
    for path in (run_path(directory, reference), Path(reference)):
        if path.is_file():
            return path
    raise PitchevalError(f"expected a run ID of {directory / 'runs'}, a run file or 'last'")


def read_run(path: Path) -> Mapping[str, Any]:
    """The run file at ``path``; a PitchevalError of one line if it is not one of a schema we know."""
    document: dict[str, Any] = read_json(path)
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise PitchevalError(f"{path}: schema_version {version!r}; expected {SCHEMA_VERSION}")
    run, tests = document.get("run"), document.get("tests")
    if not isinstance(run, dict) or not isinstance(run.get("timestamp"), str) or not isinstance(tests, list):
        raise PitchevalError(f"{path}: not a run file: expected run.timestamp and tests in it")
    return document
