"""Command line and ini files into one frozen `Settings`, validated once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_pitcheval.names import GATES, ExamMode, Family, GateMode
from pytest_pitcheval.options.option import Option
from pytest_pitcheval.options.table import INI_ONLY, OPTIONS
from pytest_pitcheval.settings.budgets import Cap, Price
from pytest_pitcheval.settings.choices import Choice
from pytest_pitcheval.settings.lm_arguments import read_arguments
from pytest_pitcheval.settings.models import Model, models_of
from pytest_pitcheval.settings.parsers import OWN_TEMPERATURE, PARSERS
from pytest_pitcheval.settings.parts import BaselineSettings, MlflowSettings, ModelSettings
from pytest_pitcheval.settings.rate_limits import RateLimit
from pytest_pitcheval.settings.source_files import SourceFiles, read_source_files
from pytest_pitcheval.settings.temperatures import takes_temperature
from pytest_pitcheval.timestamps import is_run_id


class Settings(NamedTuple):
    """What the command line and the ini file ask for, checked.

    Sizes are numbers of examples, ``timeout`` is in seconds, paths are absolute, ``slice`` is a label and its value;
    ``answers`` is what ``replay`` names, where that is no run. There is one generator and one evaluator at least, which
    may have no model; ``model_params`` are what tests are parametrized with, by fixture, where there are several.
    """

    methods: Choice[tuple[str, ...]]
    rollouts: Choice[int]
    threshold: Choice[float]
    concurrency: int
    rate_limits: tuple[RateLimit, ...]
    cap: Cap
    prices: tuple[Price, ...]
    generators: tuple[ModelSettings, ...]
    evaluators: tuple[ModelSettings, ...]
    model_params: Mapping[str, tuple[Model, ...]]
    train_size: int | None
    test_size: int | None
    seed: int
    slice: tuple[str, str] | None
    timeout: float
    directory: Path
    json_path: Path | None
    html_path: Path | None
    markdown_path: Path | None
    junit_path: Path | None
    save_program: Path | None
    recompile: bool
    replay: str | None
    answers: Path | None
    record: Path | None
    resume: str | None
    baseline: BaselineSettings
    limits: Mapping[str, Choice[Mapping[str, float]]]
    gate: GateMode
    family: Family
    stop: bool
    judge_exam: ExamMode
    labels_by_models: bool
    allowed: frozenset[str]
    lower_is_better: frozenset[str]
    live_tools: tuple[str, ...]
    sources: SourceFiles
    mlflow: MlflowSettings

    @property
    def generator(self) -> ModelSettings:
        """The first one: that of tests which do not run with each."""
        return self.generators[0]

    @property
    def evaluator(self) -> ModelSettings:
        """The first one, likewise."""
        return self.evaluators[0]

    @property
    def models(self) -> tuple[str | None, str | None]:
        """The names of generators and evaluators, each with commas between them; None where none is named."""
        generators, evaluators = (
            ",".join(one.model for one in models if one.model) for models in (self.generators, self.evaluators)
        )
        return generators or None, evaluators or None

    def part(self, count: int) -> Settings:
        """These settings for one of ``count`` processes that cannot share the limits."""
        limits = tuple(limit.part(count) for limit in self.rate_limits)
        concurrency, cap = max(1, self.concurrency // count), self.cap.part(count)
        return self._replace(concurrency=concurrency, rate_limits=limits, cap=cap)


class _Reader:
    """Reads one configuration; every error is a usage error that names the option and the value.

    Each option and ini key is parsed once, when the reader is made.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.choices: dict[str, Choice[Any]] = {
            **{option.name: Choice(self._command_line(option), self._ini(option)) for option in OPTIONS},
            **{option.name: Choice(None, self._ini(option)) for option in INI_ONLY},
        }

    def _command_line(self, option: Option) -> Any:
        value = self.config.getoption(option.dest, None)
        return None if value is None else _parse(option, value, option.flag)

    def _ini(self, option: Option) -> Any:
        try:
            value = self.config.getini(option.name)
        except (ValueError, pytest.UsageError) as error:  # pytest's own, of a bool; it does not name the key
            raise pytest.UsageError(f"ini key {option.name}: {error}") from None
        return None if value in (None, "") else _parse(option, value, f"ini key {option.name}")

    def value(self, name: str) -> Any:
        """What holds where there is no marker: the option's default if neither command line nor ini file has one."""
        return self.choices[name].or_default(_DEFAULTS[name])

    def path(self, name: str) -> Path | None:
        """Absolute: from the command line relative to where pytest was started, from the ini to its file."""
        choice = self.choices[name]
        if choice.command_line is not None:
            return Path(self.config.invocation_params.dir, choice.command_line)
        if choice.ini is not None and self.config.inipath is not None:
            return Path(self.config.inipath.parent, choice.ini)
        text = self.value(name)
        return Path(self.config.rootpath, text) if text else None

    def directory(self) -> Path:
        path = self.path("eval_dir")
        assert path is not None  # it has a default
        return path

    def file(self, name: str) -> Path | None:
        """`path`, which must not be a folder: better to say so now than after hours of tests."""
        path = self.path(name)
        if path is not None and os.path.isdir(path):
            raise pytest.UsageError(f"{self.named_by(name)}: {self.value(name)!r}: expected a file, not a folder")
        return path

    def outputs(self) -> dict[str, Any]:
        """Where a session writes, by the names of `Settings`."""
        return {
            "json_path": self.path("eval_json"),
            "html_path": self.file("eval_html"),
            "markdown_path": self.file("eval_markdown"),
            "junit_path": self.junit_path(),
            "save_program": self.path("save_program"),
        }

    def answers(self) -> Path | None:
        """The recorded answers that --eval-replay names; None where it names a run."""
        reference, path = self.value("eval_replay"), self.path("eval_replay")
        if path is None or reference == "last" or is_run_id(reference):
            return None
        return path if path.suffix == ".zip" or os.path.isdir(path) else None

    def named_by(self, name: str) -> str | None:
        """Where the value of an option was written: its flag or its ini key; None for its default."""
        choice = self.choices[name]
        if choice.command_line is not None:
            return "--" + name.replace("_", "-")
        return f"ini key {name}" if choice.ini is not None else None

    def baseline(self) -> BaselineSettings:
        name, path = "eval_baseline", self.path("eval_baseline")
        assert path is not None  # it has a default
        update = self.value("eval_update_baseline") or None
        samples, max_age = self.value("eval_baseline_samples"), self.value("eval_baseline_max_age")
        affected = bool(self.value("eval_affected"))
        return BaselineSettings(self.value(name), path, self.named_by(name), update, samples, max_age, affected)

    def cap(self) -> Cap:
        name = "eval_max_cost"
        return Cap(self.value(name), self.value("eval_max_tokens"), named_by=self.named_by(name) or "--eval-max-cost")

    def junit_path(self) -> Path | None:
        """The file that pytest's own --junit-xml names; absolute, and expanded as pytest does it."""
        text: str | None = self.config.getoption("--junit-xml", None)
        if not text:
            return None
        expanded = os.path.expanduser(os.path.expandvars(text))
        return Path(os.path.normpath(self.config.invocation_params.dir / expanded))

    def mlflow(self) -> MlflowSettings:
        uri = self.value("eval_mlflow") or os.environ.get("MLFLOW_TRACKING_URI") or None
        experiment = self.value("eval_mlflow_experiment") or os.environ.get("MLFLOW_EXPERIMENT_NAME")
        return MlflowSettings(
            off=uri == "off",
            uri=uri,
            experiment=experiment or "pytest-pitcheval",
            run_name=self.value("eval_mlflow_run_name"),
            tags=read_arguments("eval_mlflow_tags", self.config.getini("eval_mlflow_tags"), as_texts=True),
            traces=bool(self.value("eval_mlflow_traces")),
            timeout=self.value("eval_mlflow_timeout"),
        )

    def models(self) -> dict[str, Any]:
        """Generators, evaluators and the parameters of tests, by the names of `Settings`."""
        models = {"generators": self.generators(), "evaluators": self.evaluators()}
        fixtures = {"generators": "generator_lm", "evaluators": "evaluator_lm"}
        params = {fixtures[role]: models_of([one.model for one in of_role]) for role, of_role in models.items()}
        return {**models, "model_params": params}

    def generators(self) -> tuple[ModelSettings, ...]:
        arguments = self._model_arguments("generator")
        return tuple(self._model("generator", name, arguments) for name in self.value("generator_model") or (None,))

    def evaluators(self) -> tuple[ModelSettings, ...]:
        """The first generator's model and arguments hold too, unless others are named: one judge is fair to all."""
        names, arguments = self.value("evaluator_model"), self._model_arguments("evaluator")
        if names is None:
            arguments = {**self._model_arguments("generator"), **arguments}
            return (self._model("evaluator", self.generators()[0].model, arguments),)
        return tuple(self._model("evaluator", name, arguments) for name in names)

    def _model_arguments(self, role: str) -> dict[str, Any]:
        api_base = self.value(f"{role}_api_base")
        arguments = read_arguments(f"{role}_settings", self.config.getini(f"{role}_settings"))
        return arguments | ({"api_base": api_base} if api_base else {})

    def _model(self, role: str, model: str | None, arguments: dict[str, Any]) -> ModelSettings:
        own = self.choices[f"{role}_temperature"].ini is not None
        temperature = self.value(f"{role}_temperature") if own or takes_temperature(model) else None
        temperature = None if temperature == OWN_TEMPERATURE else temperature
        return ModelSettings(model, temperature, arguments, own or "temperature" in arguments)


