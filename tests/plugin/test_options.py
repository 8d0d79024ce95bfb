"""Options and ini keys: help, precedence, and one line for each that is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.suite import Suite

from pytest_pitcheval.options.table import INI_ONLY, LM_ARGUMENTS, OPTIONS, SOURCES
from pytest_pitcheval.state import get_session

METHODS = (
    "expected one of none, labeled, bootstrap, bootstrap_random, knn, copro, mipro, simba, gepa, infer_rules "
    "or package.module:Optimizer"
)
MODEL = "expected a model name such as groq/llama-3.3-70b-versatile, local or local:PATH.gguf"
SIZE = "expected a whole number of examples, 1 or more"
RATE = (
    "expected limits such as 30/min, 2/s, 40000tokens/min or groq/*=30/min, several with commas between; "
    "the times are s, min and h"
)
ROLLOUTS = "expected a whole number, 1 or more"
SCORE = "expected a score, 0 or more"
LIMITS = "expected a score, 0 or more, or one for each metric: 0.8,relevancy=0.6"
AGGREGATES = "expected a number for each metric of the whole set: f1_macro=0.8,pearson=0.5"
SHARE = "expected a share, 0 to 1"
ALLOWED = "expected one or more of metric, judge, example"
SLICE = "expected a label and its value, such as topic=refunds"
SEED = "expected a whole number, 0 or more"
SECONDS = "expected a number of seconds above 0"
DOLLARS = "expected US dollars, 0 or more, such as 5 or 0.50"
TOKENS = "expected a number of tokens, 0 or more, such as 500k or 2M"
PRICES = (
    "expected prices such as openai/gpt-4o-mini=0.15/0.60: US dollars for a million tokens of its prompts, and of its "
    "answers; several with commas between"
)
TEMPERATURE = "expected a temperature, 0 or more, or null for a model that takes none"
FILE = "expected a file, not a folder"
VALUE = "expected a value"
NAME_AND_VALUE = "expected 'name = JSON value'"

SWITCHES = {"eval_affected", "eval_labels_by_models", "eval_recompile", "eval_update_baseline", "eval_mlflow_traces"}

WRONG = [
    ("optimization", "", METHODS),
    ("optimization", "bootstrapp", METHODS),
    ("optimization", "none,", METHODS),
    ("optimization", "a:b:c", METHODS),
    ("generator_model", "", MODEL),
    ("generator_model", "local:", MODEL),
    (
        "generator_model",
        "openai/a,,openai/b",
        "expected model names with one comma between them: there is an empty one",
    ),
    ("generator_model", "openai/a,local:", MODEL),
    ("evaluator_model", " ", MODEL),
    ("evaluator_model", "x/a,y/a,x/a", "expected each model once: 'x/a' is there 2 times"),
    ("train_size", "0", SIZE),
    ("train_size", "few", SIZE),
    ("test_size", "0", SIZE),
    ("test_size", "1.5", SIZE),
    ("save_program", "", VALUE),
    ("eval_record", "", VALUE),
    ("eval_concurrency", "0", ROLLOUTS),
    ("eval_concurrency", "all", ROLLOUTS),
    ("eval_rate_limit", "30", RATE),
    ("eval_rate_limit", "fast/min", RATE),
    ("eval_max_cost", "5 USD", DOLLARS),
    ("eval_max_cost", "-1", DOLLARS),
    ("eval_max_cost", "nan", DOLLARS),
    ("eval_max_cost", "inf", DOLLARS),
    ("eval_max_cost", "", DOLLARS),
    ("eval_max_tokens", "2X", TOKENS),
    ("eval_max_tokens", "-1", TOKENS),
    ("eval_max_tokens", "0.5", TOKENS),
    ("eval_max_tokens", "nan", TOKENS),
    ("eval_max_tokens", "9" * 400, TOKENS),
    ("eval_price", "", PRICES),
    ("eval_price", "openai/gpt-4o-mini", PRICES),
    ("eval_price", "openai/gpt-4o-mini=1", PRICES),
    ("eval_price", "=1/2", PRICES),
    ("eval_price", "a/b=1/-2", PRICES),
    ("eval_price", "a/b=nan/2", PRICES),
    ("eval_price", "a/b=1/2,", PRICES),
    ("eval_price", "a/b=1/2,a/b=1/3", PRICES),
    ("eval_rollouts", "0", ROLLOUTS),
    ("eval_rollouts", "-1", ROLLOUTS),
    ("eval_threshold", "high", SCORE),
    ("eval_threshold", "nan", SCORE),
    ("eval_threshold", "inf", SCORE),
    ("eval_threshold", "-0.1", SCORE),
    ("eval_seed", "-1", SEED),
    ("eval_slice", "", SLICE),
    ("eval_slice", "refunds", SLICE),
    ("eval_slice", "=refunds", SLICE),
    ("eval_json", "", VALUE),
    ("eval_timeout", "0", SECONDS),
    ("eval_timeout", "-1", SECONDS),
    ("eval_timeout", "soon", SECONDS),
    ("eval_timeout", "inf", SECONDS),
    ("eval_dir", "", VALUE),
    ("eval_replay", "", VALUE),
    ("eval_resume", "", VALUE),
    ("eval_min_mean", "-0.1", LIMITS),
    ("eval_max_mean", "words=", LIMITS),
    ("eval_min_aggregate", "0.8", AGGREGATES),
    ("eval_min_aggregate", "f1_macro=", AGGREGATES),
    ("eval_lower_is_better", "words,", "expected names of metrics beside the score"),
    ("eval_min_pass_rate", "1.1", SHARE),
    ("eval_min_pass_rate", "all", SHARE),
    ("eval_max_error_rate", "-1", SHARE),
    ("eval_max_regression", "nan", LIMITS),
    ("eval_max_example_drop", "-0.5", LIMITS),
    ("eval_gate", "lax", "expected normal, established or strict"),
    ("eval_family", "all", "expected holm or none"),
    ("eval_stop", "none", "expected decided"),
    ("eval_stop", "", "expected decided"),
    ("eval_judge_exam", "never", "expected changed, always or off"),
    ("eval_baseline", "", VALUE),
    ("eval_baseline_samples", "0", ROLLOUTS),
    ("eval_baseline_max_age", "-1", "expected a number of days, 0 or more"),
    ("eval_baseline_max_age", "month", "expected a number of days, 0 or more"),
    ("eval_baseline_allow", "judge,program", ALLOWED),
    ("eval_baseline_allow", "", ALLOWED),
    ("eval_mlflow", "", VALUE),
    ("eval_mlflow_timeout", "0", SECONDS),
    ("eval_mlflow_timeout", "soon", SECONDS),
    ("eval_mlflow_experiment", "", VALUE),
    ("eval_mlflow_run_name", "", VALUE),
    ("eval_html", "", VALUE),
    ("eval_html", ".", FILE),
    ("eval_markdown", "", VALUE),
    ("eval_markdown", ".", FILE),
]
WRONG_INI = [
    *((name, value, expected) for name, value, expected in WRONG if value.strip()),
    ("generator_temperature", "hot", TEMPERATURE),
    ("generator_temperature", "nan", TEMPERATURE),
    ("evaluator_temperature", "-1", TEMPERATURE),
    ("generator_settings", "no separator", NAME_AND_VALUE),
    ("generator_settings", "= 3", NAME_AND_VALUE),
    ("evaluator_settings", "max-tokens = 3", NAME_AND_VALUE),
    ("evaluator_settings", "cache = False", "expected false, as JSON has it, or a text with quotes"),
    ("eval_live_tools", "clock,", "expected names or patterns, such as clock,search_*"),
    ("eval_sources", "/prompts/*.txt", "expected a path relative to the ini file"),
]


@pytest.fixture
def folder(pytester: pytest.Pytester) -> Path:
    """A suite with one test that needs nothing."""
    pytester.makepyfile("def test_nothing():\n    pass\n")
    return pytester.path


def check_usage_error(result: pytest.RunResult, line: str) -> None:
    """It ended with exit code 4 and ``line``, and with nothing else that looks like an error."""
    text = result.stdout.str() + result.stderr.str()
    assert result.ret == pytest.ExitCode.USAGE_ERROR, text
    assert [one for one in text.splitlines() if "ERROR" in one or "Traceback" in one] == [f"ERROR: {line}"]


def settings(pytester: pytest.Pytester, *arguments: str) -> Any:
    """The settings of a session that is configured, but not run."""
    config = pytester.parseconfigure(*arguments)
    return get_session(config).process.settings


@pytest.mark.parametrize(("name", "value", "expected"), WRONG)
def test_a_wrong_option_is_one_line(
    pytester: pytest.Pytester, folder: Path, name: str, value: str, expected: str
) -> None:
    flag = "--" + name.replace("_", "-")
    check_usage_error(pytester.runpytest_inprocess(f"{flag}={value}"), f"{flag}: {value!r}: {expected}")


def test_every_option_that_can_be_wrong_is_tried() -> None:
    assert {name for name, _, _ in WRONG} == {option.name for option in OPTIONS} - SWITCHES
    names = {option.name for option in (*OPTIONS, *INI_ONLY)} | {*LM_ARGUMENTS, *SOURCES}
    files = {"save_program", "eval_record", "eval_json", "eval_dir", "eval_replay", "eval_resume", "eval_baseline"}
    names_of_things = {"eval_mlflow", "eval_mlflow_experiment", "eval_mlflow_run_name"}
    anything_goes = files | names_of_things | {"generator_api_base", "evaluator_api_base"}
    assert {name for name, _, _ in WRONG_INI} == names - anything_goes - SWITCHES


@pytest.mark.parametrize(("name", "value", "expected"), WRONG_INI)
def test_a_wrong_ini_key_is_one_line(
    pytester: pytest.Pytester, folder: Path, name: str, value: str, expected: str
) -> None:
    pytester.makeini(f"[pytest]\n{name} =\n    {value}\n" if name in LM_ARGUMENTS else f"[pytest]\n{name} = {value}\n")
    check_usage_error(pytester.runpytest_inprocess(), f"ini key {name}: {value!r}: {expected}")


@pytest.mark.parametrize("role", ["generator", "evaluator"])
def test_one_of_several_models_without_a_provider_is_one_line(
    pytester: pytest.Pytester, folder: Path, role: str
) -> None:
    complaint = "'openai/a,foo/b': LiteLLM knows no provider 'foo'; expected names such as groq/llama-3.3-70b-versatile"
    result = pytester.runpytest_inprocess(f"--{role}-model=openai/a,foo/b")
    check_usage_error(result, f"--{role}-model: {complaint}")
    pytester.makeini(f"[pytest]\n{role}_model = openai/a,foo/b\n")
    check_usage_error(pytester.runpytest_inprocess(), f"ini key {role}_model: {complaint}")


def test_a_wrong_switch_in_the_ini_is_one_line(pytester: pytest.Pytester, folder: Path) -> None:
    pytester.makeini("[pytest]\neval_recompile = maybe\n")
    check_usage_error(pytester.runpytest_inprocess(), "ini key eval_recompile: invalid truth value 'maybe'")


def test_a_baseline_update_in_the_ini(pytester: pytest.Pytester, folder: Path) -> None:
    for value, expected in {"true": "replace", "add": "add", "no": None}.items():
        pytester.makeini(f"[pytest]\neval_update_baseline = {value}\n")
        assert settings(pytester).baseline.update == expected
    pytester.makeini("[pytest]\neval_update_baseline = more\n")
    line = "ini key eval_update_baseline: 'more': expected true, false or add"
    check_usage_error(pytester.runpytest_inprocess(), line)


def test_a_path_after_the_flag_that_updates_the_baseline_stays_a_path(pytester: pytest.Pytester, folder: Path) -> None:
    """argparse would take it for the flag's value if the flag could have any."""
    [path] = folder.glob("test_*.py")
    for words, update in {
        ("--eval-update-baseline", path.name): "replace",
        ("--eval-update-baseline=add", path.name): "add",
        (path.name, "--eval-update-baseline=add", "--eval-update-baseline"): "replace",
    }.items():
        config = pytester.parseconfigure(*words)
        assert (config.args, get_session(config).process.settings.baseline.update) == ([path.name], update)
    result = pytester.runpytest_inprocess("--eval-update-baseline=more")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*argument --eval-update-baseline: ignored explicit argument 'more'"])


