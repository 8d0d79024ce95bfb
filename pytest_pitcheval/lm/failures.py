"""Which failures of an LM call are worth another one, and when. Knows nothing of DSPy."""

from __future__ import annotations

import math
from collections.abc import Iterator

_TRANSIENT = frozenset({409, 425, 500, 502, 503, 504, 520, 522, 524, 529})
_CONNECTION = ("APIConnectionError", "LMTransportError", "ConnectError", "RemoteProtocolError", "ReadError")
_LONGEST_DELAY = 60.0


def is_rate_limited(error: BaseException | None) -> bool:
    """Whether a provider refused a request because there were too many of them."""
    return any(_status(one) == 429 or type(one).__name__.endswith("RateLimitError") for one in _chain(error))


def is_transient(error: BaseException | None) -> bool:
    """Whether the same request may well be answered a little later; a timeout is not among these."""
    return any(
        _status(one) in _TRANSIENT or isinstance(one, ConnectionError) or type(one).__name__ in _CONNECTION
        for one in _chain(error)
    )


def is_race(error: BaseException | None) -> bool:
    """Whether a call failed in a thread because pytest took its own environment variable away at that moment.

    pytest sets and deletes ``PYTEST_CURRENT_TEST`` for each test. Who goes through ``os.environ`` just then, as HTTP
    clients do for proxies, finds a name without a value. No request has been sent.
    """
    return any(isinstance(one, KeyError) and one.args == ("PYTEST_CURRENT_TEST",) for one in _chain(error))


def retry_after(error: BaseException | None) -> float | None:
    """The seconds that a provider asked to wait, None if it did not say."""
    for one in _chain(error):
        headers = getattr(getattr(one, "response", None), "headers", None) or {}
        for said in (getattr(one, "retry_after", None), headers.get("retry-after"), headers.get("Retry-After")):
            try:
                seconds = float(said)  # type: ignore[arg-type]
            except (TypeError, ValueError):
                continue
            if math.isfinite(seconds) and seconds >= 0:
                return seconds
    return None


def backoff(attempt: int) -> float:
    """Seconds to wait after the failed ``attempt``, from 0: 1, 2, 4 and so on, a minute at most."""
    return min(2.0**attempt, _LONGEST_DELAY)


def _status(error: BaseException) -> object:
    return getattr(error, "status", None) or getattr(error, "status_code", None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
