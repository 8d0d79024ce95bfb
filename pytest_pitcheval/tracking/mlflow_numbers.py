"""The numbers of a run file under names that MLflow allows. Plain values, no MLflow; older files lack some of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_LONGEST_KEY = 250
_LONGEST_GROUP = 220
"""Characters of what several numbers have in common at the beginning of their names."""

_FORBIDDEN = re.compile(r"[^\w .:/-]")


def name_of(text: str) -> str:
    """A name that MLflow allows."""
    return _FORBIDDEN.sub("_", text)[:_LONGEST_KEY]


def is_whole(one: Mapping[str, Any]) -> bool:
    """Whether a gate or comparison is about the scores of all examples."""
    return not about_of(one)


def means(metrics: Mapping[str, Sequence[float | None] | float]) -> dict[str, float]:
    """A test's metrics, over the rollouts that have them; older files have their means alone."""
    by_rollout = {name: [one] if isinstance(one, (int, float)) else one for name, one in metrics.items()}
    known = {name: [value for value in values if value is not None] for name, values in by_rollout.items()}
    return {name: sum(values) / len(values) for name, values in known.items() if values}


def numbers_of(
    summary: Mapping[str, Any],
    compared: Iterable[Mapping[str, Any]],
    gates: Iterable[Mapping[str, Any]],
    beside: Iterable[Mapping[str, Any]] = (),
) -> dict[str, float]:
    """The numbers of a test, method and model; ``beside`` is what it comes to beside others of its test or function."""
    numbers = {key: summary[key] for key in ("examples", "scored", "passed", "skipped", "mean", "pass_rate", "seconds")}
    numbers |= dict(zip(("ci95_low", "ci95_high"), summary["ci95"] or (None, None), strict=True))
    numbers |= {"unscored": len(summary["unscored"]), "cost": summary["cost"]}
    numbers |= {name: summary.get(name, 0) for name in ("left_out", "unchanged")}  # older run files lack them
    numbers |= {f"{kind}_calls": summary["lm_calls"][kind] for kind in ("fresh", "cached", "failed")}
    numbers |= {f"{kind}_tokens": summary["tokens"][kind] for kind in ("prompt", "completion")}
    numbers |= {
        f"noise/{name_of(source)}": share
        for source, share in (summary.get("noise") or {"shares": {}})["shares"].items()
    }
    numbers |= (
        _of_metrics(summary) | _of_aggregates(summary) | _of_slices(summary) | _of_exam(summary) | _of_gates(gates)
    )
    for comparison in compared:
        result = comparison["result"] or {}
        numbers |= {"baseline_difference": result.get("difference"), "baseline_p_drop": result.get("p_drop")}
        numbers |= {"baseline_days": (comparison.get("age") or {}).get("days")}
    for one in beside:
        numbers |= _of_model(one) if one.get("worth") else {}
    return {key: value for key, value in numbers.items() if value is not None}


def _of_model(one: Mapping[str, Any]) -> dict[str, float | None]:
    """Of one of several models or variants: its difference to the first, and what it takes."""
    result, worth = one["result"] or {}, one["worth"]
    low, high = result.get("ci95") or (None, None)
    difference = {"difference": result.get("difference"), "ci95_low": low, "ci95_high": high}
    told = {**difference, "p_value": result.get("p_value"), "best": int(one["best"])}
    taken = {"cost_per_point": worth["cost"], "seconds": worth["seconds"], "cheapest": int(worth["is_cheapest"])}
    if judge := one.get("judge"):
        told |= {"kappa": judge["kappa"], "kappa_difference": (judge["more_kappa"] or {}).get("value")}
    return {f"models/{name}": value for name, value in {**told, **taken}.items()}


def _of_metrics(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """The means of the metrics beside the score; older files have none."""
    metrics = summary.get("metrics", {})
    return _below({f"metric/{name}": {**_mean(one), "scored": one["scored"]} for name, one in metrics.items()})


def _of_aggregates(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """The metrics of the whole set; older files have none."""
    return _below({f"aggregate/{name}": _bounded(one) for name, one in summary.get("aggregates", {}).items()})


def _of_slices(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """The means of the slices; older files have none."""
    counts = ("examples", "scored", "passed")
    slices = {f"slice/{one['label']}/{one['value']}": one for one in summary.get("slices", ())}
    return _below({name: {**_mean(one), **{count: one[count] for count in counts}} for name, one in slices.items()})


def _of_exam(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """The figures of a judge's exam; other tests and older files have none."""
    exam = summary.get("exam") or {"figures": {}, "slices": {}}
    told = {**exam["figures"], **{f"bias/{name}": figure for name, figure in exam["slices"].items()}}
    return _below({f"judge/{name}": _bounded(figure) for name, figure in told.items()})


def _bounded(figure: Mapping[str, Any]) -> dict[str, float | None]:
    low, high = figure["ci95"] or (None, None)
    return {"value": figure["value"], "ci95_low": low, "ci95_high": high}


def _mean(one: Mapping[str, Any]) -> dict[str, float | None]:
    low, high = one["ci95"] or (None, None)
    return {"mean": one["mean"], "ci95_low": low, "ci95_high": high}


def _of_gates(gates: Iterable[Mapping[str, Any]]) -> dict[str, float | None]:
    """What gates were decided on, and the p-value of a drop, alone and among all of the session."""
    told = {"/".join(["gate", gate["gate"], *about_of(gate)]): gate for gate in gates}
    kinds = ("value", "p", "p_adjusted")
    return _below({name: {kind: gate.get(kind) for kind in kinds} for name, gate in told.items()})


def _below(groups: Mapping[str, Mapping[str, float | None]]) -> dict[str, float | None]:
    """Numbers with names that MLflow allows: two that would become one are told apart by a number."""
    numbers: dict[str, float | None] = {}
    known = Counter[str]()
    for group, values in groups.items():
        known[name := name_of(group)[:_LONGEST_GROUP]] += 1
        unique = name if known[name] == 1 else f"{name}.{known[name]}"
        numbers |= {f"{unique}/{what}": value for what, value in values.items()}
    return numbers


def about_of(one: Mapping[str, Any]) -> list[str]:
    """What a gate is about where that is not the score of all examples: metric and slice."""
    metric, part = one.get("metric", "score"), one.get("slice")
    return [*([] if metric == "score" else [metric]), *([part] if part else [])]
