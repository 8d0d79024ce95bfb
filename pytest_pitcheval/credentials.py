"""What is secret: credentials by their names, in the environment, in a tracker's URI; and texts without them."""

from __future__ import annotations

import base64
import functools
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

_SECRET_NAME = re.compile(r"(api_?key|access_?key|token|secret|password)s?$", re.IGNORECASE)
_SHORTEST_SECRET = 8


@functools.cache
def is_secret_name(name: str) -> bool:
    """Whether a setting or environment variable of this name holds a credential."""
    return bool(_SECRET_NAME.search(name))


def secret_values(values: Mapping[str, Any]) -> set[str]:
    """Those of ``values`` that are credentials by their name."""
    return {str(values[name]) for name in values if is_secret_name(name) and values[name]}


def secrets(arguments: Iterable[Mapping[str, Any]], seen: Iterable[str]) -> tuple[str, ...]:
    """The credentials of the environment, of the ``arguments`` of LMs, and those ``seen`` in use, longest first."""
    known = {*seen, *secret_values(os.environ)}.union(*map(secret_values, arguments))
    hidden = (value for value in known if len(value) >= _SHORTEST_SECRET or ":" in value)  # user:password is no word
    return tuple(sorted(hidden, key=len, reverse=True))


def redact(value: Any, secrets: Iterable[str]) -> Any:
    """``value`` (plain types) with every secret in its strings replaced by ``***``."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "***")
        return value
    if isinstance(value, dict):
        return {redact(key, secrets): redact(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [redact(item, secrets) for item in value]
    return value


def in_uri(uri: str | None) -> set[str]:
    """User and password of a URI, and passwords in its query; with what a server gets to see of them."""
    parts = urlsplit(uri or "")
    userinfo = parts.netloc.rpartition("@")[0]
    query = (one.partition("=") for one in parts.query.split("&"))
    written = {userinfo, parts.password or "", *(value for name, _, value in query if is_secret_name(name))}
    return _known({*written, *map(unquote, written), _basic(unquote(userinfo))})


def in_environment() -> set[str]:
    """What MLflow's client shows a server besides."""
    names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
    user, password, token = (os.environ.get(name, "") for name in names)
    return _known({password, token, _basic(f"{user}:{password}")})


def hide(text: str, uri: str | None) -> str:
    """``text`` without what is secret: a server may repeat what it was sent."""
    for secret in sorted(in_uri(uri) | in_environment(), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def without_credentials(uri: str) -> str:
    """``uri`` without user and password, and without its query, where databases may have them too."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="")) if parts.netloc else uri


def _basic(userinfo: str) -> str:
    """User and password as HTTP's basic authentication encodes them."""
    return base64.b64encode(userinfo.encode()).decode()


def _known(found: set[str]) -> set[str]:
    """Those that are more than nothing."""
    return found - {"", _basic(""), _basic(":")}
