"""Whether there is a provider for a model's name: read from LiteLLM's source, whose import takes seconds."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib.machinery import PathFinder
from pathlib import Path

from pytest_pitcheval.lm.embedded import models

_CLASS = re.compile(r"^class LlmProviders\(.*?(?=^\S)", re.DOTALL | re.MULTILINE)
_VALUE = re.compile(r'^ +\w+ = "([^"]+)"', re.MULTILINE)


def unknown_provider(names: Iterable[str]) -> str | None:
    """What is wrong with the first of ``names`` whose provider LiteLLM does not know; None where there is none.

    A suite that has imported LiteLLM may have told it of providers of its own.
    """
    known = known_providers()
    own = {str(one["provider"]) for one in getattr(sys.modules.get("litellm"), "custom_provider_map", ())}
    for name in names:
        provider, separator, _ = name.partition("/")
        if known and separator and provider not in known | own and not models.is_local(name):
            return f"LiteLLM knows no provider {provider!r}; expected names such as groq/llama-3.3-70b-versatile"
    return None


def known_providers() -> set[str]:
    """Those that LiteLLM knows; none where it is not installed, or has them elsewhere."""
    spec = PathFinder.find_spec("litellm")
    sources = (Path(folder, "types", "utils.py") for folder in (spec and spec.submodule_search_locations) or ())
    texts = (source.read_text(encoding="utf-8") for source in sources if source.is_file())
    return {value for text in texts if (found := _CLASS.search(text)) for value in _VALUE.findall(found[0])}
