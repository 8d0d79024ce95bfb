"""While one test waits for its rollouts, those of the following ones are in flight."""

from __future__ import annotations

import itertools
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable

import pytest
from support.openai_server import Failure, Request, chat_format, dspy_answer
from support.suite import TEST, Run, Suite

EXAMPLES = 12


def question(request: Request) -> int:
    found = re.search(r"question (\d+)\?", request.prompt)
    assert found, request.prompt
    return int(found[1])


def asked(run: Run) -> Counter[tuple[str, int]]:
    """How often each model was asked about each question."""
    return Counter((request.model, question(request)) for request in run.requests)


def once_each(count: int, *models: str) -> Counter[tuple[str, int]]:
    return Counter({(model, number): 1 for model in models for number in range(count)})


@pytest.fixture
def slow(suite: Suite) -> Suite:
    """Twelve examples, and a provider that takes long enough for requests to meet."""
    suite.rows(EXAMPLES)
    suite.server.latency = 0.1
    return suite


@pytest.mark.parametrize(
    ("arguments", "concurrency"),
    [
        *[("-p no:xdist", 1), ("-p no:xdist", 3), ("-n0", 32), ("-n2", 1), ("-n2", 3), ("-n4", 32)],
        *[("-n2 --dist=loadscope", 3), ("-n2 --dist=worksteal", 3), ("-n2 --dist=load", 3)],
    ],
)
def test_no_more_in_flight_than_allowed_and_nothing_asked_twice(slow: Suite, arguments: str, concurrency: int) -> None:
    run = slow.run(*arguments.split(), f"--eval-concurrency={concurrency}")
    run.result.assert_outcomes(passed=EXAMPLES)
    assert asked(run) == once_each(EXAMPLES, "generator", "judge")
    assert slow.server.peak_in_flight <= concurrency
    if "--dist" not in arguments and concurrency > 1:
        assert slow.server.peak_in_flight > 1
    assert [test["lm_calls"] for test in run.tests] == [{"fresh": 2, "cached": 0, "failed": 0}] * EXAMPLES


def test_one_at_a_time_is_in_order(slow: Suite) -> None:
    run = slow.run("--eval-concurrency=1")
    assert slow.server.peak_in_flight == 1
    pairs = [(request.model, question(request)) for request in run.requests]
    assert pairs == [(model, number) for number in range(EXAMPLES) for model in ("generator", "judge")]


def test_rollouts_of_one_example_fly_together(slow: Suite) -> None:
    slow.rows(1)
    run = slow.run("--eval-rollouts=6")
    run.result.assert_outcomes(passed=1)
    assert len(run.by("generator")) == len(run.by("judge")) == 6
    assert slow.server.peak_in_flight >= 4
    assert len(run.tests[0]["samples"]) == 6


def test_results_are_reported_in_order_and_each_has_its_own(slow: Suite) -> None:
    """The first question is answered last, and every answer goes to the test that asked."""

    def answer(request: Request) -> str:
        if request.model == "judge":
            return chat_format(score=question(request) / 100, feedback=f"feedback {question(request)}")
        return chat_format(answer=f"answer to {question(request)}")

    slow.server.answer = answer
    run = slow.run("-v", "--eval-threshold=0")
    run.result.assert_outcomes(passed=EXAMPLES)
    order = re.findall(r"test_qa\[e(\d+)\] PASSED", run.text)
    assert order == [str(number) for number in range(EXAMPLES)]
    for number, test in enumerate(run.tests):
        assert test["prediction"] == {"answer": f"answer to {number}"}
        assert (test["score"], test["feedback"]) == (number / 100, f"feedback {number}")
        assert test["seconds"] > 0


def test_seconds_are_those_of_the_rollout_not_of_the_wait(slow: Suite) -> None:
    """Two slots hold no more than two seconds of work in a second; with their waits, tests would have more."""
    slow.server.latency = 0.4
    run = slow.run("--eval-concurrency=2")
    assert sum(test["seconds"] for test in run.tests) < 2 * run.result.duration


def fail_on(number: int) -> Callable[[Request], Failure | None]:
    return lambda request: Failure(message=f"no {number}") if question(request) == number else None


