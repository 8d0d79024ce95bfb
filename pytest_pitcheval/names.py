"""The names that options, markers and files share; imported at every pytest start, so nothing else."""

from __future__ import annotations

from typing import Final, Literal

METHOD_NAMES = (
    "none",
    "labeled",
    "bootstrap",
    "bootstrap_random",
    "knn",
    "copro",
    "mipro",
    "simba",
    "gepa",
    "infer_rules",
)
"""The optimization methods; `methods` says what each is."""

RERUN = "rerun"
"""Outcome of a report that a worker crashed with a test which will be run again."""

EXAMPLE, PROGRAM, METRIC, GENERATOR, JUDGE = ROLES = ("example", "program", "metric", "generator", "judge")
"""What has a fingerprint on a record. The program is the compiled one, the judge all LMs that the metric may ask."""

ORIGIN = "origin"
"""A further fingerprint on a record: of all that its score may come from, besides its row and the judge.

Where it is the same, no LM need be asked again; where it is not, the score may mean the same nevertheless.
"""

COMPARED_ROLES = (METRIC, JUDGE)
"""What must be the same for two scores to mean the same."""

ALLOWED = (*COMPARED_ROLES, EXAMPLE)
"""What ``--eval-baseline-allow`` may name: compared although it has changed."""

SCORE = "score"
"""The metric that each verdict has."""

SECONDS, COST, TOKENS = MEASURED = ("seconds", "cost", "tokens")
"""What each rollout took, program and metric together: seconds, US dollars, tokens of prompts and completions.

They are metrics that get worse when they rise, and how far they may is a share of what they were. A metric's own number
of that name stands in its place.
"""

MIN_MEAN, MAX_MEAN, MIN_AGGREGATE, MIN_PASS_RATE, MAX_ERROR_RATE, MAX_REGRESSION, MAX_EXAMPLE_DROP = GATES = (
    "min_mean",
    "max_mean",
    "min_aggregate",
    "min_pass_rate",
    "max_error_rate",
    "max_regression",
    "max_example_drop",
)
"""The gates, in the order in which they are decided."""

MIN_KAPPA, MAX_FALSE_PASS = EXAM_GATES = ("min_kappa", "max_false_pass")
"""The gates of a judge's exam."""

CORRECTED: Final = "score.corrected"
"""The metric that is a test's mean score if people had judged; only its mean is known."""

MUST_PASS = "must_pass"
"""The gate that fails when the test of an example fails that must not; its limit is 0."""

BY_METRIC = (MIN_MEAN, MAX_MEAN, MAX_REGRESSION, MAX_EXAMPLE_DROP)
"""The gates that hold for any metric; the others are about how the tests ended."""

NEED_BASELINE = (MAX_REGRESSION, MAX_EXAMPLE_DROP)

ACCURACY, F1_MACRO, PEARSON, SPEARMAN, BLEU, ROUGE = AGGREGATES = (
    "accuracy",
    "f1_macro",
    "pearson",
    "spearman",
    "bleu",
    "rouge",
)
"""The built-in metrics of a whole set of examples; further ones are functions of the fixture ``aggregates``."""

GateMode = Literal["normal", "established", "strict"]
"""How sure a gate must be.

In all of them, a drop must be established to fail a gate. Of a mean or share, ``normal`` decides on the value;
``established`` fails it only where it is established to be beyond the limit, ``strict`` passes it only where it is
established to be within, and fails what is inconclusive.
"""

ExamMode = Literal["changed", "always", "off"]
"""When the answers of an exam are put to the judge: where something has changed since the baseline's, always, never."""

Family = Literal["holm", "none"]
"""``holm``: all claims of a session that something got worse have one error rate; ``none``: each has its own."""

LeftOut = Literal["decided", "budget", "unchanged", "examined"]
"""Why a collected example did not run: its test's gates were decided, the session had spent what it may, nothing has
changed since the baseline, or its judge's last exam holds."""

DECIDED: Final = "decided"
BUDGET: Final = "budget"
EXAMINED: Final = "examined"
UNCHANGED: Final = "unchanged"

BaselineUpdate = Literal["replace", "add"]
"""What becomes of the samples that a baseline file has: the run's take their place, or are added to them."""
