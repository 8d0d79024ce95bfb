"""The metric itself, tested without any LM: good pitches score high, and pitches for others low."""

from __future__ import annotations

import time
from typing import Any

import dspy
import pytest
from pitch_examples import load_examples
from pitch_metric import FACT_WEIGHTS, PitchMetric, can_judge
from spoken_numbers import numbers_in

EXAMPLES = load_examples("data/train.jsonl") + load_examples("data/test.jsonl")
each_example = pytest.mark.parametrize("gold", EXAMPLES, ids=[example.id for example in EXAMPLES])

FACTS = {
    "company": "Señor Kombu",
    "founders": ["Zoë Ångström"],
    "offer": "250,000 for 8%",
    "problem": "Office snacks are salty.",
    "solution": "Señor Kombu dries seaweed into crunchy chips.",
}
PITCH = (
    "Hello Sharks, I'm Zoë, and I'm asking for $250,000 for 8% of Señor Kombu. Everybody loves to snack, but "
    "the snacks in your office are far too salty, and by four o'clock you feel it. Señor Kombu dries seaweed "
    "into crunchy chips, gently, without any oil. Sharks, who would like to take the first bite?"
)


def score_of(pitch: Any, facts: dict[str, Any] | None = None, judge_lm: Any = None) -> dspy.Prediction:
    example = dspy.Example(facts=FACTS if facts is None else facts).with_inputs("facts")
    return PitchMetric(judge_lm)(example, dspy.Prediction(pitch=pitch))


@each_example
def test_the_own_pitch_scores_high(gold: dspy.Example) -> None:
    result = score_of(gold.pitch, gold.facts)
    assert result.score > 0.9, result.feedback


@each_example
def test_every_other_pitch_scores_low(gold: dspy.Example) -> None:
    others = {other.id: score_of(other.pitch, gold.facts).score for other in EXAMPLES if other is not gold}
    assert len(others) == len(EXAMPLES) - 1
    assert {company: score for company, score in others.items() if score >= 0.4} == {}


@pytest.mark.parametrize("pitch", ["", " \n\t", "🦈🦈", None])
def test_an_empty_pitch_scores_zero(pitch: Any) -> None:
    result = score_of(pitch)
    assert result.score == 0.0
    assert "The pitch is empty" in result.feedback


def test_a_prediction_without_a_pitch_scores_zero() -> None:
    assert PitchMetric()(dspy.Example(facts=FACTS), dspy.Prediction()).score == 0.0


@pytest.mark.parametrize(
    ("without", "part", "line"),
    [
        ("Señor Kombu", "company", "The company name 'Señor Kombu' is missing"),
        ("$250,000", "amount", "The amount 250,000 is missing"),
        ("8%", "percentage", "The percentage 8% is missing"),
        ("salty", "problem", "The problem is told in part; not said: salty"),
        ("seaweed", "solution", "The solution is told in part; not said: chips, crunchy, dries, seaweed"),
    ],
)
def test_feedback_names_what_is_missing(without: str, part: str, line: str) -> None:
    pitch = PITCH.replace(without, "something")
    if part == "problem":
        pitch = pitch.replace("office", "place")
        line = "The problem is told in part; not said: office, salty"
    if part == "solution":
        pitch = pitch.replace("dries", "turns it").replace("crunchy chips", "something")
    result = score_of(pitch)
    assert line in result.feedback
    assert result[part] < 1
    assert result.score < score_of(PITCH).score == pytest.approx(1.0)


@pytest.mark.parametrize(
    "amount",
    ["250,000 dollars", "250000", "$250K", "two hundred fifty thousand", "a quarter million", "0.25 million"],
)
@pytest.mark.parametrize("percentage", ["8%", "8 percent", "eight percent", "8 per cent", "8.0%"])
def test_the_offer_may_be_said_in_many_ways(amount: str, percentage: str) -> None:
    pitch = PITCH.replace("$250,000", amount).replace("8%", percentage)
    assert score_of(pitch).score == pytest.approx(1.0)


