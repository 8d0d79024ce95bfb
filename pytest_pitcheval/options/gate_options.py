"""The options that say what a run is held to, and what it is compared with."""

from __future__ import annotations

from pytest_pitcheval.names import ALLOWED
from pytest_pitcheval.options.option import Option

DEFAULT_BASELINE = "pitcheval-baseline.json"
"""The baseline file that is used where it is there; beside pytest's ini file."""

GATE_OPTIONS = (
    Option(
        "eval_min_mean",
        "X[,METRIC=X...]",
        "limits of means",
        "gate: lowest mean score of a test's examples, or mean of a metric: 0.8,relevancy=0.6; default: no such gate",
        decides=True,
    ),
    Option(
        "eval_max_mean",
        "METRIC=X[,...]",
        "limits of means",
        "gate: highest mean of a metric of a test's examples: words=120,seconds=3; default: no such gate",
        decides=True,
    ),
    Option(
        "eval_min_aggregate",
        "NAME=X[,...]",
        "limits of aggregates",
        "gate: lowest value of a metric of a test's whole set: f1_macro=0.8,pearson=0.5; default: no such gate",
        decides=True,
    ),
    Option(
        "eval_min_pass_rate",
        "X",
        "share",
        "gate: lowest share of a test's examples that pass, 0 to 1; default: no such gate",
        decides=True,
    ),
    Option(
        "eval_max_error_rate",
        "X",
        "share",
        "gate: largest share of a test's examples without a score, 0 to 1; default: no such gate",
        decides=True,
    ),
    Option(
        "eval_max_regression",
        "X[,METRIC=X...]",
        "limits of drops",
        "gate: fails when the mean is more than X worse than the baseline's, and that it got worse is established "
        "(p < 0.05); of seconds, cost and tokens X is a share; default: 0.05 where there is a baseline",
        decides=True,
    ),
    Option(
        "eval_max_example_drop",
        "X[,METRIC=X...]",
        "limits of drops",
        "gate: fails when an example's mean is more than X worse than the baseline's, and that it got worse is "
        "established (p < 0.05); default: no such gate",
        decides=True,
    ),
    Option(
        "eval_lower_is_better",
        "METRIC[,METRIC...]",
        "metrics",
        "metrics that get worse when they rise, as seconds, cost and tokens do; default: none",
        frozenset(),
        decides=True,
    ),
    Option(
        "eval_gate",
        "MODE",
        "gate mode",
        "how sure a gate must be: normal; established: a mean or share fails only where its 95 % interval is beyond "
        "the limit; strict: it passes only where that is within, and what is inconclusive fails; default: normal",
        "normal",
        decides=True,
    ),
    Option(
        "eval_family",
        "WHICH",
        "family",
        "holm: all decisions of a session that something got worse err together in 5 % of unchanged runs; none: each "
        "of them does; default: holm",
        "holm",
        decides=True,
    ),
    Option(
        "eval_stop",
        "WHEN",
        "stop",
        "decided: a test's examples run in a seeded random order, and the rest is left out once its gates are decided; "
        "default: all examples run",
    ),
    Option(
        "eval_judge_exam",
        "WHEN",
        "judge exam",
        "changed: the answers of a judge's exam are put to it where something has changed since the baseline's exam; "
        "always; off: never, the last exam counts; default: changed",
        "changed",
        repeats=True,
    ),
    Option(
        "eval_labels_by_models",
        None,
        "flag",
        "take a judge's exam with labels that a model gave as well: it tells how far two models agree, not whether "
        "either is right; default: labels by people alone",
        repeats=True,
    ),
    Option(
        "eval_baseline",
        "REF",
        "text",
        "compare with this baseline: a file, a run ID or 'last' or 'mlflow:RUN_ID|latest'; "
        "default: pitcheval-baseline.json if it is there",
        DEFAULT_BASELINE,
        decides=True,
    ),
    Option(
        "eval_update_baseline",
        None,
        "baseline update",
        "write the scores of this run to the baseline file, which --eval-baseline names; =add: beside the scores of "
        "earlier runs, where nothing has changed",
        word="add",
    ),
    Option(
        "eval_baseline_samples",
        "N",
        "count",
        "how many samples of an example --eval-update-baseline=add keeps, the newest ones; default: 10",
        10,
    ),
    Option(
        "eval_baseline_max_age",
        "DAYS",
        "days",
        "warn of examples that were last measured so many days before for the baseline; default: 30",
        30.0,
        decides=True,
    ),
    Option(
        "eval_baseline_allow",
        "WHAT[,WHAT...]",
        "allowed",
        f"compare with the baseline although these have changed: {', '.join(ALLOWED)}; default: none",
        frozenset(),
        decides=True,
    ),
)
