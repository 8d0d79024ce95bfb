"""Lines on the terminal while a test runs, past pytest's capturing and from workers too."""

from __future__ import annotations

import sys

import pytest


class Progress:
    """Says what takes long; silent with ``-qq``."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def say(self, text: str) -> None:
        """One line on standard error, which xdist's workers share with the controller."""
        if self._config.get_verbosity() < -1:
            return
        capture = self._config.pluginmanager.getplugin("capturemanager")
        if capture is None:
            self._write(text)
            return
        with capture.global_and_fixture_disabled():
            self._write(text)

    @staticmethod
    def _write(text: str) -> None:
        stream = sys.__stderr__ or sys.stderr
        stream.write(f"\npitcheval: {text}\n" if stream.isatty() else f"pitcheval: {text}\n")
        stream.flush()
