"""Tests are named by pytest's own IDs, without what the plugin puts into them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pitcheval.collection.collected import name_of_test
from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.results.keys import function_of
from pytest_pitcheval.settings.methods import Optimization
from pytest_pitcheval.settings.models import Model


def row(name: str) -> Row:
    return Row(name, {}, ())


def item(parts: tuple[str, ...], **params: Any) -> Any:
    """What is read of a ``pytest.Item``."""
    return SimpleNamespace(
        nodeid=f"a[b]/test_c.py::T::test_d[{'-'.join(parts)}]", callspec=SimpleNamespace(_idlist=parts, params=params)
    )


MINE = object()
SMALL = Model("openai/small", "small")


@pytest.mark.parametrize(
    ("parts", "params", "rest"),
    [
        (("e0",), {"example": row("e0")}, None),
        (("bootstrap", "e0"), {"optimization": Optimization("bootstrap"), "example": row("e0")}, None),
        (("e0", "right"), {"example": row("e0"), "program": MINE}, "right"),
        (("right", "e0"), {"program": MINE, "example": row("e0")}, "right"),
        (("e0", "e0"), {"example": row("e0"), "program": MINE}, "e0"),
        (("a", "b-a"), {"example": row("a"), "program": MINE}, "b-a"),
        (("a-b", "a"), {"program": MINE, "example": row("a")}, "a-b"),
        (("left", "e0", "right"), {"program": MINE, "example": row("e0"), "style": MINE}, "left-right"),
        (("none", "a-b", "c"), {"optimization": Optimization(), "example": row("a-b"), "style": "c"}, "c"),
        (("x", "none", "e0", "y"), {"x": 1, "optimization": Optimization(), "example": row("e0"), "y": 1}, "x-y"),
        (("none", "small", "none"), {"style": "none", "generator_lm": SMALL, "optimization": Optimization()}, "none"),
        (("small", "none", "none"), {"generator_lm": SMALL, "optimization": Optimization(), "style": "none"}, "none"),
        (("a-b", "e0", "e1"), {"x": "a", "y": "b", "example": row("e0"), "z": "e1"}, "a-b-e1"),
        (("e0", "a"), {"hidden": MINE, "example": row("e0"), "x": "a"}, "a"),
        ((r"caf\xe9", "right"), {"example": row("caf\u00e9"), "program": MINE}, "right"),
        (("caf\u00e9", "right"), {"example": row("caf\u00e9"), "program": MINE}, "right"),
        (("a::b[c]", "d]"), {"program": MINE, "example": row("d]")}, "a::b[c]"),
        (("one", "right"), {"example": "the user's own", "program": MINE}, "one-right"),
        (("right",), {"program": MINE}, "right"),
    ],
)
def test_the_name_has_the_users_parameters(parts: tuple[str, ...], params: dict[str, Any], rest: str | None) -> None:
    function = "a[b]/test_c.py::T::test_d"
    name = name_of_test(item(parts, **params))
    assert name == (function if rest is None else f"{function}[{rest}]")
    assert function_of(name) == function


def test_without_parameters_it_is_the_node_id() -> None:
    assert name_of_test(SimpleNamespace(nodeid="a[b].py::test_c")) == "a[b].py::test_c"  # type: ignore[arg-type]
