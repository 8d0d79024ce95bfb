from __future__ import annotations

from unittest import mock

import pytest

from pytest_pitcheval.errors import LMCallFailed
from pytest_pitcheval.lm.failures import (
    backoff,
    is_lm_error,
    is_rate_limited,
    is_transient,
    origins,
    refuses_temperature,
    retry_after,
)


class Said(Exception):
    """As DSPy's and LiteLLM's errors are: a status, perhaps how long to wait."""

    def __init__(
        self, status: int | None = None, retry_after: object = None, headers: object = None, rate_limits: object = None
    ) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after = retry_after
        self.rate_limit_headers = rate_limits
        if headers is not None:
            self.response = type("Response", (), {"headers": headers})()


class RateLimitError(Exception):
    pass


def caused(error: BaseException) -> BaseException:
    outer = RuntimeError("the program gave up")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "limited", "transient"),
    [
        (None, False, False),
        (Said(429), True, False),
        (caused(Said(429)), True, False),
        (RateLimitError(), True, False),
        (Said(500), False, True),
        (Said(503), False, True),
        (Said(529), False, True),
        (Said(400), False, False),
        (Said(401), False, False),
        (ConnectionResetError(), False, True),
        (TimeoutError(), False, False),
        (ValueError(), False, False),
    ],
)
def test_kinds(error: BaseException | None, limited: bool, transient: bool) -> None:
    assert (is_rate_limited(error), is_transient(error)) == (limited, transient)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Said(429), None),
        (Said(429, retry_after=3), 3.0),
        (Said(429, retry_after="2.5"), 2.5),
        (Said(429, retry_after="soon"), None),
        (Said(429, retry_after=float("nan")), None),
        (Said(429, retry_after=-1), None),
        (Said(429, retry_after=10**400), None),
        (Said(429, headers={"retry-after": "7"}), 7.0),
        (caused(Said(429, retry_after=0)), 0.0),
        (Said(429, headers={"retry-after": "1_000"}), None),
        (Said(429, headers={"retry-after": "\u0663"}), None),
        (Said(429, headers={"retry-after": "infinity"}), None),
        (Said(429, headers={"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}), 0.0),
        (Said(429, headers={"retry-after": "Sun Nov  6 08:49:37 1994"}), 0.0),
        (Said(429, headers={"retry-after": "Sun, 99 Nov 1994 08:49:37 GMT"}), None),
        (Said(429, headers=["retry-after"]), None),
        (Said(429, retry_after=mock.MagicMock()), None),
        (Said(429, retry_after=True), None),
        (Said(429, retry_after=20, headers={"retry-after": "7"}), 20.0),
        (Said(429, retry_after=1_000.0, rate_limits={"retry-after": ("1_000",)}), None),
        (Said(429, retry_after=7.0, rate_limits={"retry-after": ("7",)}), 7.0),
        (Said(429, retry_after=7.0, rate_limits={}), 7.0),
    ],
)
def test_retry_after(error: BaseException, seconds: float | None) -> None:
    assert retry_after(error) == seconds


def test_a_date_to_ask_again_after_is_as_far_away_as_it_is() -> None:
    seconds = retry_after(Said(429, headers={"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}))
    assert seconds is not None
    assert 1e6 < seconds < 1e10


class Hostile(Exception):
    """All of its own code raises."""

    def __str__(self) -> str:
        raise RuntimeError

    @property
    def response(self) -> object:
        raise RuntimeError

    status = retry_after = exceptions = response


Hostile.__module__ = None  # type: ignore[assignment]


def test_exceptions_whose_own_code_is_wrong() -> None:
    first, second = Hostile(), Said(retry_after=3)
    first.__cause__, second.__cause__ = second, first
    assert list(origins(first)) == [first, second]
    assert retry_after(first) == 3
    assert not any(asked(first) for asked in (is_transient, is_rate_limited, is_lm_error))
    odd = Said()
    odd.status = {"code": 400}  # type: ignore[assignment]
    assert not any(asked(odd) for asked in (is_transient, is_rate_limited, refuses_temperature))
    group = Said(429)
    group.exceptions = group, 3, Said(503)  # type: ignore[attr-defined]
    assert all(asked(group) for asked in (is_transient, is_rate_limited))


def test_backoff() -> None:
    assert [backoff(attempt) for attempt in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


class LMError(Exception):
    """Named like DSPy's own."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (LMError(), True),
        (LMCallFailed(), True),
        (raised_from(ValueError(), ConnectionError()), True),
        (raised_from(KeyError(), raised_from(ValueError(), LMError())), True),
        (type("APIError", (Exception,), {"__module__": "litellm.exceptions"})(), True),
        (type("Mine", (type("APIError", (Exception,), {"__module__": "openai"}),), {})(), True),
        (type("Error", (Exception,), {"__module__": "openaiish"})(), False),
        (ValueError(), False),
        (FileNotFoundError(), False),
        (None, False),
    ],
)
def test_is_lm_error(error: Exception | None, expected: bool) -> None:
    assert is_lm_error(error) is expected
