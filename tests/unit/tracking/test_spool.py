"""The spool: what its files say is data, whoever has written them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_pitcheval.tracking.spool import SCHEMA_VERSION, Spool, Waiting

RUN = "20261122T234903.123456Z"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    for name in ("runs", "programs", "spool"):
        (tmp_path / ".pitcheval" / name).mkdir(parents=True)
    (tmp_path / ".pitcheval" / "runs" / f"{RUN}.json").write_text("{}", encoding="utf-8")
    (tmp_path / "private.json").write_text('"private"', encoding="utf-8")
    return Spool(tmp_path / ".pitcheval")


def write(spool: Spool, name: str = RUN, **told: Any) -> None:
    document = {"schema_version": SCHEMA_VERSION, "run": RUN, "file": "", "where": "w", **told}
    (spool.folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def test_what_waits_is_read_as_it_was(spool: Spool) -> None:
    program = spool.folder.parent / "programs" / "p.json"
    program.write_text("{}", encoding="utf-8")
    file = spool.folder.parent / "runs" / f"{RUN}.json"
    waiting = Waiting(RUN, str(file), "w", "a name", {"tag": "value"}, True, (str(program),), tries=2)
    spool.add(waiting)
    assert spool.waiting() == [waiting]
    assert spool.is_there(waiting)


@pytest.mark.parametrize("file", ["/etc/passwd", "../private.json", "private.json", ""])
def test_no_file_of_elsewhere_is_sent(spool: Spool, file: str) -> None:
    write(spool, file=file)
    [waiting] = spool.waiting()
    assert Path(waiting.file) == spool.folder.parent / "runs" / f"{RUN}.json"


@pytest.mark.parametrize("program", ["/etc/passwd", "../../private.json", "..", "programs/../../private.json", ""])
def test_no_program_of_elsewhere_is_sent(spool: Spool, program: str) -> None:
    write(spool, programs=[program])
    [waiting] = spool.waiting()
    assert waiting.programs == ()


def test_no_link_is_followed(spool: Spool, tmp_path: Path) -> None:
    run, program = tmp_path / ".pitcheval" / "runs" / f"{RUN}.json", tmp_path / ".pitcheval" / "programs" / "p.json"
    run.unlink()
    for link in (run, program):
        link.symlink_to(tmp_path / "private.json")
    write(spool, programs=["p.json"])
    [waiting] = spool.waiting()
    assert waiting.programs == ()
    assert not spool.is_there(waiting)


@pytest.mark.parametrize("run", ["../../private", "20261122T234903.123456Z' OR '1", "", "last", RUN[:-1]])
def test_a_run_is_named_by_its_id_alone(spool: Spool, tmp_path: Path, run: str) -> None:
    write(spool, run=run)
    write(spool, name="x", run=run)
    assert spool.waiting() == []
    assert (tmp_path / "private.json").exists()


@pytest.mark.parametrize("text", ["", "[]", "null", '{"schema_version": 1}', "[" * 100_000, '{"schema_version": 9}'])
def test_what_is_no_entry_is_left_where_it_is(spool: Spool, text: str) -> None:
    path = spool.folder / f"{RUN}.json"
    path.write_text(text, encoding="utf-8")
    assert spool.waiting() == []
    assert path.read_text(encoding="utf-8") == text


def test_what_is_set_aside_waits_no_more(spool: Spool) -> None:
    write(spool)
    aside = spool.set_aside(RUN)
    assert spool.waiting() == []
    assert json.loads(aside.read_text(encoding="utf-8"))["run"] == RUN
