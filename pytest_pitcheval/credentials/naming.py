"""Names of what is secret: of settings, headers and environment variables."""

from __future__ import annotations

import functools
import re

_SECRET_NAME = re.compile(
    r"(api|access|secret|private|signing|encryption|subscription|account|auth|master)[_-]?keys?$"
    r"|(?<!key)tokens?$|secrets?$|passwords?$|passwd$|passphrase$|[_-](pass|pwd)$"
    r"|credentials?$|authorization$|[_-]auth$|cookie$|bearer$|(sas|connection)[_-]?(token|string|url)$"
    r"|[_-](pat|pw|jwt)$|webhook[_-]?url$|^x[_-](.*[_-])?key$",
    re.IGNORECASE,
)
_WHICH_OF_SEVERAL = re.compile(
    r"([_-]?\d{1,3}|[_-](prod|production|staging|dev|development|test|live|backup|old|new|primary|secondary))$",
    re.IGNORECASE,
)
"""How the names of several credentials of one kind end, as in ``OPENAI_API_KEY_2``."""
_COUNTED = re.compile(r"(^|[_-])tokens$", re.IGNORECASE)
_OF_TEXTS = re.compile(
    r"(^|[_-])(bos|eos|eot|pad|sep|cls|unk|unknown|mask|stop|start|end|first|last|next|special|max|min|num|n|image"
    r"|audio|tool|think|thinking|prompt|completion|input|output|total|per|count|budget|cost)[_-]token$",
    re.IGNORECASE,
)
_SECRET_TOKENS = re.compile(r"(api|access|auth|bearer|secret|refresh|session)[_-]?tokens$", re.IGNORECASE)


@functools.cache
def is_secret_name(name: str) -> bool:
    """Whether a setting, header or environment variable of this name holds a credential.

    ``max_tokens``, ``eos_token`` and their like count or name tokens of a text.
    """
    name = _WHICH_OF_SEVERAL.sub("", name)
    if _COUNTED.search(name):
        return bool(_SECRET_TOKENS.search(name))
    return bool(_SECRET_NAME.search(name)) and not _OF_TEXTS.search(name)
