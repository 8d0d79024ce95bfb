"""Which tests are the plugin's business."""

from __future__ import annotations

import pytest

ANCHOR = "_pitcheval_test"
"""The fixture that all function fixtures of the plugin ask for: what has it in its closure is ours."""

_LMS = ("generator_lm", "evaluator_lm")


def is_ours(node: pytest.Item) -> bool:
    """Whether a test uses the plugin, and not just fixtures of its own with the same names."""
    return ANCHOR in getattr(node, "fixturenames", ()) or any(mark.name == "evaluation" for mark in node.own_markers)


def uses_lm(node: pytest.Item) -> bool:
    """Whether a test asks for one of the LMs by name: its calls are fresh too, and its reports show no key."""
    return any(name in getattr(node, "fixturenames", ()) for name in _LMS)
