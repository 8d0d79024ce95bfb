"""The inputs and outputs of a program, as its ``forward`` and the signatures in it tell them."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import typing
from collections.abc import Container, Iterator, Mapping
from typing import Any, NamedTuple

from pytest_pitcheval.errors import PitchevalError

_THOUGHTS = "reasoning"
"""What ChainOfThought puts before the outputs; nobody's answer."""


class Fields(NamedTuple):
    """Names of inputs and outputs, with their types."""

    inputs: dict[str, Any]
    outputs: dict[str, Any]


def method_of(program: Any) -> str:
    """The name of the method that answers."""
    return "forward" if hasattr(type(program), "forward") else "aforward"


def fields_of(target: str, program: Any) -> Fields:
    """Inputs and outputs of ``program``, which the user named ``target``.

    Inputs are the arguments that its ``forward`` needs; where it takes any, the inputs of its modules that none of
    them makes. Outputs are the fields of what ``forward`` returns as its source has it, else those of the last module.

    Raises:
        PitchevalError: it has no predictor, or its inputs cannot be told.
    """
    signatures = _signatures(program)
    if not signatures:
        raise PitchevalError(f"{target!r} has no predictor; expected a dspy.Module with one, such as dspy.Predict")
    made = {name: kind for signature in signatures.values() for name, kind in _kinds(signature.output_fields)}
    taken = {name: kind for signature in reversed(signatures.values()) for name, kind in _kinds(signature.input_fields)}
    inputs = _inputs(program, taken, made)
    if not inputs:
        raise PitchevalError(
            f"{target!r}: {method_of(program)} does not say what its inputs are; expected one with named arguments"
        )
    names = _returned(program, signatures) or list(_without(list(signatures.values())[-1].output_fields, [_THOUGHTS]))
    names = names or list(list(signatures.values())[-1].output_fields)
    return Fields(inputs, {name: made.get(name, str) for name in names})


def _kinds(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, field.annotation) for name, field in fields.items())


def _signatures(program: Any) -> dict[str, Any]:
    """The signatures of the outermost modules that have one, by path; what ReAct's predictors have is ReAct's."""
    every = {path: _signature(module) for path, module in program.named_sub_modules()}
    found: dict[str, Any] = {}
    for name, _ in program.named_predictors():  # in the order of their definition
        name = name.replace("'", "")  # DSPy writes the keys of a dict in two ways
        parts = f"self.{name}".split(".") if name != "self" else ["self"]
        paths = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        path = next((path for path in paths if every.get(path) is not None), None)
        if path is not None:
            found[path] = every[path]
    return found


def _signature(module: Any) -> Any:
    signature = getattr(module, "signature", None)
    return signature if isinstance(getattr(signature, "input_fields", None), Mapping) else None


def _without(fields: Mapping[str, Any], names: Container[str]) -> dict[str, Any]:
    return {name: kind for name, kind in fields.items() if name not in names}


def _inputs(program: Any, taken: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
    method = getattr(type(program), method_of(program))
    _, *parameters = inspect.signature(method).parameters.values()  # without self
    named = {one.name: one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    needed = [name for name, parameter in named.items() if parameter.default is parameter.empty]
    if not needed:
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        needed = [name for name in _without(taken, made) if takes_any or name in named] or list(named)
    hints = _hints(method)
    return {name: taken.get(name, hints.get(name, str)) for name in needed}


def _hints(method: Any) -> dict[str, Any]:
    """The annotations of a method, without those that hold for type checkers only."""
    try:
        return typing.get_type_hints(method)
    except Exception:  # one of them has a name that is imported for type checkers, or none at all
        return {name: kind for name, kind in _each_hint(method) if not isinstance(kind, str)}


def _each_hint(method: Any) -> Iterator[tuple[str, Any]]:
    namespace = vars(sys.modules.get(method.__module__, object))
    for name, text in getattr(method, "__annotations__", {}).items():
        try:
            yield name, eval(text, dict(namespace)) if isinstance(text, str) else text
        except Exception:
            yield name, text


def _returned(program: Any, signatures: Mapping[str, Any]) -> list[str]:
    """The fields of what ``forward`` returns: of a ``Prediction(...)``, or of the module whose answer it is."""
    if type(program).__module__.startswith("dspy."):
        return []
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(type(program), method_of(program)))))
    except (OSError, TypeError, SyntaxError):
        return []
    assigned = {
        node.targets[0].id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    names: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and node.value is not None:
            value = assigned.get(node.value.id) if isinstance(node.value, ast.Name) else node.value
            names |= dict.fromkeys(_fields_of_call(value, signatures))
    return list(names)


def _fields_of_call(value: ast.expr | None, signatures: Mapping[str, Any]) -> list[str]:
    if isinstance(value, ast.Await):
        value = value.value
    if not isinstance(value, ast.Call):
        return []
    called = ast.unparse(value.func).removesuffix(".acall").replace("'", "")
    if called.rpartition(".")[2] == "Prediction":
        given = [keyword.arg for keyword in value.keywords]
        return [name for name in given if name] if all(given) else []  # with ** there are others
    of_module = [signature for path, signature in signatures.items() if f"{path}.".startswith(f"{called}.")]
    return list(_without(of_module[-1].output_fields, [_THOUGHTS])) if of_module else []
