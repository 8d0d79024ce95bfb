"""``--eval-max-cost`` and ``--eval-max-tokens``: what all LM calls of a session may take together."""

from __future__ import annotations

from typing import Any

import pytest
from support.openai_server import Request, dspy_answer
from support.suite import Run, Suite

EXAMPLES = 20
PRICE = "--eval-price=openai/*=1000/1000"
PRICE_OF_A_TOKEN = 0.001
"""US dollars, so that a call of these tests costs some cents."""


@pytest.fixture
def suite(suite: Suite) -> Suite:
    suite.rows(EXAMPLES)
    return suite


def budget(run: Run) -> dict[str, Any]:
    assert run.document is not None, run.text
    found: dict[str, Any] = run.document["run"]["budget"]
    return found


def left_out(run: Run) -> list[dict[str, Any]]:
    return [test for test in run.tests if test["left_out"]]


def spent(requests: list[Request]) -> float:
    """By the provider's own books: a token is a word."""
    return sum(PRICE_OF_A_TOKEN * (len(one.prompt.split()) + len(dspy_answer(one).split())) for one in requests)


def test_nothing_is_sent_once_all_is_spent(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.server.latency = 0.4  # the first example is to be judged before all is spent, on a busy machine too
    run = suite.run(PRICE, "--eval-max-cost=1", "--eval-concurrency=4", *plugin_args)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    books, told = spent(run.requests), budget(run)
    dearest = max(spent([one]) for one in run.requests)
    assert 1 <= books <= 1 + 4 * dearest
    assert told["cost"] == pytest.approx(books)
    assert sum(test["cost"] for test in run.tests) == pytest.approx(books)
    assert (told["max_cost"], told["max_tokens"], told["reached"]) == (1.0, None, "budget: $1.00 reached")
    assert {(test["status"], test["score"], test["error"], test["left_out"]) for test in left_out(run)} == {
        ("skipped", None, "budget: $1.00 reached", "budget")
    }
    scored = [test for test in run.tests if test["score"] is not None]
    assert 0 < len(scored) == EXAMPLES - len(left_out(run))
    run.result.assert_outcomes(passed=len(scored), skipped=len(left_out(run)))
    text = f"budget: $1.00 reached, ${books:.2f} spent: {len(left_out(run))} of 20 examples left out"
    assert text in run.result.stdout.lines


PROGRAMS = {
    "swallows what is raised": """
class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        try:
            return self.ask(question=question)
        except Exception:
            return dspy.Prediction(answer="nothing")
""",
    "has a judge that swallows": """
class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        return self.ask(question=question)


@pytest.fixture(scope="session")
def metric(evaluator_lm):
    judge = dspy.Predict("question, answer -> score: float")
    judge.set_lm(evaluator_lm)

    def metric(example, pred, trace=None):
        try:
            return judge(question=example.question, answer=pred.answer).score
        except Exception:
            return 0.0

    return metric
""",
    "asks in dspy.Parallel, which goes on": """
class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        pairs = [(self.ask, {"question": f"{question} {n}"}) for n in range(3)]
        answers = dspy.Parallel(num_threads=3, disable_progress_bar=True)(pairs)
        return dspy.Prediction(answer=str([one and one.answer for one in answers]))
""",
    "is asked best of three": """
class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        ask = dspy.Predict("question -> answer")
        self.ask = dspy.BestOfN(module=ask, N=3, reward_fn=lambda args, pred: 0.0, threshold=1.0)

    def forward(self, question):
        return self.ask(question=question)
""",
    "is async": """
class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    async def aforward(self, question):
        first = await self.ask.acall(question=question)
        return await self.ask.acall(question=f"{question} {first.answer}")
""",
    "has an LM without a cache": """
class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        with dspy.context(lm=dspy.settings.lm.copy(cache=False)):
            return self.ask(question=question)
""",
    "asks without a cache and swallows": """
class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        try:
            return self.ask(question=question, config={"cache": False})
        except Exception:
            return dspy.Prediction(answer="nothing")
""",
    "asks through LiteLLM": """
class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        with dspy.context(lm=dspy.settings.lm.copy(engine="litellm")):
            return self.ask(question=question)
""",
    "asks in a thread of its own": """
import concurrent.futures


class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            found = [pool.submit(self.ask, question=f"{question} {n}") for n in range(2)]
        return found[0].result()
""",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_whatever_a_program_makes_of_a_refused_call(suite: Suite, program: str) -> None:
    suite.add("conftest.py", program + '\n\n@pytest.fixture(scope="session")\ndef program():\n    return Program()\n')
    suite.server.latency = 0.3  # the first example is to be judged before all is spent, on a busy machine too
    apart = "litellm" in program  # its import leaves pytester's snapshots of modules useless
    run = suite.run(PRICE, "--eval-max-cost=2", "--eval-concurrency=3", "-pno:xdist", subprocess=apart)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED, run.text
    dearest = max(spent([one]) for one in run.requests)
    books, in_flight = spent(run.requests), 3 * 3
    assert 2 <= books <= 2 + in_flight * dearest
    assert sum(test["cost"] for test in run.tests) == pytest.approx(books)
    assert budget(run)["cost"] == pytest.approx(books)
    assert {test["status"] for test in run.tests} == {"passed", "skipped"}, run.text
    assert {test["left_out"] for test in run.tests if test["status"] == "skipped"} == {"budget"}
    assert {test["lm_calls"]["failed"] for test in run.tests} == {0}
    assert sum(test["lm_calls"]["fresh"] for test in run.tests) == len(run.requests)


OWN_LM = """
class OwnLM(dspy.BaseLM):
    \"\"\"Asks whatever it likes, and tells tokens in its answer as providers do.\"\"\"

    def forward(self, prompt=None, messages=None, **kwargs):
        import json
        import types
        import urllib.request

        body = json.dumps({"model": "generator", "messages": messages}).encode()
        asked = urllib.request.Request(
            "URL/chat/completions", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked) as answer:
            return as_object(json.load(answer))


def as_object(value):
    import types

    if isinstance(value, dict) and "prompt_tokens" not in value:
        return types.SimpleNamespace(**{name: as_object(one) for name, one in value.items()})
    return [as_object(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="session")
def generator_lm():
    return OwnLM(model="mine/model")
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_lm_class_of_ones_own(suite: Suite) -> None:
    """Its price is known once it has answered, if then: what was in flight is all that is sent."""
    suite.add("conftest.py", OWN_LM.replace("URL", suite.server.url))
    suite.server.latency = 0.3
    unknown = suite.run(*OWN, "--eval-max-cost=1", "--eval-price=openai/judge=1/1", "--eval-concurrency=2")
    check_no_price(unknown, NO_PRICE.replace("openai/generator", "mine/model"))
    assert 1 <= len(unknown.by("generator")) <= 2
    run = suite.run(*OWN, "--eval-max-cost=1", f"{PRICE},mine/*=1000/1000", "--eval-concurrency=2")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert 1 <= spent(run.requests) == pytest.approx(budget(run)["cost"])
    assert sum(test["cost"] for test in run.tests) == pytest.approx(budget(run)["cost"])
    assert {test["status"] for test in run.tests} == {"passed", "skipped"}


OWN = ("-pno:xdist", "-Wignore")

NO_PRICE = (
    "--eval-max-cost: no price of 'openai/generator' is known; expected --eval-price=openai/generator=IN/OUT, US "
    "dollars for a million tokens of its prompts, and of its answers"
)


def check_no_price(run: Run, line: str = NO_PRICE) -> None:
    text = run.text + run.result.stderr.str()
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR, text
    assert [one for one in text.splitlines() if "Exit: " in one] == [f"! _pytest.outcomes.Exit: {line} !"]
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text


def test_a_model_without_a_known_price_ends_the_session(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    run = suite.run("--eval-max-cost=1", *plugin_args)
    check_no_price(run)
    assert run.requests == []


def test_a_judge_without_a_known_price(suite: Suite) -> None:
    run = suite.run("--eval-max-cost=1", "--eval-price=openai/generator=1/1")
    check_no_price(run, NO_PRICE.replace("generator", "judge"))
    assert run.by("judge") == []


def test_an_ini_file_may_cap_and_price(suite: Suite) -> None:
    suite.add("pytest.ini", "eval_max_cost = 1\neval_price =\n    openai/judge=1/1\n")
    check_no_price(suite.run(), NO_PRICE.replace("--eval-max-cost", "ini key eval_max_cost"))
    suite.add("pytest.ini", "    openai/gen*=0/0\n")
    run = suite.run()
    assert run.result.ret == pytest.ExitCode.OK
    assert 0 < budget(run)["cost"] < 0.01
    assert sum(test["generator"]["cost"] for test in run.tests) == 0


def test_a_cap_on_tokens_needs_no_price(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    run = suite.run("--eval-max-tokens=1k", "--eval-concurrency=2", *plugin_args)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert budget(run)["tokens"] == sum(sum(test["tokens"].values()) for test in run.tests) >= 1000
    assert budget(run)["reached"] == "budget: 1,000 tokens reached"
    assert {test["cost"] for test in run.tests if test["lm_calls"]["fresh"]} == {None}
    assert len({test["left_out"] for test in run.tests}) == 2


def test_a_cap_of_nothing_sends_nothing(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    run = suite.run(PRICE, "--eval-max-cost=0", "--eval-min-mean=0.1", *plugin_args)
    assert (run.requests, run.result.ret) == ([], pytest.ExitCode.TESTS_FAILED)
    run.result.assert_outcomes(skipped=EXAMPLES)
    [gate] = run.document["gates"] if run.document else []
    assert gate["reason"] == "not decided: budget: $0.00 reached after 0 of 20 examples"


def test_a_cap_that_is_not_reached_makes_no_difference(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    run = suite.run(PRICE, "--eval-max-cost=100", *plugin_args)
    assert run.result.ret == pytest.ExitCode.OK
    run.result.assert_outcomes(passed=EXAMPLES)
    assert f"budget: ${spent(run.requests):.2f} of $100.00 spent" in run.result.stdout.lines
    assert budget(run)["reached"] is None


@pytest.mark.parametrize("plugin_args", [("-pno:xdist",), ("-n2",)], ids=["without-xdist", "n2"])
def test_a_resumed_run_goes_on(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    options = (PRICE, "--eval-concurrency=1", "--eval-rollouts=2", "--eval-min-mean=0.5", *plugin_args)
    first = suite.run("--eval-max-cost=2", *options)
    assert 0 < len(left_out(first)) < EXAMPLES
    again = suite.run("--eval-max-cost=2", "--eval-resume=last", *options)  # what was spent counts
    assert again.requests == []
    assert again.result.ret == pytest.ExitCode.TESTS_FAILED
    assert {one["nodeid"] for one in left_out(again)} == {one["nodeid"] for one in left_out(first)}
    second = suite.run("--eval-max-cost=4", "--eval-resume=last", *options)
    assert 0 < len(left_out(second)) < len(left_out(first))
    assert budget(second)["cost_before"] == pytest.approx(spent(first.requests))
    assert budget(second)["cost"] == pytest.approx(spent(second.requests))
    last = suite.run("--eval-max-cost=100", "--eval-resume=last", *options)
    assert last.result.ret == pytest.ExitCode.OK
    assert left_out(last) == []
    requests = [*first.requests, *second.requests, *last.requests]
    assert len(requests) == 4 * EXAMPLES  # nothing was paid for twice
    assert f"budget: ${spent(requests):.2f} of $100.00 spent" in last.result.stdout.lines


@pytest.mark.parametrize("plugin_args", [("-pno:xdist",), ("-n2",)], ids=["without-xdist", "n2"])
def test_a_replay_costs_nothing_and_leaves_out_the_same(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    first = suite.run(PRICE, "--eval-max-cost=1", "--eval-concurrency=4", *plugin_args)
    second = suite.run(PRICE, "--eval-max-cost=0", "--eval-replay=last", *plugin_args)
    assert (second.requests, second.result.ret) == ([], pytest.ExitCode.TESTS_FAILED)
    assert [(one["nodeid"], one["error"]) for one in left_out(second)] == [
        (one["nodeid"], "budget: $1.00 reached") for one in left_out(first)
    ]
    assert [one["score"] for one in second.tests] == [one["score"] for one in first.tests]
    whole = suite.run(PRICE, *plugin_args)
    replayed = suite.run(PRICE, "--eval-max-cost=0", "--eval-replay=last", *plugin_args)
    assert (replayed.requests, replayed.result.ret) == ([], whole.result.ret)
