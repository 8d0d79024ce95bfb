"""The files that the ini key ``eval_sources`` lists: what programs and metrics read, and no import leads to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest


class SourceFiles(NamedTuple):
    """Patterns, as `pathlib.Path.glob` has them, of files below ``root``."""

    root: Path
    patterns: tuple[str, ...]


def read_source_files(config: pytest.Config) -> SourceFiles:
    """Those of this session, relative to the ini file, or to the root directory where there is none.

    Raises:
        pytest.UsageError: a pattern is an absolute path.
    """
    patterns = tuple(pattern for line in config.getini("eval_sources") if (pattern := line.strip()))
    for pattern in patterns:
        if os.path.isabs(pattern):
            raise pytest.UsageError(f"ini key eval_sources: {pattern!r}: expected a path relative to the ini file")
    return SourceFiles(config.inipath.parent if config.inipath else config.rootpath, patterns)
