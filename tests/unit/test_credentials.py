"""What is secret about a tracker."""

from __future__ import annotations

import base64

import pytest

from pytest_pitcheval import credentials


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


@pytest.mark.parametrize(
    "name",
    [
        *(
            "api_key",
            "OPENAI_API_KEY",
            "x-api-key",
            "apikey",
            "Authorization",
            "token",
            "GITHUB_TOKEN",
            "azure_ad_token",
        ),
        *(
            "aws_secret_access_key",
            "password",
            "PGPASSWORD",
            "DB_PASS",
            "client_secret",
            "vertex_credentials",
            "Cookie",
        ),
        *("azure_ad_token", "Cookie", "api_tokens", "passphrase", "private_key", "AZURE_STORAGE_CONNECTION_STRING"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert credentials.is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("max_tokens", "max_completion_tokens", "num_tokens", "token_count", "token_limit", "tokenizer", "eos_token"),
        *("pad_token", "stop_token", "budget_tokens", "cache_key", "sort_key", "key", "PWD", "OLDPWD", "monkey"),
    ],
)
def test_names_that_only_look_like_it(name: str) -> None:
    assert not credentials.is_secret_name(name)


def test_secrets_in_the_arguments_of_an_lm() -> None:
    arguments = {
        "api_base": "https://ada:pw@host/v1?key=abcdefgh&api-version=2024-01-01",
        "extra_headers": {"Authorization": "Bearer abcdefghijkl", "X-Title": "mine"},
        "vertex_credentials": {"private_key": "-----BEGIN", "client_email": "a@b"},
        "max_tokens": 4000,
        "password": None,
        "token": 17,
        "credentials": "/home/ada/key.json",
    }
    found = credentials.secret_values(arguments)
    assert {"ada:pw", "abcdefgh", "Bearer abcdefghijkl", "abcdefghijkl", "-----BEGIN"} <= found
    assert not found & {"mine", "2024-01-01", "4000", "17", "/home/ada/key.json"}


@pytest.mark.parametrize("word", ["test", "question", "postgres", "Production", "12345678", "sk-abc"])
def test_a_word_is_hidden_nowhere(word: str) -> None:
    assert word not in credentials.secrets([{"password": word}], ())


@pytest.mark.parametrize("password", ["correct-horse", "passw0rd", "a b c d e", "abcdefghijklmnopqrstuvw"])
def test_a_password_that_is_no_word_is_hidden(password: str) -> None:
    assert password in credentials.secrets([{"password": password}], ())


def test_secrets_on_a_command_line() -> None:
    arguments = ["tests", "--generator-api-base=https://ada:pw@host/v1?key=abcdefgh", "-n2", "sqlite:///a.db"]
    assert {"ada:pw", "abcdefgh"} <= set(credentials.argument_secrets(arguments))
    assert credentials.argument_secrets(["tests::a", "-k", "a:b"]) == []