def test_an_empty_ini_key_is_one_that_is_not_there(pytester: pytest.Pytester, folder: Path) -> None:
    pytester.makeini("[pytest]\neval_threshold =\noptimization =\neval_timeout =\n")
    found = settings(pytester)
    assert (found.threshold.ini, found.methods.ini, found.timeout) == (None, None, 300.0)


def test_a_wrong_option_with_workers_is_the_same_line(pytester: pytest.Pytester, folder: Path) -> None:
    result = pytester.runpytest_inprocess("-n2", "--optimization=bootstrapp")
    check_usage_error(result, f"--optimization: 'bootstrapp': {METHODS}")


def test_the_first_of_several_wrong_options_is_told(pytester: pytest.Pytester, folder: Path) -> None:
    result = pytester.runpytest_inprocess("--eval-timeout=0", "--test-size=0")
    assert len(re.findall("^ERROR: ", result.stderr.str(), re.MULTILINE)) == 1


@pytest.mark.parametrize("reference", ["last", "20261122T234903.123456Z", "missing.json"])
def test_a_run_that_is_not_there(pytester: pytest.Pytester, folder: Path, reference: str) -> None:
    runs = folder / ".pitcheval" / "runs"
    expected = f"no run in {runs} yet" if reference == "last" else f"expected a run ID of {runs}, a run file or 'last'"
    result = pytester.runpytest_inprocess(f"--eval-replay={reference}")
    check_usage_error(result, f"--eval-replay: {reference!r}: {expected}")


