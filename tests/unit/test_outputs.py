"""What users name as an output stays what it is: a pipe, a device, a link, a file that may not be replaced."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pytest_pitcheval import files, outputs
from pytest_pitcheval.errors import PitchevalError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


def write(path: Path, value: object) -> None:
    files.write_json(path, value, write=files.write_output)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link, chain = tmp_path / "link.json", tmp_path / "chain.json"
    link.symlink_to("there/file.json")  # which is not there yet
    chain.symlink_to("link.json")
    for number in (1, 2):
        write(chain, number)
        assert chain.is_symlink()
        assert link.is_symlink()
        assert (tmp_path / "there" / "file.json").read_text(encoding="utf-8") == f"{number}\n"


def test_a_link_that_leads_to_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="loop"):
        write(tmp_path / "loop" / "x.json", 1)


def test_a_device_is_written_to() -> None:
    write(Path(os.devnull), [1])
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_pipe_is_written_to_whole(tmp_path: Path) -> None:
    """More than fits into it at once, for a reader that comes later."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")))
    timer = threading.Timer(0.2, reader.start)
    timer.start()
    write(pipe, "x" * 300_000)
    timer.join()
    reader.join()
    assert read == [f'"{"x" * 300_000}"\n']
    assert pipe.is_fifo()


@pytest.mark.parametrize("opened", [False, True], ids=["nobody opens it", "nobody reads it"])
def test_a_pipe_without_a_reader_is_given_up(tmp_path: Path, opened: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "PATIENCE", 0.1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    handle = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK) if opened else None
    try:
        with pytest.raises(TimeoutError, match="nobody"):
            write(pipe, "x" * 300_000)
    finally:
        if handle is not None:
            os.close(handle)


def test_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write(tmp_path, 1)


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/../dev/stdout"])
def test_an_open_file_is_continued(tmp_path: Path, path: str) -> None:
    """As a shell's ``> file`` makes it: neither replaced nor written over from its start."""
    code = "import sys; from pathlib import Path; from pytest_pitcheval import files; print('before'); "
    code += f"files.write_output(Path({path!r}), '1\\n'); print('after')"
    with (tmp_path / "out.txt").open("w") as file:
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "before\n1\nafter\n"


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EACCES, errno.EROFS])
def test_a_file_that_cannot_be_replaced_is_written_to(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that a container mounts by itself."""

    def replace(source: str, target: Path) -> None:
        raise OSError(number, os.strerror(number), source)

    monkeypatch.setattr(os, "replace", replace)
    path = tmp_path / "mounted.json"
    with pytest.raises(OSError, match=r"mounted\.json"):
        write(path, 1)
    path.write_text("old and longer", encoding="utf-8")
    write(path, 2)
    assert path.read_text(encoding="utf-8") == "2\n"
    assert os.listdir(tmp_path) == ["mounted.json"]


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250 + ".json")
    write(path, 1)
    assert path.exists()


def test_a_file_of_ones_own_is_no_link_to_elsewhere(tmp_path: Path) -> None:
    """What comes with a checkout leads nowhere else."""
    (tmp_path / "private.txt").write_text("private", encoding="utf-8")
    (tmp_path / "program.json").symlink_to("private.txt")
    files.write_json(tmp_path / "program.json", 1)
    assert not (tmp_path / "program.json").is_symlink()
    assert (tmp_path / "private.txt").read_text(encoding="utf-8") == "private"


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for path in (tmp_path / "pipe.json", Path("/dev/zero"), tmp_path):
        with pytest.raises(PitchevalError, match="not a regular file"):
            files.read_json(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(files.LARGEST + 1)  # which takes no room
    with pytest.raises(PitchevalError, match="larger than 1024 MiB"):
        files.read_json(tmp_path / "large.json")
