"""One answer: whose call it was, what was asked, what came of it; and as a line of a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.plain import text_of

LM, TOOL, EMBEDDING, RETRIEVER = "lm", "tool", "embedding", "retriever"
KINDS = (LM, TOOL, EMBEDDING, RETRIEVER)
"""What is asked."""


class Place(NamedTuple):
    """Whose calls they are.

    Attributes:
        test: the node ID; or one of `SHARED`, `FIXTURES` and what begins with `COMPILING`.
        rollout: the number of the rollout, from 0.
        attempt: the number of the attempt at the test within its session, from 1.
        since: when it began, in nanoseconds; of two that are the same otherwise, what the later one got counts.
        within: the names of the tools that ask, the outer one first, separated by slashes.
        verdict: the number of the verdict on the rollout's prediction, from 0.
    """

    test: str
    rollout: int = 0
    attempt: int = 1
    since: int = 0
    within: str = ""
    verdict: int = 0


SHARED = "shared"
"""Where what depends on no rollout is kept: embeddings, and what retrievers found."""
FIXTURES = "fixtures"
"""Where the calls of no rollout are kept, such as those of a fixture that all tests share."""
COMPILING = "compiling "
"""What the place of a compilation begins with."""


class Failure(NamedTuple):
    """An exception in place of a value: its class, as ``module.Name``, and its text."""

    type: str
    text: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        kind = type(error)
        return cls(f"{kind.__module__}.{kind.__qualname__}", text_of(error))


class Key(NamedTuple):
    """What orders the answers of a test."""

    rollout: int
    verdict: int
    attempt: int
    kind: str
    digest: str


class Answer(NamedTuple):
    """What was answered to a request; ``request`` and ``value`` are plain JSON values.

    The same request of a place may have several answers: the first was given to who asked first.
    """

    place: Place
    kind: str
    request: Any
    value: Any = None
    failure: Failure | None = None

    @property
    def key(self) -> Key:
        """What orders the answers of a test; the same for each answer to one request."""
        asked = [self.place.within, self.request] if self.place.within else self.request
        return Key(self.place.rollout, self.place.verdict, self.place.attempt, self.kind, digest(self.kind, asked))

    def line(self) -> str:
        """One line of JSON, the same whenever the answer is the same; without the name of the test."""
        told: dict[str, Any] = {"rollout": self.place.rollout, "kind": self.kind, "request": self.request}
        if self.place.verdict:
            told["verdict"] = self.place.verdict
        if self.place.attempt > 1:
            told["attempt"] = self.place.attempt
        if self.place.within:
            told["within"] = self.place.within
        told |= {"error": self.failure._asdict()} if self.failure else {"answer": self.value}
        return json.dumps(told, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_line(cls, line: str, test: str, name: str) -> Answer:
        """The answer that `line` wrote; a PitchevalError of one line that begins with ``name`` if it is none."""
        told = files.parse_json(line, name)
        if not isinstance(told, dict):
            raise PitchevalError(f"{name}: expected an object")
        failure, place = told.get("error"), _place(told, test)
        is_known = told.get("kind") in KINDS and place is not None and "request" in told
        if not is_known or ("answer" in told) == ("error" in told):
            raise PitchevalError(f"{name}: not an answer: expected rollout, kind, request, and answer or error")
        assert place is not None
        return cls(place, told["kind"], told["request"], told.get("answer"), _failure(failure, name))


def _place(told: Mapping[str, Any], test: str) -> Place | None:
    counts, within = [told.get("rollout"), told.get("verdict", 0), told.get("attempt", 1)], told.get("within", "")
    if not all(type(count) is int and count >= 0 for count in counts) or not isinstance(within, str):
        return None
    rollout, verdict, attempt = counts
    return Place(test, rollout, attempt, within=within, verdict=verdict) if attempt else None


def _failure(told: object, name: str) -> Failure | None:
    if told is None:
        return None
    if isinstance(told, dict) and isinstance(told.get("type"), str) and isinstance(told.get("text"), str):
        return Failure(told["type"], told["text"])
    raise PitchevalError(f"{name}: not an answer: expected type and text of its error")


def digest(kind: str, request: object) -> str:
    """What is the same for the same request, in every process and on every machine."""
    text = json.dumps([kind, request], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
