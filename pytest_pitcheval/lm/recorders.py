"""Libraries that answer HTTP requests in place of the network, from a recording for instance. Knows nothing of DSPy."""

from __future__ import annotations

import sys

_LIBRARIES = frozenset({"vcr", "responses", "respx", "pytest_httpx", "pook", "httpretty", "mocket"})
_REPLACED = (
    ("http.client", "HTTPConnection"),
    ("requests.adapters", "HTTPAdapter.send"),
    ("httpx", "HTTPTransport.handle_request"),
    ("httpx", "AsyncHTTPTransport.handle_async_request"),
    ("socket", "socket"),
)
"""What these libraries put something of their own in place of, while they are at work."""


def recorder() -> str | None:
    """The library that answers requests now, None where the network does."""
    for module, path in _REPLACED:
        value: object = sys.modules.get(module)
        for name in path.split("."):
            value = getattr(value, name, None)
        library = str(getattr(value, "__module__", "")).partition(".")[0]
        if library in _LIBRARIES:
            return library
    return None
