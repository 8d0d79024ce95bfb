"""The examples: one JSON object a line, with a `pitch` as the input and its `deal` as the label."""

from __future__ import annotations

import json
from pathlib import Path

import dspy


def load_examples(file: str) -> list[dspy.Example]:
    """The examples of a file below this folder, such as `data/train.jsonl`."""
    lines = (Path(__file__).parent / file).read_text(encoding="utf-8").splitlines()
    return [dspy.Example(json.loads(line)).with_inputs("pitch") for line in lines]
