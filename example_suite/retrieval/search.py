"""The retriever: which paragraphs of the handbook have most in common with a question."""

import re
from collections import Counter
from pathlib import Path

PARAGRAPHS = (Path(__file__).parent / "data/handbook.txt").read_text(encoding="utf-8").splitlines()
FOUND = 1


def words_of(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


USES = Counter(word for paragraph in PARAGRAPHS for word in words_of(paragraph))
"""In how many paragraphs a word is."""


def search(question: str) -> list[str]:
    """The paragraphs that share most words with the question; a word counts more where fewer paragraphs have it."""

    def shared(paragraph: str) -> float:
        return sum(1 / USES[word] for word in words_of(question) & words_of(paragraph))

    return sorted(PARAGRAPHS, key=shared, reverse=True)[:FOUND]
