from __future__ import annotations

import pytest

from pytest_pitcheval.evaluation.lanes import obstacle

OURS = ["_pitcheval_test", "_dspy_settings", "example", "optimization", "compiled_program", "prediction"]


@pytest.mark.parametrize(
    ("fixtures", "found"),
    [
        ([], None),
        (OURS, None),
        (["tmp_path", "monkeypatch", *OURS], None),
        (["database", *OURS], "database"),
        ([*OURS, "cleaned"], "cleaned"),
        ([*OURS, "metric"], "metric"),
        ([*OURS, "prediction"], "prediction"),
    ],
)
def test_obstacle(fixtures: list[str], found: str | None) -> None:
    assert obstacle(fixtures) == found
