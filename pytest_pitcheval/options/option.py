"""What an option is: the kinds of values, and what is known of each option."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

PREFIX = "pitcheval_"
"""Of every ``dest`` of ours: a second plugin with the same one would stop every pytest start."""

# fmt: off
Kind = Literal[
    "flag", "text", "methods", "model", "examples", "count", "seed", "seconds", "score", "share",
    "limits of means", "limits of drops", "temperature", "rate limits", "gate mode", "allowed", "metrics", "family",
    "slice",
]
# fmt: on
"""What kind of value an option takes; `settings.parsers` has the parser of each."""


class Option(NamedTuple):
    """One command-line option and its ini key.

    Attributes:
        name: the ini key; the option is ``--name`` with dashes.
        metavar: how ``--help`` calls the value; None for a flag.
        default: the value, parsed, where neither command line, marker nor ini file has one.
        repeats: a test that is repeated alone needs it too: it is part of the command that a failed test shows.
        decides: a finished run can be decided again with it, by ``pitcheval decide``.
    """

    name: str
    metavar: str | None
    kind: Kind
    help: str
    default: Any = None
    repeats: bool = False
    decides: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def dest(self) -> str:
        return PREFIX + self.name
