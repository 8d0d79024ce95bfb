"""Packages that are there only where somebody asked for them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Final

from pytest_pitcheval.names import BLEU, ROUGE

_PACKAGES: Final[Mapping[str, tuple[str, str]]] = {
    BLEU: ("sacrebleu", "sacrebleu"),
    ROUGE: ("rouge_score", "rouge-score"),
}
"""What built-in aggregates need: a module, and its distribution. The extra has the aggregate's name."""


def missing_package(aggregate: str) -> str | None:
    """What must be installed for a built-in aggregate, in words; None where nothing is missing."""
    module, distribution = _PACKAGES.get(aggregate, ("", ""))
    if not module or importlib.util.find_spec(module) is not None:
        return None
    return f"{aggregate!r} needs the package {distribution}: pip install 'pytest-pitcheval[{aggregate}]'"
