"""The types of a program's inputs and outputs, by the names of its fields."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pytest_pitcheval.programs.attributes import is_field
from pytest_pitcheval.programs.typed.handed_on import Parameters, parameters_of

_NONE: Mapping[str, Any] = MappingProxyType({})


class FieldTypes(NamedTuple):
    """Annotations by name, of those fields of which it is plain which one they have."""

    inputs: Mapping[str, Any] = _NONE
    outputs: Mapping[str, Any] = _NONE


def field_types(program: Any) -> FieldTypes:
    """What ``program`` declares, or the predictors in it do: nothing of what is no module of DSPy's and no function.

    The signature of the program itself counts first, then the annotations of its ``forward``, then the fields of its
    predictors where those of one name agree. An input that ``forward`` makes use of itself has no type unless it
    declares one: it may be what is in the file that the code goes by.
    """
    with contextlib.suppress(Exception):  # whatever users' objects do when they are looked at is no error of a test
        return _field_types(program)
    return FieldTypes()


def _field_types(program: Any) -> FieldTypes:
    modules = list(_modules(program))
    signatures = [module.signature for module in modules if _has_signature(module)]
    inputs = _agreed(signature.input_fields for signature in signatures)
    outputs = _agreed(signature.output_fields for signature in signatures)
    if _has_signature(program):
        inputs |= _annotations(program.signature.input_fields)
        return FieldTypes(inputs, outputs | _annotations(program.signature.output_fields))
    for module in modules:
        parameters = parameters_of(module)
        if parameters is not None:
            inputs = {name: kind for name, kind in inputs.items() if not _has_its_own(parameters, name, kind)}
    own = parameters_of(program)
    return FieldTypes(inputs | (own.declared if own else {}), outputs)


def _has_its_own(parameters: Parameters, name: str, kind: Any) -> bool:
    """Whether a module on the way to the predictor takes something else than what the predictor takes."""
    return parameters.makes_use_of(name) or parameters.declared.get(name, kind) != kind


def _modules(program: Any) -> Iterator[Any]:
    if is_field(type(program), "named_sub_modules"):
        yield from (module for _, module in program.named_sub_modules())


def _has_signature(module: Any) -> bool:
    return isinstance(getattr(getattr(module, "signature", None), "input_fields", None), dict)


def _agreed(fields: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The annotations by name, without those of which there are several."""
    found: dict[str, Any] = {}
    several = set()
    for each in fields:
        for name, annotation in _annotations(each).items():
            if found.setdefault(name, annotation) != annotation:
                several.add(name)
    return {name: annotation for name, annotation in found.items() if name not in several}


def _annotations(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: field.annotation for name, field in fields.items()}
