"""What an archive or a folder of answers has in it, by name."""

from __future__ import annotations

import hashlib
import re

SCHEMA_VERSION = 1

MANIFEST = "pitcheval-answers.json"
"""What it is, and of when."""
RUN = "run.json"
"""The run file; in archives alone."""
ANSWERS = "answers/"
"""One file for each test, whose first line names the test, each further one an answer."""
PROGRAMS = "programs/"
"""Compiled programs, each under its fingerprint."""

SUFFIX = ".zip"
"""Of an archive; every other path is a folder."""

_SLUG = 80
_KNOWN = re.compile(
    rf"{re.escape(MANIFEST)}|{re.escape(RUN)}|answers/(?:[a-z0-9_-]{{1,128}}\.jsonl)?|programs/(?:[0-9a-f]{{8,128}}\.json)?"
)


def answers_name(test: str) -> str:
    """Where the answers of ``test``, a node ID, are: a name that every file system takes, and no other test has."""
    slug = re.sub(r"[^a-z0-9_]+", "-", test.lower()).strip("-")[:_SLUG].strip("-")
    mark = hashlib.sha256(test.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{ANSWERS}{slug}-{mark}.jsonl" if slug else f"{ANSWERS}{mark}.jsonl"


def program_name(mark: str) -> str:
    """Where the compiled program with the fingerprint ``mark`` is."""
    return f"{PROGRAMS}{mark}.json"


def belongs(name: str) -> bool:
    """Whether an archive may have a member of this name."""
    return bool(_KNOWN.fullmatch(name))
