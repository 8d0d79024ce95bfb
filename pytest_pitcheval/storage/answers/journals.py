"""What each process of a session has been answered, written down at once: whoever reports puts it together."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pytest_pitcheval.storage.answers.answer import Answer

FOLDER = "answers"
"""Below the folder that the processes of a session share."""


class AnswerJournal:
    """The journal of one process, for all of its threads and the processes that it forks.

    Each answer is one write at the end of the file, which the operating system does not mix with others.
    """

    def __init__(self, folder: Path, name: str) -> None:
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        path = folder / FOLDER / f"{name}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def append(self, answer: Answer) -> None:
        """Keep it, whatever becomes of this process. Raises OSError."""
        head = json.dumps([answer.place.test, answer.place.since], ensure_ascii=False)
        data = f"{head}\t{answer.line()}\n".encode()
        if os.write(self._file, data) != len(data):
            raise OSError("no room for an answer")

    def close(self) -> None:
        os.close(self._file)


class Written(NamedTuple):
    """Where an answer stands in a journal, and whose it is."""

    test: str
    since: int
    path: Path
    start: int

    def read(self) -> Answer:
        """The answer."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            line = file.readline().decode("utf-8")
        answer = Answer.from_line(line.partition("\t")[2].rstrip("\n"), self.test, self.path.name)
        return answer._replace(place=answer.place._replace(since=self.since))


def written(folder: Path) -> Iterator[Written]:
    """What the journals below ``folder`` have, in the order of writing; a line that was cut off is nothing."""
    for path in sorted((folder / FOLDER).glob("*.jsonl")):
        start = 0
        with path.open("rb") as file:
            for line in file:
                head, tab, _ = line.partition(b"\t")
                if tab and line.endswith(b"\n"):
                    test, since = json.loads(head)
                    yield Written(test, since, path, start)
                start += len(line)
