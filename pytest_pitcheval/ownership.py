"""Which tests are the plugin's business."""

from __future__ import annotations

import pytest

ANCHOR = "_pitcheval_test"
"""The fixture that all function fixtures of the plugin ask for: what has it in its closure is ours."""

_LMS = frozenset({"generator_lm", "evaluator_lm"})


def is_ours(node: pytest.Item) -> bool:
    """Whether a test uses the plugin, and not just fixtures of its own with the same names."""
    if ANCHOR in getattr(node, "fixturenames", ()):
        return True
    return bool(node.own_markers) and any(map(is_evaluation, node.own_markers))


def is_evaluation(mark: pytest.Mark) -> bool:
    """Whether a marker is an evaluation: bare, it is a tag that other suites select tests by."""
    return mark.name == "evaluation" and bool(mark.args or mark.kwargs)


def uses_lm(node: pytest.Item) -> bool:
    """Whether a test asks for one of the LMs by name: its calls are fresh too, and its reports show no key."""
    return not _LMS.isdisjoint(getattr(node, "fixturenames", ()))


def is_watched(node: pytest.Item) -> bool:
    """Whether the plugin has anything to do with a test."""
    return is_ours(node) or uses_lm(node)