_DEFAULTS = {option.name: option.default for option in (*OPTIONS, *INI_ONLY)}


def _parse(option: Option, value: Any, where: str) -> Any:
    try:
        return PARSERS[option.kind](value)
    except ValueError as error:
        raise pytest.UsageError(f"{where}: {value!r}: {error}") from None


def read_settings(config: pytest.Config) -> Settings:
    """The settings of this session; for a wrong one a pytest.UsageError, of one line."""
    read = _Reader(config)
    return Settings(
        methods=read.choices["optimization"],
        rollouts=read.choices["eval_rollouts"],
        threshold=read.choices["eval_threshold"],
        concurrency=read.value("eval_concurrency"),
        rate_limits=read.value("eval_rate_limit"),
        cap=read.cap(),
        prices=read.value("eval_price"),
        **read.models(),
        train_size=read.value("train_size"),
        test_size=read.value("test_size"),
        seed=read.value("eval_seed"),
        slice=read.value("eval_slice"),
        timeout=read.value("eval_timeout"),
        directory=read.directory(),
        **read.outputs(),
        recompile=bool(read.value("eval_recompile")),
        replay=read.value("eval_replay"),
        answers=read.answers(),
        record=read.path("eval_record"),
        resume=read.value("eval_resume"),
        baseline=read.baseline(),
        limits={gate: read.choices[f"eval_{gate}"] for gate in GATES},
        gate=read.value("eval_gate"),
        family=read.value("eval_family"),
        stop=read.value("eval_stop") == "decided",
        judge_exam=read.value("eval_judge_exam"),
        labels_by_models=bool(read.value("eval_labels_by_models")),
        allowed=read.value("eval_baseline_allow"),
        lower_is_better=read.value("eval_lower_is_better"),
        live_tools=read.value("eval_live_tools"),
        sources=read_source_files(config),
        mlflow=read.mlflow(),
    )
