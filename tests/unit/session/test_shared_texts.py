"""What workers send again and again is kept once."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pitcheval.session.shared_texts import SharedTexts


def fresh(text: str) -> str:
    """An equal text that is another object, as messages are unpacked."""
    return "".join(list(text))


def report(when: Any) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=fresh("test_a.py::test_a[e0]"),
        location=(fresh("test_a.py"), 3, fresh("test_a[e0]")),
        keywords={fresh("test_a[e0]"): 1, fresh("evaluation"): 1},
        outcome="passed",
        longrepr=None,
        when=when,
        user_properties=[(fresh("pitcheval.score"), fresh("0.5")), (fresh("own"), [1])],
    )


def test_reports_say_what_they_said() -> None:
    texts, reports = SharedTexts(), [report(when) for when in ("setup", "call", "teardown")]
    before = [dict(vars(one)) for one in reports]
    for one in reports:
        texts.share(one)
    assert [vars(one) for one in reports] == before


def test_what_is_equal_is_one_object() -> None:
    texts, reports = SharedTexts(), [report(when) for when in ("setup", "call", "teardown")]
    for one in reports:
        texts.share(one)
    first, *others = reports
    for other in others:
        assert other.nodeid is first.nodeid
        assert other.location is first.location
        assert other.keywords is first.keywords
        assert other.user_properties[0] is first.user_properties[0]


def test_keywords_that_differ_stay_apart() -> None:
    texts, one, other = SharedTexts(), report("setup"), report("call")
    other.keywords = {"another": 1}
    texts.share(one)
    texts.share(other)
    assert set(one.keywords) == {"test_a[e0]", "evaluation"}
    assert other.keywords == {"another": 1}
