"""Files: written whole or not at all, read with one line for whatever is wrong with them."""

from __future__ import annotations

import codecs
import contextlib
import errno
import functools
import json
import math
import os
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from pytest_pitcheval import outputs, waits
from pytest_pitcheval.errors import PitchevalError

if TYPE_CHECKING:
    import filelock

T = TypeVar("T")
Write = Callable[[Path, str | Iterable[str]], None]

LARGEST = 1 << 30
"""Bytes of the largest file that is read."""
_ENCODINGS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
"""By the byte order mark that editors and shells of Windows write."""
_TICK = 10.0
"""Seconds between two lines about a lock that is waited for."""

_NOT_REPLACEABLE = frozenset({errno.EACCES, errno.EPERM, errno.EBUSY, errno.EROFS})
"""What the file system says where a file may be written to, and its folder not."""


def write_output(path: Path, text: str | Iterable[str]) -> None:
    """`write_atomically` for a ``path`` that a user has named: whatever is there stays what it is.

    A link stays one: the file that it leads to is replaced. What is no regular file, such as a pipe or a device, is
    written to; so is a file that cannot be replaced, such as one that is mounted by itself.
    """
    if outputs.is_special(path):
        outputs.write(path, "".join(text))
        return
    target = Path(os.path.realpath(path))
    try:
        write_atomically(target, text)
    except OSError as error:
        if error.errno not in _NOT_REPLACEABLE or not target.is_file():
            raise
        with target.open("w", encoding="utf-8") as file:
            file.writelines([text] if isinstance(text, str) else text)


def write_atomically(path: Path, text: str | Iterable[str]) -> None:
    """Write ``text``, or its parts, to ``path`` as UTF-8; readers see the old file or the new one, never a part.

    A link is replaced: what comes with a checkout leads nowhere else.
    """
    # The operating system applies the umask to this mode; tempfile's files are for their owner alone.
    with drafted(path) as draft, open(draft, "x", encoding="utf-8", opener=_open_for_all) as file:
        file.writelines([text] if isinstance(text, str) else text)


