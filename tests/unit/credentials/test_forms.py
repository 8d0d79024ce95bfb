"""A credential is hidden as others write it."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from pytest_pitcheval.credentials.hiding import redact
from pytest_pitcheval.credentials.known import secrets


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
        ("api_key", "key/with+signs=12", "key&#x2F;with+signs&#x3D;12"),
        ("api_key", "a key with signs", "see?key=a+key+with+signs failed"),
        ("api_key", "key(with)signs/12", "see?key=key(with)signs%2F12 failed"),
        ("api_key", "key'with'\"signs\"", repr("key'with'\"signs\"")),
        ("password", "pa\u00dfwort-1", "b'pa\\xc3\\x9fwort-1'"),
        ("vertex_credentials", '{"private_key": "MIIabcdef12345", "type": "x"}', "the key MIIabcdef12345 is wrong"),
    ],
)
def test_a_secret_is_hidden_as_others_write_it(setting: str, value: str, shown: str) -> None:
    hidden = redact(shown, secrets([{setting: value}], ()))
    assert hidden != shown
    assert "***" in hidden
    assert not {"MIIabcdef12345", "signs", "quotes", "wort-1"} & set(hidden.replace('"', " ").split())


@pytest.mark.parametrize("around", ["{}", "ada:{}", "{}:", "a{}b", "ab{}c"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, bytes.hex])
def test_a_secret_is_hidden_within_what_is_encoded(around: str, encode: Callable[[bytes], bytes | str]) -> None:
    key = "key/with~signs??12"
    encoded = encode(around.format(key).encode())
    text = encoded if isinstance(encoded, str) else encoded.decode()
    hidden = redact(f"Authorization: Basic {text} is wrong", secrets([{"api_key": key}], ()))
    assert "***" in hidden
    assert len(hidden) < len("Authorization: Basic  is wrong") + 20


def test_what_is_short_has_no_forms_that_stand_in_other_texts() -> None:
    found = secrets([], {"a:b"})
    assert "a:b" in found
    assert not {"YTpi", "613a62", "Tpi"} & set(found)
    assert min(len(form) for form in secrets([{"api_key": "k-345678"}], ())) >= 8
