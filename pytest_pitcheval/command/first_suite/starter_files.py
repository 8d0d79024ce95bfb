"""The files of a new suite: names and fields in, texts out. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from pytest_pitcheval.command.first_suite.folders import IGNORED
from pytest_pitcheval.command.first_suite.placeholders import has_model, placeholder

EXAMPLES, TRAINING = 10, 4
"""How many placeholders are in the two datasets; no example is in both."""


@dataclasses.dataclass(frozen=True)
class Starter:
    """What a new suite is for.

    Attributes:
        module, attribute: where the program's class is, or the program itself.
        program: the expression that is the program, where ``attribute`` is imported.
        method: that of the program which is called with the inputs: ``forward`` or ``aforward``.
        name: an identifier for the test.
        is_typed_by_method: whether that has the types of inputs which no predictor has.
        inputs, outputs: the fields, with their types.
        ini: what stands in ``pytest.ini``, by key.
    """

    module: str
    attribute: str
    program: str
    method: str
    is_typed_by_method: bool
    name: str
    inputs: Mapping[str, object]
    outputs: Mapping[str, object]
    ini: Mapping[str, str]

    @property
    def loader(self) -> str:
        """The module that loads examples where they hold models."""
        return f"{self.name}_examples"

    @property
    def models(self) -> dict[str, object]:
        """The inputs whose JSON values must be made pydantic models."""
        return {name: kind for name, kind in self.inputs.items() if has_model(kind)}


def files(starter: Starter) -> dict[str, str]:
    """The texts of the suite's files, by path in its folder."""
    loader = {f"{starter.loader}.py": _loader(starter)} if starter.models else {}
    return {
        ".gitignore": IGNORED,
        "pytest.ini": _ini(starter),
        "conftest.py": _conftest(starter),
        **loader,
        f"test_{starter.name}.py": _test(starter),
        "data/test.jsonl": _rows(starter, range(1, EXAMPLES + 1)),
        "data/train.jsonl": _rows(starter, range(EXAMPLES + 1, EXAMPLES + TRAINING + 1)),
    }


def _ini(starter: Starter) -> str:
    return "[pytest]\n" + "".join(f"{key} = {value}\n" for key, value in starter.ini.items())


def _rows(starter: Starter, numbers: range) -> str:
    rows = (
        {
            "id": f"placeholder-{number}",
            **{name: placeholder(kind, name, number) for name, kind in starter.inputs.items()},
            **dict.fromkeys(starter.outputs),
        }
        for number in numbers
    )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _names(names: Mapping[str, object]) -> str:
    return ", ".join(json.dumps(name) for name in names)


_TEST = '''"""Is the program good enough? A test for each row of data/test.jsonl: placeholders, replace them."""

{imports}

@pytest.mark.evaluation(
    {dataset},
    inputs=[{inputs}],
    threshold=0.5,  # the lowest score that passes
    min_mean=0.8,  # gate: the lowest mean score of all examples
)
def test_{name}(score):
    assert score >= score.threshold
'''


def _test(starter: Starter) -> str:
    imports, dataset = "import pytest\n", '"data/test.jsonl"'
    if starter.models:
        imports = f"import pytest\nfrom {starter.loader} import load_examples\n"
        dataset = 'lambda: load_examples("test.jsonl")'
    return _TEST.format(imports=imports, dataset=dataset, name=starter.name, inputs=_names(starter.inputs))


_CONFTEST = '''"""What is tested, and how it is scored: a start, to be changed."""

{imports}

OUTPUTS = [{outputs}]


@pytest.fixture(scope="session")
def program():
    return {program}


@pytest.fixture(scope="session")
def metric():
    return contains_expected


@pytest.fixture(scope="session")
def trainset():
    """What optimizers learn from (--optimization=bootstrap); its rows are placeholders: replace them."""
    {trainset}


def contains_expected(example, pred, trace=None):
    """The share of the outputs that are right, 0 to 1.

    A text is right if the example's value for it stands in it, in capitals or not; anything else if it is equal.
    Where the example has no value (null), whatever is not empty is right: so write values into the rows.
    """
    found = {{name: pred.get(name) if hasattr(pred, "get") else pred for name in OUTPUTS}}
    wrong = [name for name in OUTPUTS if not is_right(example.get(name), found[name])]
    feedback = [f"{{name}} is {{found[name]!r}}, expected {{example.get(name)!r}}" for name in wrong]
    feedback += [f"the example has no {{name}} to compare with" for name in OUTPUTS if example.get(name) is None]
    return dspy.Prediction(score=1 - len(wrong) / len(OUTPUTS), feedback="; ".join(feedback) or "as expected")


def is_right(expected, found):
    if expected is None:
        return found not in (None, "", [], {{}})
    if isinstance(found, str):
        return str(expected).lower() in found.lower()
    return to_jsonable_python(found) == expected
'''

_TRAINSET = """lines = (Path(__file__).parent / "data/train.jsonl").read_text(encoding="utf-8").splitlines()
    return [dspy.Example(json.loads(line)).with_inputs({inputs}) for line in lines]"""


def _conftest(starter: Starter) -> str:
    imports = ["import dspy", "import pytest", "from pydantic_core import to_jsonable_python", ""]
    imports.append(f"from {starter.module} import {starter.attribute}")
    if starter.models:
        imports.insert(3, f"from {starter.loader} import load_examples")
        trainset = 'return load_examples("train.jsonl")'
    else:
        imports = ["import json", "from pathlib import Path", "", *imports]
        trainset = _TRAINSET.format(inputs=_names(starter.inputs))
    return _CONFTEST.format(
        imports="\n".join(imports), outputs=_names(starter.outputs), program=starter.program, trainset=trainset
    )


_LOADER = '''"""The examples in data/, with models made of what JSON has for them."""

import json
from pathlib import Path
{typing}
import dspy
from pydantic import TypeAdapter

from {module} import {attribute}

MODELS = [{models}]


def load_examples(name):
    program = {program}
    kinds = {kinds}
    for predictor in reversed(program.predictors()):
        kinds |= {{field: info.annotation for field, info in predictor.signature.input_fields.items()}}
    examples = []
    for line in (Path(__file__).parent / "data" / name).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        row |= {{field: TypeAdapter(kinds[field]).validate_python(row[field]) for field in MODELS}}
        examples.append(dspy.Example(row).with_inputs({inputs}))
    return examples
'''


def _loader(starter: Starter) -> str:
    return _LOADER.format(
        module=starter.module,
        attribute=starter.attribute,
        program=starter.program,
        typing="from typing import get_type_hints\n" if starter.is_typed_by_method else "",
        kinds=f"get_type_hints(type(program).{starter.method})" if starter.is_typed_by_method else "{}",
        models=_names(starter.models),
        inputs=_names(starter.inputs),
    )
