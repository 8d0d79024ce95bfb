from __future__ import annotations

import logging
import time

import pytest

from pytest_pitcheval import waits


def test_what_took_long_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    waits.note("a slot", time.monotonic() - 2)
    [told] = caplog.records
    assert (told.name, told.levelname) == ("pytest_pitcheval", "DEBUG")
    assert told.getMessage().endswith(" s for a slot")


def test_what_did_not_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    waits.note("a slot", time.monotonic() + 60)
    assert not caplog.records


def test_what_ends_in_an_error_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def fail() -> None:
        with waits.waiting("DSPy's cache on disk"):
            time.sleep(0.06)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [told.getMessage().partition(" s ")[2] for told in caplog.records] == ["for DSPy's cache on disk"]
