"""What the values of options may be: each kind with what it takes, and what it says of anything else."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pitcheval.options.option import Kind
from pytest_pitcheval.settings.parsers import PARSERS


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "runs/a.json", "runs/a.json"),
        ("methods", "none, gepa,none", ("none", "gepa")),
        ("methods", "my_package.optimizers:Mine", ("my_package.optimizers:Mine",)),
        ("models", " groq/llama-3.3-70b-versatile ", ("groq/llama-3.3-70b-versatile",)),
        ("models", "local:/models/small.gguf", ("local:/models/small.gguf",)),
        ("models", "openai/a, local", ("openai/a", "local")),
        ("examples", "12", 12),
        ("seed", "0", 0),
        ("seconds", "0.5", 0.5),
        ("score", "1.5", 1.5),
        ("share", "1", {"score": 1.0}),
        ("limits of means", "0.8", {"score": 0.8}),
        ("limits of means", "0.8, relevancy=0.6,logprob=-3", {"score": 0.8, "relevancy": 0.6, "logprob": -3.0}),
        ("limits of means", "a=b=0.5", {"a=b": 0.5}),
        ("limits of drops", "words=0.1", {"words": 0.1}),
        ("temperature", "0", 0.0),
        ("temperature", "null", "null"),
        ("gate mode", "strict", "strict"),
        ("allowed", "judge, metric", frozenset({"judge", "metric"})),
    ],
)
def test_takes(kind: Kind, text: str, value: Any) -> None:
    assert PARSERS[kind](text) == value


@pytest.mark.parametrize(
    ("kind", "texts", "expected"),
    [
        ("text", [""], "expected a value"),
        ("methods", ["", "none,", "Bootstrap", "a.b:", ":B", "a-b:C"], "expected one of none, labeled, "),
        ("models", ["", " ", "local:", "/", "a,local:"], "expected a model name such as "),
        ("models", ["a,", ",a", "a,,b", ",", "a, ,b"], "expected model names with one comma between them: "),
        ("models", ["a,b,a", "a, a"], "expected each model once: 'a' is there 2 times"),
        (
            "examples",
            ["0", "-1", "1.5", "all", "", "1_000", "\u0661"],
            "expected a whole number of examples, 1 or more",
        ),
        ("count", ["0", "nan"], "expected a whole number, 1 or more"),
        ("seed", ["-1", "x"], "expected a whole number, 0 or more"),
        ("seconds", ["0", "-1", "inf", "nan", "5s", "1_0", "\uff15"], "expected a number of seconds above 0"),
        ("seconds", ["1e10", "1e300"], "expected a number of seconds above 0, 1,000,000,000 at most"),
        ("score", ["-0.1", "inf", "nan", "90 %"], "expected a score, 0 or more"),
        (
            "limits of means",
            ["high", "", "0.8,", "0.8,0.9", "=0.5", "words=", "words=nan", "words=1,words=2", "-1", "score=-1"],
            "expected a score, 0 or more, or one for each metric: 0.8,relevancy=0.6",
        ),
        ("limits of drops", ["words=-0.1"], "expected a score, 0 or more, or one for each metric: 0.8,relevancy=0.6"),
        ("share", ["0_1", "1.01", "-0.1", "nan"], "expected a share, 0 to 1"),
        ("temperature", ["-1", "warm", ""], "expected a temperature, 0 or more, or null for a model that takes none"),
        ("rate limits", ["30", "30/day", "/min", "9" * 5_000 + "/min"], "expected limits such as 30/min"),
        ("gate mode", ["", "Strict"], "expected normal, established or strict"),
        ("family", ["", "Holm", "bonferroni"], "expected holm or none"),
        ("allowed", ["", "program", "judge,"], "expected one or more of metric, judge, example"),
    ],
)
def test_says_what_it_expects(kind: Kind, texts: list[str], expected: str) -> None:
    for text in texts:
        with pytest.raises(ValueError, match=f"^{expected}"):
            PARSERS[kind](text)
