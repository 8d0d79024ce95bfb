"""The manifest: what says of a file or folder that it has answers, of when they are, and whether they are all there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.records import Omission
from pytest_pitcheval.storage.answers import layout
from pytest_pitcheval.timestamps import date_of, is_run_id


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What is known of the answers as a whole.

    Attributes:
        timestamp: that of the rollouts that got them: of the run that recorded them last.
        finished: whether that run ended by itself.
        written: whether all of them were written.
        left_out: tests that were left out, and so have none, by node ID.
        members: of an archive, the SHA-256 of each other member by name.
    """

    timestamp: str
    finished: bool = True
    written: bool = True
    left_out: Mapping[str, Omission] = dataclasses.field(default_factory=dict)
    members: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def date(self) -> str:
        """The day on which they were recorded (UTC)."""
        return date_of(self.timestamp)

    def unwritten(self) -> Manifest:
        """The same while the answers are being written."""
        return dataclasses.replace(self, written=False)

    def with_members(self, members: Mapping[str, str]) -> Manifest:
        """The same, of an archive with these."""
        return dataclasses.replace(self, members=members)

    def beside(self, before: Manifest, keeps: Callable[[str], bool]) -> Manifest:
        """The same where tests of ``before`` stay that ``keeps``."""
        kept = {test: why for test, why in before.left_out.items() if keeps(test)}
        return dataclasses.replace(self, left_out={**kept, **self.left_out})

    def is_otherwise(self, other: Manifest) -> bool:
        """Whether it says something else than ``other``, apart from the date."""
        return dataclasses.replace(self, timestamp=other.timestamp) != other

    def to_dict(self) -> dict[str, Any]:
        """What is as usual is left out."""
        told = {name: value for name, value in dataclasses.asdict(self).items() if value not in ({}, True)}
        return {"schema_version": layout.SCHEMA_VERSION, **told}

    @classmethod
    def from_text(cls, text: str, name: str) -> Manifest:
        """The manifest that ``text`` is; a PitchevalError of one line that begins with ``name`` if it is none."""
        document = files.parse_json(text, name)
        files.check_version(document, layout.SCHEMA_VERSION, name)
        known = {field.name: document[field.name] for field in dataclasses.fields(cls) if field.name in document}
        if not is_run_id(str(known.get("timestamp"))):
            raise PitchevalError(f"{name}: not a manifest of answers: expected a timestamp in it")
        manifest = files.validated(cls, known, name)
        if not manifest.written:
            raise PitchevalError(f"{name}: the session that recorded the answers was ended before it had written all")
        return manifest
