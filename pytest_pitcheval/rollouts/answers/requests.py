"""What is asked, as DSPy's cache sees it, as a request that is kept: without what decides no answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pydantic

from pytest_pitcheval.credentials.naming import is_secret_name

FUNCTION = "_fn_identifier"
"""Where DSPy's cache has the name of the function that is asked for."""
_DSPYS = "dspy.clients."
_USUAL = "lm.litellm_completion"
"""The function that most LM calls are made by."""
_OF_TRANSPORT = frozenset(
    {"timeout", "num_retries", "cache", "headers", "extra_headers", "base_url", "organization", FUNCTION}
)
"""What says how a request is sent; so does what begins with ``api_``."""


def lm_request(request: Mapping[str, Any], part: str) -> dict[str, Any]:
    """An LM call of ``part``: model, messages, and the arguments that were set."""
    function = str(request.get(FUNCTION, _USUAL)).removeprefix(_DSPYS)
    function = function.replace(".alitellm_", ".litellm_").removesuffix(".async")  # both ask the same
    call = {} if function == _USUAL else {"call": function}
    return {"part": part, **call, **_arguments(request)}


def direct_request(lm: Any, prompt: Any, messages: Any, arguments: Mapping[str, Any], part: str) -> dict[str, Any]:
    """A call of an LM that does not pass DSPy's cache."""
    asked = {"prompt": prompt, "messages": messages, **(getattr(lm, "kwargs", None) or {}), **arguments}
    return {"part": part, "call": "direct", "model": str(getattr(lm, "model", type(lm).__name__)), **_arguments(asked)}


def other_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """A call of a retriever, or another function that uses DSPy's cache."""
    return {"function": str(request.get(FUNCTION, "")), **_arguments(request)}


def embedding_request(request: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]] | None:
    """What a hosted embedder is asked, and for which texts; None where the user's own function is one."""
    arguments = dict(request)
    model = arguments.pop("positional_arg_0", arguments.pop("model", None))
    texts = arguments.pop("positional_arg_1", arguments.pop("batch_inputs", None))
    arguments.pop("caching", None)
    if not isinstance(model, str) or not isinstance(texts, (list, tuple)):
        return None
    return {"model": model, **_arguments(arguments)}, [str(text) for text in texts]


def _arguments(request: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in request.items() if _decides(name) and value is not None}
    return {name: _schema(value) for name, value in kept.items()}


def _decides(name: str) -> bool:
    return not (name in _OF_TRANSPORT or name.startswith("api_") or is_secret_name(name))


def _schema(value: Any) -> Any:
    """Of a class of answers, what the provider is told of it."""
    if isinstance(value, type) and issubclass(value, pydantic.BaseModel):
        return {"name": value.__name__, "schema": value.model_json_schema()}
    return value
