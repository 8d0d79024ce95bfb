"""What scores come from: all code that a program leads to, in whatever file, and nothing that is beside it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_pitcheval.programs.origins.origins import Origins, Unseen

FILES = {
    "programs.py": """
import dspy
import kit.late_words as late_words
import kit.numbers as figures
from kit import clean as tidy
from kit.words import *
from kit.settings import LIMIT, Options
from kit.registry import REGISTRY
import kit.plugins

try:
    from kit.fast import speed
except ImportError:
    from kit.slow import speed


class First(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        from kit import late
        words = late_words.Registry.found["loud"]() + late.word() + str(figures.double(LIMIT))
        return self.ask(question=tidy(question) + SUFFIX + words)


class Second(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")
        self.options = Options()

    def forward(self, question):
        return REGISTRY["upper"](question) + speed()


def metric(example, pred, trace=None):
    return figures.half(len(pred.answer)) > 1


def unused():
    return "nobody asks"
""",
    "kit/__init__.py": """
from .text import clean
from . import deep, text
""",
    "kit/text.py": """
from . import deep


def clean(text):
    return deep.strip(text)


def other(text):
    return text
""",
    "kit/deep.py": """
def strip(text):
    # Without blanks
    return text.strip()
""",
    "kit/numbers.py": """
FACTOR = 2


def double(number):
    return FACTOR * number


def half(number):
    return number / 2
""",
    "kit/words.py": """
SUFFIX = "?"
PREFIX = "!"
""",
    "kit/settings.py": """
import dataclasses
import os
from pathlib import Path

LIMIT = len(Path(__file__).with_name("limit.txt").read_text())


@dataclasses.dataclass
class Options:
    style: str = "short"

    def text(self):
        return os.environ.get("STYLE", self.style)
""",
    "kit/limit.txt": "four",
    "kit/registry.py": """
REGISTRY = {}


def register(function):
    REGISTRY[function.__name__] = function
    return function
""",
    "kit/plugins.py": """
from kit.registry import register


@register
def upper(text):
    return text.upper()
""",
    "kit/late.py": """
import kit.text
from kit.late_words import ENDINGS


def word():
    return kit.text.other("late") + ENDINGS
""",
    "kit/slow.py": """
def speed():
    return "slow"
""",
    "kit/late_words.py": """
class Registry:
    found = {}

    @classmethod
    def add(cls, function):
        cls.found[function.__name__] = function
        return function


@Registry.add
def loud():
    return "loud"


ENDINGS = "."
""",
}


class Project:
    """The user's files in a folder, imported afresh each time."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._monkeypatch, self._count = folder, monkeypatch, 0
        monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def origin(self, files: Mapping[str, str] = FILES, of: str = "First", module: str = "programs") -> str:
        """That of an object of ``module``: of a class, an instance."""
        self._count += 1
        root = self._folder / str(self._count)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.forget()
        with self._monkeypatch.context() as patch:
            patch.syspath_prepend(root)
            found: Any = getattr(importlib.import_module(module), of)
            return Origins().of_objects(found() if isinstance(found, type) else found)

    @staticmethod
    def forget() -> None:
        """Its modules are imported anew."""
        for name in [name for name in sys.modules if name.partition(".")[0] in ("programs", "kit")]:
            del sys.modules[name]

    def changes(self, file: str, old: str, new: str, of: str = "First") -> bool:
        """Whether it is another one where ``old`` becomes ``new``."""
        assert FILES[file].count(old) == 1
        return self.origin(of=of) != self.origin({**FILES, file: FILES[file].replace(old, new)}, of)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    yield Project(tmp_path, monkeypatch)
    Project.forget()


EDITS = {
    "itself": ("programs.py", "tidy(question) + SUFFIX", "SUFFIX + tidy(question)", {"First"}),
    "another program of its file": ("programs.py", 'REGISTRY["upper"]', 'REGISTRY["upper" ]', {"Second"}),
    "a function that nobody calls": ("programs.py", "nobody asks", "nobody", set()),
    "an imported function's own helper": ("kit/deep.py", "text.strip()", "text.rstrip()", {"First"}),
    "what the helper is beside": ("kit/text.py", "    return text\n", "    return text + text\n", {"First"}),
    "a name that stands in another's package": ("kit/__init__.py", "import clean", "import other as clean", {"First"}),
    "a module by another name": ("kit/numbers.py", "FACTOR * number", "number * FACTOR", {"First"}),
    "a constant that a helper uses": ("kit/numbers.py", "FACTOR = 2", "FACTOR = 3", {"First"}),
    "what the metric uses of the same module": ("kit/numbers.py", "number / 2", "number / 3", {"metric"}),
    "a name of an import of all": ("kit/words.py", '"?"', '"??"', {"First"}),
    "another name of that": ("kit/words.py", '"!"', '"!!"', set()),
    "a file that a constant was read from": ("kit/limit.txt", "four", "fives", {"First"}),
    "a class of data": ("kit/settings.py", '"short"', '"long"', {"Second"}),
    "what was registered from elsewhere": ("kit/plugins.py", "text.upper()", "text.title()", {"Second"}),
    "a module that is imported late": ("kit/late.py", '"late"', '"later"', {"First"}),
    "what was put into a class": ("kit/late_words.py", 'return "loud"', 'return "louder"', {"First"}),
    "an import in place of another": ("kit/slow.py", '"slow"', '"slower"', {"Second"}),
    "a remark": ("kit/deep.py", "# Without blanks", "# No blanks\n    # at all", set()),
}


@pytest.mark.parametrize(("file", "old", "new", "changed"), EDITS.values(), ids=EDITS)
def test_what_an_edit_changes(project: Project, file: str, old: str, new: str, changed: set[str]) -> None:
    assert {of for of in ("First", "Second", "metric") if project.changes(file, old, new, of)} == changed


def test_a_variable_of_the_environment_counts_where_its_name_is_written(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for value in ("a", "b"):
        monkeypatch.setenv("STYLE", value)
        found.append([project.origin(of=of) for of in ("First", "Second")])
    assert found[0][0] == found[1][0]
    assert found[0][1] != found[1][1]


def test_a_changed_state_counts(project: Project) -> None:
    text = FILES["programs.py"]
    other = text.replace(
        '"question -> answer")\n        self.options', '"question -> answer", "Be brief.")\n        self.options'
    )
    assert text != other
    assert project.origin(of="Second") != project.origin({**FILES, "programs.py": other}, "Second")


def test_it_makes_no_difference_whether_a_module_that_is_imported_late_has_been_already(project: Project) -> None:
    """As another program may have done."""
    beside = {**FILES, "kit/registry.py": "import kit.late\n" + FILES["kit/registry.py"]}
    assert project.origin(beside) == project.origin()


UNSEEN = {
    "a module whose name is made": 'importlib.import_module("kit." + question)',
    "a module that is no text": 'importlib.import_module("kit.broken")',
}


@pytest.mark.parametrize("call", UNSEEN.values(), ids=UNSEEN)
def test_what_cannot_be_followed_is_told(project: Project, call: str) -> None:
    text = f"import importlib\n\n\ndef metric(question):\n    return {call}\n"
    with pytest.raises(Unseen, match=r"programs\.py: it imports a module|broken\.py: SyntaxError"):
        project.origin({**FILES, "programs.py": text, "kit/broken.py": "def"}, "metric")


def test_what_has_too_many_parts_is_told(project: Project) -> None:
    text = "MANY = {n: [n] for n in range(16_000)}\n\n\ndef metric(example, pred):\n    return MANY[pred]\n"
    with pytest.raises(Unseen, match="more than can be described"):
        project.origin({"programs.py": text}, "metric")


def test_the_modules_of_a_library_count_by_its_version(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import yaml\nimport json\n\n\ndef metric(example, pred):\n    return yaml.safe_load(json.dumps(pred))\n"
    first = project.origin({"programs.py": text}, "metric")
    import pytest_pitcheval.programs.origins.origins as module

    monkeypatch.setattr(module, "_version", lambda package: {"yaml": "99"}.get(package))
    assert project.origin({"programs.py": text}, "metric") != first


MAKERS = """
from kit.build import build
from kit.numbers import double

SIZE = 3
PROGRAMS = {"first": double, "second": print}


def program(request):
    return build(SIZE, PROGRAMS[request])
"""
BUILD = """
class Client:
    def __init__(self, size):
        self.size = size


def build(size, kind):
    return Client(size=size + 1), kind
"""


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("programs.py", "SIZE = 3", "SIZE = 4", True),
        ("kit/build.py", "size=size + 1", "size=size", True),
        ("kit/build.py", "self.size = size", "self.size = 2 * size", False),
        ("kit/numbers.py", "FACTOR = 2", "FACTOR = 3", False),
    ],
    ids=["a constant", "a function that it calls", "a class", "what it chooses from"],
)
def test_makers_count_with_what_they_call(
    project: Project, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str, changed: bool
) -> None:
    files = {**FILES, "programs.py": MAKERS, "kit/build.py": BUILD}
    of_makers: Callable[..., str] = lambda self, *values, **_: self.of_makers(values)  # noqa: E731
    monkeypatch.setattr(Origins, "of_objects", of_makers)
    assert files[file].count(old) == 1
    edited = {**files, file: files[file].replace(old, new)}
    assert (project.origin(files, "program") != project.origin(edited, "program")) is changed
