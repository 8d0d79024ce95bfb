"""Gates on what got worse than in the baseline, and what it takes to establish that."""

from __future__ import annotations

from pytest_pitcheval.names import SCORE
from pytest_pitcheval.results import formats
from pytest_pitcheval.results.aggregates.changes import Change
from pytest_pitcheval.results.comparison import Comparison
from pytest_pitcheval.results.deciding.early.looking import Early
from pytest_pitcheval.results.deciding.evidence import Evidence
from pytest_pitcheval.results.deciding.reasons import Reason
from pytest_pitcheval.results.significance.exchange import rollouts_to_establish
from pytest_pitcheval.results.significance.families import Adjusted
from pytest_pitcheval.results.significance.looks import LOOKS
from pytest_pitcheval.results.significance.means import ALPHA, FEWEST
from pytest_pitcheval.results.significance.power import needed, smallest_drop
from pytest_pitcheval.results.subjects import Subject


def incomparable(comparison: Comparison) -> Reason | None:
    """Why a comparison cannot pass a gate, whatever its numbers: the mean of survivors must not."""
    if comparison.refused:
        return Reason("failed", None, comparison.refused)
    if comparison.unscored:
        lacking = formats.examples(comparison.unscored)
        return Reason("failed", None, f"no {comparison.metric} now, but in the baseline: {lacking}")
    if not comparison.pairs and comparison.unchanged:
        return Reason("passed", None, f"nothing to compare: {_unchanged(comparison)} unchanged since the baseline")
    if not comparison.pairs or comparison.result is None:
        return Reason("inconclusive", None, _nothing_shared(comparison))
    return None


def _nothing_shared(comparison: Comparison) -> str:
    if comparison.metric != SCORE and not (comparison.changed or comparison.removed or comparison.not_run):
        return f"the baseline has no {comparison.metric} of these examples; --eval-update-baseline writes it"
    return "no example is the same as in the baseline"


def regression(subject: Subject, comparison: Comparison, limit: float, evidence: Evidence) -> Reason:
    result = comparison.result
    assert result is not None  # else it is incomparable
    if early := evidence.early(subject):
        return _found_early(early)
    if comparison.left_out:
        return Reason("inconclusive", comparison.drop, f"not established before {_left_out(comparison)}")
    drop, adjusted = comparison.drop, evidence.of_mean(subject)
    text = describe_change(comparison, adjusted)
    if comparison.is_of_another:
        text += f" against {comparison.against!r}"
    if drop <= limit:
        return Reason("passed", drop, text, result.p_drop, adjusted)
    if adjusted.p < ALPHA:
        return Reason("failed", drop, text, result.p_drop, adjusted)
    text += f": not established; {describe_power(comparison, adjusted.alpha)}"
    return Reason("inconclusive", drop, text, result.p_drop, adjusted)


def of_whole_set(subject: Subject, change: Change, limit: float, evidence: Evidence) -> Reason:
    """A metric of the whole set against the baseline's."""
    if change.refusal is not None:
        return Reason(change.refusal.status, None, change.refusal.text)
    text = describe_whole_set(change, None if change.drop <= limit else evidence.of_mean(subject))
    if change.against != subject.key.variant:
        text += f" against {change.against!r}"
    if change.drop <= limit:
        return Reason("passed", change.drop, text)
    if change.p is None:
        text += ": not established, as one value takes too long for exchanges"
        return Reason("inconclusive", change.drop, text)
    adjusted = evidence.of_mean(subject)
    if adjusted.p < ALPHA:
        return Reason("failed", change.drop, text, change.p, adjusted)
    return Reason("inconclusive", change.drop, f"{text}: not established", change.p, adjusted)


def describe_whole_set(change: Change, adjusted: Adjusted | None) -> str:
    """``0.875, now 0.5, p = 0.002, 24 examples, 12 answered otherwise``; no p-value where it is not asked for."""
    p = [p_text(change.p, adjusted)] if adjusted is not None and change.p is not None else []
    otherwise = f"{change.moved} answered otherwise"
    told = [f"{change.before:.3g}, now {change.after:.3g}", *p, formats.count(change.examples), otherwise]
    return ", ".join(told)


def _found_early(early: Early) -> Reason:
    result = early.comparison.result
    assert result is not None  # else nothing is established
    text = f"{describe_change(early.comparison, early.adjusted)}, at the look after {early.after} of {early.of}"
    return Reason("failed", early.comparison.drop, text, result.p_drop, early.adjusted)


def _unchanged(comparison: Comparison) -> str:
    count = len(comparison.unchanged)
    return f"{formats.count(count)} {formats.are(count)}"


def _left_out(comparison: Comparison) -> str:
    count = len(comparison.left_out)
    return f"{formats.count(count)} {formats.were(count)} left out"


