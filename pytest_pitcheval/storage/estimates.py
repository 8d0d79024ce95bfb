"""What tests will take, by what they took before: from the run files of earlier sessions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.names import GENERATOR, JUDGE, TOKENS
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.keys import Key, Keyed
from pytest_pitcheval.results.records import Record, Usage
from pytest_pitcheval.settings.budgets import Price, dollars
from pytest_pitcheval.storage import run_files
from pytest_pitcheval.storage.run_info import RunInfo

_RUNS = 10
"""How many earlier runs are looked at, the newest first."""
_SAMPLE = 50
"""About how many examples of a test and method are a sample of it."""


class Wanted(NamedTuple):
    """A test that is going to run.

    ``rollouts``: how often its example is asked, ``judge_rollouts``: how often each answer is judged; None: as before.
    """

    nodeid: str
    key: Key
    rollouts: int | None = None
    judge_rollouts: int | None = None


def sample(wanted: Sequence[Wanted]) -> list[Wanted]:
    """As many of them as tell what all take: of each test and method some, evenly spread."""
    return [one for group in _groups(wanted) for one in group[:: math.ceil(len(group) / _SAMPLE)]]


def _groups(wanted: Iterable[Wanted]) -> list[list[Wanted]]:
    groups: dict[Key, list[Wanted]] = {}
    for one in wanted:
        groups.setdefault(one.key, []).append(one)
    return list(groups.values())


class Took(NamedTuple):
    """What tests take; ``cost`` in US dollars, None where it is not known; ``seconds`` one after the other."""

    calls: float = 0.0
    tokens: float = 0.0
    cost: float | None = 0.0
    seconds: float = 0.0

    def plus(self, other: Took) -> Took:
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Took(self.calls + other.calls, self.tokens + other.tokens, cost, self.seconds + other.seconds)

    def times(self, factor: float) -> Took:
        cost = None if self.cost is None else self.cost * factor
        return Took(self.calls * factor, self.tokens * factor, cost, self.seconds * factor)

    def text(self, concurrency: int) -> str:
        """``about 1,600 LM calls, 2.1M tokens, $3.20, 12 min``, with so many rollouts in flight."""
        cost = "cost not known" if self.cost is None else dollars(self.cost)
        seconds = formats.duration(self.seconds / concurrency)
        return f"about {round(self.calls):,} LM calls, {formats.tokens(round(self.tokens))} tokens, {cost}, {seconds}"


@dataclasses.dataclass(frozen=True)
class Estimate(Keyed):
    """What one test and method will take.

    Attributes:
        examples: how many of its tests are going to run.
        known: how many of them have run before; the others are taken to be like these.
        took: None where nothing is known.
    """

    test: str
    optimization: str
    examples: int
    known: int
    took: Took | None
    model: str = ""
    evaluator: str = ""


class Known(NamedTuple):
    """What program and judge took, for so many rollouts, with so many verdicts on each."""

    program: Took
    judge: Took
    rollouts: int
    judge_rollouts: int


class Before(NamedTuple):
    """What earlier runs know of tests, by node ID."""

    took: Mapping[str, Known]

    def of(self, wanted: Wanted) -> Took | None:
        """What the test will take by itself; None where it has not run before."""
        if (known := self.took.get(wanted.nodeid)) is None:
            return None
        rollouts = (wanted.rollouts or known.rollouts) / known.rollouts
        verdicts = rollouts * (wanted.judge_rollouts or known.judge_rollouts) / known.judge_rollouts
        return known.program.times(rollouts).plus(known.judge.times(verdicts))


def look_back(
    directory: Path,
    wanted: Iterable[Wanted],
    models: tuple[str | None, str | None],
    prices: Sequence[Price],
    most_bytes: float = math.inf,
) -> Before:
    """What the newest runs in ``directory`` know of ``wanted`` tests with the same ``models`` (generator and judge).

    What was answered from a cache tells nothing, nor does an example that was not scored. Runs that cannot be read are
    left out, and no more than ``most_bytes`` of files are read. Costs are as ``prices`` say now, where they name the
    models.
    """
    found: dict[str, Known] = {}
    asked = {one.nodeid: _models(one.key, *models) for one in wanted}
    unknown = set(asked)
    for path in list(reversed(run_files.all_runs(directory)))[:_RUNS]:
        try:
            most_bytes -= path.stat().st_size
            if not unknown or most_bytes < 0:
                break
            run, records = _read(path, unknown)
        except (PitchevalError, OSError):
            continue
        for nodeid, record in records.items():
            if _tells(record) and _models(record.key, *_named(run)) == asked[nodeid]:
                found[nodeid] = _known(record, run, prices)
        unknown -= found.keys()
    return Before(found)


def _read(path: Path, nodeids: set[str]) -> tuple[RunInfo, dict[str, Record]]:
    """A run, and its records of the tests ``nodeids`` alone: checking a record takes longer than all else."""
    document = files.read_json(path)
    run = run_files.run_of(document, path)
    tests = document.get("tests")
    rows = [row for row in tests if isinstance(row, dict)] if isinstance(tests, list) else []
    found = [run_files.record_from(row, f"{path}: tests") for row in rows if row.get("nodeid") in nodeids]
    return run, {record.nodeid: record for record in found}


def _named(run: RunInfo) -> tuple[str | None, str | None]:
    return run.generator_model, run.evaluator_model


def _models(key: Key, generator: str | None, evaluator: str | None) -> tuple[str | None, str | None]:
    """A test's generator and judge: its own where the session has several, else those that the session has."""
    return key.model or generator, key.evaluator or evaluator


def _tells(record: Record) -> bool:
    measured = record.metrics.get(TOKENS, (0.0,))
    return record.score is not None and record.usage.fresh > 0 and None not in measured and not record.left_out


def _known(record: Record, run: RunInfo, prices: Sequence[Price]) -> Known:
    generator, judge = _models(record.key, *_named(run))
    models = {GENERATOR: generator, JUDGE: judge or generator}
    parts = {part: _took(getattr(record, part), record, model, prices) for part, model in models.items()}
    verdicts = max([1, *map(len, record.verdicts)])
    return Known(parts[GENERATOR], parts[JUDGE], max(1, len(record.samples)), verdicts)


def _took(usage: Usage, record: Record, model: str | None, prices: Sequence[Price]) -> Took:
    """A part of what a record took; of its seconds as much as of its calls."""
    seconds = record.seconds * usage.fresh / record.usage.fresh
    return Took(usage.fresh, usage.prompt_tokens + usage.completion_tokens, _cost(usage, model, prices), seconds)


def _cost(usage: Usage, model: str | None, prices: Sequence[Price]) -> float | None:
    price = next((price for price in prices if price.holds_for(model or "")), None)
    return usage.cost if price is None else price.of(usage.prompt_tokens, usage.completion_tokens)


def estimate(wanted: Iterable[Wanted], before: Before) -> list[Estimate]:
    """What the ``wanted`` tests will take, by test and method in their order."""
    return [_of_group(group, before) for group in _groups(wanted)]


def _of_group(group: Sequence[Wanted], before: Before) -> Estimate:
    known = [took for one in group if (took := before.of(one)) is not None]
    took = total(known).times(len(group) / len(known)) if known else None
    return Estimate(**group[0].key._asdict(), examples=len(group), known=len(known), took=took)


def total(parts: Iterable[Took]) -> Took:
    """What they take together."""
    whole = Took()
    for part in parts:
        whole = whole.plus(part)
    return whole
