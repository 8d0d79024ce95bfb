"""The program under test: it looks a question up in the handbook, and answers from what it found."""

import dspy
from search import search


class Answer(dspy.Signature):
    """Answer the question in a few words, from the handbook alone."""

    handbook: list[str] = dspy.InputField()
    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class Answerer(dspy.Module):
    """Call it with `question=`; it answers with `answer`, and with the `paragraphs` that it found."""

    def __init__(self) -> None:
        super().__init__()
        # As a tool, what it found is kept by `--eval-record`: a replay needs neither handbook nor model.
        self.search = dspy.Tool(search)
        self.answer = dspy.Predict(Answer, max_tokens=32)

    def forward(self, question: str) -> dspy.Prediction:
        paragraphs = self.search(question=question)
        return dspy.Prediction(answer=self.answer(handbook=paragraphs, question=question).answer, paragraphs=paragraphs)
