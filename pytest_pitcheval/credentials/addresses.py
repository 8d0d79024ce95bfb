"""Credentials in addresses: of trackers, databases and whatever else."""

from __future__ import annotations

import base64
import os
from urllib.parse import unquote, urlsplit, urlunsplit

from pytest_pitcheval.credentials.naming import is_secret_name

_QUERY = {"key", "sig", "signature", "code", "auth", "pass", "pwd"}
"""Parameters of an address that hold credentials, besides those whose names say so."""


def in_uri(uri: str | None) -> set[str]:
    """User and password of a URI, and passwords in its query; with what a server gets to see of them."""
    try:
        parts = urlsplit(uri or "")
        userinfo, password = parts.netloc.rpartition("@")[0], parts.password or ""
    except ValueError:  # no address
        return set()
    query = (one.partition("=") for one in parts.query.split("&"))
    secret = (value for name, _, value in query if is_secret_name(name) or name.lower() in _QUERY)
    written = {userinfo, password, *secret}
    return _known({*written, *map(unquote, written), _basic(unquote(userinfo))})


def in_environment() -> set[str]:
    """What MLflow's client shows a server besides."""
    names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
    user, password, token = (os.environ.get(name, "") for name in names)
    return _known({password, token, _basic(f"{user}:{password}")})


def without_credentials(uri: str) -> str:
    """``uri`` without user and password, and without its query, where databases may have them too."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="")) if parts.netloc else uri


def _basic(userinfo: str) -> str:
    """User and password as HTTP's basic authentication encodes them."""
    return base64.b64encode(userinfo.encode()).decode()


def _known(found: set[str]) -> set[str]:
    """``found`` without the empty text and its encodings, which would be found everywhere."""
    return found - {"", _basic(""), _basic(":")}
