"""A run as one HTML file that needs no other: what stands in it. How it looks is in ``templates/``."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.reports import exams
from pytest_pitcheval.reports.choosing.tables import tables
from pytest_pitcheval.reports.html import media, rows
from pytest_pitcheval.reports.html.groups import Group
from pytest_pitcheval.reports.run_reports import RunReport
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.aggregates import telling
from pytest_pitcheval.results.printable import INVISIBLE, visible
from pytest_pitcheval.storage.media import finder

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
_ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def render(report: RunReport, *directories: Path) -> str:
    """The whole file; ``directories`` may have its media, beside the one that the run file is in."""
    groups = [Group.of(report, summary) for summary in report.decision.summaries]
    style, script = template("report.css"), template("report.js")
    return (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            verdict=report.verdict(),
            groups=groups,
            metrics=list(dict.fromkeys(name for group in groups for name in group.metrics)),
            tests=list(dict.fromkeys(group.summary.test for group in groups)),
            side_by_side=tables(report.decision.methods),
            undefined=telling.undefined_together(
                (f"{one.test} {one.key.variant}", one.aggregates) for one in report.decision.summaries
            ),
            has_models=any(group.summary.key.models for group in groups),
            facts=list(_facts(report)),
            links=_links(report),
            style=style,
            script=script,
            style_hash=digest(style),
            script_hash=digest(script),
            data=embedded(data(report, *directories)),
        )
    )


def data(report: RunReport, *directories: Path) -> dict[str, Any]:
    """What the page's script gets."""
    examples = rows.rows(report)
    shown = media.embedded(examples, finder(report.file.path, *directories))
    return {"examples": examples, "media": shown, "baseline": report.baseline, "has_before": bool(report.before)}


def embedded(value: Any) -> str:
    """``value`` as JSON that can stand in a script element: no end tag, no comment, no line separator in it.

    Nor is anything that turns the direction of the text around it, or that cannot be seen.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return INVISIBLE.sub(lambda found: json.dumps(found[0])[1:-1], text).translate(_ESCAPED)


@functools.cache
def environment() -> Environment:
    """Of the templates: whatever is put in is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.globals["formats"] = formats
    environment.globals["count"] = formats.count
    environment.globals["exam_rows"] = exams.rows
    environment.globals["aggregate_rows"] = telling.rows
    return environment


def _shown(value: Any) -> Any:
    """What of ``value`` stands on the page, before it is escaped; markup stays what it is."""
    return visible(value) if type(value) is str else value


def template(name: str) -> str:
    """The text of a file of the templates."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """The name of an inline style or script in a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _links(report: RunReport) -> dict[str, str]:
    """By example (test, method, ID as one text), the fragment that opens it."""
    found = report.file.outcome.collected
    return {_link_key(one.test, one.key.variant, one.example_id or ""): one.nodeid for one in found}


def _link_key(test: str, method: str, example: str) -> str:
    return "\n".join((test, method, example))


def _facts(report: RunReport) -> Iterator[tuple[str, str]]:
    """What was run, with what: names and texts; what an older file does not tell is left out."""
    run = report.run
    yield "Run", run.id
    if times := run.times:
        yield "Started", f"{times[0]:%Y-%m-%d %H:%M:%S} UTC"
        yield "Took", formats.duration(times[1].total_seconds())
    if report.affected:
        yield "Changed since the baseline", report.affected
    if report.run.replayed:
        yield "Answers", report.run.replayed.text
    if report.budget:
        yield "Budget", report.budget.text.removeprefix("budget: ")
    if run.git.commit:
        dirty = ", with uncommitted changes" if run.git.dirty else ""
        yield "Commit", f"{run.git.commit[:12]}{f' on {run.git.branch}' if run.git.branch else ''}{dirty}"
    if run.generator_model:
        yield "Generator model", _model(run.generator_model, run.generator_temperature)
    if run.evaluator_model:
        yield "Evaluator model", _model(run.evaluator_model, run.evaluator_temperature)
    for name in ("rollouts", "train_size", "test_size", "seed", "replay_of", "resume_of"):
        if (value := getattr(run, name)) is not None:
            yield name.replace("_", " ").capitalize(), str(value)
    if run.argv:
        yield "Command", shlex.join(["pytest", *run.argv])
    if run.versions:
        yield "Versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())


def _model(name: str, temperature: float | None) -> str:
    return name if temperature is None else f"{name}, temperature {temperature}"
