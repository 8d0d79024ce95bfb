"""What is secret about an address."""

from __future__ import annotations

import base64

import pytest

from pytest_pitcheval.credentials import addresses


@pytest.mark.parametrize(
    ("uri", "secret", "shown"),
    [
        ("http://ada:pw@host:5000/path", {"ada:pw", "pw"}, "http://host:5000/path"),
        ("https://ada:p%40w@host", {"ada:p%40w", "p%40w", "p@w"}, "https://host"),
        ("https://token@host", {"token"}, "https://host"),
        ("postgresql://host/runs?user=ada&password=a%2Fb", {"a/b", "a%2Fb"}, "postgresql://host/runs"),
        ("http://host:5000", set(), "http://host:5000"),
        ("sqlite:////home/ada/mlflow.db", set(), "sqlite:////home/ada/mlflow.db"),
        ("databricks", set(), "databricks"),
    ],
)
def test_secrets_of_a_uri(uri: str, secret: set[str], shown: str) -> None:
    assert secret <= addresses.in_uri(uri)
    assert bool(secret) == bool(addresses.in_uri(uri))
    assert addresses.without_credentials(uri) == shown
    assert not any(one in addresses.without_credentials(uri) for one in addresses.in_uri(uri))


def test_no_uri_has_no_secrets() -> None:
    assert addresses.in_uri(None) == set()


def test_what_a_server_is_shown_is_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    basic = base64.b64encode(b"ada:p@w").decode()
    assert basic in addresses.in_uri("https://ada:p%40w@host")
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    assert addresses.in_environment() == set()
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "p@w")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    assert addresses.in_environment() == {"p@w", "t0ken", basic}
