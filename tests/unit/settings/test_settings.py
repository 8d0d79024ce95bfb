"""Where a setting comes from, and what is read of pytest's own configuration: that of the run that tests this."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pitcheval.options.table import INI_ONLY, OPTIONS
from pytest_pitcheval.settings.choices import Choice
from pytest_pitcheval.settings.settings import Settings, read_settings

Read = Callable[..., Settings]


@pytest.fixture
def read(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads the settings as if these options, by name, were on pytest's command line."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)

    def read_with(**texts: str) -> Settings:
        for name, text in texts.items():
            monkeypatch.setattr(pytestconfig.option, f"pitcheval_{name}", text)
        return read_settings(pytestconfig)

    return read_with


@pytest.mark.parametrize(
    ("command_line", "marker", "ini", "chosen"),
    [
        (None, None, None, None),
        (None, None, 3, 3),
        (None, 2, 3, 2),
        (1, 2, 3, 1),
        (0, 2, 3, 0),
        (None, 0, 3, 0),
    ],
)
def test_the_command_line_wins_over_the_marker_and_that_over_the_ini(
    command_line: int | None, marker: int | None, ini: int | None, chosen: int | None
) -> None:
    choice = Choice(command_line, ini)
    assert choice.chosen(marker) == chosen
    assert choice.or_default(9, marker) == (9 if chosen is None else chosen)


def test_without_a_word_each_setting_has_the_default_of_its_option(read: Read) -> None:
    settings, defaults = read(), {option.name: option.default for option in (*OPTIONS, *INI_ONLY)}
    assert {settings.methods, settings.rollouts, settings.threshold} == {Choice(None, None)}
    assert settings.concurrency == defaults["eval_concurrency"] == 8
    assert (settings.timeout, settings.seed) == (defaults["eval_timeout"], defaults["eval_seed"]) == (300.0, 0)
    assert settings.generator.temperature == defaults["generator_temperature"] == 1.0
    assert (settings.allowed, settings.gate, settings.family, settings.rate_limits) == (
        frozenset(),
        "normal",
        "holm",
        (),
    )
    assert not any((settings.replay, settings.resume, settings.save_program, settings.recompile, settings.html_path))


def test_an_option_is_parsed_into_the_value_that_everything_else_takes(read: Read) -> None:
    settings = read(optimization="none, knn,none", eval_threshold="0", eval_concurrency="3", eval_gate="strict")
    assert settings.methods == Choice(("none", "knn"), None)
    assert settings.threshold == Choice(0.0, None)
    assert (settings.concurrency, settings.gate) == (3, "strict")


def test_what_is_wrong_is_one_line_that_names_the_option_and_its_value(read: Read) -> None:
    with pytest.raises(pytest.UsageError, match=r"^--eval-threshold: 'high': expected a score, 0 or more$"):
        read(eval_threshold="high")


def test_the_evaluator_has_the_model_of_the_generator_until_it_has_its_own(read: Read) -> None:
    assert read(generator_model="a/b").evaluator.model == "a/b"
    assert read(evaluator_model="c/d").evaluator.model == "c/d"


def test_paths_are_absolute_and_relative_to_where_pytest_was_started(
    read: Read, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    settings = read(eval_json="run.json", eval_html=str(tmp_path / "page.html"))
    assert settings.json_path == pytestconfig.invocation_params.dir / "run.json"
    assert settings.html_path == tmp_path / "page.html"
    assert settings.directory == pytestconfig.rootpath / ".pitcheval"


def test_a_report_that_would_replace_a_folder_is_refused(read: Read, tmp_path: Path) -> None:
    with pytest.raises(pytest.UsageError) as raised:
        read(eval_markdown=str(tmp_path))
    assert str(raised.value) == f"--eval-markdown: {str(tmp_path)!r}: expected a file, not a folder"


def test_the_default_baseline_was_named_by_nobody(read: Read, pytestconfig: pytest.Config) -> None:
    baseline = read().baseline
    assert baseline.path == pytestconfig.rootpath / "pitcheval-baseline.json"
    assert (baseline.named_by, baseline.update, baseline.samples, baseline.max_age) == (None, None, 10, 30)
    assert read(eval_baseline="last").baseline.named_by == "--eval-baseline"


@pytest.mark.parametrize(
    ("option", "variable", "uri"), [("http://o", "http://v", "http://o"), (None, "http://v", "http://v")]
)
def test_the_option_wins_over_the_environment_of_mlflow(
    read: Read, monkeypatch: pytest.MonkeyPatch, option: str | None, variable: str, uri: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", variable)
    settings = read(**({"eval_mlflow": option} if option else {}))
    assert (settings.mlflow.uri, settings.mlflow.off) == (uri, False)


def test_of_several_processes_each_has_its_part_of_the_limits(read: Read) -> None:
    settings = read(eval_concurrency="8", eval_rate_limit="40/min").part(4)
    assert settings.concurrency == 2
    assert [limit.amount for limit in settings.rate_limits] == [10]
    assert read().part(100).concurrency == 1
