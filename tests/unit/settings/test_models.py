"""Several models of one role: their IDs."""

from __future__ import annotations

import pytest

from pytest_pitcheval.settings.models import models_of


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        ([None], []),
        (["openai/a"], []),
        (["openai/a", "groq/b-2.5"], ["a", "b-2.5"]),
        (["groq/llama", "together_ai/llama", "openai/a"], ["groq_llama", "together_ai_llama", "a"]),
        (["local", "local:/models/qwen 2.gguf"], ["local", "qwen_2"]),
        (["openrouter/meta/llama:free", "openrouter/meta/llama"], ["llama_free", "llama"]),
        (["x/é", "x/ü"], ["x.1", "x.2"]),
        (["a", "x/a"], ["a", "x_a"]),
    ],
)
def test_ids_are_short_safe_and_tell_the_models_apart(names: list[str | None], ids: list[str]) -> None:
    assert [model.id for model in models_of(names)] == ids
    assert [model.name for model in models_of(names)] == (names if ids else [])
