"""How right a deal is: a metric in DSPy's own convention, from 0 to 1, with feedback on what is wrong."""

import re
from typing import Any

import dspy

MOST_WORDS = 10
_FACTS = re.compile(r"(?P<company>.+): (?P<amount>\$[\d,]+) for (?P<share>\d+%)")


def deal_metric(example: dspy.Example, pred: dspy.Prediction, trace: Any = None) -> dspy.Prediction:
    """The share of the deal's three facts that the answer says, less where it is longer than ten words.

    `example.deal` is as in `Brackish: $400,000 for 10%`. `trace` makes no difference.
    """
    answer = str(pred.get("deal") or "")
    parts = {name: float(says(answer, fact)) for name, fact in facts_of(example.deal).items()}
    wrong = [f"the {name} is not {fact}" for name, fact in facts_of(example.deal).items() if not parts[name]]
    words = len(answer.split())
    if words > MOST_WORDS:
        wrong.append(f"{words} words are more than {MOST_WORDS}")
    parts["brevity"] = min(1.0, MOST_WORDS / max(words, 1))
    said = sum(parts[name] for name in ("company", "amount", "share")) / 3
    return dspy.Prediction(score=said * parts["brevity"], feedback="; ".join(wrong) or "all right", **parts)


def facts_of(deal: str) -> dict[str, str]:
    """`company`, `amount` and `share` of a deal that is written as the dataset writes it."""
    found = _FACTS.fullmatch(deal)
    if found is None:
        raise ValueError(f"the deal {deal!r} is not written as in 'Brackish: $400,000 for 10%'")
    return found.groupdict()


def says(answer: str, fact: str) -> bool:
    """Whether the answer has the fact as whole words: `$5,000` is not in `$5,000,000`."""
    return re.search(rf"(?<![\w$]){re.escape(fact)}(?![\w,]*\w)", answer, flags=re.IGNORECASE) is not None
