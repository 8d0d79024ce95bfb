"""JUnit XML: the properties of one test, and what a whole session adds to the file that pytest has written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from pytest_pitcheval import files, outputs
from pytest_pitcheval.credentials.hiding import redact
from pytest_pitcheval.names import SCORE
from pytest_pitcheval.reports.choosing.tables import tables
from pytest_pitcheval.results.deciding.decisions import Decision
from pytest_pitcheval.results.deciding.gates import GateResult
from pytest_pitcheval.results.records import Record, Usage, total

PREFIX = "pitcheval."
"""What the names of properties begin with."""

_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 has no form for, and DEL, which pytest replaces too."""


def properties(record: Record) -> list[tuple[str, str]]:
    """Names and texts for the ``<testcase>`` of ``record``; what is not known is left out."""
    return _named(
        {
            "score": record.score,
            "threshold": record.threshold,
            "rollout_id": record.rollout_id,
            "optimization": record.optimization,
            "model": record.model or None,
            "evaluator": record.evaluator or None,
            "example_id": record.example_id,
            **_spent(record.usage),
            "seconds": record.seconds,
            **{f"metric.{name}": value for name, value in record.further.items()},
            **{f"label.{name}": value for name, value in record.short_labels.items()},
        }
    )


def totals(run_id: str, records: Iterable[Record]) -> list[tuple[str, str]]:
    """Names and texts for the ``<testsuite>``: ``records`` counted by outcome, and what they took together."""
    found = list(records)
    count = Counter(record.status for record in found)
    return _named(
        {
            "run_id": run_id,
            "examples": len(found),
            "scored": sum(record.score is not None for record in found),
            "passed": count["passed"],
            "failed": count["failed"],
            "errors": count["error"],
            "skipped": count["skipped"],
            "left_out": sum(record.left_out is not None for record in found),
            "unchanged": sum(record.is_unchanged for record in found),
            "asked": sum(not record.is_unchanged for record in found),
            **_spent(total(record.usage for record in found)),
            "seconds": sum((record.seconds for record in found), 0.0),
        }
    )


def means(decision: Decision) -> list[tuple[str, str]]:
    """Names and texts for the ``<testsuite>``: the mean of each metric and slice of each test and method."""
    found: dict[str, float | str | None] = {}
    for summary in decision.summaries:
        about = summary.key.name
        found |= {f"metric.{name} {about}": one.mean for name, one in decision.metrics_of(summary).items()}
        found |= {f"aggregate.{name} {about}": one.value for name, one in summary.aggregates.items()}
        found |= {f"slice.{one.slice} {about}": one.mean for one in summary.slices}
        shares = summary.noise.shares if summary.noise else {}
        found |= {f"noise.{source} {about}": share for source, share in shares.items()}
        told = summary.exam.told if summary.exam else {}
        found |= {f"judge.{name} {about}": figure.value for name, figure in told.items()}
    worth = {one.key.name: one.worth for one in decision.methods if one.worth}
    found |= {f"cost_of_a_point {name}": one.cost for name, one in worth.items()}
    found |= {f"choice {table.name}": table.words for table in tables(decision.methods)}
    return _named(found)


def _spent(usage: Usage) -> dict[str, Any]:
    return {
        "fresh_calls": usage.fresh,
        "cached_calls": usage.cached,
        "failed_calls": usage.failed,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost": usage.cost,
        "embeddings": usage.embeddings or None,
    }


def _named(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(escape(f"{PREFIX}{name}"), str(value)) for name, value in values.items() if value is not None]


def amend(
    path: Path,
    run_id: str,
    records: Iterable[Record],
    decision: Decision,
    hidden: Sequence[str] = (),
    told: Mapping[str, str | None] = MappingProxyType({}),
) -> None:
    """Add totals, means and a failed testcase for each failed gate to the file at ``path``; remove the nameless.

    ``hidden`` are credentials that were not known yet when pytest heard of some tests, ``told`` is what else is told
    of the run, by name.

    What is no regular file, such as a pipe, cannot be read back and stays as pytest has written it.

    Raises:
        OSError: it cannot be read or written.
        ElementTree.ParseError: it is not what pytest writes.
    """
    if outputs.is_special(path):
        return
    root = ElementTree.parse(path).getroot()
    suite = root.find("testsuite")
    if suite is None:
        raise ElementTree.ParseError("expected a <testsuite> in it")
    _remove_nameless(suite)
    _hide(suite, hidden)
    _add_properties(suite, [*totals(run_id, records), *means(decision), *_named(told)])
    _add_failed(suite, [gate for gate in decision.gates if gate.status == "failed"])
    text = ElementTree.tostring(root, encoding="unicode")
    files.write_output(path, f'<?xml version="1.0" encoding="utf-8"?>{text}')


def _remove_nameless(suite: Element) -> None:
    """What pytest leaves of a test whose worker crashed, where it was run again: no name, no outcome, not counted."""
    for case in suite.findall("testcase"):
        if "name" not in case.attrib:
            suite.remove(case)


def _hide(suite: Element, hidden: Sequence[str]) -> None:
    """In what tests have said; the names of tests stay as they are."""
    for element in suite.iter() if hidden else ():
        element.text = redact(element.text, hidden)
        for attribute in {"message", "value"} & set(element.attrib):
            element.set(attribute, redact(element.attrib[attribute], hidden))


def _add_properties(suite: Element, named: Iterable[tuple[str, str]]) -> None:
    """To those that ``record_testsuite_property`` has put there, if any."""
    parent = suite.find("properties")
    if parent is None:
        parent = Element("properties")
        suite.insert(0, parent)
    for name, value in named:
        ElementTree.SubElement(parent, "property", name=name, value=escape(value))


def _add_failed(suite: Element, gates: list[GateResult]) -> None:
    for gate in gates:
        about = [*([] if gate.metric == SCORE else [gate.metric]), *([] if gate.slice is None else [gate.slice])]
        name = escape(" ".join([gate.gate, *about, gate.key.name]))
        case = ElementTree.SubElement(suite, "testcase", classname="pitcheval.gates", name=name, time="0.000")
        ElementTree.SubElement(case, "failure", message=escape(gate.text)).text = escape(gate.text)
    for counted in ("tests", "failures"):
        suite.set(counted, str(int(suite.get(counted, "0")) + len(gates)))


def escape(text: str) -> str:
    """``text`` with what XML cannot hold made visible, as pytest does it: ``#x1B``."""
    return _NOT_XML.sub(lambda found: f"#x{ord(found[0]):02X}", text)