def test_the_command_line_beats_the_ini(pytester: pytest.Pytester, folder: Path) -> None:
    pytester.makeini(
        "[pytest]\noptimization = knn\neval_threshold = 0.5\ntest_size = 3\ngenerator_model = a/b\neval_timeout = 7\n"
    )
    from_ini = settings(pytester)
    assert (from_ini.methods.or_default(()), from_ini.threshold.chosen()) == (("knn",), 0.5)
    assert (from_ini.test_size, from_ini.generator.model, from_ini.timeout) == (3, "a/b", 7.0)
    both = settings(
        pytester,
        "--optimization=simba, gepa,simba",
        "--eval-threshold=0.25",
        "--test-size=4",
        "--generator-model=c/d",
        "--eval-timeout=8.5",
    )
    assert (both.methods.or_default(()), both.threshold.chosen()) == (("simba", "gepa"), 0.25)
    assert (both.test_size, both.generator.model, both.timeout) == (4, "c/d", 8.5)


def test_the_command_line_beats_the_marker_and_that_the_ini(suite: Suite) -> None:
    suite.add("pytest.ini", "eval_threshold = 0.1\neval_rollouts = 3\n")
    for options, threshold in (((), 0.5), (("--eval-threshold=0.2", "--eval-rollouts=1"), 0.2)):
        run = suite.run(*options)
        run.result.assert_outcomes(passed=3)
        assert [test["threshold"] for test in run.tests] == [threshold] * 3
        assert {len(test["samples"]) for test in run.tests} == {1 if options else 3}


