"""Values for property tests: what runs leave, and what may happen to a file."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from pytest_pitcheval.names import BUDGET, DECIDED, ROLES, UNCHANGED
from pytest_pitcheval.results.baselines import GROUP_ROLES, Measurement, Measurements
from pytest_pitcheval.results.collected import Requirements
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record, Usage

counts = st.integers(0, 10**9)
costs = st.none() | st.integers(0, 10**6).map(lambda cents: cents / 1024)  # sums of these are exact
usages = st.builds(Usage, counts, counts, counts, counts, counts, costs)

scores = st.floats(0, 1)
numbers = st.dictionaries(st.text(max_size=4), scores, max_size=3)
by_rollout = st.dictionaries(
    st.text(max_size=4), st.lists(st.none() | scores, min_size=1, max_size=3).map(tuple), max_size=3
)
fingerprints = st.dictionaries(st.sampled_from(ROLES), st.sampled_from(["a", "b", "\u00e9\n"]))
later_rollouts = st.fixed_dictionaries({"prediction": st.none() | numbers, "feedback": st.none() | st.text()})
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
    metrics=by_rollout,
    feedback=st.none() | st.text(),
    error=st.none() | st.text(),
    rollout_id=st.text(),
    rollout_key=st.integers(0, 2**53 - 1),
    generator=usages,
    judge=usages,
    seconds=st.floats(0, 1e6),
    fingerprints=fingerprints,
    inputs=numbers,
    labels=numbers,
    prediction=st.none() | numbers,
    later_rollouts=st.lists(later_rollouts, max_size=2).map(tuple),
    left_out=st.sampled_from([None, DECIDED, BUDGET, UNCHANGED]),
    verdicts=st.lists(st.lists(scores, min_size=2, max_size=3).map(tuple), max_size=2).map(tuple),
)

limits = st.dictionaries(st.sampled_from(["min_mean", "max_regression"]), numbers)
requirements = st.builds(
    Requirements,
    gates=limits,
    lower_is_better=st.lists(st.text(max_size=4), max_size=2).map(tuple),
    slices=st.dictionaries(st.text(max_size=4), limits, max_size=2),
    must_pass=st.none() | st.text(max_size=4),
)

texts = st.text(max_size=6) | st.sampled_from(
    ["", '"', "a\\nb", "\n", "\r\n", "\u2028", "{", "t.py::test[a-b]", "\x00", "0"]
)
"""Names that a user may give, or a file may have: any, and some that have broken file formats before."""

times = st.sampled_from(["", "20261120T010203.000001Z", "20261126T010203.000001Z", "20261126T040506.000001Z"])


@st.composite
def _measurement(draw: st.DrawFn) -> Measurement:
    samples = draw(st.lists(st.floats(-1, 2), min_size=1, max_size=3))
    each = st.lists(st.none() | st.floats(-1, 2), min_size=len(samples), max_size=len(samples)).map(tuple)
    runs = tuple(sorted(draw(st.lists(times, min_size=len(samples), max_size=len(samples)))))
    return Measurement(
        tuple(samples),
        draw(st.none() | st.text(min_size=1, max_size=4)),
        draw(st.dictionaries(st.text(max_size=4), each, max_size=3)),
        runs if any(runs) else (),
    )


@st.composite
def _measurements(draw: st.DrawFn) -> Measurements:
    """What a run or several have measured; some of them with other fingerprints than the newest."""
    examples = draw(st.dictionaries(texts, _measurement(), max_size=4))
    fingerprints = st.dictionaries(st.sampled_from(GROUP_ROLES), texts.filter(bool))
    runs = Measurements(examples).runs
    earlier = draw(st.dictionaries(st.sampled_from(runs), fingerprints.filter(bool))) if runs else {}
    return Measurements(examples, draw(fingerprints), earlier)


measurements = _measurements()
keys = st.tuples(texts, texts).map(lambda two: Key(*two)) | st.builds(
    Key,
    st.sampled_from(["t.py::test", "t.py::other"]),
    st.sampled_from(["none", "simba"]),
    st.sampled_from(["", "openai/a", "local:/models/a b.gguf"]),
    st.sampled_from(["", "openai/j"]),
)
baselines = st.dictionaries(keys, measurements, max_size=4)

odd_numbers = st.sampled_from([0, -1, 1.5, 2**53, 10**400, -(10**400), 1e308, -1e308, 5e-324])
json_leaves = st.none() | st.booleans() | odd_numbers | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    json_leaves | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)

ODD_JSON = [
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "9" * 5000,
    '"\\ud800"',
    "[" * 300 + "]" * 300,
    "[" * 900 + "]" * 900,
    "[" * 90_000,
    '{"a":' * 300 + "1" + "}" * 300,
]
"""Values that Python would not write, as text."""


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> str:
    """``document`` as JSON, with something wrong with it: in a value, in the text, or in both."""
    document = copy.deepcopy(document)
    marks: dict[str, str] = {}
    for _ in range(draw(st.integers(0, 2))):
        place, key = draw(st.sampled_from(list(places(document)) or [([None], 0)]))
        kind = draw(st.sampled_from(["drop", "replace", "rename", "raw"]))
        if kind == "replace":
            place[key] = draw(json_values)
        elif kind == "raw":
            marks[f"raw {len(marks)}"] = draw(st.sampled_from(ODD_JSON))
            place[key] = f"raw {len(marks) - 1}"
        else:
            value = place.pop(key)
            if kind == "rename" and isinstance(place, dict):
                place[draw(texts)] = value
    text = json.dumps(document, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
    for mark, raw in marks.items():
        text = text.replace(f'"{mark}"', raw)
    return draw(damaged_text(text))


@st.composite
def damaged_text(draw: st.DrawFn, text: str) -> str:
    """``text``, as it is or with a part of it gone or replaced."""
    kind = draw(st.sampled_from(["whole", "whole", "cut", "garbage", "twice"]))
    start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    if kind == "cut":
        return text[:end]
    if kind == "garbage":
        return text[:start] + draw(texts) + text[end:]
    return text + text if kind == "twice" else text


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key or index in ``value``."""
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, item in items:
        yield value, key
        yield from places(item)
