"""What we take for granted of others although they do not document it; CONTRIBUTING says where each is used.

A new release of pytest, xdist, pytest-timeout, DSPy or LiteLLM that ends one of these fails the test of that name.
"""

from __future__ import annotations

import copy
import inspect
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import dspy
import pytest
import pytest_timeout
import tqdm
from dspy.clients import embedding
from dspy.clients.cache import Cache
from dspy.utils.callback import BaseCallback
from dspy.utils.parallelizer import ParallelExecutor
from support.openai_server import OpenAIServer, chat_format

from pytest_pitcheval.lm import failures, histories
from pytest_pitcheval.lm.providers import known_providers
from pytest_pitcheval.rollouts import program_and_metric
from pytest_pitcheval.rollouts.watched import callbacks


class Recorder(Cache):
    """A cache in memory that keeps the requests that it is asked for, and what is put into it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            enable_disk_cache=False,
            enable_memory_cache=True,
            disk_cache_dir=str(folder),
            disk_size_limit_bytes=0,
            memory_max_entries=100,
        )
        self.requests: list[dict[str, Any]] = []
        self.values: list[Any] = []
        self.notes: list[str] = []
        self.note: Callable[[], str] = str

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.requests.append(request)
        self.notes.append(self.note())
        return super().get(request, *args, **kwargs)

    def put(self, request: Any, value: Any, *args: Any, **kwargs: Any) -> None:
        self.values.append(value)
        super().put(request, value, *args, **kwargs)


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder(tmp_path)
    monkeypatch.setattr(dspy, "cache", made)
    return made


@pytest.fixture
def lm(server: OpenAIServer) -> Any:
    server.answer = lambda request: chat_format(answer="Lima")
    return dspy.LM("openai/generator", api_base=server.url, api_key="k", max_tokens=50)


class TestThreads:
    def test_dspy_says_who_may_configure_it(self) -> None:
        dspy.configure()  # from now on, if not before, this thread alone may
        errors: list[BaseException] = []

        def configure() -> None:
            try:
                dspy.configure(track_usage=True)
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=configure)
        thread.start()
        thread.join()
        [error] = errors
        assert isinstance(error, RuntimeError)
        assert any(text in str(error) for text in program_and_metric.CONFIGURED)

    def test_tqdm_keeps_its_bars_in_a_weak_set(self) -> None:
        assert type(tqdm.tqdm._instances) is weakref.WeakSet

    def test_a_disk_cache_without_room_keeps_nothing(self, tmp_path: Path) -> None:
        cache = Cache(
            enable_disk_cache=True,
            enable_memory_cache=False,
            disk_cache_dir=str(tmp_path),
            disk_size_limit_bytes=0,
            memory_max_entries=1,
        )
        cache.put({"prompt": "p"}, {"text": "answer"})
        assert cache.get({"prompt": "p"}) is None


class TestPython:
    def test_handlers_at_the_end_are_called_once(self) -> None:
        code = "import atexit\natexit.register(print, 'once')\natexit._run_exitfuncs()"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["once"]


class TestPytest:
    @pytest.mark.parametrize("number", [7])
    def test_an_item_has_its_parameters_in_callspec(self, request: pytest.FixtureRequest, number: int) -> None:
        assert request.node.callspec.params == {"number": number}

    def test_an_item_names_all_its_fixtures_those_of_fixtures_too(
        self, request: pytest.FixtureRequest, lm: Any
    ) -> None:
        assert {"lm", "server", "request"} <= set(request.node.fixturenames)

    def test_an_item_knows_the_functions_that_make_its_fixtures(self, request: pytest.FixtureRequest, lm: Any) -> None:
        definition = request.node._fixtureinfo.name2fixturedefs["lm"][-1]
        assert (definition.func.__name__, definition.argnames) == ("lm", ("server",))

    def test_known_arguments_say_whether_conftests_are_loaded(self, pytestconfig: pytest.Config) -> None:
        assert pytestconfig.known_args_namespace.noconftest is False

    def test_the_capture_manager_can_let_something_through(self, pytestconfig: pytest.Config) -> None:
        capture = pytestconfig.pluginmanager.getplugin("capturemanager")
        assert isinstance(capture.global_and_fixture_disabled(), AbstractContextManager)

    @pytest.mark.parametrize(("when", "category"), [("setup", "error"), ("call", "failed")])
    def test_the_phase_of_a_report_makes_it_an_error_or_a_failure(
        self, pytestconfig: pytest.Config, when: Any, category: str
    ) -> None:
        report = pytest.TestReport("a.py::t", ("a.py", 1, "t"), {}, "failed", "why", "teardown")
        report.when = when
        assert pytestconfig.hook.pytest_report_teststatus(report=report, config=pytestconfig)[0] == category

    def test_what_is_set_on_a_report_goes_to_the_controller_with_it(self, pytestconfig: pytest.Config) -> None:
        report = pytest.TestReport("a.py::t", ("a.py", 1, "t"), {}, "passed", None, "teardown")
        report.pitcheval_record = b"{}"  # type: ignore[attr-defined]
        hook = pytestconfig.hook
        data = hook.pytest_report_to_serializable(config=pytestconfig, report=report)
        again = hook.pytest_report_from_serializable(config=pytestconfig, data=data)
        assert vars(again)["pitcheval_record"] == b"{}"

    @pytest.mark.parametrize("name", ["usepdb", "trace", "maxfail", "--junit-xml"])
    def test_an_option_of_its_own_has_this_name(self, pytestconfig: pytest.Config, name: str) -> None:
        assert pytestconfig.getoption(name, "missing") != "missing"


class TestXdist:
    """Of its scheduler we extend one method and use what stands here."""

    def test_a_scheduler_says_which_tests_are_left_and_who_has_which(self, pytestconfig: pytest.Config) -> None:
        scheduling = pytest.importorskip("xdist.scheduler").LoadScheduling
        names = inspect.getsource(scheduling.__init__)
        for attribute in (
            "self.pending",
            "self.collection",
            "self.node2pending",
            "self.numnodes",
            "self.maxschedchunk",
        ):
            assert attribute in names
        for method in ("schedule", "check_schedule", "mark_test_pending", "nodes"):
            assert hasattr(scheduling, method)
        assert list(inspect.signature(scheduling.check_schedule).parameters) == ["self", "node", "duration"]

    def test_a_worker_can_be_sent_tests_until_it_shuts_down(self) -> None:
        controller = pytest.importorskip("xdist.workermanage").WorkerController
        assert isinstance(inspect.getattr_static(controller, "shutting_down"), property)
        assert list(inspect.signature(controller.send_runtest_some).parameters) == ["self", "indices"]

    def test_a_worker_can_be_started_later_as_one_that_replaces_another(self) -> None:
        session = pytest.importorskip("xdist.dsession").DSession
        source = inspect.getsource(session._clone_node)
        assert "self.nodemanager.setup_node(spec, self.queue.put)" in source
        assert "self._active_nodes.add(" in source
        manager = pytest.importorskip("xdist.workermanage").NodeManager
        assert "specs=self.specs" in inspect.getsource(manager.setup_nodes)
        assert "for spec in self.specs" in inspect.getsource(manager.setup_nodes)

    @pytest.mark.parametrize("name", ["dist", "tx"])
    def test_an_option_of_its_own_has_this_name(self, pytestconfig: pytest.Config, name: str) -> None:
        if not pytestconfig.pluginmanager.hasplugin("xdist"):
            pytest.skip("run with -p no:xdist")
        assert pytestconfig.getoption(name, "missing") != "missing"


class TestTimeout:
    def test_the_settings_of_a_test_tell_its_seconds(self) -> None:
        assert "timeout" in pytest_timeout.Settings._fields

    @pytest.mark.parametrize("name", ["timeout", "session_timeout"])
    def test_an_option_of_its_own_has_this_name(self, pytestconfig: pytest.Config, name: str) -> None:
        assert pytestconfig.getoption(name, "missing") != "missing"
        assert pytestconfig.getini(name) is not None


class TestDSPy:
    def test_every_call_of_an_lm_passes_the_cache(self, lm: Any, recorder: Recorder) -> None:
        for _ in range(2):
            lm("What is the capital of Peru?")
        assert len(recorder.requests) == 2
        assert len(recorder.values) == 1

    def test_a_rollout_in_the_request_makes_another_key(self, recorder: Recorder) -> None:
        keys = {recorder.cache_key({"model": "m", "rollout_id": rollout}, None) for rollout in (None, 1, 2)}
        assert len(keys) == 3

    def test_a_cache_knows_whether_it_is_on_disk(self, recorder: Recorder) -> None:
        assert recorder.enable_disk_cache is False

    def test_embeddings_say_that_they_are_some(self, server: OpenAIServer, recorder: Recorder) -> None:
        """Otherwise each rollout would ask for the same vectors again."""
        embedder = dspy.Embedder("openai/embedder", api_base=server.url, api_key="k")
        assert len(embedder(["Lima"])) == 1
        [request] = recorder.requests
        assert request["_fn_identifier"].startswith("dspy.clients.embedding")

    def test_an_answer_that_is_stored_has_its_tokens(self, lm: Any, recorder: Recorder) -> None:
        lm("What is the capital of Peru?")
        [answer] = recorder.values
        usage: Any = answer.get("usage") if isinstance(answer, dict) else answer.usage
        assert usage["prompt_tokens"] > 0
        assert usage["completion_tokens"] > 0

    def test_the_history_of_an_lm_has_outputs_usage_and_cost(self, lm: Any, recorder: Recorder) -> None:
        outputs = lm("What is the capital of Peru?")
        entry = lm.history[-1]
        assert entry["outputs"] is outputs
        assert {"usage", "cost"} <= set(entry)

    def test_a_callback_hears_of_a_call_where_the_call_is_made(self, lm: Any, recorder: Recorder) -> None:
        """In the same thread and context: what is set there at the start is seen by the cache, and until the end."""
        seen: ContextVar[str] = ContextVar("seen", default="")
        at_end: list[str] = []

        class Listener(BaseCallback):
            def on_lm_start(self, call_id: str, instance: Any, inputs: Any) -> None:
                seen.set(call_id)

            def on_lm_end(self, call_id: str, outputs: Any, exception: Any = None) -> None:
                at_end.append(call_id)

        recorder.note = seen.get
        with dspy.context(callbacks=[Listener()]):
            lm("What is the capital of Peru?")
        assert recorder.notes == at_end
        assert at_end[0]

    def test_the_callbacks_of_a_call_are_those_that_the_settings_give(self, lm: Any, recorder: Recorder) -> None:
        """`with dspy.context(callbacks=[...])` in a program takes the place of all others."""
        seen: list[str] = []

        class Seeing(BaseCallback):
            def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
                seen.append(call_id)

        with callbacks.kept(Seeing(), lambda: "a scope"), dspy.context(callbacks=[BaseCallback()]):
            lm("What is the capital of Peru?")
        with dspy.context(callbacks=[BaseCallback()]):
            lm("What is the capital of Chile?")
        assert len(seen) == 1

    def test_the_state_of_an_lm_names_its_class_if_at_all_in_this_way(self, lm: Any) -> None:
        assert lm.dump_state().get("_dspy_lm_class", "dspy.clients.lm.LM") == "dspy.clients.lm.LM"

    def test_pictures_that_are_kept_can_be_forgotten(self) -> None:
        dspy.Image(url="https://host/dot.png").format()
        assert dspy.Image.format.cache_info().currsize > 0
        histories.forget_formatted()
        assert dspy.Image.format.cache_info().currsize == 0

    def test_a_copy_of_an_example_shares_its_store(self) -> None:
        for example in (dspy.Example(answer="a"), dspy.Prediction(answer="a")):
            assert vars(copy.copy(example))["_store"] is vars(example)["_store"]

    def test_a_program_that_is_marked_as_compiled_keeps_its_state(self) -> None:
        class Outer(dspy.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = dspy.ChainOfThought("question -> answer")

        program = Outer()
        assert program.named_parameters()
        program.inner._compiled = True
        assert not program.named_parameters()

    @pytest.mark.parametrize("threads", [1, 2])
    def test_items_that_fail_are_left_out(self, threads: int) -> None:
        executor = ParallelExecutor(num_threads=threads, disable_progress_bar=True, max_errors=5)
        results = executor.execute(lambda item: 1 // item, [0, 1])
        assert results == [None, 1]

    @pytest.mark.parametrize("name", ["_compute_embeddings", "_acompute_embeddings"])
    def test_an_embedder_asks_by_functions_of_its_module(self, name: str) -> None:
        """Which take the model first, and are looked up when they are called."""
        ask = getattr(embedding, name)
        assert next(iter(inspect.signature(ask).parameters)) == "model"
        cached = getattr(embedding, name.replace("_", "_cached_", 1)).__wrapped__
        assert name in cached.__code__.co_names

    def test_an_adapter_lists_the_types_that_lms_return_themselves(self) -> None:
        assert isinstance(dspy.ChatAdapter().native_response_types, list)

    @pytest.mark.parametrize(
        ("optimizer", "parameters"),
        [
            ("BootstrapFewShot", {"metric"}),
            ("KNNFewShot", {"k", "trainset", "vectorizer"}),
            ("SIMBA", {"metric", "bsize"}),
            ("GEPA", {"metric", "auto", "reflection_lm"}),
        ],
    )
    def test_an_optimizer_takes_by_name(self, optimizer: str, parameters: set[str]) -> None:
        assert parameters <= set(inspect.signature(getattr(dspy, optimizer)).parameters)


class TestLiteLLM:
    """DSPy asks through it; its exceptions are told by the names of their classes and modules."""

    def test_its_source_names_its_providers(self) -> None:
        litellm = pytest.importorskip("litellm")
        assert known_providers() == {str(getattr(one, "value", one)) for one in litellm.provider_list}

    @pytest.mark.parametrize(
        ("name", "question"),
        [
            ("APIConnectionError", failures.is_transient),
            ("RateLimitError", failures.is_rate_limited),
            ("ServiceUnavailableError", failures.is_transient),
            ("AuthenticationError", failures.is_lm_error),
            ("Timeout", failures.is_lm_error),
        ],
    )
    def test_an_exception_is_known_for_what_it_is(self, name: str, question: Any) -> None:
        litellm = pytest.importorskip("litellm")
        kind = getattr(litellm, name)
        parameters = inspect.signature(kind.__init__).parameters
        known = {"message": "m", "llm_provider": "openai", "model": "m"}
        assert question(kind(**{key: value for key, value in known.items() if key in parameters}))
