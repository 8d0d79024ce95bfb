"""The optimization methods by name: which DSPy optimizer each one is, and with which settings of ours."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

UNOPTIMIZED = "none"
"""The method that leaves the program as it is."""


class Method(NamedTuple):
    """A named optimization method.

    Attributes:
        optimizer: the class as ``module:Name``; None for `UNOPTIMIZED`.
        settings: what we pass where DSPy has no default; an ``optimization`` marker's settings win.
        needs_metric: whether the optimizer asks the metric; those that only label do not.
        one_of: settings of which the optimizer takes exactly one: a marker's replaces ours.
    """

    optimizer: str | None
    settings: Mapping[str, Any] = MappingProxyType({})
    needs_metric: bool = True
    one_of: frozenset[str] = frozenset()


METHODS: dict[str, Method] = {
    UNOPTIMIZED: Method(None),
    "labeled": Method("dspy:LabeledFewShot", needs_metric=False),
    "bootstrap": Method("dspy:BootstrapFewShot"),
    "bootstrap_random": Method("dspy:BootstrapFewShotWithRandomSearch"),
    "knn": Method("dspy:KNNFewShot", {"k": 3}),
    "copro": Method("dspy:COPRO", {"eval_kwargs": {"display_progress": False}}),
    "mipro": Method("dspy:MIPROv2"),
    "simba": Method("dspy:SIMBA"),
    "gepa": Method("dspy:GEPA", {"auto": "light"}, one_of=frozenset({"auto", "max_full_evals", "max_metric_calls"})),
    "infer_rules": Method("dspy:InferRules"),
}


class Optimization(NamedTuple):
    """The method of one test, as the ``optimization`` fixture gives it.

    Attributes:
        method: a name from `METHODS` or ``package.module:Optimizer``.
        settings: keyword arguments for the optimizer's constructor or its ``compile``.
    """

    method: str = UNOPTIMIZED
    settings: Mapping[str, Any] = MappingProxyType({})

    def __str__(self) -> str:
        return self.method

    @property
    def definition(self) -> Method:
        """The named method, or one made of ``package.module:Optimizer``."""
        return METHODS.get(self.method) or Method(self.method)

    @property
    def all_settings(self) -> dict[str, Any]:
        """Our settings for the method, with the marker's own over them."""
        definition = self.definition
        replaced = definition.one_of if definition.one_of & self.settings.keys() else frozenset()
        ours = {name: value for name, value in definition.settings.items() if name not in replaced}
        return {**ours, **self.settings}


def check_method(name: str) -> str:
    """``name`` if it is a method; otherwise a ValueError that lists the methods."""
    module, separator, optimizer = name.partition(":")
    custom = separator and optimizer.isidentifier() and all(part.isidentifier() for part in module.split("."))
    if name in METHODS or custom:
        return name
    raise ValueError(f"expected one of {', '.join(METHODS)} or package.module:Optimizer")
