"""Who answers HTTP requests, told by what stands in place of the network."""

from __future__ import annotations

import http.client

import pytest

from pytest_pitcheval.lm.recorders import recorder


def test_the_network_answers() -> None:
    assert recorder() is None


def test_a_connection_of_a_recorder_does(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = type("VCRHTTPConnection", (http.client.HTTPConnection,), {"__module__": "vcr.stubs"})
    monkeypatch.setattr(http.client, "HTTPConnection", connection)
    assert recorder() == "vcr"


def test_a_connection_of_somebody_else_is_none_of_a_recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = type("Tracing", (http.client.HTTPConnection,), {"__module__": "vcrlike.tracing"})
    monkeypatch.setattr(http.client, "HTTPConnection", connection)
    assert recorder() is None
