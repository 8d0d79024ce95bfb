"""What is secret about a tracker: in its URI, in the environment, and as it goes over the wire."""

from __future__ import annotations

import base64
import os
from urllib.parse import unquote, urlsplit, urlunsplit

from pytest_pitcheval.lm.language_models import is_secret_name


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
