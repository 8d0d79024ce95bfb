"""The end of a recording: what all processes were answered goes into one archive or folder, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.storage.answers import layout
from pytest_pitcheval.storage.answers.choosing import Mask, answers_by_test
from pytest_pitcheval.storage.answers.manifest import Manifest
from pytest_pitcheval.storage.answers.reading import test_of
from pytest_pitcheval.storage.answers.sources import Archive, Folder

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time that every member of an archive has: equal answers make equal archives."""
_LEVEL = 3
"""How hard an archive is packed: a third of the time of the usual level, for a tenth more bytes."""


class Recording(NamedTuple):
    """What there is to be written.

    Attributes:
        journals: the folder below which the journals are.
        mask: makes of a plain value one without credentials.
        programs: the texts of compiled programs, by fingerprint.
        run: the text of the run file; None where that could not be written.
        keeps: whether the answers that are there of a test, which has none now, stay.
        fills_in: whether an archive that is there is completed; it is replaced else. A folder always is.
    """

    journals: Path
    manifest: Manifest
    mask: Mask | None
    programs: Mapping[str, str]
    run: Path | None
    keeps: Callable[[str], bool]
    fills_in: bool = False

    def texts(self) -> Iterator[tuple[str, str]]:
        """The files of answers and programs: names and texts, one after the other."""
        for test, lines in answers_by_test(self.journals, self.mask):
            head = json.dumps({"test": test}, ensure_ascii=False)
            yield layout.answers_name(test), "".join(f"{line}\n" for line in (head, *lines))
        for mark, text in self.programs.items():
            yield layout.program_name(mark), text


class Recorded(NamedTuple):
    """What was written: how many answers there are now."""

    path: Path
    answers: int


def check_target(path: Path) -> None:
    """Raise a PitchevalError of one line if no answers can be recorded at ``path``: better now than after hours."""
    try:
        _check(path)
    except PitchevalError as error:
        raise PitchevalError(f"--eval-record: {str(path)!r}: {error}") from None


def _check(path: Path) -> None:
    is_archive = path.suffix == layout.SUFFIX
    if is_archive and path.is_dir():
        raise PitchevalError("expected a file, not a folder")
    if not is_archive and os.path.lexists(path):
        if not path.is_dir():
            raise PitchevalError("expected a folder, or a file that ends in .zip")
        if not (path / layout.MANIFEST).exists() and any(path.iterdir()):
            raise PitchevalError(
                f"a folder with other things: expected a new or empty one, or one with {layout.MANIFEST}"
            )
    folder = path.parent if is_archive else path
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise PitchevalError(f"{folder}: not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PitchevalError(f"{folder}: cannot be written")


def write(recording: Recording, path: Path) -> Recorded:
    """Write it to ``path``. Raises OSError."""
    return _write_archive(recording, path) if path.suffix == layout.SUFFIX else _write_folder(recording, path)


def _write_archive(recording: Recording, path: Path) -> Recorded:
    count, members = 0, {}
    with (
        files.drafted(Path(os.path.realpath(path))) as draft,
        zipfile.ZipFile(draft, "x", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive,
    ):
        for name, text in _of_archive(recording, path):
            members[name] = _add(archive, name, text)
            count += _answers_in(name, text)
        manifest = recording.manifest.with_members(members)
        _add(archive, layout.MANIFEST, _text(manifest))
    return Recorded(path, count)


def _of_archive(recording: Recording, path: Path) -> Iterator[tuple[str, str]]:
    if recording.run is not None:
        yield layout.RUN, recording.run.read_text(encoding="utf-8")
    names = set()
    for name, text in recording.texts():
        names.add(name)
        yield name, text
    if recording.fills_in:
        source = Archive(path)
        for name in source.names():
            text = source.read(name) or ""
            if name not in names and name != layout.RUN and _is_kept(recording, name, text):
                yield name, text


def _is_kept(recording: Recording, name: str, text: str) -> bool:
    if not name.startswith(layout.ANSWERS):
        return True  # a program that the tests were not run with this time
    return recording.keeps(test_of(text, name))


def _add(archive: zipfile.ZipFile, name: str, text: str) -> str:
    """Returns the SHA-256 of what was added."""
    data, member = text.encode("utf-8"), zipfile.ZipInfo(name, _EPOCH)
    member.external_attr, member.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
    archive.writestr(member, data)
    return hashlib.sha256(data).hexdigest()


def _write_folder(recording: Recording, path: Path) -> Recorded:
    """The manifest says that something is missing until all is there: whoever reads meanwhile is told so."""
    path.mkdir(parents=True, exist_ok=True)
    before = _before(path)
    draft, count, names = _Draft(path, recording.manifest), 0, set()
    for name, text in recording.texts():
        names.add(name)
        count += _answers_in(name, text)
        draft.write(name, text)
    for name in sorted(_known(path) - names):
        if not _stays(recording, path / name, name):
            draft.remove(name)
    manifest = recording.manifest.beside(before, recording.keeps) if before else recording.manifest
    draft.end(manifest, anyway=before is None or before.is_otherwise(manifest))
    return Recorded(path, count)


def _stays(recording: Recording, path: Path, name: str) -> bool:
    """What cannot be read goes."""
    try:
        return _is_kept(recording, name, files.read_text(path)) if name.startswith(layout.ANSWERS) else False
    except PitchevalError:
        return False


class _Draft:
    """A folder that is being written to, as far as anything changes there."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self._path = path
        self._manifest = manifest
        self._is_begun = False

    def write(self, name: str, text: str) -> None:
        if _differs(self._path / name, text):
            self._begin()
            files.write_atomically(self._path / name, text)

    def remove(self, name: str) -> None:
        self._begin()
        (self._path / name).unlink(missing_ok=True)

    def end(self, manifest: Manifest, anyway: bool) -> None:
        if self._is_begun or anyway:
            files.write_atomically(self._path / layout.MANIFEST, _text(manifest))

    def _begin(self) -> None:
        if not self._is_begun:
            self._is_begun = True
            files.write_atomically(self._path / layout.MANIFEST, _text(self._manifest.unwritten()))


def _before(path: Path) -> Manifest | None:
    """What was recorded there, as far as it can be told."""
    try:
        return Folder(path).manifest
    except PitchevalError:
        return None


def _known(path: Path) -> set[str]:
    parts = (layout.ANSWERS, layout.PROGRAMS)
    found = {f"{part}{name}" for part in parts if (path / part).is_dir() for name in os.listdir(path / part)}
    return {name for name in found if layout.belongs(name)}


def _differs(path: Path, text: str) -> bool:
    try:
        return path.is_symlink() or path.read_bytes() != text.encode("utf-8")
    except OSError:
        return True


def _answers_in(name: str, text: str) -> int:
    return text.count("\n") - 1 if name.startswith(layout.ANSWERS) else 0


def _text(manifest: Manifest) -> str:
    return json.dumps(manifest.to_dict(), indent=1, ensure_ascii=False) + "\n"
