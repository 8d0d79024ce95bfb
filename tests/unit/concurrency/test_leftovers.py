"""Folders of killed sessions: those of nobody go, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_pitcheval.concurrency import leftovers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process IDs and links of POSIX")


@pytest.fixture
def gone() -> int:
    """The ID of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    (made / "collected.json").write_text("{}", encoding="utf-8")
    return made


def test_a_folder_of_nobody_goes(tmp_path: Path, gone: int) -> None:
    left = folder(tmp_path, leftovers.name(gone))
    leftovers.hold(left).release()
    leftovers.clear(tmp_path)
    assert not left.exists()


def test_the_folder_of_a_running_process_stays(tmp_path: Path) -> None:
    own = folder(tmp_path, leftovers.name(os.getpid()))
    leftovers.clear(tmp_path)
    assert own.exists()


def test_a_folder_that_a_worker_still_uses_stays(tmp_path: Path, gone: int) -> None:
    """Its controller is gone, or has an ID of another machine's, as in a container that shares the folder."""
    used = folder(tmp_path, leftovers.name(gone))
    lock = leftovers.hold(used)
    leftovers.clear(tmp_path)
    assert used.exists()
    lock.release()
    leftovers.clear(tmp_path)
    assert not used.exists()


@pytest.mark.parametrize(
    "name", ["pitcheval-{}", "pitcheval-{}-short", "other-{}-0123456789abcdef", "pitcheval-{}-0123456789abcdef-gw0"]
)
def test_what_is_named_otherwise_stays(tmp_path: Path, gone: int, name: str) -> None:
    other = folder(tmp_path, name.format(gone))
    leftovers.clear(tmp_path)
    assert other.exists()


def test_a_link_or_a_file_of_that_name_stays(tmp_path: Path, gone: int) -> None:
    (tmp_path / "below").mkdir()
    target = folder(tmp_path, "somewhere")
    link, file = tmp_path / "below" / leftovers.name(gone), tmp_path / "below" / leftovers.name(gone)
    link.symlink_to(target)
    file.write_text("a file", encoding="utf-8")
    leftovers.clear(tmp_path / "below")
    assert link.is_symlink()
    assert file.exists()
    assert (target / "collected.json").exists()


def test_a_folder_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    leftovers.clear(tmp_path / "not there")
