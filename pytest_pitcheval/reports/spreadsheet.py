"""A run as a table for spreadsheets: CSV with a row for each rollout, in which nothing is a formula."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_pitcheval.options.numbers import NUMBER
from pytest_pitcheval.reports.run_reports import by_rollout
from pytest_pitcheval.results.collected import Collected
from pytest_pitcheval.results.media import FOLDER, file_name, is_medium
from pytest_pitcheval.results.plain import Bounds, plain
from pytest_pitcheval.results.printable import printable
from pytest_pitcheval.results.records import Record
from pytest_pitcheval.storage.run_files import RunFile

MARK = "\ufeff"
"""The byte order mark, without which Excel reads UTF-8 as the encoding that the machine had before."""

_CHARACTERS = 16_000
"""Of a text in a cell, each of which may take two of the 32,767 units that Excel's cells hold."""

_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
"""What formulas begin with, full-width forms too."""

_FORMULA = re.compile(rf"\s*[{_SIGNS}]|\t")
_LATER_FORMULA = re.compile(rf"([;\t\n])(?=[^\S;\t\n]*[{_SIGNS}][^;\t\n]*[(|!\[])")
"""A formula that calls or refers to something, where a reader that expects semicolons would begin a new cell."""

Row = Mapping[str, Any]


def table(file: RunFile, tests: Sequence[Collected]) -> Iterator[str]:
    """The lines of the table: a head, then a row for each rollout of ``tests``, and one for what has none.

    ``score`` is an example's, ``sample`` that of one rollout.
    """
    bounds = Bounds(50, 1 << 62, _CHARACTERS, f", all in {file.path.name}")
    names = list(dict.fromkeys(name for row in _rows(file, tests) for name in row))
    columns = sorted(names, key=lambda name: _ORDER.index(name.partition(".")[0]))
    yield _line(columns, bounds)
    for row in _rows(file, tests):
        yield _line([row.get(name) for name in columns], bounds)


_ORDER = (
    *("test", "optimization", "model", "evaluator", "example_id", "rollout", "status", "score", "sample", "verdicts"),
    "threshold",
    *("inputs", "labels", "prediction", "feedback", "metrics", "error", "nodeid"),
)
"""The columns; those of fields are ``inputs.question``."""


def _rows(file: RunFile, tests: Iterable[Collected]) -> Iterator[Row]:
    for test in tests:
        record = file.outcome.records.get(test.nodeid)
        about = {**test.key.to_dict(), "example_id": test.example_id}
        if record is None:
            reason = file.outcome.missing[test.nodeid].reason
            yield {**about, "status": "missing", "error": reason, "nodeid": test.nodeid}
        else:
            yield from ({**about, **row} for row in _rollouts(file.whole(record)))


def _rollouts(record: Record) -> Iterator[Row]:
    for number, rollout in enumerate(by_rollout(record), 1):
        yield {
            "rollout": number,
            "status": record.status,
            "score": record.score,
            "sample": rollout.score,
            **({"verdicts": list(rollout.verdicts)} if rollout.verdicts else {}),
            "threshold": record.threshold,
            **_named("inputs", record.inputs),
            **_named("labels", record.labels),
            **_named("prediction", rollout.prediction or {}),
            "feedback": rollout.feedback,
            **_named("metrics", rollout.metrics),
            "error": record.error,
            "nodeid": record.nodeid,
        }


def _named(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{kind}.{name}": value for name, value in fields.items()}


def _line(cells: Iterable[Any], bounds: Bounds) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cell(value, bounds) for value in cells)
    return line.getvalue()


def _as_text(value: Any) -> str:
    """A picture as the path of its file, anything else as JSON."""
    return f"{FOLDER}/{file_name(value)}" if is_medium(value) else json.dumps(value, ensure_ascii=False)


def cell(value: Any, bounds: Bounds) -> str:
    """A plain value as a spreadsheet is to read it.

    Numbers stay numbers; an apostrophe stands before what would be a formula.
    """
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).upper()
    if isinstance(value, (int, float)):
        return repr(value)
    text = printable(value if isinstance(value, str) else _as_text(value))
    if _FORMULA.match(text) and not NUMBER.fullmatch(text):
        text = f"'{text}"
    return str(plain(_LATER_FORMULA.sub(r"\1'", text), bounds))
