"""Where answers are read from: an archive or a folder. Nothing in either is believed, and nothing is unpacked."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.storage.answers import layout
from pytest_pitcheval.storage.answers.manifest import Manifest

_PLAIN_RATIO = 200
"""How many times larger than its packed form a text may be, if it is `_LARGE`: repeated prompts reach some dozens."""
_LARGE = 16 << 20
_MOST_MEMBERS = 500_000
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Source(Protocol):
    """Recorded answers, by the names of `layout`."""

    path: Path
    manifest: Manifest

    def read(self, name: str) -> str | None:
        """The text of that name, None where there is none; a PitchevalError of one line if it cannot be read."""

    def names(self) -> list[str]:
        """All there are, the manifest's own is not among them."""


def open_source(path: Path) -> Source:
    """What is recorded at ``path``.

    Raises:
        PitchevalError: one line: there is nothing, or something else.
    """
    if os.path.isdir(path):
        return Folder(path)
    if not os.path.isfile(path):
        raise PitchevalError("no such file or folder; --eval-record writes one")
    return Archive(path)


class Folder:
    """A folder, as it comes with a checkout; other files in it are left alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        text = self.read(layout.MANIFEST)
        if text is None:
            raise PitchevalError(f"no recorded answers: expected {layout.MANIFEST} in the folder")
        self.manifest = Manifest.from_text(text, layout.MANIFEST)

    def read(self, name: str) -> str | None:
        path = self.path / name
        if not os.path.lexists(path):
            return None
        if path.is_symlink():
            raise PitchevalError(f"{name}: a link; expected a file")
        return _as_text(_bytes_of(path, name), name)

    def names(self) -> list[str]:
        found = (f"{part}{name}" for part in (layout.ANSWERS, layout.PROGRAMS) for name in _listed(self.path / part))
        return sorted(name for name in found if layout.belongs(name))


def _listed(folder: Path) -> list[str]:
    if folder.is_symlink():
        raise PitchevalError(f"{folder.name}: a link; expected a folder")
    return os.listdir(folder) if folder.is_dir() else []


def _bytes_of(path: Path, name: str) -> bytes:
    try:
        if not path.is_file():
            raise PitchevalError(f"{name}: not a regular file")
        if path.stat().st_size > files.LARGEST:
            raise PitchevalError(f"{name}: larger than {files.LARGEST >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise PitchevalError(f"{name}: {error.strerror or error}") from None


class Archive:
    """A zip file; it is in memory, so that a process that is forked reads on by itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(_bytes_of(path, path.name)))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError) as error:
            raise PitchevalError(f"not an archive of answers, or only a part of one: {error}") from None
        self._members = {member.filename: member for member in _checked(self._zip.infolist())}
        text = self.read(layout.MANIFEST)
        if text is None:
            raise PitchevalError(f"not an archive of answers: expected {layout.MANIFEST} in it")
        self.manifest = Manifest.from_text(text, layout.MANIFEST)
        self._check_list()

    def read(self, name: str) -> str | None:
        member = self._members.get(name)
        if member is None:
            return None
        try:
            data = self._zip.read(member)
        except (
            zipfile.BadZipFile,
            zlib.error,
            ValueError,
            NotImplementedError,
            RuntimeError,
            EOFError,
            OSError,
        ) as error:
            raise files.complaint(name, f"damaged: {error}") from None
        if name != layout.MANIFEST and hashlib.sha256(data).hexdigest() != self.manifest.members.get(name):
            raise PitchevalError(f"{name}: changed since it was recorded")
        return _as_text(data, name)

    def names(self) -> list[str]:
        return sorted(name for name in self._members if name != layout.MANIFEST)

    def _check_list(self) -> None:
        """What the manifest lists is there, and nothing else."""
        listed = set(self.manifest.members)
        if missing := sorted(listed - set(self._members)):
            raise PitchevalError(f"{missing[0]}: missing")
        if further := sorted(set(self.names()) - listed):
            raise PitchevalError(f"{further[0]}: not recorded with the rest")


def _checked(members: Iterable[zipfile.ZipInfo]) -> Iterator[zipfile.ZipInfo]:
    """The members but for folders; a PitchevalError of one line of any that none of ours can be."""
    seen: set[str] = set()
    size = 0
    for member in members:
        name = member.filename
        if not layout.belongs(name):
            raise PitchevalError(f"{_shown(name)}: does not belong in an archive of answers")
        if name in seen:
            raise PitchevalError(f"{name}: there twice")
        seen.add(name)
        size += member.file_size
        if problem := _problem(member, size, len(seen)):
            raise PitchevalError(f"{name}: {problem}")
        if not name.endswith("/"):
            yield member


def _problem(member: zipfile.ZipInfo, size: int, count: int) -> str | None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or a device; expected a file"
    if member.flag_bits & 1 or member.compress_type not in _PACKED:
        return "encrypted, or packed in another way than by deflate"
    if size > files.LARGEST or count > _MOST_MEMBERS:
        return f"with it the archive has more than {files.LARGEST >> 20} MiB, or {_MOST_MEMBERS:,} members"
    if member.file_size > _LARGE and member.file_size > _PLAIN_RATIO * max(member.compress_size, 1):
        return f"{member.file_size >> 20} MiB packed into {member.compress_size >> 10} KiB are no answers"
    return None


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:79]}…")


def _as_text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except ValueError as error:
        raise files.complaint(name, f"not UTF-8: {error}") from None
