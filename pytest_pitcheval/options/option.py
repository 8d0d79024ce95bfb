"""What an option is: the kinds of values, and what is known of each option."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

PREFIX = "pitcheval_"
"""Of every ``dest`` of ours: a second plugin with the same one would stop every pytest start."""

# fmt: off
Kind = Literal[
    "flag", "text", "methods", "models", "examples", "count", "seed", "seconds", "score", "share",
    "limits of means", "limits of drops", "limits of aggregates", "temperature", "rate limits", "gate mode", "allowed",
    "metrics", "family", "slice", "baseline update", "days", "stop", "dollars", "tokens", "prices",
    "judge exam", "names",
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
        word: what a flag may be given, as ``--flag=word`` alone: what stands after a space is a path of pytest's.
    """

    name: str
    metavar: str | None
    kind: Kind
    help: str
    default: Any = None
    repeats: bool = False
    decides: bool = False
    word: str | None = None

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def dest(self) -> str:
        return PREFIX + self.name

    def arguments(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What argparse is told of it: its flag, and its flag with its word, which is one flag more to argparse."""
        common = {"dest": self.dest, "default": None, "help": self.help.replace("%", "%%")}
        yield self.flag, {**common, **({"metavar": self.metavar} if self.metavar else {"action": "store_true"})}
        if self.word:
            const = {"action": "store_const", "const": self.word}
            yield f"{self.flag}={self.word}", {**common, **const, "help": argparse.SUPPRESS}