RAISING = """

class Raising(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        if question == "question 3?":
            raise KeyError("no three")
        return self.ask(question=question)


@pytest.fixture(scope="session")
def program():
    return Raising()
"""


def test_failures_surface_in_their_own_test(slow: Suite) -> None:
    slow.add("conftest.py", RAISING)
    slow.server.fail = fail_on(5)
    run = slow.run()
    run.result.assert_outcomes(passed=EXAMPLES - 2, failed=1, errors=1)
    statuses = {test["example_id"]: test["status"] for test in run.tests if test["status"] != "passed"}
    assert statuses == {"e3": "failed", "e5": "error"}
    run.result.stdout.fnmatch_lines(["*_ test_qa?e3? _*", '*raise KeyError("no three")', "*conftest.py:*: KeyError"])
    assert "pytest_pitcheval" not in run.text


@pytest.mark.parametrize("arguments", ["-x", "--maxfail=1", "-x -n2"])
def test_what_has_not_begun_is_not_begun_after_the_last_failure(slow: Suite, arguments: str) -> None:
    slow.rows(60)
    slow.server.fail = fail_on(0)
    run = slow.run(*arguments.split(), "--eval-concurrency=4")
    assert run.result.ret == (pytest.ExitCode.INTERRUPTED if "-n2" in arguments else pytest.ExitCode.TESTS_FAILED)
    finished = [test["example_id"] for test in run.tests]
    assert "e0" in finished
    assert max(asked(run).values()) == 1
    begun = {number for _, number in asked(run)}
    assert len(begun) <= len(finished) + 2 * 4  # in each worker no more than may be in flight
    assert len(begun) < 60


def test_interactive_debugging_is_one_at_a_time(slow: Suite) -> None:
    slow.run("--pdb", "-k", "e1")
    assert slow.server.peak_in_flight == 1


@pytest.mark.parametrize("arguments", ["-s", "-k e1", "-p no:randomly"])
def test_with_other_options(slow: Suite, arguments: str) -> None:
    run = slow.run(*arguments.split())
    passed = 3 if "-k" in arguments else EXAMPLES
    assert run.result.parseoutcomes()["passed"] == passed
    assert set(asked(run).values()) == {1}
    assert slow.server.peak_in_flight > 1


def overlapping(requests: list[Request]) -> bool:
    """Whether two of them were in flight at once."""
    spans = sorted((request.started, request.finished or request.started) for request in requests)
    return any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans))


def test_each_method_looks_ahead(slow: Suite) -> None:
    run = slow.run("--optimization=none,labeled")
    run.result.assert_outcomes(passed=2 * EXAMPLES)
    labeled = [request for request in run.by("generator") if "trained" in request.prompt]
    plain = [request for request in run.by("generator") if "trained" not in request.prompt]
    assert len(labeled) == len(plain) == EXAMPLES
    assert overlapping(labeled)
    assert overlapping(plain)


def test_in_random_order_with_two_methods(slow: Suite) -> None:
    run = slow.run("--optimization=none,labeled", "--random-order", "--random-order-seed=7")
    run.result.assert_outcomes(passed=2 * EXAMPLES)
    assert set(asked(run).values()) == {2}
    assert slow.server.peak_in_flight > 1
    demos = {test["nodeid"]: test["optimization"] for test in run.tests}
    assert Counter(demos.values()) == {"none": EXAMPLES, "labeled": EXAMPLES}
    with_demos = [request for request in run.by("generator") if "trained" in request.prompt]
    assert sorted(map(question_asked, with_demos)) == sorted(range(EXAMPLES))


def test_in_random_order_with_two_models_and_judges(slow: Suite) -> None:
    """The judge changes between tests: the metric is made anew while the one before is asked of rollouts ahead."""
    slow.rows(3)
    slow.write("test_qa.py", TEST.replace("threshold=0.5", "threshold=0.5, rollouts=2, judge_rollouts=2"))
    models = ("--generator-model=openai/a,openai/b", "--evaluator-model=openai/c,openai/d")
    slow.server.latency = 0.05
    run = slow.run(*models, "--random-order", "--random-order-seed=3", "--eval-concurrency=2")
    run.result.assert_outcomes(passed=12)
    assert len(run.requests) == 72, Counter((request.model, request.prompt) for request in run.requests)
    assert run.document is not None
    pairs = [(one["model"], one["evaluator"]) for one in run.document["summary"]]
    assert pairs == [(a, b) for a in ("openai/a", "openai/b") for b in ("openai/c", "openai/d")]


