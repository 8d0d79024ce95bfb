"""Requests to hosted embedders: they depend on no rollout and are no LM calls, so they are counted apart."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dspy.clients import embedding

from pytest_pitcheval.rollouts.threads import branches
from pytest_pitcheval.rollouts.threads.replacing import replaced

_ASKING = ("_compute_embeddings", "_acompute_embeddings")
"""DSPy's functions that ask a provider, for a ``dspy.Embedder`` with and without a cache; each call is one request."""


Count = Callable[[str, Sequence[str]], object]
"""Is given the model and the texts of a request."""


@contextlib.contextmanager
def counted(count: Count) -> Iterator[None]:
    """Within it, ``count`` is called before each request to a hosted embedder, by the thread that makes it.

    If it raises, the request is not sent.
    """
    with contextlib.ExitStack() as stack:
        for name in _ASKING:
            if (ask := getattr(embedding, name, None)) is not None:
                stack.enter_context(replaced(embedding, name, functools.partial(_counted, count, ask)))
        yield


def _counted(count: Count, ask: Callable[..., Any], model: Any, texts: Any, *args: Any, **kwargs: Any) -> Any:
    """What ``ask`` returns; a ``model`` that is a function of the user's own is no provider."""
    if not isinstance(model, str):
        return ask(model, texts, *args, **kwargs)
    count(model, texts)
    with branches.uncounted():
        return ask(model, texts, *args, **kwargs)
