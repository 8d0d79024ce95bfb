"""Which models are given a temperature."""

from __future__ import annotations

import pytest

from pytest_pitcheval.settings.temperatures import takes_temperature


@pytest.mark.parametrize(
    "model",
    [
        *("openai/gpt-5", "openai/gpt-5-mini", "gpt-5.1", "openai/gpt-5-mini-2025-08-07", "azure/gpt-5.2-pro"),
        *("openai/o1", "o3", "openai/o3-mini", "openai/o4-mini-2025-04-16", "openrouter/openai/o1-pro", "OpenAI/O3"),
        *("openai/responses/gpt-5-codex", "openai/gpt-6", "openai/gpt-10.1-mini"),
    ],
)
def test_reasoning_models_get_none(model: str) -> None:
    assert not takes_temperature(model)


@pytest.mark.parametrize(
    "model",
    [
        *("openai/gpt-4o", "openai/gpt-4.1-mini", "openai/gpt-3.5-turbo", "openai/gpt-5-chat-latest", "gpt-5.2-chat"),
        *("openai/gpt-oss-20b", "groq/llama-3.3-70b-versatile", "local", "local:/o3/x.gguf", "ollama/olmo", None, ""),
    ],
)
def test_others_get_ours(model: str | None) -> None:
    assert takes_temperature(model)
