from __future__ import annotations

from conftest import Suite


def test_scores_every_example(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    run = suite.run(*plugin_args)
    run.result.assert_outcomes(passed=3)
    assert [test["score"] for test in run.tests] == [0.75] * 3
    assert len(run.by("generator")) == len(run.by("judge")) == 3
