"""What a session may spend, and what models cost: as options say it."""

from __future__ import annotations

import fnmatch
import math
import re
from typing import NamedTuple

from pytest_pitcheval.options.numbers import number_in

PRICES = (
    "expected prices such as openai/gpt-4o-mini=0.15/0.60: US dollars for a million tokens of its prompts, and of its "
    "answers; several with commas between"
)
TOKENS = "expected a number of tokens, 0 or more, such as 500k or 2M"
_UNITS = {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000}
_MILLION = 1_000_000


class Price(NamedTuple):
    """US dollars for a million tokens of prompts, and of answers, of the models that the pattern ``models`` matches."""

    models: str
    prompt: float
    answer: float

    def holds_for(self, model: str) -> bool:
        """Whether it is that of ``model``, a DSPy model name."""
        return model == self.models or fnmatch.fnmatchcase(model, self.models)

    def of(self, prompt_tokens: int, answer_tokens: int) -> float:
        """What so many tokens cost, in US dollars."""
        return (prompt_tokens * self.prompt + answer_tokens * self.answer) / _MILLION


class Cap(NamedTuple):
    """What all LM calls of a session may take together; None: as much as they like.

    Attributes:
        cost: US dollars.
        tokens: of prompts and answers.
        parts: among how many processes it is divided that cannot share it.
        named_by: the option or ini key that names ``cost``.
    """

    cost: float | None = None
    tokens: int | None = None
    parts: int = 1
    named_by: str = "--eval-max-cost"

    @property
    def is_set(self) -> bool:
        """Whether there is one."""
        return self.cost is not None or self.tokens is not None

    def part(self, count: int) -> Cap:
        """That of one of ``count`` processes."""
        return self._replace(parts=self.parts * count)

    def reached(self, cost: float, tokens: float) -> str | None:
        """Why nothing more may be sent once so much was spent: ``budget: $5.00 reached``; None as long as it may."""
        if self.cost is not None and cost >= self.cost / self.parts:
            return f"budget: {self._text(dollars(self.cost / self.parts), dollars(self.cost))} reached"
        if self.tokens is not None and tokens >= self.tokens / self.parts:
            part = f"{self.tokens // self.parts:,}"
            return f"budget: {self._text(part, f'{self.tokens:,}')} tokens reached"
        return None

    def _text(self, part: str, whole: str) -> str:
        return whole if self.parts == 1 else f"{part} (a worker's part of {whole})"


def dollars(amount: float) -> str:
    """``$5.00``, ``$1,200.00``; below a dollar with four digits where cents will not do: ``$0.0025``."""
    if 0 < amount < 1 and round(amount, 2) != amount:
        return f"${amount:.{3 - math.floor(math.log10(amount))}f}".rstrip("0")
    return f"${amount:,.2f}"


def parse_tokens(text: str) -> int:
    """``500k``; ValueError for anything else than a whole number of tokens."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kKM]?)", text.strip(), re.ASCII)
    number = float(found[1]) * _UNITS[found[2]] if found else math.nan
    if not number.is_integer():
        raise ValueError(TOKENS)
    return int(number)


def parse_prices(text: str) -> tuple[Price, ...]:
    """The prices of a list with commas or line breaks between; ValueError if there is anything else in it."""
    found = [_price(part.strip()) for part in re.split(r"[,\n]", text.strip())]
    if len({price.models for price in found}) < len(found):
        raise ValueError(PRICES)
    return tuple(found)


def _price(text: str) -> Price:
    models, _, rates = text.rpartition("=")
    prompt, _, answer = rates.partition("/")
    if not models.strip():
        raise ValueError(PRICES)
    return Price(models.strip(), _rate(prompt), _rate(answer))


def _rate(text: str) -> float:
    rate = number_in(text)
    if rate is None or rate < 0:
        raise ValueError(PRICES)
    return rate
