"""The page on which people label answers: one HTML file that needs no other, and saves the labels by download."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_pitcheval.reports.html import media
from pytest_pitcheval.reports.html.page import digest, embedded, environment, template
from pytest_pitcheval.results.printable import visible
from pytest_pitcheval.storage.media import Find

_SIDES = (640, 480)
"""Pixels of the longer side of a picture: who labels it must see what is on it."""


class Item(NamedTuple):
    """An answer.

    Attributes:
        fields: what is shown of it: what each field is of (empty for inputs), its name, its texts and media.
        before, after: the text of its row before the label, and what follows the day in its column ``labelled``.
    """

    fields: Sequence[tuple[str, str, Sequence[Any]]]
    before: str
    after: str


class Page(NamedTuple):
    """What is asked on a page.

    Attributes:
        label: the column of the labels.
        values: what can be said, by key.
        by: who labels, unless somebody says another name on the page.
        file: the name of the file that is saved.
    """

    label: str
    values: Mapping[str, float]
    by: str
    file: str
    items: Sequence[Item]


def render(page: Page, find: Find) -> str:
    """The whole file; ``find`` knows where the media of the run are."""
    style, script = template("report.css") + template("label.css"), template("label.js")
    return (
        environment()
        .get_template("label.html")
        .render(
            page=page,
            style=style,
            script=script,
            style_hash=digest(style),
            script_hash=digest(script),
            data=_data(page, find),
        )
    )


def _data(page: Page, find: Find) -> str:
    items = [[[[of, name, list(map(_shown, parts))] for of, name, parts in one.fields], *one[1:]] for one in page.items]
    found = {
        "label": page.label,
        "values": {key: f"{value:.12g}" for key, value in page.values.items()},
        "by": page.by,
        "file": page.file,
        "items": items,
        "media": media.embedded(items, find, _SIDES),
    }
    return embedded({**found, "digits": hashlib.sha256(repr(items).encode()).hexdigest()[:16]})


def _shown(part: Any) -> Any:
    return visible(part.replace("\r\n", "\n")) if isinstance(part, str) else part
