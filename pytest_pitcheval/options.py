"""Command line and ini files into one frozen `Settings`, validated once."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import pytest

from pytest_pitcheval.methods import METHODS, check_method

T = TypeVar("T")

PREFIX = "pitcheval_"
"""Of every ``dest`` of ours: a second plugin with the same one would stop every pytest start."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)  # every pytest start pays for what is generated here
class Choice(Generic[T]):
    """A setting that a marker can make too; None where it was not made."""

    command_line: T | None = None
    ini: T | None = None

    def made(self, marker: T | None) -> T | None:
        """The value that holds: command line, then marker, then ini file; None where none of them has one."""
        values = (self.command_line, marker, self.ini)
        return next((value for value in values if value is not None), None)

    def over(self, marker: T | None, default: T) -> T:
        """The value that holds: as `made`, then ``default``."""
        value = self.made(marker)
        return default if value is None else value


class ModelSettings(NamedTuple):
    """How one of the two LMs is made: a DSPy model name and keyword arguments for ``dspy.LM``."""

    model: str | None
    temperature: float
    arguments: Mapping[str, Any]


class Settings(NamedTuple):
    """What the command line and the ini file ask for, checked.

    Sizes are numbers of examples, ``timeout`` is in seconds, paths are absolute.
    """

    methods: Choice[tuple[str, ...]]
    rollouts: Choice[int]
    threshold: Choice[float]
    generator: ModelSettings
    evaluator: ModelSettings
    train_size: int | None
    test_size: int | None
    seed: int
    timeout: float
    directory: Path
    json_path: Path | None
    junit_path: Path | None
    save_program: Path | None
    recompile: bool
    replay: str | None


def _methods(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(check_method(name.strip()) for name in text.split(",")))


def _model(text: str) -> str:
    if not text.strip() or text.strip() in {"local:", "/"}:
        raise ValueError("expected a model name such as groq/llama-3.3-70b-versatile, local or local:PATH.gguf")
    return text.strip()


def _number(kind: type, least: float, what: str, below: bool = False) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise ValueError(f"expected {what}") from None
        if not least <= value < math.inf or (below and value == least):
            raise ValueError(f"expected {what}")
        return value

    return parse


_size = _number(int, 1, "a whole number of examples, 1 or more")
_temperature = _number(float, 0, "a temperature, 0 or more")


def _text(text: str) -> str:
    if not text:
        raise ValueError("expected a value")
    return text


class Option(NamedTuple):
    """One command-line option and its ini key; ``name`` is the key, the option is ``--name`` with dashes."""

    name: str
    metavar: str | None
    parse: Callable[[str], Any]
    help: str
    default: Any = None

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
        _methods,
        f"optimize the program with METHOD before it is evaluated: {', '.join(METHODS)} or "
        "package.module:Optimizer; with several, every example is a test per method",
    ),
    Option("generator_model", "MODEL", _model, "model of generator_lm: any DSPy name, local or local:PATH.gguf"),
    Option("evaluator_model", "MODEL", _model, "model of evaluator_lm; default: the generator's"),
    Option("train_size", "N", _size, "give optimizers a seeded sample of N examples of the trainset"),
    Option("test_size", "N", _size, "evaluate a seeded sample of N examples of each dataset"),
    Option("save_program", "PATH", _text, "write the compiled program to PATH as DSPy JSON"),
    Option("eval_rollouts", "K", _number(int, 1, "a whole number, 1 or more"), "rollouts of each example"),
    Option("eval_threshold", "X", _number(float, 0, "a score, 0 or more"), "lowest score that passes"),
    Option("eval_seed", "N", _number(int, 0, "a whole number, 0 or more"), "seed of the samples; default 0", 0),
    Option(
        "eval_replay",
        "RUN",
        _text,
        "repeat a run (its ID, its file or 'last') from DSPy's cache, without LM calls",
    ),
    Option("eval_recompile", None, bool, "compile programs again even if a compiled one is stored"),
    Option("eval_json", "PATH", _text, "write the run file to PATH as well"),
    Option(
        "eval_timeout",
        "SECONDS",
        _number(float, 0, "a number of seconds above 0", below=True),
        "timeout of an evaluation test that has none of its own; default 300",
        300.0,
    ),
    Option(
        "eval_dir",
        "PATH",
        _text,
        "where runs and compiled programs are kept; default .pitcheval",
        ".pitcheval",
    ),
)

INI_ONLY = (
    Option("generator_temperature", None, _temperature, "temperature of generator_lm; default 1.0", 1.0),
    Option("evaluator_temperature", None, _temperature, "temperature of evaluator_lm; default 0.7", 0.7),
    Option("generator_api_base", None, _text, "URL of the API that serves generator_lm"),
    Option("evaluator_api_base", None, _text, "URL of the API that serves evaluator_lm; default: the generator's"),
)

LM_ARGUMENTS = {
    "generator_settings": "further arguments of generator_lm's dspy.LM, a 'name = JSON value' a line",
    "evaluator_settings": "further arguments of evaluator_lm's dspy.LM, a 'name = JSON value' a line",
}


