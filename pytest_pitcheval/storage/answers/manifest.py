"""The manifest: what says of a file or folder that it has answers, of when they are, and whether they are all there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.storage.answers.layout import SCHEMA_VERSION
from pytest_pitcheval.timestamps import date_of, is_run_id


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What is known of the answers as a whole.

    Attributes:
        timestamp: that of the rollouts that got them: of the run that recorded them last.
        finished: whether that run ended by itself.
        written: whether all of them were written.
        left_out: by node ID, why tests of it have none.
        members: of an archive, the SHA-256 of each other member by name.
    """

    timestamp: str
    finished: bool = True
    written: bool = True
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
    members: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def date(self) -> str:
        """The day on which they were recorded (UTC)."""
        return date_of(self.timestamp)

    def to_dict(self) -> dict[str, Any]:
        """What is as usual is left out."""
        told = {name: value for name, value in dataclasses.asdict(self).items() if value not in ({}, True)}
        return {"schema_version": SCHEMA_VERSION, **told}

    @classmethod
    def from_text(cls, text: str, name: str) -> Manifest:
        """The manifest that ``text`` is; a PitchevalError of one line that begins with ``name`` if it is none."""
        document = files.parse_json(text, name)
        files.check_version(document, SCHEMA_VERSION, name)
        known = {field.name: document[field.name] for field in dataclasses.fields(cls) if field.name in document}
        if not is_run_id(str(known.get("timestamp"))):
            raise PitchevalError(f"{name}: not a manifest of answers: expected a timestamp in it")
        manifest = files.validated(cls, known, name)
        if not manifest.written:
            raise PitchevalError(f"{name}: the session that recorded the answers was ended before it had written all")
        return manifest
