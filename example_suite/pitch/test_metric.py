"""The metric itself, tested without any LM: right deals score 1, and others less."""

import dspy
import pytest
from deal_metric import deal_metric

DEAL = "Brackish: $400,000 for 10%"


def score_of(answer: object, deal: str = DEAL) -> dspy.Prediction:
    return deal_metric(dspy.Example(deal=deal), dspy.Prediction(deal=answer))


@pytest.mark.parametrize(
    ("answer", "right", "feedback"),
    [
        (DEAL, 3, "all right"),
        ("10% of BRACKISH, for $400,000.", 3, "all right"),
        ("Brackish: $400,000 for 8%", 2, "the share is not 10%"),
        ("Brackish: $400,000,000 for 10%", 2, "the amount is not $400,000"),
        ("Brackish: $1400,000 for 110%", 1, "the amount is not $400,000; the share is not 10%"),
        ("Brackishness", 0, "the company is not Brackish; the amount is not $400,000; the share is not 10%"),
        (None, 0, "the company is not Brackish; the amount is not $400,000; the share is not 10%"),
    ],
)
def test_facts_are_found_as_whole_words(answer: object, right: int, feedback: str) -> None:
    result = score_of(answer)
    assert result.score == pytest.approx(right / 3)
    assert result.feedback == feedback


def test_twice_as_many_words_are_worth_half() -> None:
    result = score_of(f"Well, I think that the deal of the founders of this company is: {DEAL}, is it not?")
    assert result.score == pytest.approx(0.5)
    assert result.feedback == "20 words are more than 10"


def test_a_deal_that_is_written_otherwise_is_an_error() -> None:
    with pytest.raises(ValueError, match="the deal 'much' is not written as"):
        score_of(DEAL, "much")
