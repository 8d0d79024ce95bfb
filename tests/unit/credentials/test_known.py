"""Which texts of a process are credentials."""

from __future__ import annotations

from pytest_pitcheval.credentials.addresses import in_uri
from pytest_pitcheval.credentials.known import secret_values, secrets


def test_a_short_password_is_kept_out_of_reports_with_its_user() -> None:
    """Alone it may be a word of any text."""
    found = secrets([], in_uri("http://ada:pw@host"))
    assert "ada:pw" in found
    assert "pw" not in found


def test_a_file_of_credentials_that_is_none_is_a_secret_as_a_whole() -> None:
    assert secret_values({"credentials": '{"private_key": '}) == {'{"private_key": '}
