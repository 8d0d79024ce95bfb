"""Values for property tests: what runs leave, and what may happen to a file."""

from __future__ import annotations

from hypothesis import strategies as st

from pytest_pitcheval.names import ROLES
from pytest_pitcheval.records import Record, Usage

counts = st.integers(0, 10**9)
costs = st.none() | st.integers(0, 10**6).map(lambda cents: cents / 1024)  # sums of these are exact
usages = st.builds(Usage, counts, counts, counts, counts, counts, costs)

scores = st.floats(0, 1)
numbers = st.dictionaries(st.text(max_size=4), scores, max_size=3)
fingerprints = st.dictionaries(st.sampled_from(ROLES), st.sampled_from(["a", "b", "\u00e9\n"]))
records = st.builds(
    Record,
    nodeid=st.text(),
    test=st.text(),
    example_id=st.none() | st.text(),
    optimization=st.sampled_from(["none", "bootstrap", "mine:Optimizer"]),
    status=st.sampled_from(["passed", "failed", "error", "skipped"]),
    score=st.none() | scores,
    threshold=st.none() | scores,
    own_threshold=st.none() | scores,
    samples=st.lists(scores, max_size=3).map(tuple),
    metrics=numbers,
    feedback=st.none() | st.text(),
    error=st.none() | st.text(),
    rollout_id=st.text(),
    rollout_key=st.integers(0, 2**53 - 1),
    generator=usages,
    judge=usages,
    seconds=st.floats(0, 1e6),
    fingerprints=fingerprints,
    inputs=numbers,
    prediction=st.none() | numbers,
)
