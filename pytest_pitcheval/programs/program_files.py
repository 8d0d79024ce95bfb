"""Compiled programs as files: DSPy's own JSON, with where it came from in the metadata."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.credentials import secrets
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.redaction import redact, without_secrets
from pytest_pitcheval.results.plain import WHOLE, plain
from pytest_pitcheval.settings.methods import UNOPTIMIZED, Optimization


def save_program(path: Path, program: Any, stored: Path | None, optimization: Optimization, run_id: str) -> None:
    """Write a program to ``path`` as DSPy JSON with its provenance; a ``stored`` one as it was stored."""
    if stored is not None and stored.exists():
        files.write_output(path, stored.read_text(encoding="utf-8"))
    elif optimization.method == UNOPTIMIZED:
        state = program_state(program, {"run_id": run_id, "optimization": UNOPTIMIZED})
        files.write_json(path, state, write=files.write_output)
    else:
        raise PitchevalError(
            f"--save-program: DSPy's JSON cannot hold a program compiled with {optimization.method!r}; "
            "expected a method that changes demos or instructions"
        )


def is_storable(compiled: Any, student: Any) -> bool:
    """Whether the compiled program is the student with another state; KNNFewShot's has another ``forward``."""
    names = [[name for name, _ in program.named_parameters()] for program in (compiled, student)]
    return type(compiled) is type(student) and "forward" not in vars(compiled) and names[0] == names[1]


def program_state(program: Any, provenance: dict[str, Any], lms: Iterable[Any] = ()) -> dict[str, Any]:
    """What ``dspy.Module.load`` reads: the state of every predictor, and metadata with our provenance in it.

    The file is cached by CI and logged to trackers: it has no credentials of its predictors' LMs, nor of ``lms``.
    """
    arguments = [getattr(lm, "kwargs", None) or {} for lm in (*lms, *(one.lm for _, one in program.named_predictors()))]
    state: dict[str, Any] = plain(program.dump_state(), WHOLE)
    for part in (state, *state.values()):
        if isinstance(part, dict) and "lm" in part:
            part["lm"] = without_secrets(part["lm"])
    state = redact(state, secrets(arguments, ()), names=False)
    versions = {name: version(name) for name in ("dspy", "cloudpickle")}
    python = ".".join(map(str, sys.version_info[:2]))
    state["metadata"] = {"dependency_versions": {"python": python, **versions}, "pitcheval": provenance}
    return state


def load_program(student: Any, state: dict[str, Any]) -> Any:
    """A copy of ``student`` with ``state``; its predictors keep LMs of their own, which a file cannot hold."""
    program = student.deepcopy()
    lms = {name: predictor.lm for name, predictor in program.named_predictors()}
    program.load_state(without_lms(state))
    for name, predictor in program.named_predictors():
        predictor.lm = lms[name]
    program._compiled = True
    return program


def without_lms(state: dict[str, Any]) -> dict[str, Any]:
    """A copy of a program's state without metadata and with no predictor's LM in it."""
    copy: dict[str, Any] = json.loads(json.dumps({name: part for name, part in state.items() if name != "metadata"}))
    for part in (copy, *copy.values()):  # a program that is one predictor has its state at the top
        if isinstance(part, dict) and "lm" in part:
            part["lm"] = None
    return copy