def describe_change(comparison: Comparison, adjusted: Adjusted | None = None) -> str:
    """``dropped by 0.442 (95 % 0.354 to 0.530), p < 0.001, 18 examples``; a share too where limits are shares."""
    result = comparison.result
    assert result is not None  # else there is nothing to tell
    if not result.difference:
        return f"no difference, {formats.count(result.examples)}"
    drop = -result.difference
    verb = "dropped" if (drop > 0) != comparison.lower_is_better else "rose"
    text = f"{verb} by {abs(drop):.3g}"
    if result.ci95:
        low, high = sorted((-1 if drop > 0 else 1) * bound for bound in result.ci95)
        text += f" (95 % {low:.3g} to {high:.3g})"
    if comparison.is_relative and comparison.mean_before:
        text += f", {abs(comparison.drop):.3g} of {comparison.mean_before:.3g}"
    if drop > 0:
        text += f", {p_text(result.p_drop, adjusted)}"
    return f"{text}, {formats.count(result.examples)}"


def p_text(alone: float, adjusted: Adjusted | None) -> str:
    """``p = 0.004``, and where there are other claims and looks ``p = 0.004, 0.080 among 20 at 4 looks``."""
    p = formats.p_value(alone)
    text = f"p {p}" if p.startswith("<") else f"p = {p}"
    if adjusted is None or (adjusted.among < 2 and adjusted.level == ALPHA):
        return text
    among = f" among {adjusted.among}" if adjusted.among > 1 else ""
    at_looks = f" at {LOOKS} looks" if adjusted.level < ALPHA else ""
    return f"{text}, {formats.p_value(adjusted.p)}{among}{at_looks}"


def describe_power(comparison: Comparison, alpha: float = ALPHA) -> str:
    """What a run of this size could have shown, and what it takes to establish this drop; empty where nothing varies.

    A drop is established by a p-value below ``alpha``.
    """
    if comparison.result is None or comparison.result.examples < FEWEST:
        return f"fewer than {FEWEST} examples show nothing"
    drop = -comparison.result.difference
    before, after = [pair.before for pair in comparison.pairs], [pair.after for pair in comparison.pairs]
    if comparison.lower_is_better:
        before, after = after, before
    smallest = smallest_drop([pair.change for pair in comparison.pairs], alpha)
    text = "" if smallest is None else f"with 80 % power this shows a drop of {smallest:.2g}"
    takes = needed(before, after, drop, alpha) if drop > 0 else None
    if takes is None or not any(takes) or takes.examples == len(before):  # that many could have shown it
        return text
    ways = [f"{takes.rollouts} rollouts both times"] if takes.rollouts else []
    ways += [f"{takes.examples} examples"] if takes.examples else []
    return f"{text}{'; ' if text else ''}this drop takes {' or '.join(ways)}"


def example_drop(subject: Subject, comparison: Comparison, limit: float, evidence: Evidence) -> Reason:
    fallen, verb = comparison.fallen(limit), "rose" if comparison.lower_is_better else "fell"
    worst = max(map(comparison.drop_of, comparison.pairs))
    if not fallen:
        text = f"none of {formats.count(len(comparison.pairs))} {verb} by more than that"
        if comparison.left_out:
            return Reason("inconclusive", worst, f"{text} before {_left_out(comparison)}")
        return Reason("passed", worst, text)
    found = {pair.example_id: evidence.of_example(subject, pair) for pair in fallen}
    broken = [pair for pair in fallen if found[pair.example_id].p < ALPHA]
    shown = max(broken or fallen, key=lambda pair: found[pair.example_id].p if broken else -found[pair.example_id].p)
    alone, adjusted = evidence.p(subject, shown), found[shown.example_id]
    text = f"{formats.count(len(broken or fallen))} {verb} by more than that"
    names = formats.examples([pair.example_id for pair in broken or fallen])
    if broken:
        most = " at most" if len(broken) > 1 else ""
        text += f": {names}, {p_text(alone, adjusted).replace('p ', f'p{most} ', 1)}"
        return Reason("failed", max(map(comparison.drop_of, broken)), text, alone, adjusted)
    enough = _enough_rollouts(adjusted.level / len(evidence), len(shown.before))
    text += f", not established: {names}; {enough} would do"
    return Reason("inconclusive", worst, text, alone, adjusted)


def _enough_rollouts(alpha: float, before: int) -> str:
    """``5 rollouts both times``, or ``3 rollouts now`` where the baseline has enough for that."""
    both = rollouts_to_establish(alpha)
    return f"{both} rollouts both times" if before <= both else f"{rollouts_to_establish(alpha, before)} rollouts now"
