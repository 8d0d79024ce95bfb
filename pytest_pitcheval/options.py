"""The command-line options and ini keys: their names, kinds and help; every pytest start reads it."""

from __future__ import annotations

import argparse
import os
from typing import Any, Literal, NamedTuple

import pytest

from pytest_pitcheval.names import ALLOWED, METHOD_NAMES

PREFIX = "pitcheval_"
"""Of every ``dest`` of ours: a second plugin with the same one would stop every pytest start."""

DEFAULT_BASELINE = "pitcheval-baseline.json"
"""The baseline file that is used where it is there; beside pytest's ini file."""

# fmt: off
Kind = Literal[
    "flag", "text", "methods", "model", "examples", "count", "seed", "seconds", "score", "share",
    "limits of means", "limits of drops", "temperature", "rate limits", "gate mode", "allowed", "family",
]
# fmt: on
"""What kind of value an option takes; `settings.parsers` has the parser of each."""


class Option(NamedTuple):
    """One command-line option and its ini key.

    Attributes:
        name: the ini key; the option is ``--name`` with dashes.
        metavar: how ``--help`` calls the value; None for a flag.
        default: the value, parsed, where neither command line, marker nor ini file has one.
        repeats: a test that is repeated alone needs it too: it is part of the command that a failed test shows.
        decides: a finished run can be decided again with it, by ``pitcheval decide``.
    """

    name: str
    metavar: str | None
    kind: Kind
    help: str
    default: Any = None
    repeats: bool = False
    decides: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def dest(self) -> str:
        return PREFIX + self.name


OPTIONS = (
    Option(
        "optimization",
        "METHOD[,METHOD...]",
        "methods",
        f"optimize the program with METHOD before it is evaluated: {', '.join(METHOD_NAMES)} or "
        "package.module:Optimizer; with several, every example is a test per method; default: the optimization "
        "marker's, else none",
        repeats=True,
    ),
    Option(
        "generator_model",
        "MODEL",
        "model",
        "model of generator_lm: a DSPy name such as groq/llama-3.3-70b-versatile, local or local:PATH.gguf; "
        "default: none",
        repeats=True,
    ),
    Option("evaluator_model", "MODEL", "model", "model of evaluator_lm; default: the generator's", repeats=True),
    Option("train_size", "N", "examples", "seeded sample of the trainset; default: all of it", repeats=True),
    Option("test_size", "N", "examples", "seeded sample of each dataset; default: all of it", repeats=True),
    Option("save_program", "PATH", "text", "write the compiled program to PATH as DSPy JSON; default: not written"),
    Option(
        "eval_rollouts",
        "K",
        "count",
        "ask each example K times; its score is the mean; default: the marker's rollouts, else 1",
        repeats=True,
    ),
    Option(
        "eval_threshold",
        "X",
        "score",
        "lowest score that passes, 0 to 1 by convention; default: the marker's threshold",
        repeats=True,
    ),
    Option(
        "eval_concurrency",
        "N",
        "count",
        "rollouts in flight at a time in the whole session; 1: one after the other; default: 8",
        8,
    ),
    Option(
        "eval_rate_limit",
        "LIMIT[,LIMIT...]",
        "rate limits",
        "most LM requests, or tokens, of all workers together: 30/min, 2/s, 40000tokens/min, or of some models "
        "groq/*=30/min; default: no limit",
        (),
    ),
    Option("eval_seed", "N", "seed", "seed of the samples; default: 0", 0, repeats=True),
    Option(
        "eval_replay",
        "RUN",
        "text",
        "repeat a run (its ID, its file or 'last') from DSPy's cache, without LM calls; default: ask afresh",
    ),
    Option(
        "eval_resume",
        "RUN",
        "text",
        "continue a run (its ID, its file or 'last'): LM calls that it made are answered from DSPy's cache; "
        "default: ask afresh",
    ),
    Option("eval_recompile", None, "flag", "compile programs again even if a compiled one is stored"),
    Option(
        "eval_min_mean",
        "X",
        "limits of means",
        "gate: lowest mean score of a test's examples; default: no such gate",
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
        "X",
        "limits of drops",
        "gate: fails when the mean is more than X below the baseline's, and that it dropped is established (p < 0.05); "
        "default: 0.05 where there is a baseline",
        decides=True,
    ),
    Option(
        "eval_max_example_drop",
        "X",
        "limits of drops",
        "gate: fails when an example's mean is more than X below the baseline's, and that it dropped is established "
        "(p < 0.05); default: no such gate",
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
        "flag",
        "write the scores of this run to the baseline file, which --eval-baseline names",
    ),
    Option(
        "eval_baseline_allow",
        "WHAT[,WHAT...]",
        "allowed",
        f"compare with the baseline although these have changed: {', '.join(ALLOWED)}; default: none",
        frozenset(),
        decides=True,
    ),
    Option(
        "eval_mlflow",
        "URI|off",
        "text",
        "log to this MLflow tracker; default: MLFLOW_TRACKING_URI, else MLflow's local store in the root directory",
    ),
    Option(
        "eval_mlflow_timeout",
        "SECONDS",
        "seconds",
        "wait for the MLflow tracker at most so long in all; what was not logged waits for pitcheval sync; default: 10",
    ),
    Option(
        "eval_mlflow_experiment",
        "NAME",
        "text",
        "MLflow experiment; default: MLFLOW_EXPERIMENT_NAME, else pytest-pitcheval",
    ),
    Option("eval_mlflow_run_name", "NAME", "text", "name of the MLflow run; default: pitcheval and the run's ID"),
    Option("eval_mlflow_traces", None, "flag", "log a trace of each evaluated example to MLflow"),
    Option("eval_json", "PATH", "text", "write the run file to PATH as well; default: to --eval-dir only"),
    Option(
        "eval_html",
        "PATH",
        "text",
        "write a report of the run to PATH, an HTML file that needs no other; default: not written",
    ),
    Option(
        "eval_markdown",
        "PATH",
        "text",
        "write a summary of the run to PATH, for a comment on a pull request; default: not written",
    ),
    Option("eval_timeout", "SECONDS", "seconds", "timeout of an evaluation test without one; default: 300", 300.0),
    Option(
        "eval_dir",
        "PATH",
        "text",
        "where runs and compiled programs are kept; default: .pitcheval",
        ".pitcheval",
        repeats=True,
    ),
)

