"""The order of examples with ``--eval-stop``: random, so that the first ones speak for all."""

from __future__ import annotations

import pytest

from pytest_pitcheval.collection.collected import asked_by
from pytest_pitcheval.ownership import is_ours
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.significance.looks import in_order
from pytest_pitcheval.settings.settings import Settings


def put_in_random_order(items: list[pytest.Item], settings: Settings) -> None:
    """Change the places of each test's examples among each other; all else stays where it is.

    The seed alone says which order, so that all workers have the same.
    """
    groups: dict[Key, list[int]] = {}
    for position, item in enumerate(items):
        if is_ours(item) and asked_by(item, settings).row is not None:
            groups.setdefault(asked_by(item, settings).about.key, []).append(position)
    for key, positions in groups.items():
        of_group = [items[position] for position in positions]
        ids = [asked_by(item, settings).about.example_id or "" for item in of_group]
        places = {example_id: place for place, example_id in enumerate(in_order(settings.seed, key.test, ids))}
        ordered = sorted(zip(ids, of_group, strict=True), key=lambda found: places[found[0]])
        for position, (_, item) in zip(positions, ordered, strict=True):
            items[position] = item
