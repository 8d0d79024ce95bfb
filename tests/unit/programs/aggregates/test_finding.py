"""The fixture ``aggregates`` found again by where it stands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_pitcheval.programs.aggregates.finding import Functions
from pytest_pitcheval.results.aggregates.answered import Answered
from pytest_pitcheval.results.aggregates.computation import Item, Undefined

ITEMS = [Item(Answered("e0", {}, {}, ()), {"topic": "a"})]
CONFTEST = """
import pytest

from shared_of_this_test import HALF


@pytest.fixture(scope="session")
def aggregates():
    return {"half": lambda examples, predictions: HALF, "f1": "f1_macro"}


@pytest.fixture(scope="module", name="aggregates")
def _others():
    yield {"two": lambda examples, predictions: 2}


class TestX:
    name = "of the class"

    @pytest.fixture(scope="class")
    def aggregates(self):
        return {"length": lambda examples, predictions: len(self.name)}


if HALF:

    @pytest.fixture(scope="session")
    def conditional():
        return {"yes": lambda examples, predictions: 1}


def broken():
    raise RuntimeError


@pytest.fixture
def raising():
    broken()
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite that nobody has imported, and ``sys.path`` as it was."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "tests" / "shared_of_this_test.py").write_text("HALF = 0.5\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ("aggregates", "half", 0.5),
        ("_others", "two", 2.0),
        ("TestX.aggregates", "length", 12.0),
        ("conditional", "yes", 1.0),
    ],
)
def test_a_fixture_is_called_without_pytest(root: Path, place: str, name: str, value: float) -> None:
    find = Functions(root, 60.0)
    assert find(f"tests/conftest.py::{place}", name)(ITEMS).value([0]) == value


@pytest.mark.parametrize(
    ("source", "name", "reason"),
    [
        ("tests/conftest.py::aggregates", "whole", "gives no function 'whole' here"),
        ("tests/conftest.py::aggregates", "f1", "gives no function 'f1' here"),
        ("tests/elsewhere.py::aggregates", "half", "there is no tests/elsewhere.py below"),
        ("../outside.py::aggregates", "half", "there is no ../outside.py below"),
        ("tests/conftest.py::gone", "half", "has no fixture gone any more"),
        ("tests/conftest.py::broken", "half", "has no fixture broken any more"),
        ("tests/shared_of_this_test.py::HALF", "half", "has no fixture HALF any more"),
        ("tests/conftest.py::raising", "half", "cannot be called: RuntimeError"),
        ("no_such_package_at_all::aggregates", "half", "there is no no_such_package_at_all, whose fixture"),
        ("shutil::rmtree", "half", "shutil has no fixture rmtree any more"),
    ],
)
def test_what_is_not_there_is_told(root: Path, source: str, name: str, reason: str) -> None:
    (root.parent / "outside.py").write_text(CONFTEST, encoding="utf-8")
    with pytest.raises(Undefined, match=reason):
        Functions(root, 60.0)(source, name)


def test_a_file_that_has_no_such_fixture_is_not_imported(root: Path) -> None:
    (root / "wipe.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    with pytest.raises(Undefined, match="has no fixture aggregates any more"):
        Functions(root, 60.0)("wipe.py::aggregates", "half")


def test_a_package_is_imported_by_its_name(root: Path) -> None:
    folder = root / "suite_of_this_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "other.py").write_text("QUARTER = 0.25\n", encoding="utf-8")
    text = CONFTEST.replace("from shared_of_this_test import HALF", "from .other import QUARTER as HALF")
    (folder / "conftest.py").write_text(text, encoding="utf-8")
    find = Functions(root, 60.0)
    assert find("suite_of_this_test/conftest.py::aggregates", "half")(ITEMS).value([0]) == 0.25
    assert sys.modules.pop("suite_of_this_test.conftest")
    del sys.modules["suite_of_this_test"], sys.modules["suite_of_this_test.other"]