@contextlib.contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """Within it, there is a name for a file that takes the place of ``path`` at the end; an error leaves neither."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.parent / f".{os.getpid()}-{os.urandom(6).hex()}.tmp"
    try:
        yield draft
        os.replace(draft, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # not the draft's name, which nobody knows
        raise


def _open_for_all(name: str, flags: int) -> int:
    return os.open(name, flags, 0o666)


def write_json(path: Path, document: Any, *, indent: int | None = 1, write: Write = write_atomically) -> None:
    """Write ``document`` (plain values) to ``path``, atomically."""
    write(path, json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


class Rows:
    """Values that are made anew whenever they are gone through, so that they need not all be there at once."""

    def __init__(self, make: Callable[[], Iterator[Any]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[Any]:
        return self._make()


def write_rows(path: Path, document: Mapping[str, Any], *, write: Write = write_atomically) -> None:
    """As `write_json`, but what is in the document's lists takes a line each: fast, and good to search in.

    `Rows` are lists that are never whole in memory.
    """
    write(path, Rows(lambda: _written(document)))


def _written(document: Mapping[str, Any]) -> Iterator[str]:
    before = "{\n"
    for name, value in document.items():
        yield f"{before}{json.dumps(name)}: "
        before = ",\n"
        if isinstance(value, (list, Rows)):
            yield from _rows(value)
        else:
            yield json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    yield "\n}\n"


def _rows(values: Iterable[Any]) -> Iterator[str]:
    before = "[\n"
    for row in values:
        yield before + json.dumps(row, ensure_ascii=False, allow_nan=False)  # without an indent it is C
        before = ",\n"
    yield "[]" if before == "[\n" else "\n]"


def read_json(path: Path) -> Any:
    """The document in ``path``; a PitchevalError of one line if it cannot be read."""
    return parse_json(read_text(path), str(path))


def read_text(path: Path, whole_lines: bool = False) -> str:
    """The text of ``path``, as `decoded`; a PitchevalError of one line if it cannot be read.

    ``whole_lines`` leaves out what follows the last line break, which may end within a character.
    """
    try:
        if path.exists() and not path.is_file():
            raise PitchevalError(f"{path}: not a regular file")
        if path.exists() and path.stat().st_size > LARGEST:
            raise PitchevalError(f"{path}: larger than {LARGEST >> 20} MiB")
        data = path.read_bytes()
        return decoded(data[: data.rfind(b"\n") + 1] if whole_lines else data)
    except OSError as error:
        raise PitchevalError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise PitchevalError(f"{path}: not {error.encoding.upper()}: {error}") from None
    except ValueError as error:  # a path that no file can have
        raise PitchevalError(f"{path}: {error}") from None


def decoded(data: bytes) -> str:
    """The text that ``data`` is: UTF-8, unless a byte order mark at its beginning says UTF-16.

    Raises:
        UnicodeDecodeError: its ``object`` has no mark any more.
    """
    mark = next((mark for mark in _ENCODINGS if data.startswith(mark)), b"")
    return data.removeprefix(mark).decode(_ENCODINGS.get(mark, "utf-8"))


def parse_json(text: str, name: str) -> Any:
    """The document that ``text`` is; a PitchevalError of one line if it is not JSON, or has an infinite number."""
    try:
        return json.loads(text, parse_constant=_not_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise complaint(name, f"not JSON: {error}") from None


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_finite(text)


def _not_finite(text: str) -> NoReturn:
    raise ValueError(f"{text} is no finite number")


def check_version(document: Any, known: int, name: str, oldest: int | None = None) -> None:
    """A PitchevalError of one line if ``document`` is not an object of a schema version from ``oldest`` to ``known``.

    Without ``oldest``, ``known`` alone will do.
    """
    version = document.get("schema_version") if isinstance(document, dict) else None
    readable = range(known if oldest is None else oldest, known + 1)
    if isinstance(version, int) and version in readable and not isinstance(version, bool):
        return
    newer = isinstance(version, int) and version > known
    hint = "; a newer pytest-pitcheval wrote it" if newer else ""
    shown = f"a {type(version).__name__}" if isinstance(version, (dict, list)) else repr(version)
    *others, last = map(str, readable)
    expected = f"{', '.join(others)} or {last}" if others else last
    raise complaint(name, f"schema_version {shown}; expected {expected}{hint}")


def validated(kind: type[T], value: Any, name: str) -> T:
    """``value`` (plain values) as ``kind``, a type of dataclasses and plain ones; no value is converted.

    Raises:
        PitchevalError: one line that says where it is not, below ``name``, and what was expected there.
    """
    from pydantic import ValidationError

    try:
        found: T = _adapter(cast(Hashable, kind)).validate_json(
            json.dumps(value), strict=True
        )  # of JSON, a list may be a tuple
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f".{part}" for part in first["loc"])
        raise complaint(f"{name}{place}", first["msg"]) from None
    except RecursionError:
        raise complaint(name, "nested too deeply") from None
    return found


@functools.cache  # making one takes longer than a thousand uses
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def complaint(name: str, problem: str) -> PitchevalError:
    """What is wrong with ``name``, in one line whatever is in it."""
    return PitchevalError(" ".join(map(str.strip, f"{name}: {problem}".splitlines())))


def is_within(path: Path, folder: Path) -> bool:
    """Whether ``path`` is a file of ``folder`` itself, and no link to elsewhere."""
    return path.is_file() and path.resolve().parent == folder.resolve()


def make_directory(directory: Path) -> Path:
    """``directory``, made if need be, with a ``.gitignore`` of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    if not ignore.exists():
        write_atomically(ignore, "# made by pytest-pitcheval\n*\n")
    return directory


@contextlib.contextmanager
def locked(
    path: Path,
    note: Callable[[str], object],
    waiting: Callable[[float], object] = lambda seconds: None,
    patience: float = math.inf,
    idle: Callable[[float], float] = lambda seconds: seconds,
) -> Iterator[None]:
    """Hold the lock of the file ``path``; where the file system gives none, go on without, and tell ``note`` so.

    ``waiting`` is told every ten seconds how long the lock has been waited for; ``idle`` says how much of that counts.

    Raises:
        TimeoutError: another process holds it for longer than ``patience`` seconds that count.
    """
    import filelock

    lock, began = filelock.FileLock(path), time.monotonic()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        left = patience
        while not _acquired(lock, min(_TICK, max(0.0, left))):
            waited = time.monotonic() - began
            left = patience - idle(waited)
            if left <= 0:
                raise filelock.Timeout(str(path))
            waiting(waited)
        waits.note(f"the lock {path.name}", began)
    except filelock.Timeout:
        raise
    except OSError as error:
        note(f"what several processes do at once here may be done twice: no locks in {path.parent}: {error}")
    try:
        yield
    finally:
        lock.release()


def _acquired(lock: filelock.BaseFileLock, seconds: float) -> bool:
    import filelock

    try:
        lock.acquire(timeout=seconds)
    except filelock.Timeout:
        return False
    return True
