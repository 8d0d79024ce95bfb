"""Records: what a test leaves behind, as plain values that survive JSON, xdist and JUnit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pytest_pitcheval.names import GENERATOR, JUDGE

Status = Literal["passed", "failed", "error", "skipped"]
"""``failed`` is a low score, or the program raised; ``error`` is no verdict; what is xfailed is ``skipped``."""

PARTS = (GENERATOR, JUDGE)
"""Whose LM calls are counted: the program's, and the metric's."""

FINITE: Any = {"allow_inf_nan": False}
"""How pydantic reads a dataclass from a file: a whole number beyond all floats would be an infinite one."""


@dataclasses.dataclass(frozen=True)
class Usage:
    """LM calls and what they took.

    Attributes:
        fresh: calls that went to the provider.
        cached: calls answered from DSPy's cache.
        failed: those of the fresh calls that ended in an error, after DSPy's retries.
        prompt_tokens, completion_tokens: of the fresh calls.
        cost: US dollars of the fresh calls; None where the price of one is not known.
    """

    __pydantic_config__ = FINITE

    fresh: int = 0
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0

    def __add__(self, other: Usage) -> Usage:
        known = self.cost is not None and other.cost is not None
        return Usage(
            self.fresh + other.fresh,
            self.cached + other.cached,
            self.failed + other.failed,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            (self.cost or 0.0) + (other.cost or 0.0) if known else None,
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "lm_calls": {"fresh": self.fresh, "cached": self.cached, "failed": self.failed},
            "tokens": {"prompt": self.prompt_tokens, "completion": self.completion_tokens},
            "cost": self.cost,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Usage:
        calls, tokens = data["lm_calls"], data["tokens"]
        return cls(
            calls["fresh"],
            calls["cached"],
            calls["failed"],
            tokens["prompt"],
            tokens["completion"],
            data["cost"],
        )


def total(usages: Iterable[Usage]) -> Usage:
    """The sum of ``usages``; nothing at all costs nothing."""
    return sum(usages, Usage())


def function_of(test: str) -> str:
    """The test function's node ID, without parameters of the user's own."""
    return test.partition("[")[0]


@dataclasses.dataclass(frozen=True)
class Collected:
    """An evaluation test as it was collected: what the controller must know to name a lost record."""

    nodeid: str
    test: str
    example_id: str | None
    optimization: str
    gates: Mapping[str, float] = dataclasses.field(default_factory=dict)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Collected:
        return cls(**data)


@dataclasses.dataclass(frozen=True)
class Record:
    """The one record of one test; `to_dict` is its form in the run file.

    ``seconds`` is the time the rollouts took, without compiling. ``score`` is None for an unscored example.
    ``threshold`` is what held, ``own_threshold`` what the test itself asked for. ``fingerprints`` tell what was
    measured with what, by `names.ROLES`. ``program_file`` is the stored compiled program below the ``--eval-dir``.
    ``xfail`` is why the test was expected to fail, if it was and did: it ran, other than those that were skipped.
    ``prediction`` and ``feedback`` are of the first rollout; ``later_rollouts`` has both of each further one.
    """

    __pydantic_config__ = FINITE

    nodeid: str
    test: str
    example_id: str | None
    optimization: str
    status: Status
    score: float | None = None
    threshold: float | None = None
    own_threshold: float | None = None
    samples: tuple[float, ...] = ()
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    feedback: str | None = None
    error: str | None = None
    rollout_id: str = ""
    rollout_key: int = 0
    generator: Usage = Usage()
    judge: Usage = Usage()
    seconds: float = 0.0
    fingerprints: Mapping[str, str] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    prediction: Mapping[str, Any] | None = None
    program_file: str | None = None
    later_rollouts: tuple[Mapping[str, Any], ...] = ()
    xfail: str | None = None

    @property
    def usage(self) -> Usage:
        return self.generator + self.judge

    def to_dict(self) -> dict[str, Any]:
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        data["samples"] = list(self.samples)
        data["later_rollouts"] = [dict(one) for one in self.later_rollouts]
        data |= self.usage.to_dict()
        data |= {part: getattr(self, part).to_dict() for part in PARTS}
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        known = {"later_rollouts": (), "xfail": None, **data}  # older files lack them
        fields = {field.name: known[field.name] for field in dataclasses.fields(cls)}
        fields |= {name: tuple(known[name]) for name in ("samples", "later_rollouts")}
        fields |= {part: Usage.from_dict(data[part]) for part in PARTS}
        return cls(**fields)
