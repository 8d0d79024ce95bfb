"""Options and ini keys registered with pytest, and whether any is used."""

from __future__ import annotations

import argparse
import os
from typing import Literal

import pytest

from pytest_pitcheval.options.gate_options import DEFAULT_BASELINE
from pytest_pitcheval.options.table import INI_ONLY, LM_ARGUMENTS, MLFLOW_TAGS, OPTIONS, SOURCES


def any_used(config: pytest.Config) -> bool:
    """Whether the command line or the ini file has anything of ours, or the default baseline is there."""
    keys = (*(option.name for option in (*OPTIONS, *INI_ONLY)), *LM_ARGUMENTS, *MLFLOW_TAGS, *SOURCES)
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
        try:
            for flag, arguments in option.arguments():
                group.addoption(flag, **arguments)
        except (ValueError, argparse.ArgumentError) as clash:
            raise pytest.UsageError(
                f"pytest-pitcheval cannot register {option.flag}: another plugin has done so ({clash}); "
                "load only one of them (-p no:pitcheval or -p no:THE_OTHER)"
            ) from None
        kind: Literal["bool", "string"] = "bool" if option.kind == "flag" else "string"
        parser.addini(option.name, f"as {option.flag}", type=kind, default=None)
    for option in INI_ONLY:
        parser.addini(option.name, option.help, type="string", default=None)
    for name, text in {**LM_ARGUMENTS, **MLFLOW_TAGS, **SOURCES}.items():
        parser.addini(name, text, type="linelist", default=[])
