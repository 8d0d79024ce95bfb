"""The fixtures: thin, because what they do is elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from pytest_pitcheval.evaluation.running_test import RunningTest
    from pytest_pitcheval.results.score import Score
    from pytest_pitcheval.rollouts.rollout_id import RolloutId
    from pytest_pitcheval.settings.methods import Optimization


def _undefined(name: str, returns: str) -> NoReturn:
    from pytest_pitcheval.errors import FixtureNotDefined

    raise FixtureNotDefined(
        f"no fixture {name!r}; expected one in conftest.py: "
        f'@pytest.fixture(scope="session") def {name}(): return {returns}'
    )


@pytest.fixture(scope="session")
def program() -> Any:
    """The DSPy module under test. Yours: define it in conftest.py."""
    _undefined("program", "MyProgram()")


@pytest.fixture(scope="session")
def metric() -> Any:
    """DSPy's metric(example, pred, trace=None). Yours: define it in conftest.py.

    It returns a number (0 to 1), a bool, or dspy.Prediction(score=, feedback=).
    """
    _undefined("metric", "my_metric")


@pytest.fixture(scope="session")
def trainset() -> Any:
    """The examples that optimizers learn from. Yours: define it in conftest.py.

    A list of dspy.Example, each with its inputs; needed only with --optimization.
    """
    _undefined("trainset", '[dspy.Example(...).with_inputs("question"), ...]')


@pytest.fixture(scope="session")
def valset() -> Any:
    """The examples that some optimizers validate on. Yours, and optional."""
    _undefined("valset", '[dspy.Example(...).with_inputs("question"), ...]')


@pytest.fixture(scope="session")
def aggregates() -> Any:
    """Metrics of a whole set of examples. Yours, and optional.

    {"f1": function(examples, predictions) -> float}; a value may be the name of
    a built-in one. The fixture asks for no other.
    """
    return {}


@pytest.fixture(scope="session")
def generator_lm(request: pytest.FixtureRequest) -> Any:
    """The dspy.LM of the program, from --generator-model.

    Override it with any dspy.LM.
    """
    from pytest_pitcheval.state import get_session

    session = get_session(request.config)
    session.asked_by_request(request).adopt()
    return session.lms.make("generator", getattr(request, "param", None))


@pytest.fixture(scope="session")
def evaluator_lm(request: pytest.FixtureRequest) -> Any:
    """The dspy.LM of the metric's judge, from --evaluator-model.

    Its model is the generator's where none is named. Override it with any dspy.LM.
    """
    from pytest_pitcheval.state import get_session

    session = get_session(request.config)
    session.asked_by_request(request).adopt()
    settings = session.process.settings.evaluator
    if settings.model is None:  # the user's own generator_lm, and no model named
        from pytest_pitcheval.evaluation.judges import for_session

        return for_session(request, settings)
    return session.lms.make("evaluator", getattr(request, "param", None))


@pytest.fixture
def _pitcheval_test(request: pytest.FixtureRequest) -> RunningTest:
    from pytest_pitcheval.evaluation.running_test import RUNNING

    running: RunningTest | None = request.node.stash.get(RUNNING, None)
    if running is None:
        from pytest_pitcheval.state import get_session

        running = get_session(request.config).asked_by_request(request).adopt_as_ours(request.node)
    elif request.node.get_closest_marker("evaluation") is not None:
        from pytest_pitcheval.state import get_runner

        running.has_aggregates(get_runner(request.config).aggregates.sources(request.getfixturevalue("aggregates")))
    return running


def _asked_too_late(request: pytest.FixtureRequest) -> NoReturn:
    pytest.fail(
        f"{request.node.name}: score, prediction and what belongs to them were asked for while the test ran; "
        'expected them by name, as arguments or in @pytest.mark.usefixtures("score")',
        pytrace=False,
    )


@pytest.fixture
def rollout_id(_pitcheval_test: RunningTest) -> RolloutId:
    """What keeps this test's LM calls apart from all others.

    str() is session timestamp and node ID, int() the number in DSPy's cache key.
    """
    return _pitcheval_test.rollout_id


@pytest.fixture
def example(_pitcheval_test: RunningTest, request: pytest.FixtureRequest) -> Any:
    """The dspy.Example of this test: a row of its evaluation marker's dataset."""
    __tracebackhide__ = True
    from pytest_pitcheval.state import get_runner

    get_runner(request.config).typed_rows.settle(_pitcheval_test.own_example, request)
    made = _pitcheval_test.make_example()
    if made is None:
        if _pitcheval_test.is_late:
            _asked_too_late(request)
        from pytest_pitcheval.errors import PitchevalError

        if request.node.get_closest_marker("evaluation"):
            raise PitchevalError(
                "evaluation marker: it was put on the test when that had been made (by a hook, or in pytest.param); "
                "expected it on the function, its class or its module"
            )
        raise PitchevalError("example: expected an evaluation marker on the test, which says where examples are")
    return made


