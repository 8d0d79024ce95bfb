"""What is secret about a tracker or an LM, and how others may write it."""

from __future__ import annotations

import base64

import pytest

from pytest_pitcheval import credentials
from pytest_pitcheval.credentials import redact, secret_values, secrets


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


@pytest.mark.parametrize(
    ("setting", "value", "shown"),
    [
        ("api_key", "key/with+signs=12", "see?key=key%2Fwith%2Bsigns%3D12 failed"),
        ("api_key", 'key "with" quotes', 'body: {"key": "key \\"with\\" quotes"}'),
        ("api_key", "key/with+signs=12", "see?key=key%2fwith%2bsigns%3d12 failed"),
        ("api_key", "key/with+signs=12", "see?key=key/with%2Bsigns%3D12 failed"),
        ("api_key", "key/with+signs=12", r'body: {"key": "key\/with+signs=12"}'),
        ("api_key", "key/with+signs=12", r'body: {"key": "key/with+signs\u003d12"}'),
        ("api_key", "key<with>signs&12", r'body: {"key": "key\u003cwith\u003esigns\u002612"}'),
        ("api_key", "key'with&signs\"12", "<p>key&#39;with&amp;signs&#34;12</p>"),
        ("password", "pa\u00dfwort-1", 'body: {"p": "pa\\u00dfwort-1"}'),
        ("private_key", "-----BEGIN-----\nMIIabcdef12345\nabcdef67890-xy\n-----END-----", "line 2 is MIIabcdef12345"),
        ("Cookie", "session=cookie-12345; theme=dark", "the session cookie-12345 is over"),
        ("X-Custom-Auth", "header-12345", "no such header-12345"),
        ("vertex_credentials", '{"private_key": "MIIabcdef12345", "type": "x"}', "the key MIIabcdef12345 is wrong"),
    ],
)
def test_a_secret_is_hidden_as_others_write_it(setting: str, value: str, shown: str) -> None:
    hidden = redact(shown, secrets([{setting: value}], ()))
    assert hidden != shown
    assert "***" in hidden
    assert not {"MIIabcdef12345", "signs", "quotes", "wort-1"} & set(hidden.replace('"', " ").split())


def test_a_file_of_credentials_that_is_none_is_a_secret_as_a_whole() -> None:
    assert secret_values({"credentials": '{"private_key": '}) == {'{"private_key": '}
