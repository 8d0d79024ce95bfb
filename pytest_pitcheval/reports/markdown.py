"""A run as GitHub's markdown, for a comment on a pull request or the summary of a step. Hostile text stays text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pytest_pitcheval.reports import exams, run_reports
from pytest_pitcheval.reports.choosing.tables import Row, tables
from pytest_pitcheval.reports.run_reports import RunReport
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.aggregates import telling
from pytest_pitcheval.results.baselines import Measurement
from pytest_pitcheval.results.comparison import Comparison, Pair
from pytest_pitcheval.results.deciding.gates import GateResult
from pytest_pitcheval.results.records import total
from pytest_pitcheval.results.summaries.summary import Summary

COMMENT_LIMIT = 65_536
"""Characters of the longest comment. Bytes are counted here, which are never fewer."""

_WORST = 10
_LONGEST = 160
_WORDS = 1_000
_COUNTS = ("scored", "known", "mean", "value", "of", "passed", "against the baseline", "baseline", "now", "change")
_NUMBERS = (*_COUNTS, "difference", "p", "cost/point", "cost/verdict", "seconds")
_SPECIAL = re.compile(r"[\\`*\[\]<>|#@!~&$]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""What markdown could make something of; ``_`` within a word is nothing, and the last two would begin a link."""

_MARKS = {"passed": "✅", "failed": "❌", "inconclusive": "❔", "unfinished": "❔"}

Table = tuple[Sequence[str], list[Sequence[str]]]
"""A head, and rows of cells that are markdown already."""


def code(text: str, most: int = _LONGEST) -> str:
    """``text`` as what it is, at most so many characters of it: in code, GitHub makes no links, mentions or images.

    Every mark that means something to markdown is an entity, which cannot: a code span of backticks would leave
    the cell of a table at a ``|``.
    """
    line = " ".join("".join(character if _is_visible(character) else " " for character in text).split())
    line = line if len(line) <= most else line[: most - 1] + "…"
    return f"<code>{_SPECIAL.sub(lambda found: f'&#{ord(found[0])};', line)}</code>" if line else ""


def _is_visible(character: str) -> bool:
    """No control characters, and none that turn the direction of what follows."""
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def render(report: RunReport, link: str | None = None, limit: int = COMMENT_LIMIT) -> str:
    """The report in at most ``limit`` bytes of UTF-8; rows are left out for that, and counted.

    ``link`` is where the whole report is.
    """
    text, end = "\n\n".join([*_head(report), ""]), _end(report, link)
    return text + "".join(_blocks(list(_tables(report)), limit - _size(text) - _size(end))) + end


