"""What is secret about a tracker."""

from __future__ import annotations

import base64

import pytest

from pytest_pitcheval import credentials
from pytest_pitcheval.credentials import redact


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
    assert secret <= credentials.in_uri(uri)
    assert bool(secret) == bool(credentials.in_uri(uri))
    assert credentials.without_credentials(uri) == shown
    assert not any(one in credentials.without_credentials(uri) for one in credentials.in_uri(uri))


def test_no_uri_has_no_secrets() -> None:
    assert credentials.in_uri(None) == set()


def test_what_a_server_is_shown_is_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    basic = base64.b64encode(b"ada:p@w").decode()
    assert basic in credentials.in_uri("https://ada:p%40w@host")
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    assert credentials.in_environment() == set()
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "p@w")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    assert credentials.in_environment() == {"p@w", "t0ken", basic}


def test_a_short_password_is_kept_out_of_reports_with_its_user() -> None:
    """Alone it may be a word of any text."""
    found = credentials.secrets([], credentials.in_uri("http://ada:pw@host"))
    assert "ada:pw" in found
    assert "pw" not in found


def test_redacts_keys_and_values_at_any_depth() -> None:
    value = {"sk-one": ["a sk-one b sk-two", 3, None, {"x": "sk-two"}]}
    assert redact(value, ("sk-one", "sk-two")) == {"***": ["a *** b ***", 3, None, {"x": "***"}]}


def test_redacts_nothing_without_secrets() -> None:
    assert redact({"a": ["b"]}, ()) == {"a": ["b"]}
