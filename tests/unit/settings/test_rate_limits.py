from __future__ import annotations

import pytest

from pytest_pitcheval.settings.rate_limits import RateLimit, parse_rate_limits


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("30/min", [RateLimit("*", 30, 60, False)]),
        ("2/s", [RateLimit("*", 2, 1, False)]),
        ("500/hour", [RateLimit("*", 500, 3600, False)]),
        ("40000tokens/min", [RateLimit("*", 40000, 60, True)]),
        ("1 token/sec", [RateLimit("*", 1, 1, True)]),
        (
            "groq/*=30/min, groq/*=6000tokens/min,openai/gpt-4o=5/s",
            [
                RateLimit("groq/*", 30, 60, False),
                RateLimit("groq/*", 6000, 60, True),
                RateLimit("openai/gpt-4o", 5, 1, False),
            ],
        ),
    ],
)
def test_parse(text: str, limits: list[RateLimit]) -> None:
    assert list(parse_rate_limits(text)) == limits


@pytest.mark.parametrize(
    "text", ["", "30", "0/min", "-1/min", "1.5/s", "30/day ", "30/min,", "a=b=3/s/s", "=3/s", "/s", "fast", "groq/*"]
)
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="expected limits such as 30/min"):
        parse_rate_limits(text)


def test_of_which_models() -> None:
    limit = RateLimit("groq/*", 1, 1, False)
    assert limit.holds_for("groq/llama-3.3-70b-versatile")
    assert not limit.holds_for("openai/gpt-4o")
    assert RateLimit("*", 1, 1, False).holds_for("local")


@pytest.mark.parametrize(
    ("text", "count", "part"),
    [
        ("60/min", 1, "60/min"),
        ("60/min", 4, "15/min"),
        ("10/s", 3, "3/s"),
        ("groq/*=40000tokens/min", 4, "groq/*=10000tokens/min"),
        ("60/h", 60, "1/h"),
        ("1/s", 60, "1/min"),
        ("2/s", 120, "1/min"),
    ],
)
def test_the_part_of_one_process(text: str, count: int, part: str) -> None:
    [limit], [expected] = parse_rate_limits(text), parse_rate_limits(part)
    assert limit.part(count) == expected