def question_asked(request: Request) -> int:
    found = re.findall(r"question (\d+)\?", request.prompt)
    return int(found[-1])


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_a_test_that_is_run_again_gets_new_rollouts(slow: Suite, arguments: tuple[str, ...]) -> None:
    """By pytest-rerunfailures: one example scores low at first, and is asked afresh."""
    slow.rows(4)
    low = iter([0.1])
    slow.scores(lambda request: next(low, 0.9) if question(request) == 2 else 0.9)
    run = slow.run("--reruns=2", *arguments)
    counted = run.result.parseoutcomes()
    assert (counted["passed"], counted["rerun"]) == (4, 1)
    assert asked(run) == once_each(4, "generator", "judge") + Counter([("generator", 2), ("judge", 2)])
    again = {test["example_id"]: test["rollout_id"].endswith("~2") for test in run.tests}
    assert again == {"e0": False, "e1": False, "e2": True, "e3": False}
    assert [test["lm_calls"]["fresh"] for test in run.tests] == [2, 2, 4, 2]  # both attempts were paid for
    first, twice = run.tests[0]["tokens"], run.tests[2]["tokens"]
    assert twice == {kind: 2 * count for kind, count in first.items()}


SKIPS = """

@pytest.mark.skipif(True, reason="not today")
@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_skipped(score):
    pass


@pytest.mark.xfail(run=False)
@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_not_run(score):
    pass
"""


def test_tests_that_are_skipped_ask_nothing(slow: Suite) -> None:
    slow.add("test_qa.py", SKIPS)
    run = slow.run()
    run.result.assert_outcomes(passed=EXAMPLES, skipped=EXAMPLES, xfailed=EXAMPLES)
    assert asked(run) == once_each(EXAMPLES, "generator", "judge")


PREDICTIONS_ONLY = """
import pytest


@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_answer(prediction):
    assert prediction.answer
"""


def test_without_a_score_nothing_is_judged(slow: Suite) -> None:
    slow.write("test_qa.py", PREDICTIONS_ONLY)
    run = slow.run()
    run.result.assert_outcomes(passed=EXAMPLES)
    assert asked(run) == once_each(EXAMPLES, "generator")
    assert slow.server.peak_in_flight > 2


ASYNC_PROGRAM = """

class Async(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    async def aforward(self, question):
        return await self.ask.acall(question=question)


@pytest.fixture(scope="session")
def program():
    return Async()
"""


def test_async_programs_look_ahead_as_well(slow: Suite) -> None:
    slow.add("conftest.py", ASYNC_PROGRAM)
    run = slow.run()
    run.result.assert_outcomes(passed=EXAMPLES)
    assert asked(run) == once_each(EXAMPLES, "generator", "judge")
    assert slow.server.peak_in_flight > 2


THREADS = """

import concurrent.futures
import threading

POOL = concurrent.futures.ThreadPoolExecutor(4)


class Threads(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        lm, adapter = dspy.settings.lm, dspy.settings.adapter

        def ask(question):
            with dspy.context(lm=lm, adapter=adapter):
                return self.ask(question=question)

        in_pool = POOL.submit(ask, question + " really?")
        found = []
        thread = threading.Thread(target=lambda: found.append(ask(question)))
        thread.start()
        thread.join()
        in_pool.result()
        return found[0]


@pytest.fixture(scope="session")
def program():
    return Threads()
"""


def test_threads_of_the_programs_own_belong_to_its_rollout(slow: Suite) -> None:
    """Of a shared pool too: each of the two calls is counted where it belongs, and is fresh."""
    slow.add("conftest.py", THREADS)
    run = slow.run()
    run.result.assert_outcomes(passed=EXAMPLES)
    assert [test["generator"]["lm_calls"] for test in run.tests] == [{"fresh": 2, "cached": 0, "failed": 0}] * EXAMPLES
    assert slow.server.peak_in_flight > 2


