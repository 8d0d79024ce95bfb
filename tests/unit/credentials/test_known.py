"""Which texts of a process are credentials."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from pytest_pitcheval.credentials.addresses import in_uri
from pytest_pitcheval.credentials.known import secret_values, secrets


def test_a_short_password_is_kept_out_of_reports_with_its_user() -> None:
    """Alone it may be a word of any text."""
    found = secrets([], in_uri("http://ada:pw@host"))
    assert "ada:pw" in found
    assert "pw" not in found


def test_a_file_of_credentials_that_is_none_is_a_secret_as_a_whole() -> None:
    assert secret_values({"credentials": '{"private_key": '}) == {'{"private_key": '}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"aws_secret_access_key": "/abc+def123/456xyz"}, {"/abc+def123/456xyz"}),
        ({"credentials": "/etc/accounts/mine.json"}, set()),
        ({"private_key": "/tmp"}, set()),
        ({"api_key": b"key-of-bytes"}, {"key-of-bytes"}),
        ({"api_key": SecretStr("key-of-pydantic")}, {"key-of-pydantic"}),
        ({"extra_headers": {"X-Functions-Key": "key-of-header"}}, {"key-of-header"}),
        ({"tools": [{"properties": {"password": {"type": "string", "description": "that of the user"}}}]}, set()),
        ({"tools": [{"properties": {"url": {"default": "http://ada:pw@host"}}}]}, {"ada:pw", "pw", "YWRhOnB3"}),
    ],
)
def test_which_arguments_are_credentials(settings: dict[str, Any], expected: set[str]) -> None:
    assert secret_values(settings) == expected


def test_the_environment_names_its_keys_in_many_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_KEY", "0123456789abcdef0123")
    monkeypatch.setenv("OPENAI_API_KEY_2", "sk-second")
    monkeypatch.setenv("CI_WEBHOOK_URL", "https://hooks/T0/B0/abcdef")
    monkeypatch.setenv("SORT_KEY", "created_at")
    monkeypatch.setenv("LOCAL_API_KEY", "not-needed")
    found = secrets([], ())
    assert {"0123456789abcdef0123", "sk-second", "https://hooks/T0/B0/abcdef"} <= set(found)
    assert not {"created_at", "not-needed"} & set(found)