def add_options(parser: pytest.Parser) -> None:
    """Register options and ini keys; a clash with another plugin is a usage error that names the option."""
    group = parser.getgroup("pitcheval", "evaluation of DSPy programs")
    for option in OPTIONS:
        arguments: dict[str, Any] = {"dest": option.dest, "default": None, "help": option.help}
        arguments |= {"metavar": option.metavar} if option.metavar else {"action": "store_true"}
        try:
            group.addoption(option.flag, **arguments)
        except (ValueError, argparse.ArgumentError) as clash:
            raise pytest.UsageError(
                f"pytest-pitcheval cannot register {option.flag}: another plugin has done so ({clash}); "
                "load only one of them (-p no:pitcheval or -p no:THE_OTHER)"
            ) from None
    for option in (*OPTIONS, *INI_ONLY):
        kind: Literal["bool", "string"] = "bool" if option.parse is bool else "string"
        parser.addini(option.name, option.help, type=kind, default=None)
    for name, text in LM_ARGUMENTS.items():
        parser.addini(name, text, type="linelist", default=[])


class _Reader:
    """Reads one configuration; every error is a usage error that names the option and the value."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def command_line(self, name: str) -> Any:
        option = _BY_NAME[name]
        value = self.config.getoption(option.dest, None)
        return None if value is None else self._parse(option, value, option.flag)

    def ini(self, name: str) -> Any:
        option = _BY_NAME[name]
        try:
            value = self.config.getini(name)
        except (ValueError, pytest.UsageError) as error:  # pytest's own, of a bool; it does not name the key
            raise pytest.UsageError(f"ini key {name}: {error}") from None
        return None if value in (None, "") else self._parse(option, value, f"ini key {name}")

    def choice(self, name: str) -> Choice[Any]:
        return Choice(self.command_line(name) if name in _FLAGS else None, self.ini(name))

    def value(self, name: str) -> Any:
        made = self.choice(name).made(None)
        return _BY_NAME[name].default if made is None else made

    def path(self, name: str) -> Path | None:
        """Absolute: from the command line relative to where pytest was started, from the ini to its file."""
        choice = self.choice(name)
        if choice.command_line is not None:
            return Path(self.config.invocation_params.dir, choice.command_line)
        if choice.ini is not None and self.config.inipath is not None:
            return Path(self.config.inipath.parent, choice.ini)
        text = choice.ini or _BY_NAME[name].default
        return Path(self.config.rootpath, text) if text else None

    def junit_path(self) -> Path | None:
        """The file that pytest's own --junit-xml names; absolute, and expanded as pytest does it."""
        text: str | None = self.config.getoption("--junit-xml", None)
        if not text:
            return None
        expanded = os.path.expanduser(os.path.expandvars(text))
        return Path(os.path.normpath(self.config.invocation_params.dir / expanded))

    def arguments(self, name: str) -> dict[str, Any]:
        lines = (line.partition("=") for line in self.config.getini(name))
        found = {}
        for key, separator, text in lines:
            if not separator or not key.strip().isidentifier():
                raise pytest.UsageError(f"ini key {name}: {key + separator + text!r}: expected 'name = JSON value'")
            found[key.strip()] = _json_or_text(text.strip())
        return found

    def model(self, role: str) -> ModelSettings:
        arguments = self.arguments(f"{role}_settings")
        if api_base := self.value(f"{role}_api_base"):
            arguments["api_base"] = api_base
        return ModelSettings(self.value(f"{role}_model"), self.value(f"{role}_temperature"), arguments)

    @staticmethod
    def _parse(option: Option, value: Any, where: str) -> Any:
        try:
            return option.parse(value)
        except ValueError as error:
            raise pytest.UsageError(f"{where}: {value!r}: {error}") from None


_BY_NAME = {option.name: option for option in (*OPTIONS, *INI_ONLY)}
_FLAGS = {option.name for option in OPTIONS}


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def read_settings(config: pytest.Config) -> Settings:
    """The settings of this session.

    Raises:
        pytest.UsageError: one line that names the option or ini key, the value, and what was expected.
    """
    read = _Reader(config)
    generator, evaluator = read.model("generator"), read.model("evaluator")
    if evaluator.model is None:  # the evaluator is the generator's model unless another is named
        arguments = {**generator.arguments, **evaluator.arguments}
        evaluator = evaluator._replace(model=generator.model, arguments=arguments)
    directory = read.path("eval_dir")
    assert directory is not None  # it has a default
    return Settings(
        methods=read.choice("optimization"),
        rollouts=read.choice("eval_rollouts"),
        threshold=read.choice("eval_threshold"),
        generator=generator,
        evaluator=evaluator,
        train_size=read.value("train_size"),
        test_size=read.value("test_size"),
        seed=read.value("eval_seed"),
        timeout=read.value("eval_timeout"),
        directory=directory,
        json_path=read.path("eval_json"),
        junit_path=read.junit_path(),
        save_program=read.path("save_program"),
        recompile=bool(read.value("eval_recompile")),
        replay=read.value("eval_replay"),
    )
