"""How good a pitch is: a metric in DSPy's own convention, from 0 to 1, with feedback on what is missing."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import dspy
from spoken_numbers import numbers_in

if TYPE_CHECKING:
    from collections.abc import Mapping

# What each fact weighs. One that the input does not have (an offer without a percentage) is left out.
FACT_WEIGHTS = {"company": 0.2, "amount": 0.2, "percentage": 0.15, "problem": 0.2, "solution": 0.25}
# Problem and solution may be retold in other words: this share of their content words counts as all.
FULL_SHARE = 0.6
FEWEST_WORDS, MOST_WORDS = 40, 160
# The share of different ones among all sequences of three words; natural text of this length has more.
NATURAL_VARIETY = 0.8
# With a judge: 0.7 * facts + 0.3 * mean of its marks for narrative and style.
JUDGE_WEIGHT = 0.3

_COMMON_WORDS = """
a about after all an and any are as at be because been before but by can cannot could do does
each even every few for from had has have he her him his how i if in into is it its like lot
made make makes many more most much my no not of off on one only or other our out over own
people she so some such that the their them then there these they this those to too up us very
was we were what when where which while who whose will with without would you your
"""
_STOP_WORDS = frozenset(_COMMON_WORDS.split())


def can_judge(lm: dspy.LM) -> bool:
    """Whether marks from this model mean anything: those of the embedded SmolLM2-135M do not."""
    return "smollm2-135m" not in lm.model.lower()


class JudgePitch(dspy.Signature):
    """Mark a spoken pitch to investors. Do not check the facts; mark only how it is told.

    0 is useless, 0.5 is what an average founder says, 1 is as good as the best pitches you know.
    """

    facts: dict[str, Any] = dspy.InputField()
    pitch: str = dspy.InputField()
    narrative: float = dspy.OutputField(desc="0 to 1: a hook, a problem one feels, a solution to it")
    style: float = dspy.OutputField(desc="0 to 1: spoken, lively, clear, an inviting last line")


class PitchMetric:
    """Checks by rule that a pitch says its facts; asks `judge_lm`, if there is one, how well it says them."""

    def __init__(self, judge_lm: dspy.LM | None = None) -> None:
        self.judge_lm = judge_lm
        self.judge = dspy.Predict(JudgePitch)

    def __call__(self, example: dspy.Example, pred: dspy.Prediction, trace: Any = None) -> dspy.Prediction:
        """The `score`, its parts (all from 0 to 1) and the `feedback`; `trace` makes no difference."""
        pitch = str(pred.get("pitch") or "")
        parts, missing = check_facts(example.facts, pitch)
        score = sum(FACT_WEIGHTS[name] * part for name, part in parts.items())
        score /= sum(FACT_WEIGHTS[name] for name in parts) or 1
        parts["form"], flaws = check_form(pitch)
        if self.judge_lm is not None and parts["form"]:
            parts["narrative"], parts["style"] = self._judge(example.facts, pitch)
            told = (parts["narrative"] + parts["style"]) / 2
            score = (1 - JUDGE_WEIGHT) * score + JUDGE_WEIGHT * told
        feedback = "; ".join(missing + flaws) or "Nothing is missing."
        return dspy.Prediction(score=score * parts["form"], feedback=feedback, **parts)

    def _judge(self, facts: Mapping[str, Any], pitch: str) -> tuple[float, float]:
        with dspy.context(lm=self.judge_lm):
            marks = self.judge(facts=facts, pitch=pitch[:4000])
        return _clamp(marks.narrative), _clamp(marks.style)


def check_facts(facts: Mapping[str, Any], pitch: str) -> tuple[dict[str, float], list[str]]:
    """The share of each fact that the pitch says, and a line for each one that it does not say in full."""
    parts: dict[str, float] = {}
    missing: list[str] = []
    company = str(facts.get("company", ""))
    if words_of(company):
        parts["company"] = float(_spoken(company) in _spoken(pitch))
        if not parts["company"]:
            missing.append(f"The company name {company!r} is missing")
    for name, wanted, said in _offers(str(facts.get("offer", "")), pitch):
        parts[name] = float(wanted in said)
        if not parts[name]:
            missing.append(f"The {name} {wanted:,.10g}{'%' if name == 'percentage' else ''} is missing")
    said_words = content_words(pitch)
    for name in ("problem", "solution"):
        wanted_words = content_words(str(facts.get(name, "")))
        unsaid = sorted(wanted_words.keys() - said_words.keys())
        if wanted_words:
            share = 1 - len(unsaid) / len(wanted_words)
            parts[name] = min(1.0, share / FULL_SHARE)
            if parts[name] < 1:
                words = ", ".join(wanted_words[stem] for stem in unsaid)
                missing.append(f"The {name} is told in part; not said: {words}")
    return parts, missing


def check_form(pitch: str) -> tuple[float, list[str]]:
    """1 for a text one can speak in a minute; less if it is too short, too long or runs in a loop."""
    words = words_of(pitch)
    if not words:
        return 0.0, ["The pitch is empty"]
    flaws: list[str] = []
    length = min(1.0, len(words) / FEWEST_WORDS, MOST_WORDS / len(words))
    if length < 1:
        flaws.append(f"It has {len(words)} words, not {FEWEST_WORDS} to {MOST_WORDS}")
    variety = min(1.0, len(word_sequences(pitch, 3)) / max(len(words) - 2, 1) / NATURAL_VARIETY)
    if variety < 1:
        flaws.append("It repeats itself")
    return length * variety, flaws


def words_of(text: str) -> list[str]:
    """The words in lower case without accents and possessives: `Señor Kombu's` gives `senor`, `kombu`."""
    text = text.casefold()
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+", re.sub(r"['\u2019]s?\b", "", text).replace("&", " and "))


def word_sequences(text: str, length: int) -> set[tuple[str, ...]]:
    """The different sequences of `length` words, or of all words if there are fewer."""
    words = words_of(text)
    starts = range(max(len(words) - length, 0) + 1)
    return {tuple(words[start : start + length]) for start in starts}


def content_words(text: str) -> dict[str, str]:
    """The words that carry the meaning, by their stem."""
    return {_stem(word): word for word in words_of(text) if word not in _STOP_WORDS}


def _stem(word: str) -> str:
    for suffix in ("ing", "ed", "es", "ly", "s", "e"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    doubled = len(word) > 3 and word[-1] == word[-2]
    return word[:-1] if doubled else re.sub("y$", "i", word)


def _spoken(text: str) -> str:
    """The words between spaces, so that `in` looks for whole words."""
    return f" {' '.join(words_of(text))} "


def _offers(offer: str, pitch: str) -> list[tuple[str, float, set[float]]]:
    """Of the amount and the percentage, those in the offer: name, value, all such values in the pitch."""
    found: list[tuple[str, float, set[float]]] = []
    asked, said = numbers_in(offer), numbers_in(pitch)
    for name, is_percentage in (("amount", False), ("percentage", True)):
        wanted = [number.value for number in asked if number.is_percentage is is_percentage]
        values = {number.value for number in said if number.is_percentage is is_percentage}
        found += [(name, value, values) for value in wanted[:1]]
    return found


def _clamp(mark: object) -> float:
    return min(1.0, max(0.0, float(str(mark))))
