"""What a pytest start imports of ours; which folder may import which other one is import-linter's business."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pytest_pitcheval

PACKAGE = "pytest_pitcheval"
NEEDED_AT_START = {
    *("fixtures", "garbage", "names", "ownership", "plugin", "state"),
    *(
        "options",
        "options.budget_options",
        "options.gate_options",
        "options.option",
        "options.registration",
        "options.table",
    ),
}
HEAVY = {"dspy", "filelock", "jinja2", "litellm", "mlflow", "numpy", "openai"}
HEAVY |= {"pyarrow", "pydantic", "scipy", "xllamacpp"}


def imported_with(*modules: str) -> set[str]:
    """The names of all modules that there are in a new process once ``modules`` are imported."""
    script = f"import sys, {', '.join(f'{PACKAGE}.{name}' for name in modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_pytest_start_imports_few_of_our_modules_and_nothing_heavy() -> None:
    imported = imported_with("plugin")
    ours = {name.removeprefix(f"{PACKAGE}.") for name in imported if name.startswith(f"{PACKAGE}.")}
    assert ours == NEEDED_AT_START
    assert not imported & HEAVY


def test_tests_of_one_process_without_limits_need_nothing_heavy_but_dspy() -> None:
    """Before DSPy is imported, which brings some of these itself."""
    imported = imported_with("evaluation.runner", "evaluation.hooks", "concurrency.limits.limiter", "session.display")
    assert f"{PACKAGE}.evaluation.ahead.lookahead" in imported
    assert not imported & (HEAVY | {"pyrate_limiter"})


def test_the_public_names_are_there_when_they_are_asked_for() -> None:
    for name in pytest_pitcheval.__all__:
        assert getattr(pytest_pitcheval, name).__name__ == name
        assert name in dir(pytest_pitcheval)
    with pytest.raises(AttributeError, match="no attribute 'Scores'"):
        pytest_pitcheval.Scores  # noqa: B018


def test_the_process_that_talks_to_mlflow_needs_neither_pytest_nor_lms() -> None:
    imported = imported_with("tracking.child")
    assert not imported & (HEAVY | {"pytest", f"{PACKAGE}.options", f"{PACKAGE}.lm"})
