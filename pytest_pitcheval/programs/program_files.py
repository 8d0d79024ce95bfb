"""Compiled programs as files: DSPy's own JSON, with where it came from in the metadata."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.credentials.hiding import redact, without_secrets
from pytest_pitcheval.credentials.known import secrets
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.plain import WHOLE, plain
from pytest_pitcheval.settings.methods import UNOPTIMIZED, Optimization

_EXAMPLES = frozenset({"demos", "traces", "train"})
_OPTIONAL = frozenset({"fields", "lm"})
_CODE = frozenset({"module_src"})
"""Of a predictor's state, in DSPy's JSON: lists of examples; what not every version has; what would be run."""


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
    if type(compiled) is not type(student) or "forward" in vars(compiled) or names[0] != names[1]:
        return False
    return _misfit(plain(compiled.dump_state(), WHOLE), plain(student.dump_state(), WHOLE)) is None


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


@dataclasses.dataclass(frozen=True)
class _Provenance:
    """What has to be known of a stored program; there is more in its file."""

    fingerprint: str
    run_id: str
    lm_calls: dict[str, int]
    note: str | None = None


@dataclasses.dataclass(frozen=True)
class Stored:
    """A compiled program as it was stored.

    Attributes:
        run_id: the run that has compiled it.
        failed_calls: how many of its LM calls failed.
        note: what the session says of it, or None.
    """

    state: dict[str, Any]
    run_id: str
    failed_calls: int
    note: str | None


def read_stored(path: Path, mark: str, student: Any) -> Stored:
    """The program with the fingerprint ``mark`` that is stored at ``path``.

    The file may have come with a checkout: it is data for this very ``student``, and neither code nor an attribute.

    Raises:
        PitchevalError: one line: it is none.
    """
    document = files.validated(dict[str, Any], files.read_json(path), str(path))
    metadata = files.validated(dict[str, Any], document.get("metadata"), f"{path}: metadata")
    told = files.validated(dict[str, Any], metadata.get("pitcheval"), f"{path}: metadata.pitcheval")
    fields = {field.name: told.get(field.name) for field in dataclasses.fields(_Provenance)}
    provenance = files.validated(_Provenance, fields, f"{path}: metadata.pitcheval")
    if provenance.fingerprint != mark:
        raise PitchevalError(f"{path}: fingerprint {provenance.fingerprint!r}; expected {mark!r}")
    state = {name: part for name, part in document.items() if name != "metadata"}
    if problem := _misfit(state, plain(student.dump_state(), WHOLE)):
        raise files.complaint(str(path), problem)
    return Stored(document, provenance.run_id, provenance.lm_calls.get("failed", 0), provenance.note)


def _misfit(state: Mapping[str, Any], own: Mapping[str, Any]) -> str | None:
    """What of ``state`` no program can have whose own state is ``own``; None if there is nothing."""
    if "signature" in own:  # that of one predictor
        return _misfit_of_predictor(state, own)
    if set(state) != set(own):
        return f"state of {sorted(state)}; expected {sorted(own)}"
    problems = (
        _misfit_of_predictor(state[name], part) if isinstance(state[name], dict) else f"{name}: expected an object"
        for name, part in own.items()
    )
    return next((problem for problem in problems if problem), None)


def _misfit_of_predictor(state: Mapping[str, Any], own: Mapping[str, Any]) -> str | None:
    for name, value in state.items():
        if name not in own and name not in _OPTIONAL:
            return f"{name}: no part of a predictor's state"
        if name in _EXAMPLES and not (isinstance(value, list) and all(isinstance(one, dict) for one in value)):
            return f"{name}: expected a list of objects"
        if name in _CODE and value != own.get(name):
            return f"{name}: code is not taken from a file"
    missing = set(own) - set(state) - _OPTIONAL
    return f"{sorted(missing)}: missing" if missing else None


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