INI_ONLY = (
    Option("generator_temperature", None, "temperature", "temperature of generator_lm; default: 1.0", 1.0),
    Option("evaluator_temperature", None, "temperature", "temperature of evaluator_lm; default: 0.7", 0.7),
    Option("generator_api_base", None, "text", "URL of the API that serves generator_lm; default: the provider's"),
    Option("evaluator_api_base", None, "text", "URL of the API that serves evaluator_lm; default: the generator's"),
)

MLFLOW_TAGS = {"eval_mlflow_tags": "tags of the MLflow run, a 'name = value' a line"}

LM_ARGUMENTS = {
    "generator_settings": "further arguments of generator_lm's dspy.LM, a 'name = JSON value' a line",
    "evaluator_settings": "further arguments of evaluator_lm's dspy.LM, a 'name = JSON value' a line",
}


def any_used(config: pytest.Config) -> bool:
    """Whether the command line or the ini file has anything of ours, or the default baseline is there."""
    keys = (*(option.name for option in (*OPTIONS, *INI_ONLY)), *LM_ARGUMENTS, *MLFLOW_TAGS)
    try:
        return (
            any(config.getoption(option.dest) is not None for option in OPTIONS)
            or any(map(config.getini, keys))
            or os.path.exists(os.path.join(config.rootpath, DEFAULT_BASELINE))
        )
    except (ValueError, pytest.UsageError):  # a value in the ini file that pytest itself refuses
        return True


def add_options(parser: pytest.Parser) -> None:
    """Register options and ini keys; a clash with another plugin is a usage error that names the option."""
    group = parser.getgroup("pitcheval", "evaluation of DSPy programs")
    for option in OPTIONS:
        arguments: dict[str, Any] = {"dest": option.dest, "default": None, "help": option.help.replace("%", "%%")}
        arguments |= {"metavar": option.metavar} if option.metavar else {"action": "store_true"}
        try:
            group.addoption(option.flag, **arguments)
        except (ValueError, argparse.ArgumentError) as clash:
            raise pytest.UsageError(
                f"pytest-pitcheval cannot register {option.flag}: another plugin has done so ({clash}); "
                "load only one of them (-p no:pitcheval or -p no:THE_OTHER)"
            ) from None
        kind: Literal["bool", "string"] = "bool" if option.kind == "flag" else "string"
        parser.addini(option.name, f"as {option.flag}", type=kind, default=None)
    for option in INI_ONLY:
        parser.addini(option.name, option.help, type="string", default=None)
    for name, text in {**LM_ARGUMENTS, **MLFLOW_TAGS}.items():
        parser.addini(name, text, type="linelist", default=[])
