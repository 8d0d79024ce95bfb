"""What the failure of an LM call is, and whether it is worth another call, and when. Knows nothing of DSPy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from pytest_pitcheval.errors import LMCallFailed
from pytest_pitcheval.options.numbers import number_in
from pytest_pitcheval.results.plain import text_of

_TRANSIENT = frozenset({409, 425, 500, 502, 503, 504, 520, 522, 524, 529})
_CONNECTION = ("APIConnectionError", "LMTransportError", "ConnectError", "RemoteProtocolError", "ReadError")
_CLIENT_LIBRARIES = {"litellm", "openai", "anthropic", "httpx", "httpcore", "requests", "urllib3", "aiohttp"}
_LONGEST_DELAY = 60.0
_BEYOND = 1e15
"""Seconds that no wait lasts, and more; whole numbers can be too large for a float."""
_RETRY_AFTER = ("retry-after", "Retry-After")


class Recorded(Exception):
    """What an LM or a tool raised when its answers were recorded, and raises again when they are replayed."""


def is_lm_error(error: BaseException | None) -> bool:
    """Whether ``error``, or what it was raised from, is a failure of the LM's transport or provider."""
    return any(
        isinstance(link, (ConnectionError, TimeoutError, LMCallFailed))
        or any(
            str(kind.__module__).partition(".")[0] in _CLIENT_LIBRARIES or kind.__name__ == "LMError"
            for kind in type(link).__mro__
        )
        for link in origins(error)
    )


def is_rate_limited(error: BaseException | None) -> bool:
    """Whether a provider refused a request, just now, because there were too many of them."""
    return not _is_recorded(error) and any(
        _status(cause) == 429 or type(cause).__name__.endswith("RateLimitError") for cause in origins(error)
    )


def is_transient(error: BaseException | None) -> bool:
    """Whether the same request may well be answered a little later; a timeout is not among these."""
    return not _is_recorded(error) and any(
        _status(cause) in _TRANSIENT or isinstance(cause, ConnectionError) or type(cause).__name__ in _CONNECTION
        for cause in origins(error)
    )


def _is_recorded(error: BaseException | None) -> bool:
    """Whether nobody was asked: an answer of an earlier session was that it failed."""
    return any(isinstance(cause, Recorded) for cause in origins(error))


def retry_after(error: BaseException | None) -> float | None:
    """The seconds that a provider asked to wait, None if it did not say."""
    for cause in origins(error):
        sent = [*_headers(_attribute(_attribute(cause, "response"), "headers")), *_of_dspy(cause)]
        told = [] if any(_seconds(one) is None for one in sent) else [_attribute(cause, "retry_after")]
        for said in (*told, *sent):
            seconds = _seconds(said)
            if seconds is not None and 0 <= seconds < math.inf:
                return seconds
    return None


def _headers(headers: object) -> list[Any]:
    """``Retry-After`` among them, under either name."""
    found = [headers.get(name) for name in _RETRY_AFTER] if isinstance(headers, Mapping) else []
    return [one for one in found if one is not None]


def _of_dspy(error: BaseException) -> list[Any]:
    """The same as DSPy keeps it: its own number in ``retry_after`` is also of what only Python reads as one."""
    return [one for values in _headers(_attribute(error, "rate_limit_headers")) for one in values]


def _seconds(said: object) -> float | None:
    """What ``Retry-After`` says: a number, or the date after which to ask again; None where it is neither."""
    if isinstance(said, (int, float)) and not isinstance(said, bool):
        return float(said) if 0 <= said < _BEYOND else None
    if not isinstance(said, str):
        return None
    number = number_in(said)
    if number is not None or not said.strip()[:1].isalpha():  # a date begins with the name of its day
        return number
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    moment = until if until.tzinfo else until.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())


def refuses_temperature(error: BaseException | None) -> bool:
    """Whether a provider refused a request for the temperature in it."""
    return any(
        (_status(cause) in (400, 422) or type(cause).__name__ == "UnsupportedParamsError")
        and "temperature" in text_of(cause).lower()
        for cause in origins(error)
    )


def backoff(attempt: int) -> float:
    """Seconds to wait after the failed ``attempt``, from 0: 1, 2, 4 and so on, a minute at most."""
    return min(2.0**attempt, _LONGEST_DELAY)


def _status(error: BaseException) -> int | None:
    told = (_attribute(error, "status"), _attribute(error, "status_code"))
    return next((one for one in told if isinstance(one, int) and one), None)


def _attribute(value: object, name: str) -> Any:
    """None where there is none, and where reading it raises: exceptions of others may have code of their own."""
    try:
        return getattr(value, name, None)
    except Exception:
        return None


def origins(error: BaseException | None) -> Iterator[BaseException]:
    """``error``, what it was raised from, and the members of exception groups among these, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop()
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        members = _attribute(link, "exceptions")
        waiting += [link.__cause__, *(reversed(members) if isinstance(members, (list, tuple)) else ())]
