"""What `docs/faults.md` promises has a test."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [line for line in (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").splitlines() if "`tests/" in line]


def test_each_row_names_a_test_that_exists() -> None:
    assert len(ROWS) > 20
    for row in ROWS:
        [named] = re.findall(r"`(tests/\S+\.py)` \|$", row)
        assert "def test_" in (ROOT / named).read_text(encoding="utf-8"), row


def test_each_row_of_a_table_has_one() -> None:
    lines = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| fault ")]
    assert rows == ROWS
