"""The names of options."""

from __future__ import annotations

import pytest

from pytest_pitcheval.options.table import INI_ONLY, LM_ARGUMENTS, OPTIONS
from pytest_pitcheval.settings.parsers import PARSERS

PROMISED = [
    "--optimization",
    "--generator-model",
    "--evaluator-model",
    "--train-size",
    "--test-size",
    "--save-program",
    "--eval-rollouts",
    "--eval-threshold",
    "--eval-replay",
    "--eval-recompile",
    "--eval-baseline",
    "--eval-update-baseline",
    "--eval-max-regression",
    "--eval-json",
    "--eval-html",
    "--eval-markdown",
    "--eval-timeout",
    "--eval-dir",
]


def test_the_promised_options_are_there() -> None:
    assert set(PROMISED) <= {option.flag for option in OPTIONS}


def test_no_two_options_share_a_name() -> None:
    names = [*(option.name for option in OPTIONS), *LM_ARGUMENTS]
    assert len(set(names)) == len(names)


def test_every_dest_is_our_own(pytestconfig: pytest.Config) -> None:
    """A second plugin with the same one would stop every pytest start."""
    registered = vars(pytestconfig.option)
    for option in OPTIONS:
        assert f"pitcheval_{option.name}" in registered
        assert option.name not in registered


def test_options_beyond_the_first_ones_say_whose_they_are() -> None:
    assert {option.flag for option in OPTIONS if not option.flag.startswith("--eval-")} == set(PROMISED[:6])


def test_there_is_a_parser_for_the_values_of_every_option() -> None:
    assert {option.kind for option in (*OPTIONS, *INI_ONLY)} == set(PARSERS)
