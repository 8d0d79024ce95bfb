"""The agent under test: it calls tools while it wants more, and answers with what the last one said."""

from typing import Literal

import dspy
from shop import half, price, stock


class NextCall(dspy.Signature):
    """Choose the next tool for the question, what to ask it for, and whether more is needed after that."""

    question: str = dspy.InputField()
    so_far: str = dspy.InputField()
    tool: Literal["price", "stock", "half"] = dspy.OutputField()
    of: str = dspy.OutputField()
    more: bool = dspy.OutputField()


class Clerk(dspy.Module):
    """Call it with `question=`; it has `answer` and `trajectory`, whose names are those that dspy.ReAct has as well."""

    def __init__(self) -> None:
        super().__init__()
        self.choose = dspy.Predict(NextCall, max_tokens=32)
        self.tools = {tool.__name__: dspy.Tool(tool) for tool in (price, stock, half)}

    def forward(self, question: str) -> dspy.Prediction:
        trajectory: dict[str, object] = {}
        so_far = answer = ""
        for n in range(3):  # calls at most
            call = self.choose(question=question, so_far=so_far)
            answer = self.tools[call.tool](of=call.of)
            so_far += f"{call.tool} of {call.of}: {answer}. "
            trajectory |= {f"tool_name_{n}": call.tool, f"tool_args_{n}": {"of": call.of}, f"observation_{n}": answer}
            if not call.more:
                break
        return dspy.Prediction(answer=answer, trajectory=trajectory)