def _blocks(tables: Sequence[tuple[str, Table]], room: int) -> list[str]:
    """The tables in their order; where there is no room for all, each gets its share and what others leave."""
    smallest_first = sorted(range(len(tables)), key=lambda position: len(tables[position][1][1]))
    blocks = [""] * len(tables)
    for done, position in enumerate(smallest_first):
        blocks[position] = _block(*tables[position], room // (len(tables) - done))
        room -= _size(blocks[position])
    return blocks


def _size(text: str) -> int:
    return len(text.encode("utf-8"))


def _block(title: str, table: Table, room: int) -> str:
    """As many rows as there is room for, under their title, and how many are left out; nothing without any room."""
    head, rows = table
    aligned = ["---:" if name in _NUMBERS else "---" for name in head]
    lines = [f"### {title}", "", _row(head), _row(aligned)] if title else [_row(head), _row(aligned)]
    left = room - _size("\n".join(lines)) - _size(_left_out(len(rows))) - 2
    if left < 0:
        return ""
    shown = 0
    for row in map(_row, rows):
        left -= _size(row) + 1
        if left < 0:
            break
        lines.append(row)
        shown += 1
    return "\n".join(lines) + "\n" + (_left_out(len(rows) - shown) if shown < len(rows) else "") + "\n"


def _left_out(rows: int) -> str:
    return f"\n{formats.count(rows, 'more row')} left out.\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _head(report: RunReport) -> Iterator[str]:
    verdict = report.verdict()
    yield f"## {_MARKS[verdict.status]} pitcheval: {verdict.status}"
    yield ", ".join(verdict.reasons) + "."
    if report.affected:
        yield f"{code(report.affected)}."
    if report.budget:
        yield f"{code(report.budget.text)}."
    if report.run.replayed:
        yield f"{code(report.run.replayed.text)}."
    for remark in total(summary.usage for summary in report.decision.summaries).remarks:
        yield f"{remark}."
    yield from _notes(report)
    yield from (f"{code(table.test)}: {code(table.words, _WORDS)}." for table in tables(report.decision.methods))
    named = ((f"{code(one.test)} {code(one.key.variant)}", one.aggregates) for one in report.decision.summaries)
    for text, names in telling.undefined_together(named).items():
        yield f"{formats.some(names)}: {code(text)}."
    if report.baseline is not None:
        yield f"Compared with {code(report.baseline)}."
        if tests := report.decision.tests_not_run:
            yield f"In the baseline but not run: {formats.some([code(test) for test in tests])}."


def _notes(report: RunReport) -> Iterator[str]:
    """A line for each note, with the tests and methods that it is about."""
    noted = [one for one in (*report.decision.summaries, *(report.decision.comparisons or ())) if one.note]
    for note in dict.fromkeys(one.note for one in noted):
        groups = [f"{code(one.test)} {code(one.key.variant)}" for one in noted if one.note == note]
        yield f"{formats.some(groups)}: {note}."


def _tables(report: RunReport) -> Iterator[tuple[str, Table]]:
    if report.decision.summaries:
        rows: list[Sequence[str]] = [_result(report, summary) for summary in report.decision.summaries]
        yield "", (("test", "method", "scored", "mean", "passed", "against the baseline", "gates"), rows)
    for table in tables(report.decision.methods):
        title, rows = f"{table.head.models.capitalize()}s", [_beside(table.test, row) for row in table.rows]
        yield f"{title} beside {code(table.first)}", (("test", *table.head), rows)
    if metrics := list(_metrics(report)):
        yield "Metrics", (("metric", "test", "method", "known", "mean"), metrics)
    if whole := list(_aggregates(report)):
        yield "Metrics of the whole set", (("whole set", "test", "method", "of", "value", "by rollout"), whole)
    if slices := list(_slices(report)):
        yield "Slices", (("slice", "test", "method", "scored", "mean", "passed"), slices)
    if judged := list(_exams(report)):
        yield "Judges", ((exams.HEAD.figure, "test", *exams.HEAD[1:]), judged)
    gates = [gate for gate in report.decision.gates if gate.status != "passed"]
    if gates:
        yield "Gates that did not pass", (("gate", "test", "method", "result", "why"), [_gate(gate) for gate in gates])
    fallen = [
        (pair, comparison)
        for comparison in report.decision.comparisons or ()
        if comparison.is_whole
        for pair in run_reports.moved(comparison)[0]
    ]
    if fallen:
        worst = sorted(fallen, key=lambda found: found[0].change)[:_WORST]
        head = ("example", "test", "method", "baseline", "now", "change")
        yield f"Worst regressions ({len(worst)} of {len(fallen)})", (head, [_fallen(*one) for one in worst])


def _result(report: RunReport, summary: Summary) -> Sequence[str]:
    """What one test and method came to."""
    gates = Counter(gate.status for gate in report.gates_of(summary))
    return (
        code(summary.test),
        code(summary.key.variant),
        f"{summary.scored}/{summary.examples}",
        _with_interval(formats.number(summary.mean), formats.interval(summary.ci95)),
        formats.percent(summary.pass_rate),
        _difference(report.comparison_of(summary.key)),
        ", ".join(f"{number} {status}" for status, number in sorted(gates.items())),
    )


def _beside(test: str, row: Row) -> Sequence[str]:
    return code(test), *row._replace(models=code(row.models), what=code(row.what), cost=code(row.cost))


def _metrics(report: RunReport) -> Iterator[Sequence[str]]:
    for summary in report.decision.summaries:
        for name, one in report.decision.metrics_of(summary).items():
            mean = _with_interval(formats.measure(one.mean), formats.measures(one.ci95))
            about = code(name), code(summary.test), code(summary.key.variant)
            yield *about, f"{one.scored}/{summary.examples}", mean


def _aggregates(report: RunReport) -> Iterator[Sequence[str]]:
    for summary in report.decision.summaries:
        for row in telling.rows(summary.aggregates):
            about = code(row.whole), code(summary.test), code(summary.key.variant)
            yield *about, row.of, _with_interval(row.value, row.interval), row.rollouts


def _exams(report: RunReport) -> Iterator[Sequence[str]]:
    for summary in report.decision.summaries:
        for row in exams.rows(summary.exam) if summary.exam else ():
            yield code(row.figure), code(f"{summary.test} {summary.key.models}"), *row[1:]


def _slices(report: RunReport) -> Iterator[Sequence[str]]:
    for summary in report.decision.summaries:
        for one in summary.slices:
            mean = _with_interval(formats.number(one.mean), formats.interval(one.ci95))
            about = code(str(one.slice)), code(summary.test), code(summary.key.variant)
            yield *about, one.scored_text, mean, formats.percent(one.pass_rate)


def _with_interval(value: str, interval: str) -> str:
    return value if interval == "-" else f"{value} [{interval}]"


def _difference(compared: Comparison | None) -> str:
    if compared is None:
        return "-"
    if compared.result is None:
        return "not compared"
    result = compared.result
    return _with_interval(f"{result.difference:+.3f}", formats.interval(result.ci95, signed=True))


def _gate(gate: GateResult) -> Sequence[str]:
    name = code(gate.name)
    return name, code(gate.test), code(gate.key.variant), gate.status, code(gate.reason)


def _fallen(pair: Pair, compared: Comparison) -> Sequence[str]:
    before, after = Measurement(pair.before).score, Measurement(pair.after).score
    name = code(pair.example_id) or "the test itself"
    numbers = (formats.number(before), formats.number(after), f"{pair.change:+.3f}")
    return name, code(compared.test), code(compared.key.variant), *numbers


def _end(report: RunReport, link: str | None) -> str:
    """What was run, and where the whole report is."""
    run, lines = report.run, [f"Run {code(report.run.id)}"]
    if run.git.commit:
        lines[0] += f", commit {code(run.git.commit[:12])}"
    models = {"generator": run.generator_model, "evaluator": run.evaluator_model}
    lines += [f"{role} {code(model)}" for role, model in models.items() if model]
    return ", ".join(lines) + (f"\n\nReport: {code(link)}" if link else "") + "\n"
