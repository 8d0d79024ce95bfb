"""Texts that pytest prints and writes: no credentials in them, nothing that a terminal or CI would obey."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import pytest

from pytest_pitcheval.credentials.hiding import redact
from pytest_pitcheval.results.plain import plain, text_of
from pytest_pitcheval.results.printable import COLOURS, printable


@dataclasses.dataclass(frozen=True)
class Cleaner:
    """Takes out of texts what is ``hidden``; ``colours``: pytest may have put some of its own into them."""

    hidden: Sequence[str]
    colours: bool = False

    def text(self, text: Any) -> str:
        """``text`` as it may be printed."""
        return printable(redact(text_of(text), self.hidden))

    def report(self, report: pytest.TestReport) -> None:
        """Clean all texts of ``report``, and leave nothing in it that xdist cannot send."""
        if isinstance(report.longrepr, tuple):  # where and why it was skipped
            path, line, reason = report.longrepr
            report.longrepr = (path, line, self.text(reason))
        elif report.longrepr and not self._is_clean(report.longrepr):
            self._clean_parts(report.longrepr)
            if isinstance(report.longrepr, str) or not self._is_clean(report.longrepr):
                report.longrepr = self.text(self._uncoloured(str(report.longrepr)))
        if hasattr(report, "wasxfail"):
            report.wasxfail = self.text(report.wasxfail)
        report.sections = [(self.text(title), self.text(text)) for title, text in report.sections]
        report.user_properties = [self._property(*one) for one in report.user_properties]

    def _property(self, name: str, value: object) -> tuple[str, Any]:
        from pytest_pitcheval.reports import junit

        return junit.escape(self.text(name)), redact(plain(value), self.hidden)

    def warning(self, message: warnings.WarningMessage) -> None:
        """Clean what is said in a warning, which pytest prints at the end."""
        said = text_of(message.message)
        if (cleaned := self.text(said)) != said:
            message.message = cleaned

    def _is_clean(self, shown: Any) -> bool:
        text = self._uncoloured(str(shown))
        return self.text(text) == text

    def _uncoloured(self, text: str) -> str:
        return COLOURS.sub("", text) if self.colours else text

    def _clean_parts(self, part: Any) -> Any:
        """What pytest tells of an exception, text by text: so its summary still finds the line of what was raised."""
        if isinstance(part, str):
            return part if self._is_clean(part) else self.text(self._uncoloured(part))
        if type(part) in (list, tuple):
            return type(part)(map(self._clean_parts, part))
        for name, value in getattr(part, "__dict__", {}).items():
            setattr(part, name, self._clean_parts(value))
        return part


def has_colours(config: pytest.Config) -> bool:
    """Whether pytest writes colours into its own texts."""
    return bool(getattr(config.pluginmanager.get_plugin("terminalreporter"), "hasmarkup", False))