@pytest.mark.parametrize("wrong", ["$25,000 for 8%", "$250,000 for 18%", "$250,000 for 0.8%", "8 for 250,000%"])
def test_another_offer_does_not_count(wrong: str) -> None:
    assert score_of(PITCH.replace("$250,000 for 8%", wrong)).score < 0.9


@pytest.mark.parametrize(
    ("offer", "said"),
    [
        ("250,000 for 8% plus royalty", "$250,000 for 8%, plus a royalty,"),
        ("100k loan", "a loan of $100,000 to grow"),
        ("$90,000 for 7.5 percent equity", "ninety thousand dollars for seven and a half percent"),
        ("an interest in the company", "a partner for the growth"),
        ("", "your advice for the growth"),
    ],
)
def test_odd_offers(offer: str, said: str) -> None:
    pitch = PITCH.replace("$250,000 for 8%", said)
    assert score_of(pitch, {**FACTS, "offer": offer}).score == pytest.approx(1.0)


def test_facts_may_be_missing() -> None:
    assert score_of(PITCH, {"company": "Señor Kombu"}).score == pytest.approx(1.0)
    assert score_of(PITCH, {}).score == 0.0


@pytest.mark.parametrize("spelling", ["SENOR KOMBU", "Señor  Kombu's", "Sen\u0303or-Kombu"])
def test_spelling_of_the_company(spelling: str) -> None:
    assert score_of(PITCH.replace("Señor Kombu", spelling)).company == 1.0


def test_a_part_of_a_word_is_not_the_company() -> None:
    assert score_of("We are translating.", {"company": "Slat"}).company == 0.0


def test_a_loop_scores_low() -> None:
    assert score_of(" ".join([PITCH] * 2)).score < score_of(PITCH).score
    assert score_of("Señor Kombu dries seaweed into crunchy chips. " * 15).score < 0.1


def test_a_very_long_text_is_read_in_no_time() -> None:
    start = time.perf_counter()
    assert score_of(PITCH * 2_000).score < 0.01
    assert time.perf_counter() - start < 5


def test_the_parts_are_floats_from_0_to_1() -> None:
    result = score_of("Hello Sharks.")
    numbers = {name: value for name, value in result.items() if name != "feedback"}
    assert numbers.keys() == {"score", "form", *FACT_WEIGHTS}
    assert all(0 <= value <= 1 for value in numbers.values())


def test_the_judge_gives_three_tenths_of_the_score() -> None:
    judge = dspy.utils.DummyLM([{"narrative": "0.5", "style": "7"}])
    result = score_of(PITCH, judge_lm=judge)
    assert (result.narrative, result.style) == (0.5, 1.0)
    assert result.score == pytest.approx(0.7 * 1.0 + 0.3 * 0.75)


def test_the_judge_is_not_asked_about_nothing() -> None:
    assert score_of("", judge_lm=dspy.utils.DummyLM([])).score == 0.0


@pytest.mark.parametrize(("model", "judges"), [("openai/smollm2-135m", False), ("groq/llama-3.3-70b-versatile", True)])
def test_the_embedded_model_is_no_judge(model: str, judges: bool) -> None:
    assert can_judge(dspy.LM(model)) is judges


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("250,000 for 8%", [(250_000, False), (8, True)]),
        ("$250K, eight percent", [(250_000, False), (8, True)]),
        ("one and a half million for twelve and a half percent", [(1_500_000, False), (12.5, True)]),
        ("half a million and a quarter of a million", [(500_000, False), (250_000, False)]),
        ("one million two hundred thousand", [(1_200_000, False)]),
        ("$1.2m", [(1_200_000, False)]),
        ("forty-five thousand", [(45_000, False)]),
        ("a hundred and one", [(101, False)]),
        ("I'm a grandfather, k?", []),
        ("² 5 %", [(5, True)]),
        ("", []),
    ],
)
def test_numbers_in_text(text: str, numbers: list[tuple[float, bool]]) -> None:
    assert [tuple(number) for number in numbers_in(text)] == numbers
