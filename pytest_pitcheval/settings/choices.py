"""What command line, markers and ini file say of one setting, and which of them holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Choice(Generic[T]):
    """What the command line and the ini file say of one setting; None where they say nothing.

    The order of precedence is in `chosen`, and nowhere else.
    """

    command_line: T | None = None
    ini: T | None = None

    def chosen(self, marker: T | None = None) -> T | None:
        """The command line's value, else ``marker``'s, else the ini file's; None where none of them has one."""
        values = (self.command_line, marker, self.ini)
        return next((value for value in values if value is not None), None)

    def or_default(self, default: T, marker: T | None = None) -> T:
        """The value of `chosen`, else ``default``."""
        value = self.chosen(marker)
        return default if value is None else value


def chosen_for_each(choice: Choice[Mapping[str, T]], marker: Mapping[str, T]) -> dict[str, T]:
    """`Choice.chosen` for each name that any of the three has."""
    command_line, ini = choice.command_line or {}, choice.ini or {}
    found = {
        name: Choice(command_line.get(name), ini.get(name)).chosen(marker.get(name))
        for name in (*ini, *marker, *command_line)
    }
    return {name: value for name, value in found.items() if value is not None}
