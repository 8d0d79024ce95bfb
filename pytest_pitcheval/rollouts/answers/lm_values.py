"""An LM's answer as DSPy's cache holds it, as plain JSON values, and back. Never a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.plain import WHOLE, plain

_FORMAT = "_dspy_format"
_OF_ONE_CALL = ("id", "provider_data", "created", "system_fingerprint", "service_tier")
"""What each call has of its own, and no program asks for."""
_LITELLM = ("ModelResponse", "TextCompletionResponse", "ResponsesAPIResponse")


class NotPlain(PitchevalError):
    """A value that has no form as JSON."""


def to_plain(value: Any) -> Any:
    """What is kept of an answer. Raises NotPlain."""
    if isinstance(value, Mapping) and _FORMAT in value:
        return _of_dspy(value)
    name = type(value).__name__
    if name in _LITELLM and hasattr(type(value), "model_dump"):
        hidden = getattr(value, "_hidden_params", None) or {}
        told = {"litellm": name, "response": _without(plain(value.model_dump(mode="json"), WHOLE))}
        return told if hidden.get("response_cost") is None else {**told, "cost": hidden["response_cost"]}
    return {"value": exactly(value)}


def exactly(value: Any) -> Any:
    """``value`` if JSON gives the very same back. Raises NotPlain."""
    try:
        told = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise NotPlain(f"a {type(value).__name__} is no JSON: {error}") from None
    if told != value:
        raise NotPlain(f"a {type(value).__name__} is another value as JSON")
    return told


def from_plain(told: Any) -> Any:
    """The answer that was kept. Raises PitchevalError: it is none."""
    try:
        if "value" in told:
            return told["value"]
        return _litellm(told) if "litellm" in told else _to_dspy(told)
    except Exception as error:  # of whatever a file may have in it
        raise PitchevalError(
            f"--eval-replay: a recorded answer cannot be read: {type(error).__name__}: {error}"
        ) from error


def _of_dspy(value: Mapping[str, Any]) -> dict[str, Any]:
    """A text alone with what it cost, as most answers are; else all that DSPy keeps of it."""
    whole = _without(plain(value, WHOLE))
    short = _short(whole)
    return short if short is not None and _to_dspy(short) == whole else {"dspy": whole}


def _without(told: dict[str, Any]) -> dict[str, Any]:
    kept = {name: item for name, item in told.items() if name not in (*_OF_ONE_CALL, "cost_details")}
    responses = kept.get("responses")
    if isinstance(responses, list):
        kept["responses"] = [_without(one) if isinstance(one, dict) else one for one in responses]
    return kept


def _short(whole: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        (response,), (text,) = whole["responses"], whole["outputs"]
        told = {"text": text, "model": whole["response_model"], "usage": response["usage"]}
    except (KeyError, ValueError, TypeError):
        return None
    further = {
        "finish_reason": None if response.get("finish_reason") == "stop" else response.get("finish_reason"),
        "told": None if whole.get("usage") == _told(response["usage"]) else whole.get("usage"),
        "cost": whole.get("cost"),
    }
    return told | {name: value for name, value in further.items() if value is not None}


def _told(usage: Mapping[str, Any]) -> dict[str, Any]:
    """How DSPy tells of the tokens that a provider counted, as a rule."""
    names = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens", "total_tokens": "total_tokens"}
    return {
        **{names[name]: value for name, value in usage.items() if name in names},
        "prompt_tokens_details": None,
        "completion_tokens_details": None,
    }


def _to_dspy(told: Mapping[str, Any]) -> dict[str, Any]:
    if "dspy" in told:
        return dict(told["dspy"])
    message = {"role": "assistant", "parts": [{"type": "text", "text": told["text"]}]}
    response = {"model": told["model"], "message": message, "finish_reason": told.get("finish_reason", "stop")}
    return {
        _FORMAT: "dspy-lm15-result-v1",
        "responses": [{**response, "usage": told["usage"]}],
        "outputs": [told["text"]],
        "usage": told.get("told") or _told(told["usage"]),
        "cost": told.get("cost"),
        "raw": None,
        "response_model": told["model"],
    }


def _litellm(told: Mapping[str, Any]) -> Any:
    import litellm
    from litellm.types.llms.openai import ResponsesAPIResponse

    kinds = {"ModelResponse": litellm.ModelResponse, "TextCompletionResponse": litellm.TextCompletionResponse}
    if told["litellm"] == "ResponsesAPIResponse":
        response: Any = ResponsesAPIResponse(**{"id": "recorded", "created_at": 0, **told["response"]})
    else:
        response = kinds[told["litellm"]](**told["response"])
    if "cost" in told:
        response._hidden_params = {"response_cost": told["cost"]}
    return response
