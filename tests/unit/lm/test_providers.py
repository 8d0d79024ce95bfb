"""Whether there is a provider for a model's name."""

from __future__ import annotations

import sys
import types

import pytest

from pytest_pitcheval.lm.providers import unknown_provider


@pytest.mark.parametrize(
    ("names", "unknown"),
    [
        (["openai/gpt-4o-mini", "groq/llama", "openrouter/meta/llama", "hosted_vllm/mine"], None),
        (["local", "local:/models/qwen.gguf", "gpt-4o"], None),
        (["openai/a", "opnai/b", "foo/c"], "opnai"),
    ],
)
def test_the_first_that_nobody_knows_is_named(names: list[str], unknown: str | None) -> None:
    found = unknown_provider(names)
    assert found is None if unknown is None else found is not None and f"no provider {unknown!r}" in found


def test_a_suite_may_have_a_provider_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.SimpleNamespace(custom_provider_map=[{"provider": "mine", "custom_handler": object()}])
    monkeypatch.setitem(sys.modules, "litellm", module)
    assert unknown_provider(["openai/a", "mine/b"]) is None
    assert unknown_provider(["openai/a", "yours/b"]) is not None
