"""What passes DSPy's cache: taken from the recorded answers in place of asking, and kept once it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.rollouts.answers import asking
from pytest_pitcheval.rollouts.answers.lm_values import NotPlain, exactly, from_plain, to_plain
from pytest_pitcheval.rollouts.answers.requests import embedding_request, lm_request, other_request
from pytest_pitcheval.storage.answers.answer import EMBEDDING, LM, RETRIEVER, SHARED, Place

if TYPE_CHECKING:
    from pytest_pitcheval.rollouts.answers.book import AnswerBook
    from pytest_pitcheval.rollouts.lm_calls import LMCalls
    from pytest_pitcheval.rollouts.scopes import Scope

_SHARED = Place(SHARED)
_EMBEDDERS = "dspy.clients.embedding"


class Door:
    """Before DSPy's cache, and behind it; ``calls`` say of each LM call whose part it is of."""

    def __init__(self, book: AnswerBook, calls: LMCalls) -> None:
        self._book = book
        self._calls = calls

    def take(self, request: Mapping[str, Any], scope: Scope | None, is_lm: bool) -> Any:
        """The recorded answer, as DSPy's cache would give it; None where it is to be asked for.

        Raises:
            ReplayMiss: nothing is recorded, and nothing may be asked for.
            RecordedError: that was the answer.
        """
        if not self._book.replays:
            return None
        return self._take_lm(request, scope) if is_lm else self._take_other(request, scope)

    def asks(self, request: Mapping[str, Any], scope: Scope | None) -> None:
        """An LM call is going to be sent: where it fails, its failure is the answer."""
        if (call := asking.current()) is not None:
            call.at_the_door = True
            call.missed = _place(scope), lm_request(request, self._calls.part)

    def keep(self, request: Mapping[str, Any], value: Any, scope: Scope | None, is_lm: bool, fresh: bool) -> None:
        """``value`` is the answer of the provider, or that of DSPy's cache, which is kept once."""
        if is_lm and (call := asking.current()) is not None:
            call.at_the_door = True
        if not self._book.records:
            return
        try:
            if is_lm:
                self._keep(_place(scope), LM, lm_request(request, self._calls.part), to_plain(value), fresh)
            else:
                self._keep_other(request, value)
        except NotPlain as problem:
            self._book.note(f"--eval-record: not kept, so that it cannot be replayed: {problem}")

    def _take_lm(self, request: Mapping[str, Any], scope: Scope | None) -> Any:
        call, apart = self._calls.asks_cache(), asking.current()
        asked, place = lm_request(request, call.part), _place(scope)
        if apart is not None:
            apart.at_the_door = True
        taken = self._book.take(place, LM, asked, repeats=apart is None or not apart.keeps_apart)
        if taken is None:
            self._refuse(place, LM, asked, scope, f"an LM call of the {_ROLES.get(call.part, call.part)}")
            return None
        if scope is not None:
            scope.replayed(call.part)
        answer = from_plain(taken.get())
        if not taken.repeats:
            self._calls.took_before(call, answer)
        return answer

    def _take_other(self, request: Mapping[str, Any], scope: Scope | None) -> Any:
        asked = _embeddings(request)
        if asked is None:
            if _is_embedder(request):
                return None  # the user's own function, which is no provider
            retrieving = other_request(request)
            taken = self._book.take(_SHARED, RETRIEVER, retrieving, repeats=True)
            if taken is None:
                self._refuse(_SHARED, RETRIEVER, retrieving, scope, "a call of a retriever")
            return None if taken is None else taken.get()
        found = [self._book.take(_SHARED, EMBEDDING, one, repeats=True) for one in asked]
        for one, taken in zip(asked, found, strict=True):
            if taken is None:
                self._refuse(_SHARED, EMBEDDING, one, scope, "an embedding")
                return None
        return [taken.get() for taken in found if taken is not None]

    def _keep_other(self, request: Mapping[str, Any], value: Any) -> None:
        asked = _embeddings(request)
        if asked is not None:
            for one, vector in zip(asked, value, strict=True):
                self._keep(_SHARED, EMBEDDING, one, exactly([float(number) for number in vector]), fresh=False)
        elif not _is_embedder(request):
            self._keep(_SHARED, RETRIEVER, other_request(request), exactly(value), fresh=False)

    def _keep(self, place: Place | None, kind: str, request: Any, value: Any, fresh: bool) -> None:
        if fresh or not self._book.has_kept(place, kind, request):
            self._book.keep(place, kind, request, value)

    def _refuse(self, place: Place | None, kind: str, request: Any, scope: Scope | None, what: str) -> None:
        """Raise ReplayMiss where nothing may be asked for."""
        if self._book.strict:
            miss = self._book.miss(place, kind, request, what)
            if scope is not None:
                scope.missed(miss)
            raise miss


_ROLES = {"generator": "program", "judge": "judge"}


def _place(scope: Scope | None) -> Place | None:
    return scope.place if scope is not None else None


def _is_embedder(request: Mapping[str, Any]) -> bool:
    return str(request.get("_fn_identifier", "")).startswith(_EMBEDDERS)


def _embeddings(request: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """What a hosted embedder is asked, a request for each text: how many go together depends on the moment."""
    told = embedding_request(request) if _is_embedder(request) else None
    return None if told is None else [{**told[0], "input": text} for text in told[1]]