def test_zero_is_a_threshold(pytester: pytest.Pytester, folder: Path) -> None:
    assert settings(pytester, "--eval-threshold=0").threshold.chosen(0.5) == 0


def test_without_any_option(pytester: pytest.Pytester, folder: Path) -> None:
    found = settings(pytester)
    assert (found.generator.model, found.evaluator.model) == (None, None)
    assert (found.generator.temperature, found.evaluator.temperature) == (1.0, 0.7)
    assert (found.seed, found.timeout, found.directory) == (0, 300.0, folder / ".pitcheval")
    assert (found.train_size, found.test_size, found.replay, found.recompile) == (None, None, None, False)


def test_settings_of_the_lms(pytester: pytest.Pytester, folder: Path) -> None:
    pytester.makeini(
        """
[pytest]
generator_model = openai/small
generator_api_base = http://127.0.0.1:1/v1
generator_settings =
    max_tokens = 500
    api_key = not JSON
    stop = ["a", "b"]
    url = http://x/?a=b
evaluator_temperature = 0
evaluator_settings = max_tokens = 9
"""
    )
    found = settings(pytester)
    shared = {"stop": ["a", "b"], "api_key": "not JSON", "url": "http://x/?a=b", "api_base": "http://127.0.0.1:1/v1"}
    assert (found.generator.model, dict(found.generator.arguments)) == ("openai/small", {**shared, "max_tokens": 500})
    assert (found.evaluator.model, dict(found.evaluator.arguments)) == ("openai/small", {**shared, "max_tokens": 9})
    assert found.evaluator.temperature == 0
    other = settings(pytester, "--evaluator-model=openai/large").evaluator
    assert (other.model, dict(other.arguments)) == ("openai/large", {"max_tokens": 9})


