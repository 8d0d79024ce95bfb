"""What xdist's workers send again and again, kept once: pytest keeps the three reports of every test."""

from __future__ import annotations

from typing import Any

import pytest

_OWN = ("longrepr", "sections", "keywords", "duration", "start", "stop")
"""What is a report's own; the rest says which test it is of, and where that ran."""


class SharedTexts:
    """Equal texts as one object; what is unpacked from a message is an object of its own each time."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}
        self._keywords: dict[str, dict[str, Any]] = {}

    def of(self, value: Any) -> Any:
        """``value`` with shared texts; of what is frozen and equal, one is kept too."""
        if isinstance(value, str):
            return self._shared(value)
        if type(value) is tuple:
            return self._shared(tuple(map(self.of, value)))
        if isinstance(value, list):
            return [self.of(item) for item in value]
        if isinstance(value, dict):
            return {self.of(name): self.of(item) for name, item in value.items()}
        return value if isinstance(value, (int, float)) else self._shared(value)

    def _shared(self, value: Any) -> Any:
        try:
            return self._known.setdefault(value, value)
        except TypeError:  # a list in a tuple has no hash
            return value

    def share(self, report: pytest.TestReport) -> None:
        """Let a report that came from a worker share its texts with others, and its keywords with the test's own."""
        attributes = {self.of(name): value if name in _OWN else self.of(value) for name, value in vars(report).items()}
        vars(report).clear()
        vars(report).update(attributes)
        known = self._keywords.setdefault(report.nodeid, report.keywords)  # type: ignore[arg-type]
        if known == report.keywords:
            report.keywords = self._keywords[report.nodeid] = self.of(known) if report.when == "setup" else known
        if report.when == "teardown":
            del self._keywords[report.nodeid]
