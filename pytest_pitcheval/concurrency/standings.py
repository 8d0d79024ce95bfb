"""How far the gates of each test are decided: told by the process that hears of tests to those that run them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pytest_pitcheval import files
from pytest_pitcheval.names import DECIDED
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Omission


class Standing(NamedTuple):
    """One test and method.

    Attributes:
        reason: why its further examples are left out; None while they are needed.
        ahead: how many of its examples, in their order, may be begun before it is their turn; None for all.
    """

    reason: str | None = None
    ahead: int | None = None


class Standings:
    """What is known in one process."""

    def __init__(self) -> None:
        self._read: tuple[int, int] | None = None
        self._groups: dict[Key, Standing] = {}
        self._tests: dict[str, Omission] = {}
        self.told = 0
        """How often there has been news."""

    def of(self, key: Key) -> Standing:
        """How the gates of one test and method stand."""
        return self._groups.get(key, Standing())

    def omission(self, key: Key | None, nodeid: str) -> Omission | None:
        """Why a test is left out, unless it has begun; None where it is not. ``key``: its group, if it has examples."""
        reason = None if key is None else self.of(key).reason
        return Omission(DECIDED, reason) if reason else self._tests.get(nodeid)

    def tell(self, key: Key, standing: Standing) -> bool:
        """Keep this of one test and method; whether it is news."""
        is_news = self.of(key) != standing
        self.told += is_news
        self._groups[key] = standing
        return is_news

    def leave_out(self, tests: Mapping[str, Omission]) -> None:
        """Leave these tests out, by node ID, each with the reason."""
        self.told += bool(tests)
        self._tests.update(tests)

    def write(self, path: Path) -> None:
        """Write all of it down for the workers.

        Raises:
            OSError: it cannot be written.
        """
        groups = [[list(key), list(standing)] for key, standing in self._groups.items()]
        files.write_json(path, {"groups": groups, "tests": self._tests}, indent=None)

    def look(self, path: Path) -> None:
        """Read what another process has written down there, if it has changed."""
        with contextlib.suppress(FileNotFoundError):  # nothing has been told yet
            found = path.stat()
            seen = (found.st_mtime_ns, found.st_size)
            if seen != self._read:
                told = json.loads(path.read_text(encoding="utf-8"))
                self._read, self._tests = seen, {name: Omission(*one) for name, one in told["tests"].items()}
                self.told += 1
                self._groups = {Key(*key): Standing(*standing) for key, standing in told["groups"]}