def test_every_option_is_in_the_help(pytester: pytest.Pytester, folder: Path) -> None:
    result = pytester.runpytest_inprocess("--help")
    assert result.ret == pytest.ExitCode.OK
    text = " ".join(result.stdout.str().split())
    for option in OPTIONS:
        assert option.flag in text
        assert " ".join(option.help.split()) in text
    for name in (*(option.name for option in (*OPTIONS, *INI_ONLY)), *LM_ARGUMENTS, *SOURCES):
        assert f" {name} (" in text


def test_a_wrong_option_does_not_take_the_help_away(pytester: pytest.Pytester, folder: Path) -> None:
    pytester.makeini("[pytest]\noptimization = bootstrapp\n")
    check_usage_error(pytester.runpytest_inprocess("--help"), f"ini key optimization: 'bootstrapp': {METHODS}")


def test_ini_keys_in_pyproject(pytester: pytest.Pytester, folder: Path) -> None:
    pytester.makepyprojecttoml(
        """
[tool.pytest.ini_options]
optimization = "none,knn"
eval_rollouts = 3
eval_threshold = 0.5
eval_recompile = true
generator_settings = ["max_tokens = 500", 'api_key = "k"']
"""
    )
    found = settings(pytester)
    assert (found.methods.chosen(), found.rollouts.chosen()) == (("none", "knn"), 3)
    assert (found.threshold.chosen(), found.recompile) == (0.5, True)
    assert dict(found.generator.arguments) == {"max_tokens": 500, "api_key": "k"}


def test_paths_of_the_command_line_are_relative_to_where_pytest_was_started(
    pytester: pytest.Pytester, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\neval_json = out/ini.json\neval_dir = kept\n")
    (folder / "sub").mkdir()
    monkeypatch.chdir(folder / "sub")
    from_ini = settings(pytester)
    assert (from_ini.json_path, from_ini.directory) == (folder / "out" / "ini.json", folder / "kept")
    both = settings(pytester, "--eval-json=run.json", "--save-program=../p.json", f"--eval-dir={folder / 'abs'}")
    assert both.json_path == folder / "sub" / "run.json"
    assert both.save_program is not None
    assert both.save_program.resolve() == folder / "p.json"
    assert both.directory == folder / "abs"


def test_paths_of_the_ini_are_relative_to_it_whatever_the_rootdir(pytester: pytest.Pytester, folder: Path) -> None:
    (folder / "config").mkdir()
    ini = folder / "config" / "pytest.ini"
    ini.write_text("[pytest]\neval_json = run.json\n", encoding="utf-8")
    found = settings(pytester, "-c", str(ini), f"--rootdir={folder}")
    assert found.json_path == folder / "config" / "run.json"
    assert found.directory == folder / ".pitcheval"


def test_the_run_file_is_written_where_it_is_asked_for(suite: Suite) -> None:
    run = suite.run("--eval-json=out/run.json")
    assert json.loads((suite.path / "out" / "run.json").read_text(encoding="utf-8")) == run.document


def test_another_plugin_with_the_same_option(pytester: pytest.Pytester, folder: Path) -> None:
    """Whoever comes second can tell; where that is the other one, pytest shows its traceback."""
    pytester.makepyfile(other="def pytest_addoption(parser):\n    parser.addoption('--optimization')\n")
    pytester.syspathinsert()
    result = pytester.runpytest_subprocess("-p", "other")
    [line] = [one for one in result.errlines if one]
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert line.startswith("ERROR: pytest-pitcheval cannot register --optimization: another plugin has done so (")
    assert line.endswith("; load only one of them (-p no:pitcheval or -p no:THE_OTHER)")
    assert pytester.runpytest_subprocess("-p", "other", "-p", "no:pitcheval").ret == pytest.ExitCode.OK


def test_another_plugin_with_other_options_of_the_same_words(pytester: pytest.Pytester, folder: Path) -> None:
    """pytest derives a ``dest`` from an option's name; ours have a prefix, so that one word may be used twice."""
    pytester.makepyfile(
        other="def pytest_addoption(parser):\n    parser.addoption('--my-optimization', dest='optimization')\n"
    )
    pytester.syspathinsert()
    result = pytester.runpytest_subprocess("-p", "other", "--optimization=none", "--my-optimization=3")
    assert result.ret == pytest.ExitCode.OK