@pytest.fixture
def optimization(_pitcheval_test: RunningTest, request: pytest.FixtureRequest) -> Optimization:
    """The optimization method of this test: its name and settings."""
    if _pitcheval_test.is_late:
        from pytest_pitcheval.collection.parametrization import optimizations_of
        from pytest_pitcheval.state import get_session

        settings = get_session(request.config).process.settings
        methods = optimizations_of(request.node, settings)
        if methods != [_pitcheval_test.optimization] or any(settings.model_params.values()):
            _asked_too_late(request)
    return _pitcheval_test.optimization


@pytest.fixture
def _dspy_settings(_pitcheval_test: RunningTest, pytestconfig: pytest.Config, generator_lm: Any) -> Iterator[None]:
    from pytest_pitcheval.lm.language_models import dspy_settings
    from pytest_pitcheval.state import get_runner

    with get_runner(pytestconfig).rollouts.entered(_pitcheval_test.first, **dspy_settings(generator_lm)):
        yield


@pytest.fixture
def compiled_program(
    request: pytest.FixtureRequest,
    _pitcheval_test: RunningTest,
    optimization: Optimization,
    program: Any,
    _dspy_settings: None,
) -> Any:
    """The program as this test's optimization method compiled it.

    Compiled once for all tests and workers, and reused until something changes.
    """
    __tracebackhide__ = True
    from pytest_pitcheval.evaluation.compiled_programs import compiled_for
    from pytest_pitcheval.state import get_runner

    compiled = compiled_for(get_runner(request.config), request, optimization, program)
    _pitcheval_test.compiled(compiled)
    return compiled


@pytest.fixture
def prediction(
    request: pytest.FixtureRequest, _pitcheval_test: RunningTest, compiled_program: Any, example: Any
) -> Any:
    """What the compiled program answers to the example, asked afresh."""
    __tracebackhide__ = True
    from pytest_pitcheval.evaluation.scoring import predict_example
    from pytest_pitcheval.state import get_runner

    runner = get_runner(request.config)
    runner.typed_rows.settle_late(_pitcheval_test.own_example, request, example)
    return predict_example(runner, request, _pitcheval_test, compiled_program, example)


@pytest.fixture
def score(
    request: pytest.FixtureRequest,
    _pitcheval_test: RunningTest,
    prediction: Any,
    metric: Any,
    evaluator_lm: Any,
    example: Any,
) -> Score:
    """The metric's score of the prediction: a float, the mean of all rollouts.

    It has threshold, passed, feedback, samples, verdicts, metrics and prediction.
    """
    __tracebackhide__ = True
    from pytest_pitcheval.evaluation.scoring import score_example
    from pytest_pitcheval.state import get_runner

    runner = get_runner(request.config)
    return score_example(runner, request, _pitcheval_test, example, prediction, metric, evaluator_lm)


@pytest.fixture
def verdict(
    request: pytest.FixtureRequest, _pitcheval_test: RunningTest, metric: Any, evaluator_lm: Any, example: Any
) -> Score:
    """The metric's score of the answer that a row of a judge_exam marker gives.

    It has label, what people said of that answer, and agrees; no program is run.
    """
    __tracebackhide__ = True
    from pytest_pitcheval.evaluation.scoring import judge_answer
    from pytest_pitcheval.state import get_runner

    return judge_answer(get_runner(request.config), request, _pitcheval_test, example, metric, evaluator_lm)


@pytest.fixture
def record_score(
    _pitcheval_test: RunningTest, pytestconfig: pytest.Config, _dspy_settings: None
) -> Callable[..., Score]:
    """record_score(value, threshold=None, feedback=None, name=None), for any test.

    Without a name it is the test's score, with one a number kept beside it.
    """
    from pytest_pitcheval.evaluation.scoring import score_recorder
    from pytest_pitcheval.state import get_runner

    return score_recorder(get_runner(pytestconfig), _pitcheval_test)
