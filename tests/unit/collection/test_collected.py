"""Tests are named by pytest's own IDs, without what the plugin puts into them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pitcheval.collection.collected import name_of_test
from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.results.keys import function_of
from pytest_pitcheval.settings.methods import Optimization


def row(name: str) -> Row:
    return Row(name, {}, ())


def item(ident: str, **params: Any) -> Any:
    """What is read of a ``pytest.Item``."""
    return SimpleNamespace(
        nodeid=f"a[b]/test_c.py::T::test_d[{ident}]", callspec=SimpleNamespace(id=ident, params=params)
    )


@pytest.mark.parametrize(
    ("ident", "params", "rest"),
    [
        ("e0", {"example": row("e0")}, None),
        ("bootstrap-e0", {"optimization": Optimization("bootstrap"), "example": row("e0")}, None),
        ("e0-right", {"example": row("e0"), "program": object()}, "right"),
        ("right-e0", {"program": object(), "example": row("e0")}, "right"),
        ("e0-e0", {"example": row("e0"), "program": object()}, "e0"),
        ("a-b-a", {"example": row("a"), "program": object()}, "b-a"),
        ("a-b-a", {"program": object(), "example": row("a")}, "a-b"),
        ("left-e0-right", {"program": object(), "example": row("e0"), "style": object()}, "left-right"),
        ("none-a-b-c", {"optimization": Optimization(), "example": row("a-b"), "style": "c"}, "c"),
        ("x-none-e0-y", {"x": 1, "optimization": Optimization(), "example": row("e0"), "y": 1}, "x-y"),
        (r"caf\xe9-right", {"example": row("caf\u00e9"), "program": object()}, "right"),
        ("caf\u00e9-right", {"example": row("caf\u00e9"), "program": object()}, "right"),
        ("a::b[c]-d]", {"example": row("d]"), "program": object()}, "a::b[c]"),
        ("one-right", {"example": "the user's own", "program": object()}, "one-right"),
        ("right", {"program": object()}, "right"),
    ],
)
def test_the_name_has_the_users_parameters(ident: str, params: dict[str, Any], rest: str | None) -> None:
    function = "a[b]/test_c.py::T::test_d"
    name = name_of_test(item(ident, **params))
    assert name == (function if rest is None else f"{function}[{rest}]")
    assert function_of(name) == function


def test_without_parameters_it_is_the_node_id() -> None:
    assert name_of_test(SimpleNamespace(nodeid="a[b].py::test_c")) == "a[b].py::test_c"  # type: ignore[arg-type]
