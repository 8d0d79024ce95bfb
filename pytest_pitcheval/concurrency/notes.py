"""What a session has given up or waited for in vain: lines for its summary, on which no exit code depends."""

from __future__ import annotations

import threading
from collections.abc import Iterable


class Notes:
    """Lines in the order in which they came, each of them once; thread-safe."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}
        self._mutex = threading.Lock()

    def add(self, line: str) -> None:
        """Keep ``line``, unless it is there."""
        with self._mutex:
            self._lines.setdefault(line)

    def extend(self, lines: Iterable[str]) -> None:
        """`add` each of ``lines``."""
        for line in lines:
            self.add(line)

    @property
    def lines(self) -> list[str]:
        """Those that came so far."""
        with self._mutex:
            return list(self._lines)
