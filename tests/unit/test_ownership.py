"""Which tests are the plugin's business: told by what they ask for."""

from __future__ import annotations

import pytest

from pytest_pitcheval.ownership import fixture_names, is_watched, params_of


def test_a_test_without_our_fixtures_is_none_of_ours(request: pytest.FixtureRequest) -> None:
    assert not is_watched(request.node)


@pytest.mark.parametrize("name", ["a", "b"])
def test_its_parameters_and_fixtures_are_known(request: pytest.FixtureRequest, name: str) -> None:
    assert params_of(request.node) == {"name": name}
    assert set(fixture_names(request.node)) == {"request", "name"}
