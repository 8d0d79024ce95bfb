"""Which names say that a value is secret."""

from __future__ import annotations

import pytest

from pytest_pitcheval.credentials.naming import is_secret_name


@pytest.mark.parametrize(
    "name",
    ["api_key", "OPENAI_API_KEY_2", "AZURE_API_KEY1", "DB_PASSWORD_TEST", "X-Functions-Key", "X-Key", "GITHUB_PAT"],
)
def test_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["max_tokens", "max_tokens_2", "stop_token_1", "eos_token", "seed_1", "X-Request-Id", "keyboard", "latest"]
)
def test_not_secret(name: str) -> None:
    assert not is_secret_name(name)
