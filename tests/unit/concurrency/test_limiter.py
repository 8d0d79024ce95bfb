"""Pauses that a provider asks for, shared by the processes of a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_pitcheval.concurrency.limits.limiter import Limiter


def limiter(folder: Path | None) -> Limiter:
    return Limiter((), folder, lambda: False, patience=300)


def test_a_pause_holds_for_all_processes(tmp_path: Path) -> None:
    first, second = limiter(tmp_path), limiter(tmp_path)
    assert not second.holds_for("m")
    first.pause(300)
    assert first.holds_for("m")
    assert second.holds_for("m")


@pytest.mark.parametrize("seconds", [301, 86_400, 1e300])
def test_nobody_pauses_longer_than_patience(tmp_path: Path, seconds: float) -> None:
    alone, shared = limiter(None), limiter(tmp_path)
    alone.pause(seconds)
    shared.pause(seconds)
    assert not alone.holds_for("m")
    assert not shared.holds_for("m")


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '"soon"', "null"])
def test_a_damaged_pause_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "pause.json").write_text(text, encoding="utf-8")
    assert not limiter(tmp_path).holds_for("m")


def test_where_a_pause_cannot_be_written_down_it_holds_here(tmp_path: Path) -> None:
    found = limiter(tmp_path / "a file" / "below")
    (tmp_path / "a file").touch()
    found.pause(300)
    assert found.holds_for("m")
