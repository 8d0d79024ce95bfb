"""Reads pytest's JUnit XML files, which must be valid."""

from __future__ import annotations

import functools
from pathlib import Path
from xml.etree import ElementTree

import xmlschema

_LEGACY = ("file", "line")
"""Attributes that pytest gives a testcase in the families before xunit2; no schema knows them."""


@functools.cache
def schema() -> xmlschema.XMLSchema:
    """What CI servers accept."""
    return xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


def read_suite(path: Path, legacy: bool = False) -> ElementTree.Element:
    """The one suite of the file at ``path``."""
    root = ElementTree.parse(path).getroot()
    for case in root.iter("testcase") if legacy else ():
        assert all(case.attrib.pop(name, None) for name in _LEGACY if case.get("classname") != "pitcheval.gates")
    schema().validate(root)
    [suite] = root
    return suite


def properties_of(element: ElementTree.Element) -> dict[str, str]:
    """The properties of a suite or a test, by name."""
    return {one.get("name", ""): one.get("value", "") for one in element.iterfind("properties/property")}


def counts_of(suite: ElementTree.Element) -> dict[str, int]:
    """What the suite says of itself; and what is in it, which must be the same."""
    said = {name: int(suite.get(name, "")) for name in ("tests", "failures", "errors", "skipped")}
    assert said == {
        "tests": len(suite.findall("testcase")),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    return said
