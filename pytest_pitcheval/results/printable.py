"""Text from outside as it may be printed: no escape sequences, and no line that a CI system takes for a command.

Records keep what was said; only what is printed of it is written like this.
"""

from __future__ import annotations

import re

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""What pytest itself puts into texts for a terminal with colours."""

INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    "|[\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control characters but tab and line feed, what turns the direction of the text after it, and what cannot be seen.

The joiners U+200C and U+200D stay: languages and emoji are written with them.
"""

_COMMAND = re.compile(r"^(\s*)(::|section_(?:start|end):)", re.MULTILINE)
"""What GitHub's and GitLab's runners obey at the beginning of a line."""

_ANYWHERE = re.compile(r"##(?=\w*\[)")
"""What GitHub's, Azure's and TeamCity's runners obey wherever in a line it stands."""


def printable(text: str) -> str:
    """``text`` with every such character written as its escape, and a backslash in what would be a command."""
    if text.isascii() and text.isprintable() and ":" not in text and "#" not in text:
        return text  # as most there is
    shown = visible(text.replace("\r\n", "\n"))
    return _ANYWHERE.sub(r"#\\#", _COMMAND.sub(r"\1\\\2", shown))


def visible(text: str) -> str:
    """``text`` with every such character written as its escape."""
    return INVISIBLE.sub(_escaped, text)


def printable_line(text: str) -> str:
    """The same for what has to be one line."""
    return printable(text.replace("\r\n", "\n").replace("\n", "\\n"))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
