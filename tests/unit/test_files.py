"""Files: whole or not at all, and errors of one line."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import pytest

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_writes_into_folders_that_are_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    files.write_atomically(path, "caf\u00e9\n")
    assert path.read_bytes() == b"caf\xc3\xa9\n"


def test_replaces_a_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "old and longer")
    files.write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_text_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        files.write_atomically(path, "new \ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("write_document", [files.write_json, files.write_rows])
@pytest.mark.parametrize("document", [{"mean": float("nan")}, {"tests": [{"score": float("inf")}]}])
def test_a_value_that_is_not_json_leaves_the_old_file(
    tmp_path: Path, write_document: Callable[[Path, Any], None], document: Any
) -> None:
    path = write(tmp_path / "a.json", "{}")
    with pytest.raises(ValueError, match="JSON"):
        write_document(path, document)
    assert path.read_text(encoding="utf-8") == "{}"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_atomically(tmp_path / "a.txt", "")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_json_can_be_read_back_and_in_a_diff(tmp_path: Path) -> None:
    document = {"name": "caf\u00e9", "scores": [0.1, None]}
    path = tmp_path / "a.json"
    files.write_json(path, document)
    assert files.read_json(path) == document
    text = path.read_text(encoding="utf-8")
    assert "caf\u00e9" in text
    assert text.endswith("}\n")
    assert len(text.splitlines()) == 7


def test_each_row_has_a_line(tmp_path: Path) -> None:
    document = {"run": {"id": "a"}, "tests": [{"e": "caf\u00e9\n"}, {"e": [1, [2]]}], "gates": [], "ci95": None}
    path = tmp_path / "a.json"
    files.write_rows(path, document)
    assert files.read_json(path) == document
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[4:7] == ['"tests": [', '{"e": "caf\u00e9\\n"},', '{"e": [1, [2]]}']
    assert lines[-1] == "}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON: Expecting value"),
        ("{", "not JSON: Expecting property name"),
        ("[" * 100_000, "not JSON: "),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, text: str | None, reason: str) -> None:
    path = tmp_path / "a.json"
    if text is not None:
        write(path, text)
    with pytest.raises(PitchevalError, match=reason) as raised:
        files.read_json(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_that_an_editor_has_saved_anew(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"name": "\u00fc"}\r\n', encoding=encoding)
    assert files.read_json(path) == {"name": "\u00fc"}


def test_a_path_that_no_file_can_have() -> None:
    with pytest.raises(PitchevalError, match="null"):
        files.read_text(Path("a\0b"))


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'"\xff"')
    with pytest.raises(PitchevalError, match="not UTF-8: 'utf-8' codec can't decode"):
        files.read_json(tmp_path / "a.json")


def test_git_ignores_a_folder_of_ours(tmp_path: Path) -> None:
    folder = files.make_directory(tmp_path / "a" / ".pitcheval")
    assert "*" in (folder / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_a_users_own_gitignore_is_kept(tmp_path: Path) -> None:
    write(tmp_path / ".gitignore", "runs/\n")
    files.make_directory(tmp_path)
    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "runs/\n"


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    told: list[float] = []
    notes: list[str] = []
    with (
        files.locked(tmp_path / "new" / "a.lock", notes.append),
        pytest.raises(TimeoutError),
        files.locked(tmp_path / "new" / "a.lock", notes.append, told.append, patience=0),
    ):
        raise AssertionError("held twice")
    with files.locked(tmp_path / "new" / "a.lock", notes.append, patience=0):
        pass
    assert notes == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EMFILE, errno.EROFS, errno.ENOSPC])
def test_where_there_are_no_locks_it_goes_on_without(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: object, **arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(filelock.FileLock, "acquire", fails)
    notes: list[str] = []
    with files.locked(tmp_path / "a.lock", notes.append):
        pass
    with pytest.raises(ZeroDivisionError), files.locked(tmp_path / "a.lock", notes.append):
        raise ZeroDivisionError
    assert len(notes) == 2
    assert os.strerror(number) in notes[0]
