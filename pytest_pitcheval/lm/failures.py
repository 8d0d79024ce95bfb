"""What the failure of an LM call is, and whether it is worth another call, and when. Knows nothing of DSPy."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pytest_pitcheval.errors import LMCallFailed

_TRANSIENT = frozenset({409, 425, 500, 502, 503, 504, 520, 522, 524, 529})
_CONNECTION = ("APIConnectionError", "LMTransportError", "ConnectError", "RemoteProtocolError", "ReadError")
_CLIENT_LIBRARIES = {"litellm", "openai", "anthropic", "httpx", "httpcore", "requests", "urllib3", "aiohttp"}
_LONGEST_DELAY = 60.0


class Recorded(Exception):
    """What an LM or a tool raised when its answers were recorded, and raises again when they are replayed."""


def is_lm_error(error: BaseException | None) -> bool:
    """Whether ``error``, or what it was raised from, is a failure of the LM's transport or provider."""
    return any(
        isinstance(link, (ConnectionError, TimeoutError, LMCallFailed))
        or any(
            kind.__module__.partition(".")[0] in _CLIENT_LIBRARIES or kind.__name__ == "LMError"
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


def is_race(error: BaseException | None) -> bool:
    """Whether a call failed in a thread because pytest took its own environment variable away at that moment.

    pytest sets and deletes ``PYTEST_CURRENT_TEST`` for each test. Who goes through ``os.environ`` just then, as HTTP
    clients do for proxies, finds a name without a value. No request has been sent.
    """
    return any(isinstance(cause, KeyError) and cause.args == ("PYTEST_CURRENT_TEST",) for cause in origins(error))


def retry_after(error: BaseException | None) -> float | None:
    """The seconds that a provider asked to wait, None if it did not say."""
    for cause in origins(error):
        headers = getattr(getattr(cause, "response", None), "headers", None) or {}
        for said in (getattr(cause, "retry_after", None), headers.get("retry-after"), headers.get("Retry-After")):
            try:
                seconds = float(said)  # type: ignore[arg-type]
            except (TypeError, ValueError):
                continue
            if math.isfinite(seconds) and seconds >= 0:
                return seconds
    return None


def refuses_temperature(error: BaseException | None) -> bool:
    """Whether a provider refused a request for the temperature in it."""
    return any(
        (_status(cause) in (400, 422) or type(cause).__name__ == "UnsupportedParamsError")
        and "temperature" in str(cause).lower()
        for cause in origins(error)
    )


def backoff(attempt: int) -> float:
    """Seconds to wait after the failed ``attempt``, from 0: 1, 2, 4 and so on, a minute at most."""
    return min(2.0**attempt, _LONGEST_DELAY)


def _status(error: BaseException) -> object:
    return getattr(error, "status", None) or getattr(error, "status_code", None)


def origins(error: BaseException | None) -> Iterator[BaseException]:
    """``error``, what it was raised from, and the members of exception groups among these."""
    while error is not None:
        yield error
        for member in getattr(error, "exceptions", None) or ():
            if isinstance(member, BaseException):
                yield from origins(member)
        error = error.__cause__
