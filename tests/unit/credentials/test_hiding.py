"""Plain values without secrets."""

from __future__ import annotations

from pytest_pitcheval.credentials.hiding import redact


def test_redacts_keys_and_values_at_any_depth() -> None:
    value = {"sk-one": ["a sk-one b sk-two", 3, None, {"x": "sk-two"}]}
    assert redact(value, ("sk-one", "sk-two")) == {"***": ["a *** b ***", 3, None, {"x": "***"}]}


def test_redacts_nothing_without_secrets() -> None:
    assert redact({"a": ["b"]}, ()) == {"a": ["b"]}
