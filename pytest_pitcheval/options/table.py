"""All options and ini keys, in the order of ``--help``."""

from __future__ import annotations

from pytest_pitcheval.names import METHOD_NAMES
from pytest_pitcheval.options.budget_options import BUDGET_OPTIONS
from pytest_pitcheval.options.gate_options import GATE_OPTIONS
from pytest_pitcheval.options.option import Option

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
        "MODEL[,MODEL...]",
        "models",
        "model of generator_lm: a DSPy name such as groq/llama-3.3-70b-versatile, local or local:PATH.gguf; with "
        "several, every example is a test per model; default: none",
        repeats=True,
    ),
    Option(
        "evaluator_model",
        "MODEL[,MODEL...]",
        "models",
        "model of evaluator_lm; with several, every example is a test per judge; default: the (first) generator's",
        repeats=True,
    ),
    Option("train_size", "N", "examples", "seeded sample of the trainset; default: all of it", repeats=True),
    Option("test_size", "N", "examples", "seeded sample of each dataset; default: all of it", repeats=True),
    Option(
        "eval_slice",
        "LABEL=VALUE",
        "slice",
        "run the examples alone whose row has this value in a column that is no input: topic=refunds; default: all",
    ),
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
    *BUDGET_OPTIONS,
    Option("eval_seed", "N", "seed", "seed of the samples, and of --eval-stop's order; default: 0", 0, repeats=True),
    Option(
        "eval_replay",
        "RUN|PATH",
        "text",
        "repeat a run (its ID, its file or 'last') from DSPy's cache, or what --eval-record has written, without LM "
        "calls; default: ask afresh",
    ),
    Option(
        "eval_record",
        "PATH",
        "text",
        "keep the answers of LMs and tools in PATH: an archive of the run if it ends in .zip, else a folder to commit, "
        "a file for each test; with --eval-replay: ask for what is missing there; default: not kept",
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
        "eval_affected",
        None,
        "flag",
        "ask only the examples whose row, program, metric or models have changed since the baseline",
    ),
    *GATE_OPTIONS,
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
    Option("generator_temperature", None, "temperature", "temperature of generator_lm, or null; default: 1.0", 1.0),
    Option("evaluator_temperature", None, "temperature", "temperature of evaluator_lm, or null; default: 0.7", 0.7),
    Option("generator_api_base", None, "text", "URL of the API that serves generator_lm; default: the provider's"),
    Option("evaluator_api_base", None, "text", "URL of the API that serves evaluator_lm; default: the generator's"),
    Option(
        "eval_live_tools", None, "names", "tools that run in a replay of a file, too: clock,search_*; default: none", ()
    ),
)

SOURCES = {
    "eval_sources": "files that programs and metrics read, for --eval-affected: a path or pattern such as "
    "prompts/**/*.txt a line"
}

MLFLOW_TAGS = {"eval_mlflow_tags": "tags of the MLflow run, a 'name = value' a line"}

LM_ARGUMENTS = {
    "generator_settings": "further arguments of generator_lm's dspy.LM, a 'name = JSON value' a line",
    "evaluator_settings": "further arguments of evaluator_lm's dspy.LM, a 'name = JSON value' a line",
}
