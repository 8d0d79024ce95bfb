"""What the tests of a run left: its records, what is missing, and what that measured. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pytest_pitcheval.names import LeftOut
from pytest_pitcheval.results.aggregates.aggregating import Aggregating
from pytest_pitcheval.results.aggregates.computation import Find
from pytest_pitcheval.results.baselines import Baseline, Measurements, fingerprints_of, measure
from pytest_pitcheval.results.collected import Collected
from pytest_pitcheval.results.comparison import Coverage
from pytest_pitcheval.results.exams.corrected import Corrected
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record
from pytest_pitcheval.results.subjects import Slice, Subject, slices_of
from pytest_pitcheval.results.summaries import summarizing
from pytest_pitcheval.results.summaries.summary import Missing


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What the tests of a run left.

    Attributes:
        collected: its evaluation tests, in their order.
        records: by node ID, those that left one.
        missing: by node ID, the others.
        not_run: by test and method, the examples of the dataset that were not collected.
        gone: the slices that the baseline had, and no example has any more, as far as a run file tells them.
        held: judges' exams from before the run, whose answers it did not put to the judge.
        corrected: means without the errors of judges, as far as a run file tells them.
        aggregating: computes metrics of the whole set; None of a run that has none.
    """

    collected: Sequence[Collected]
    records: Mapping[str, Record]
    missing: Mapping[str, Missing]
    not_run: Mapping[Key, Sequence[str]] = dataclasses.field(default_factory=dict)
    gone: Mapping[Key, Sequence[Slice]] = dataclasses.field(default_factory=dict)
    held: Baseline = dataclasses.field(default_factory=dict)
    corrected: Mapping[Key, Corrected] = dataclasses.field(default_factory=dict)
    aggregating: Aggregating | None = None

    def finding(self, find: Find) -> Outcome:
        """The same, with users' own metrics of the whole set."""
        return dataclasses.replace(self, aggregating=self.aggregating and self.aggregating.finding(find))

    def measured(self, with_unchanged: bool = False) -> dict[Key, Measurements]:
        """What scored examples measured, slices, and judges' exams; ``with_unchanged``: and what is known of others."""
        slices: dict[Key, dict[str, tuple[str, ...]]] = {}
        for key, _, one in self.members():
            if one is not None and one.value:
                group = slices.setdefault(key, {})
                group[one.label] = (*group.get(one.label, ()), one.value)
        found = measure(self.records.values(), with_unchanged)
        scores = {key: dataclasses.replace(group, slices=slices.get(key, {})) for key, group in found.items()}
        return scores | self.exams()

    def exams(self) -> dict[Key, Measurements]:
        """The exams of its judges: of this run, or those that it holds on to."""
        tests = [test for test in self.collected if test.asked.exam]
        found = {}
        for summary in summarizing.summarize(tests, self.records, self.missing) if tests else ():
            records = [record for record in self.records.values() if record.key == summary.key]
            if summary.exam is not None:
                found[summary.key] = Measurements({}, fingerprints_of(records), exam=summary.exam)
            elif (held := self.held.get(summary.key)) and held.exam and summary.asked.exam and not summary.cut_off:
                exam = dataclasses.replace(held.exam, limits=summary.asked.exam.limits)
                found[summary.key] = dataclasses.replace(held, exam=exam)
        return found

    def coverage(self) -> dict[Key, Coverage]:
        """What was collected and what was not, by test and method."""
        groups: dict[Key, dict[str, None]] = {}  # a set that keeps the order
        for test in self.collected:
            groups.setdefault(test.key, {})[test.example_id or ""] = None
        left_out: dict[Key, dict[str, LeftOut]] = {}
        for record in self.records.values():
            if record.left_out:
                left_out.setdefault(record.key, {})[record.example_id or ""] = record.left_out
        return {
            key: Coverage(ids, frozenset(self.not_run.get(key, ())), left_out.get(key, {}))
            for key, ids in groups.items()
        }

    def ended(self) -> dict[Key, set[str]]:
        """The examples that have a record, other than those that were left out and nothing is known of."""
        found: dict[Key, set[str]] = {}
        for record in self.records.values():
            if record.is_unchanged or not record.left_out:
                found.setdefault(record.key, set()).add(record.example_id or "")
        return found

    def members(self) -> dict[Subject, dict[str, None]]:
        """The collected examples of each slice that markers ask for."""
        return {
            subject: {test.example_id or "": None for test in tests}
            for subject, tests in self.tests().items()
            if subject.slice is not None
        }

    def tests(self) -> dict[Subject, list[Collected]]:
        """The collected tests of each group, and of each of its slices."""
        groups: dict[Key, list[Collected]] = {}
        for test in self.collected:
            groups.setdefault(test.key, []).append(test)
        found = {}
        for key, group in groups.items():
            found[Subject(key)] = group
            found |= {Subject(key, slice=one): tests for one, tests in slices_of(group).items()}
        return found