QUEUED = """

import queue
import threading

WORK = queue.Queue()


def serve():
    while True:
        call, answer = WORK.get()
        try:
            answer.put(call())
        except Exception as error:
            answer.put(error)


threading.Thread(target=serve, daemon=True).start()
threading.Thread(target=serve, daemon=True).start()


class Queued(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        lm, answer = dspy.settings.lm, queue.Queue()

        def call():
            with dspy.context(lm=lm):
                return self.ask(question=question)

        WORK.put((call, answer))
        found = answer.get()
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture(scope="session")
def program():
    return Queued()
"""


def test_calls_that_may_be_of_any_rollout_are_errors_that_say_what_to_do(slow: Suite) -> None:
    slow.add("conftest.py", QUEUED)
    run = slow.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    errors = [test["error"] for test in run.tests if test["status"] == "error"]
    assert errors
    assert all("expected --eval-concurrency=1" in error for error in errors)
    slow.run("--eval-concurrency=1").result.assert_outcomes(passed=EXAMPLES)


FUNCTION_PROGRAM = """

@pytest.fixture
def program(example):
    class Other(dspy.Module):
        def __init__(self):
            super().__init__()
            self.ask = dspy.Predict("question, hint -> answer")

        def forward(self, question):
            return self.ask(question=question, hint=f"for {example.question}")

    return Other()
"""

DATABASE = """

STATE = []


@pytest.fixture(autouse=True)
def database(request):
    STATE.append(request.node.name)
    yield
    STATE.pop()


class Reads(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question, state -> answer")

    def forward(self, question):
        return self.ask(question=question, state=" ".join(STATE))


@pytest.fixture(scope="session")
def program():
    return Reads()
"""


@pytest.mark.parametrize(
    ("name", "fixtures", "sees"),
    [("program", FUNCTION_PROGRAM, "for question {}?"), ("database", DATABASE, "test_qa[e{}]")],
)
def test_fixtures_made_for_each_test_are_respected(slow: Suite, name: str, fixtures: str, sees: str) -> None:
    slow.add("conftest.py", fixtures)
    run = slow.run(subprocess=True)
    run.result.assert_outcomes(passed=EXAMPLES)
    for request in run.by("generator"):
        assert sees.format(question(request)) in request.prompt
    assert asked(run) == once_each(EXAMPLES, "generator", "judge")
    assert f"its fixture '{name}' is made anew for each test" in run.result.stderr.str()


SET_UP = """
import dspy
import pytest

STATE = []


class Reads(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question, state -> answer")

    def forward(self, question):
        return self.ask(question=question, state=f"number {len(STATE)}")


@pytest.fixture(scope="session")
def program():
    return Reads()


def setup_function(function):
    STATE.append(function.__name__)


@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_function(score):
    pass


class TestClass:
    def setup_method(self):
        STATE.append(self)

    @pytest.mark.evaluation("data.jsonl", inputs=["question"])
    def test_method(self, score):
        pass
"""


def test_what_setup_method_and_setup_function_do_is_respected(slow: Suite) -> None:
    slow.rows(4)
    slow.write("test_qa.py", SET_UP)
    run = slow.run()
    run.result.assert_outcomes(passed=8)
    found = [(question(request), re.search(r"number (\d+)", request.prompt)) for request in run.by("generator")]
    seen = {(asked_for, int(number[1])) for asked_for, number in found if number}
    assert seen == {(number % 4, number + 1) for number in range(8)}


TAKES_TURNS = """
import dspy
import pytest

OPEN = []


class Reads(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question, state -> answer")

    def forward(self, question):
        return self.ask(question=question, state=OPEN[-1])


@pytest.fixture(scope="session")
def program():
    return Reads()


class Base:
    @pytest.fixture(scope="class", autouse=True)
    def opened(self):
        OPEN.append(type(self).__name__)
        yield
        OPEN.pop()

    @pytest.mark.evaluation("data.jsonl", inputs=["question"])
    def test_it(self, score):
        pass


class TestOne(Base):
    pass


class TestTwo(Base):
    pass


@pytest.fixture(scope="module", params=["TestThree", "TestFour"])
def named(request):
    OPEN.append(request.param)
    yield
    OPEN.pop()


@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_named(named, score):
    pass
"""

IN_TURNS = """

def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.callspec.params["example"].id)
"""


