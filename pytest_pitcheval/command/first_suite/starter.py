"""``pitcheval init``: a first suite for a program, made from the fields of its signatures."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_pitcheval.command.first_suite import starter_files
from pytest_pitcheval.command.first_suite.folders import next_line, write_files
from pytest_pitcheval.command.first_suite.placeholders import has_code, has_model
from pytest_pitcheval.command.first_suite.program_fields import fields_of, method_of
from pytest_pitcheval.command.first_suite.starter_files import EXAMPLES, Starter
from pytest_pitcheval.errors import PitchevalError, one_line
from pytest_pitcheval.reports.terminal import Line
from pytest_pitcheval.settings.settings import Settings


def write_suite(settings: Settings, start: Path, target: str, folder: str) -> tuple[list[Line], bool]:
    """Write a suite for the program ``target`` (``module:Class``) into ``folder`` below ``start``; what to print.

    Raises:
        PitchevalError: ``target`` is none, or a file is there already; then nothing was written.
    """
    path = start / folder
    starter = _starter(target, start, path, settings.models[0] or "local")
    return [
        (f"{target}: {', '.join(starter.inputs)} -> {', '.join(starter.outputs)}", False),
        *write_files(starter_files.files(starter), path, folder),
        (f"the {EXAMPLES} rows of data/test.jsonl are placeholders: replace them, and those of train.jsonl", False),
        next_line(path),
    ], True


def _starter(target: str, start: Path, path: Path, model: str) -> Starter:
    module, separator, attribute = target.partition(":")
    if not separator or not attribute.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise PitchevalError(f"{target!r}: expected MODULE:CLASS, such as my_package.qa:QA")
    found = _import(target, module, attribute, start)
    program, is_made = _program(target, found)
    inputs, outputs = fields_of(target, program)
    _check_types(target, inputs)
    known = {name for _, predictor in program.named_predictors() for name in predictor.signature.input_fields}
    ini = {"generator_model": model}
    file = getattr(sys.modules[module], "__file__", None)
    if file and Path(file).resolve().is_relative_to(start.resolve()):
        ini = {"pythonpath": ". " + os.path.relpath(start, path), **ini}
    return Starter(
        module=module,
        attribute=attribute,
        program=f"{attribute}()" if is_made else attribute,
        method=method_of(program),
        is_typed_by_method=any(has_model(kind) and name not in known for name, kind in inputs.items()),
        name=re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", attribute).lower(),
        inputs=inputs,
        outputs=outputs,
        ini=ini,
    )


def _import(target: str, module: str, attribute: str, start: Path) -> Any:
    if str(start) not in sys.path:
        sys.path.insert(0, str(start))  # as with python -m
    try:
        imported = importlib.import_module(module)
    except Exception as error:
        raise PitchevalError(
            f"{target!r}: importing {module} raised {one_line(error)}; "
            f"expected a module that is installed or in {start}"
        ) from None
    if not hasattr(imported, attribute):
        raise PitchevalError(f"{target!r}: no {attribute!r} in {imported.__file__}; expected a dspy.Module there")
    return getattr(imported, attribute)


def _program(target: str, found: Any) -> tuple[Any, bool]:
    """The program that ``found`` is, or whose class it is; whether it was made from the class."""
    if not hasattr(found, "named_predictors"):
        raise PitchevalError(f"{target!r} is no program; expected a dspy.Module: its class or itself")
    if not isinstance(found, type):
        return found, False
    try:
        return found(), True
    except Exception as error:
        raise PitchevalError(
            f"{target!r}: {found.__name__}() raised {one_line(error)}; expected a class that needs no arguments"
        ) from None


def _check_types(target: str, inputs: Mapping[str, Any]) -> None:
    if code := [name for name, kind in inputs.items() if has_code(kind)]:
        raise PitchevalError(
            f"{target!r}: its input {code[0]!r} is code, which no row of a dataset can hold; "
            "expected a program that has its tools itself"
        )
