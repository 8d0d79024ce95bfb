"""The fixtures that users define: at any scope, and with models that take no temperature."""

from __future__ import annotations

import pytest
from support.openai_server import Failure
from support.suite import CONFTEST, TEST, Suite

ECHO = """
import dspy
import pytest


class Echo(dspy.Module):
    def forward(self, question):
        return dspy.Prediction(answer=question)
"""


def echo(suite: Suite, scope: str = "session", **fixtures: str) -> None:
    """Let the suite's conftest have these fixtures (name and what is returned) of ``scope``."""
    defined = {"program": "Echo()", "metric": "lambda example, pred, trace=None: 1.0", **fixtures}
    texts = [
        f'@pytest.fixture(scope="{scope}")\ndef {name}():\n    return {value}\n' for name, value in defined.items()
    ]
    suite.write("conftest.py", "\n\n".join([ECHO, *texts]))


def without_models(suite: Suite) -> None:
    """Let the ini file name no models."""
    suite.write("pytest.ini", "[pytest]\neval_mlflow = off\n")


@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
def test_all_fixtures_at_any_scope(suite: Suite, scope: str) -> None:
    """With no evaluator named, the judge is made of the generator, which a session cannot have one of."""
    without_models(suite)
    lm = f'dspy.LM("openai/generator", api_base="{suite.server.url}", api_key="none-needed", num_retries=0)'
    echo(suite, scope, generator_lm=lm, trainset="[dspy.Example(question='t?', answer='t').with_inputs('question')]")
    run = suite.run("--optimization=none,labeled")
    run.result.assert_outcomes(passed=6)
    assert run.requests == []


def test_the_users_fixtures_may_be_in_a_plugin_that_is_loaded_before_ours(suite: Suite) -> None:
    """As one of ``-p`` and ``PYTEST_PLUGINS`` is, and one that is installed, as it happens."""
    suite.add("conftest.py", JUDGED.format(url=suite.server.url))
    (suite.path / "conftest.py").rename(suite.path / "fixtures_of_the_house.py")
    without_models(suite)
    suite.add("test_qa.py", "\n\ndef test_program(program):\n    assert program.signature\n")
    suite.pytester.syspathinsert()
    run = suite.run("-p", "fixtures_of_the_house", "--evaluator-model=openai/judge", *settings_of_judge(suite))
    run.result.assert_outcomes(passed=4)
    assert {request.model for request in run.requests} == {"generator", "judge"}


def settings_of_judge(suite: Suite) -> tuple[str, ...]:
    return f"-oevaluator_api_base={suite.server.url}", "-oevaluator_settings=api_key = 'none-needed'"


IN_A_CONTEXT = """

@pytest.fixture(scope="{scope}", autouse=True)
def as_json():
    with dspy.context(adapter=dspy.JSONAdapter()):
        yield
"""


@pytest.mark.parametrize("scope", ["class", "session"])
def test_a_context_that_a_fixture_enters_holds_for_the_program(suite: Suite, scope: str) -> None:
    suite.add("conftest.py", IN_A_CONTEXT.format(scope=scope))
    run = suite.run("--eval-concurrency=2")
    assert len(run.by("generator")) == 3
    assert all("JSON object" in request.prompt for request in run.by("generator"))


JUDGED = """
@pytest.fixture
def generator_lm():
    return dspy.LM("openai/generator", api_base="{url}", api_key="none-needed", num_retries=0)
"""


def test_a_judge_that_no_session_can_have_is_told_in_one_line(suite: Suite) -> None:
    without_models(suite)
    suite.add("conftest.py", JUDGED.format(url=suite.server.url))
    suite.rows(1)
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    run.result.stdout.fnmatch_lines(
        ["*evaluator_lm: fixture generator_lm has a narrower scope than session; expected *"]
    )


def test_a_reasoning_model_is_asked_without_a_temperature(suite: Suite) -> None:
    run = suite.run("--generator-model=openai/gpt-5-mini", "--evaluator-model=openai/o3")
    run.result.assert_outcomes(passed=3)
    assert {request.model for request in run.requests} == {"gpt-5-mini", "o3"}
    assert [request.temperature for request in run.requests] == [None] * 6


def test_a_judge_made_of_a_reasoning_model_has_no_temperature(suite: Suite) -> None:
    without_models(suite)
    lm = f'dspy.LM("openai/gpt-5", api_base="{suite.server.url}", api_key="none-needed", num_retries=0)'
    fixture = f'\n\n@pytest.fixture(scope="session")\ndef generator_lm():\n    return {lm}\n'
    suite.write("conftest.py", CONFTEST + fixture)
    run = suite.run()
    run.result.assert_outcomes(passed=3)
    assert [request.temperature for request in run.requests] == [None] * 6


def test_a_model_that_refuses_a_temperature_under_another_name(suite: Suite) -> None:
    """The error says which ini key to write; with it, none is sent."""
    suite.rows(1)
    suite.server.fail = lambda request: (
        None if request.temperature is None else Failure(message="Unsupported value: 'temperature' must be 1 here.")
    )
    for role in ("generator", "evaluator"):
        run = suite.run()
        run.result.assert_outcomes(errors=1)
        [line] = [line for line in run.result.outlines if line.startswith("an LM call of the ")]
        assert line.endswith(f"; for a model that takes no temperature, expected the ini key {role}_temperature = null")
        suite.add("pytest.ini", f"{role}_temperature = null\n")
    run = suite.run()
    run.result.assert_outcomes(passed=1)
    assert [request.temperature for request in run.requests] == [None, None]


def test_a_temperature_that_the_user_set_for_a_model_without_is_told_in_one_line(suite: Suite) -> None:
    suite.add("pytest.ini", "evaluator_temperature = 0.2\n")
    suite.rows(1)
    run = suite.run("--evaluator-model=openai/o3")
    run.result.assert_outcomes(errors=1)
    [line] = [line for line in run.result.outlines if line.startswith("evaluator_lm: ")]
    assert line.startswith("evaluator_lm: 'openai/o3' refuses its arguments (ini keys evaluator_temperature and ")


TAGGED = """
import pytest

pytestmark = pytest.mark.evaluation


@pytest.mark.evaluation
def test_tagged():
    pass


@pytest.mark.evaluation()
class TestTagged:
    @pytest.mark.evaluation
    def test_in_a_class(self):
        pass


@pytest.mark.parametrize("example", [pytest.param(1, marks=pytest.mark.evaluation)])
def test_of_its_own_example(example):
    assert example == 1
"""


def test_a_bare_marker_is_a_tag_of_others(suite: Suite) -> None:
    suite.write("test_qa.py", TAGGED)
    run = suite.run("-m", "evaluation", "--strict-markers")
    run.result.assert_outcomes(passed=3)
    assert run.document is None
    assert "pitcheval" not in run.text.partition("collected")[2]


def test_a_bare_marker_beside_our_fixtures_is_an_evaluation_without_a_dataset(suite: Suite) -> None:
    suite.write("test_qa.py", TEST.replace('("data.jsonl", inputs=["question"], threshold=0.5)', ""))
    run = suite.run()
    run.result.assert_outcomes(failed=1)
    assert "missing 1 required positional argument: 'dataset'" in run.tests[0]["error"]
