"""Texts, records and settings without credentials; what they are of stays as it is."""

from __future__ import annotations

import pytest

from pytest_pitcheval.redaction import redact, redact_content, without_secrets

KEY = "sk-proj-ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def test_redacts_keys_and_values_at_any_depth() -> None:
    value = {"sk-one": ["a sk-one b sk-two", 3, None, {"x": "sk-two"}]}
    assert redact(value, ("sk-one", "sk-two")) == {"***": ["a *** b ***", 3, None, {"x": "***"}]}


def test_redacts_nothing_without_secrets() -> None:
    assert redact({"a": ["b"]}, ()) == {"a": ["b"]}


def test_names_are_left_where_they_are_those_of_fields() -> None:
    assert redact({"sk-one": "sk-one"}, ("sk-one",), names=False) == {"sk-one": "***"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"refused: {KEY}", "refused: ***"),
        (f"refused: {KEY[:12]}…", "refused: ***…"),
        (f"refused: {KEY[:20]}... see the docs", "refused: ***... see the docs"),
        (f"refused: {KEY[:9]} [... 30 characters ...] end", "refused: *** [... 30 characters ...] end"),
        (f"cut by somebody else {KEY[:30]}", "cut by somebody else ***"),
        (f"... {KEY[-12:]} was refused", "... *** was refused"),
        (f"[... 30 characters ...] {KEY[-9:]} z", "[... 30 characters ...] *** z"),
        (f"{KEY}{KEY[:10]}…", "******…"),
        (f"{KEY[:10]}… and {KEY[:11]}…", "***… and ***…"),
        (f"{KEY[:20]} is no key", f"{KEY[:20]} is no key"),
        ("sk-proj is how keys begin...", "sk-proj is how keys begin..."),
        (f"{KEY[-9:]} without a cut", f"{KEY[-9:]} without a cut"),
    ],
)
def test_a_part_of_a_secret_goes_where_a_text_was_cut(text: str, shown: str) -> None:
    assert redact(text, (KEY,)) == shown


def test_a_long_text_with_the_beginning_of_a_key_everywhere_takes_no_time() -> None:
    text = KEY[:8] * 100_000
    assert redact(text, (KEY,)) == text[:-8] + "***"


def test_what_a_record_is_of_stays() -> None:
    record = {
        "nodeid": f"test_a.py::test_a[{KEY}]",
        "example_id": KEY,
        "rollout_id": f"20260101T000000.000000Z/{KEY}",
        "feedback": f"said {KEY}",
        "error": None,
        "inputs": {KEY: [KEY]},
        "prediction": None,
        "later_rollouts": [{"prediction": {"answer": {KEY: 1}}, "feedback": KEY}],
    }
    assert redact_content(record, (KEY,)) == {
        **record,
        "feedback": "said ***",
        "inputs": {KEY: ["***"]},
        "later_rollouts": [{"prediction": {"answer": {"***": 1}}, "feedback": "***"}],
    }


def test_arguments_of_an_lm_without_what_is_secret_by_its_name() -> None:
    arguments = {
        "max_tokens": 20,
        "api_key": "sk",
        "azure_ad_token": "ey",
        "extra_headers": {"Authorization": "Bearer abc", "X-Title": "mine"},
        "tools": [{"name": "search", "url": "https://ada:pw@host/search"}],
    }
    assert without_secrets(arguments) == {
        "max_tokens": 20,
        "extra_headers": {"X-Title": "mine"},
        "tools": [{"name": "search", "url": "https://***@host/search"}],
    }