def test_fixtures_of_a_class_are_those_of_its_turn(slow: Suite) -> None:
    """Where tests of two classes take turns, pytest tears the fixtures of a class down and makes them anew."""
    slow.rows(6)
    slow.server.latency = 0.05
    slow.write("test_qa.py", TAKES_TURNS)
    slow.add("conftest.py", IN_TURNS)
    run = slow.run("--eval-concurrency=2")
    run.result.assert_outcomes(passed=24)
    seen = Counter((question(one), *re.findall(r"^Test\w+$", one.prompt, re.MULTILINE)) for one in run.by("generator"))
    assert seen == {
        (number, name): 1 for number in range(6) for name in ("TestOne", "TestTwo", "TestThree", "TestFour")
    }


HOOK = """

import os


def pytest_runtest_setup(item):
    os.environ["MODE"] = item.name
"""


def test_variables_that_a_hook_sets_for_each_test_are_told(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what a hook does for which test, so rollouts are made ahead all the same."""
    monkeypatch.setenv("MODE", "")
    suite.add("conftest.py", HOOK)
    suite.rows(6)
    said = "tests, or hooks around them, change os.environ['MODE']"
    assert said in " ".join(suite.run().text.split())
    assert said not in " ".join(suite.run("--eval-concurrency=1").text.split())


SCRIPTED = """
from dspy.utils import DummyLM


@pytest.fixture(scope="session")
def generator_lm():
    return DummyLM([{"answer": f"answer {n}"} for n in range(100)])


@pytest.fixture(scope="session")
def evaluator_lm():
    return DummyLM([{"score": f"0.{n:02}", "feedback": "none"} for n in range(100)])
"""

OF_A_PREDICTOR = """

@pytest.fixture(scope="session")
def program(generator_lm):
    ask = dspy.Predict("question -> answer")
    ask.set_lm(generator_lm)
    return ask
"""


@pytest.mark.parametrize("program", ["", OF_A_PREDICTOR])
def test_a_list_of_answers_is_given_in_the_order_of_the_tests(suite: Suite, program: str) -> None:
    suite.rows(EXAMPLES)
    suite.add("conftest.py", SCRIPTED + program)
    run = suite.run("--eval-threshold=0")
    run.result.assert_outcomes(passed=EXAMPLES)
    assert [test["prediction"]["answer"] for test in run.tests] == [f"answer {n}" for n in range(EXAMPLES)]
    assert [test["score"] for test in run.tests] == [n / 100 for n in range(EXAMPLES)]


METRIC_FOR_EACH_TEST = """

@pytest.fixture
def metric(request):
    return lambda example, pred, trace=None: dspy.Prediction(score=1.0, feedback=request.node.name)
"""


def test_a_metric_made_for_each_test_is_respected(slow: Suite) -> None:
    slow.add("conftest.py", METRIC_FOR_EACH_TEST)
    run = slow.run()
    run.result.assert_outcomes(passed=EXAMPLES)
    assert [test["feedback"] for test in run.tests] == [f"test_qa[e{n}]" for n in range(EXAMPLES)]
    assert slow.server.peak_in_flight > 1


CLEANED = """
import pytest


@pytest.fixture
def prediction(prediction):
    prediction.answer = "cleaned"
    return prediction


@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_qa(score):
    pass
"""


def test_an_overridden_prediction_is_what_is_judged(slow: Suite) -> None:
    slow.write("test_qa.py", CLEANED)
    run = slow.run()
    run.result.assert_outcomes(passed=EXAMPLES)
    assert all("cleaned" in request.prompt for request in run.by("judge"))
    assert asked(run) == Counter({("generator", n): 1 for n in range(EXAMPLES)}) + Counter(
        {("judge", n): 1 for n in range(EXAMPLES)}
    )
    again = slow.run("--eval-rollouts=2", "--test-size=2")  # the second would be what the program answers, uncleaned
    again.result.assert_outcomes(errors=2)
    assert again.by("judge") == []
    assert all("a prediction fixture of your own gives one prediction" in test["error"] for test in again.tests)


OVERRIDES = """
import dspy
import pytest


class Wrapped(dspy.Module):
    def __init__(self, style):
        super().__init__()
        self.ask = dspy.Predict("question, style -> answer")
        self.style = style

    def forward(self, question):
        return self.ask(question=question, style=self.style)


@pytest.fixture(scope="module")
def program():
    return Wrapped("modular")


@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_module(score):
    pass


class TestInClass:
    @pytest.fixture(scope="class")
    def program(self):
        return Wrapped("classy")

    @pytest.mark.evaluation("data.jsonl", inputs=["question"])
    def test_class(self, score):
        pass


@pytest.mark.parametrize("program", [Wrapped("first"), Wrapped("second")], ids=["1", "2"])
@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_parametrized(score):
    pass
"""


@pytest.mark.parametrize("arguments", ["-p no:xdist", "-n2"])
def test_overridden_programs_are_never_mixed_up(slow: Suite, arguments: str) -> None:
    slow.write("test_qa.py", OVERRIDES)
    slow.rows(5)
    run = slow.run(*arguments.split())
    run.result.assert_outcomes(passed=20)
    found = Counter(style for r in run.by("generator") for style in re.findall("modular|classy|first|second", r.prompt))
    assert found == dict.fromkeys(("modular", "classy", "first", "second"), 5)
    assert len(run.requests) == 40


def test_a_provider_that_hangs_for_all_costs_about_one_timeout(slow: Suite) -> None:
    """What was begun together ends together: the last of them has not waited for the others' timeouts."""
    slow.rows(4)
    slow.server.fail = lambda request: Failure(hang=True)
    run = slow.run("--eval-timeout=8")
    run.result.assert_outcomes(errors=4)
    assert all("Timeout" in test["error"] for test in run.tests)
    assert run.result.duration < sum(test["seconds"] for test in run.tests)


def test_a_hanging_rollout_gives_its_slot_to_others(slow: Suite) -> None:
    slow.server.fail = lambda r: Failure(hang=True) if question(r) in (0, 1) and r.model == "generator" else None
    run = slow.run("--eval-concurrency=2", "--eval-timeout=6")
    run.result.assert_outcomes(passed=EXAMPLES - 2, errors=2)


GOES_THROUGH = """
import os
import threading

TOLD, GONE, FOUND = threading.Event(), threading.Event(), threading.Event()
NAME = "PYTEST_CURRENT_TEST"


class GoesThrough(dspy.Module):
    \"\"\"Goes through the environment, as HTTP clients do, while pytest changes it.\"\"\"

    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        answer = self.ask(question=question)
        if question == "question 1?":
            names = {NAME, *os.environ}
            TOLD.set()
            GONE.wait()
            assert all(os.environ[name] is not None for name in names)
            FOUND.set()
        return answer


@pytest.fixture(scope="session")
def program():
    return GoesThrough()


@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish(nodeid):
    if "e0" in nodeid:
        assert NAME not in os.environ
        TOLD.wait()
        GONE.set()
        FOUND.wait()
"""


def test_reading_the_environment_while_pytest_changes_it_is_no_failure(slow: Suite) -> None:
    """Nor is anything asked again."""
    slow.add("conftest.py", GOES_THROUGH)
    run = slow.run()
    run.result.assert_outcomes(passed=EXAMPLES)
    assert asked(run) == once_each(EXAMPLES, "generator", "judge")
    assert [test["lm_calls"] for test in run.tests] == [{"fresh": 2, "cached": 0, "failed": 0}] * EXAMPLES


FEW_FILES = """

import resource


def pytest_collection_finish(session):
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_many_rollouts_in_flight_need_few_open_files(slow: Suite) -> None:
    """DSPy's disk cache would open 16 databases, of two files each, for each of the 32 threads."""
    slow.rows(64)
    slow.add("conftest.py", FEW_FILES.replace("FILES", "200"))
    met = threading.Event()

    def answer(request: Request) -> str:
        if slow.server.peak_in_flight > 16:
            met.set()
        met.wait(40)
        return dspy_answer(request)

    slow.server.answer = answer
    run = slow.run("--eval-concurrency=32", "-p", "no:xdist", subprocess=True)
    run.result.assert_outcomes(passed=64)
    assert met.is_set()
    replayed = slow.run("--eval-replay=last", "-p", "no:xdist", subprocess=True)  # the limit is for a whole process
    replayed.result.assert_outcomes(passed=64)
    assert replayed.requests == []
