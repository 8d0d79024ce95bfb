"""May the embedded LM judge pitches? An exam asks it about 24 that people have judged. It may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_pitcheval import Score


@pytest.mark.judge_exam("data/judged.jsonl", inputs=["facts"], outputs=["pitch"], label="good", max_false_pass=0.1)
def test_judge(verdict: Score) -> None:
    """A test for each pitch; what the figures of all must reach is for the gates to say."""
