from __future__ import annotations

import http.client
import importlib
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from support import openai_server
from support.openai_server import Failure, OpenAIServer, Request, chat_format

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

PATIENCE = 60
"""Seconds after which a test that waits for another thread fails instead of hanging."""


@pytest.fixture(scope="module")
def dspy(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """DSPy with a cache of its own and no price list from the internet, both of which it reads at import."""
    os.environ.setdefault("DSPY_CACHEDIR", str(tmp_path_factory.mktemp("dspy_cache")))
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "true")
    return importlib.import_module("dspy")


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


def connect(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)


def send(connection: http.client.HTTPConnection, path: str, body: dict[str, Any] | None = None) -> Any:
    """The answer to a POST of ``body``, or to a GET without one."""
    method, sent = ("GET", None) if body is None else ("POST", json.dumps(body))
    connection.request(method, path, sent, {"Authorization": "Bearer sk-secret"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    return {**answer, "status": response.status, "retry_after": response.getheader("Retry-After")}


def request(url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    connection = connect(url)
    try:
        return send(connection, path, body)
    finally:
        connection.close()


def complete(server: OpenAIServer, prompt: str = "two words", **body: Any) -> Any:
    messages = [{"role": "user", "content": prompt}]
    return request(server.url, "/v1/chat/completions", {"model": "m", "messages": messages, **body})


def content(answer: Any) -> str:
    text: str = answer["choices"][0]["message"]["content"]
    return text


def fake_lm(dspy: ModuleType, server: OpenAIServer, **settings: Any) -> Any:
    settings = {"cache": False, "num_retries": 0, **settings}
    return dspy.LM("openai/fake-model", api_base=server.url, api_key="sk-secret", **settings)


def predict(dspy: ModuleType, server: OpenAIServer, signature: str, adapter: Any = None) -> Any:
    with dspy.context(lm=fake_lm(dspy, server), adapter=adapter):
        program = dspy.Predict(signature)
        return program(**dict.fromkeys(program.signature.input_fields, "a fact"))


class TestPlainHTTP:
    def test_answer_and_usage(self, server: OpenAIServer) -> None:
        answer = complete(server, "one two three")
        assert content(answer) == "answer 1"
        assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}

    def test_a_request_is_recorded(self, server: OpenAIServer) -> None:
        complete(server, "hello", temperature=0.5, max_tokens=7)
        (seen,) = server.requests
        assert (seen.number, seen.path, seen.model) == (1, "/v1/chat/completions", "m")
        assert (seen.messages, seen.temperature) == ([{"role": "user", "content": "hello"}], 0.5)
        assert (seen.prompt, seen.body["max_tokens"], seen.status) == ("hello", 7, 200)
        assert seen.headers["authorization"] == "Bearer sk-secret"
        assert seen.finished is not None
        assert seen.started <= seen.finished

    def test_the_path_without_version(self, server: OpenAIServer) -> None:
        assert content(request(server.url, "/chat/completions", {"messages": []})) == "answer 1"

    def test_a_connection_is_kept_alive(self, server: OpenAIServer) -> None:
        connection = connect(server.url)
        answers = [send(connection, "/v1/chat/completions", {"messages": []}) for _ in range(3)]
        connection.close()
        assert [content(answer) for answer in answers] == ["answer 1", "answer 2", "answer 3"]

    def test_several_choices(self, server: OpenAIServer) -> None:
        assert len(complete(server, n=3)["choices"]) == 3
        assert server.count == 1

    def test_an_answer_of_ones_own(self) -> None:
        with OpenAIServer(answer=lambda request: request.prompt.upper()) as server:
            assert content(complete(server, "hello")) == "HELLO"

    def test_a_failure(self) -> None:
        failure = Failure(status=429, message="slow down", retry_after=1.5, code="rate_limit_exceeded")
        with OpenAIServer(fail=lambda request: failure) as server:
            answer = complete(server)
            assert (answer["status"], answer["retry_after"]) == (429, "1.5")
            assert answer["error"]["message"] == "slow down"
            assert answer["error"]["code"] == "rate_limit_exceeded"
            assert [seen.status for seen in server.requests] == [429]

    def test_some_requests_fail(self) -> None:
        def fail(request: Request) -> Failure | None:
            return Failure(status=500) if request.number == 1 else None

        with OpenAIServer(fail=fail) as server:
            assert [complete(server)["status"] for _ in range(2)] == [500, 200]

    def test_a_mistake_in_the_answer_is_told(self) -> None:
        def answer(request: Request) -> str:
            raise KeyError("mistake")

        with OpenAIServer(answer=answer) as server:
            told = complete(server)
        assert told["status"] == 400
        assert told["error"]["message"] == "answer or fail raised KeyError('mistake')"

    def test_embeddings_depend_on_the_text_and_are_counted_apart(self, server: OpenAIServer) -> None:
        answer = request(server.url, "/v1/embeddings", {"model": "m", "input": ["a", "b", "a"]})
        first, second, third = (item["embedding"] for item in answer["data"])
        assert first == third != second
        assert len(first) == 8
        assert (server.embeddings, server.count) == (1, 0)

    def test_models(self, server: OpenAIServer) -> None:
        assert [model["id"] for model in request(server.url, "/v1/models")["data"]] == ["fake-model"]

    def test_an_unknown_endpoint(self, server: OpenAIServer) -> None:
        assert request(server.url, "/v1/images", {})["status"] == 404
        assert request(server.url, "/v1/images")["status"] == 404
        assert server.count == 0

    def test_clear_forgets_but_numbers_go_on(self, server: OpenAIServer) -> None:
        complete(server)
        server.clear()
        assert server.stats() == {"count": 0, "peak_in_flight": 0, "embeddings": 0}
        assert content(complete(server)) == "answer 2"
        assert server.stats() == {"count": 1, "peak_in_flight": 1, "embeddings": 0}

    def test_64_connections_at_once(self) -> None:
        together = threading.Barrier(64)

        def answer(request: Request) -> str:
            together.wait(PATIENCE)
            return request.prompt

        with OpenAIServer(answer=answer) as server, ThreadPoolExecutor(64) as pool:
            answers = pool.map(lambda number: content(complete(server, f"question {number}")), range(64))
            assert list(answers) == [f"question {number}" for number in range(64)]
            assert (server.count, server.peak_in_flight) == (64, 64)

    def test_one_after_the_other_is_a_peak_of_one(self, server: OpenAIServer) -> None:
        connection = connect(server.url)
        for _ in range(50):
            send(connection, "/v1/chat/completions", {"messages": []})
        connection.close()
        assert (server.count, server.peak_in_flight) == (50, 1)

    def test_close_ends_a_request_that_hangs(self) -> None:
        arrived = threading.Event()

        def fail(request: Request) -> Failure:
            arrived.set()
            return Failure(hang=True)

        with ThreadPoolExecutor(1) as pool, OpenAIServer(fail=fail) as server:
            answer = pool.submit(complete, server)
            assert arrived.wait(PATIENCE)
            (seen,) = server.requests
            assert (seen.finished, seen.status) == (None, None)
            server.close()
            with pytest.raises(ConnectionError):
                answer.result(PATIENCE)

    def test_close_ends_connections_kept_alive(self) -> None:
        server = OpenAIServer()
        connection = connect(server.url)
        send(connection, "/v1/chat/completions", {"messages": []})
        server.close()
        with pytest.raises(ConnectionError):
            send(connection, "/v1/chat/completions", {"messages": []})
        connection.close()
        server.close()


def test_as_a_program() -> None:
    command = [sys.executable, openai_server.__file__, "--port", "0", "--latency", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            url = program.stdout.readline().strip()
            assert content(request(url, "/v1/chat/completions", {"messages": []})) == "answer 1"
            stats = request(url, "/stats")
        finally:
            program.kill()
    assert (stats["count"], stats["peak_in_flight"], stats["embeddings"]) == (1, 1, 0)


class TestDSPy:
    def test_predict(self, dspy: ModuleType, server: OpenAIServer) -> None:
        assert predict(dspy, server, "question -> answer").answer == "answer 1"
        assert predict(dspy, server, "question -> answer").answer == "answer 2"
        assert server.count == 2

    def test_chain_of_thought(self, dspy: ModuleType, server: OpenAIServer) -> None:
        with dspy.context(lm=fake_lm(dspy, server)):
            prediction = dspy.ChainOfThought("question -> answer")(question="why?")
        assert dict(prediction) == {"reasoning": "answer 1", "answer": "answer 1"}

    def test_a_judge(self, dspy: ModuleType, server: OpenAIServer) -> None:
        prediction = predict(dspy, server, "question, pitch -> score: float, feedback")
        assert dict(prediction) == {"score": 0.75, "feedback": "answer 1"}

    @pytest.mark.parametrize("adapter", ["ChatAdapter", "JSONAdapter"])
    def test_types(self, dspy: ModuleType, server: OpenAIServer, adapter: str) -> None:
        signature = "q -> a: int, b: bool, c: list[float], d: Literal['x (y)', 'z'], e: dict[str, int], score"
        prediction = predict(dspy, server, signature, getattr(dspy, adapter)())
        assert dict(prediction) == {"a": 1, "b": True, "c": [0.75], "d": "x (y)", "e": {}, "score": "0.75"}
        assert server.count == 1

    def test_chat_format(self, dspy: ModuleType) -> None:
        with OpenAIServer(answer=lambda request: chat_format(score=0.25, feedback="so\nso")) as server:
            prediction = predict(dspy, server, "pitch -> score: float, feedback")
        assert dict(prediction) == {"score": 0.25, "feedback": "so\nso"}

    def test_a_prompt_that_quotes_another_request(self, dspy: ModuleType, server: OpenAIServer) -> None:
        predict(dspy, server, "question -> score: float")
        quoted = server.requests[0].prompt
        with dspy.context(lm=fake_lm(dspy, server)):
            assert dict(dspy.Predict("prompt -> advice")(prompt=quoted)) == {"advice": "answer 2"}

    def test_what_the_lm_sends(self, dspy: ModuleType, server: OpenAIServer) -> None:
        assert fake_lm(dspy, server, temperature=0.7)("hello") == ["answer 1"]
        (seen,) = server.requests
        assert (seen.prompt, seen.model, seen.temperature) == ("hello", "fake-model", 0.7)
        assert seen.headers["Authorization"] == "Bearer sk-secret"

    def test_usage(self, dspy: ModuleType, server: OpenAIServer) -> None:
        lm = fake_lm(dspy, server)
        lm("one two three")
        usage = lm.history[-1]["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (3, 2)

    def test_a_stream_has_the_same_answer_word_by_word(self, dspy: ModuleType, server: OpenAIServer) -> None:
        program = dspy.streamify(dspy.Predict("question -> answer"), async_streaming=False)
        with dspy.context(lm=fake_lm(dspy, server), track_usage=True):
            *chunks, prediction = program(question="why?")
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if getattr(chunk, "choices", None))
        assert text == chat_format(answer="answer 1")
        assert prediction.answer == "answer 1"
        [usage] = prediction.get_lm_usage().values()
        assert usage["completion_tokens"] == len(text.split())

    def test_32_requests_at_once_get_an_answer_each(self, dspy: ModuleType) -> None:
        together = threading.Barrier(32)

        def answer(request: Request) -> str:
            together.wait(PATIENCE)
            return openai_server.dspy_answer(request)

        with OpenAIServer(answer=answer) as server, ThreadPoolExecutor(32) as pool:
            lm = fake_lm(dspy, server)
            answers = [answer for (answer,) in pool.map(lm, ["same prompt"] * 32)]
            assert sorted(answers) == sorted(f"answer {number}" for number in range(1, 33))
            assert (server.count, server.peak_in_flight) == (32, 32)

    def test_a_400_is_an_error(self, dspy: ModuleType) -> None:
        with OpenAIServer(fail=lambda request: Failure(message="no such luck")) as server:
            with pytest.raises(Exception, match="no such luck"):
                fake_lm(dspy, server)("hello")
            assert server.count == 1

    def test_a_context_window_error_has_a_class_of_its_own(self, dspy: ModuleType) -> None:
        # LiteLLM goes by the text, DSPy's own client by the code.
        text = "This model's maximum context length is 10 tokens"
        failure = Failure(message=text, code="context_length_exceeded")
        with OpenAIServer(fail=lambda request: failure) as server:
            with pytest.raises(Exception, match=text) as caught:
                predict(dspy, server, "question -> answer")
            assert type(caught.value).__name__ == "ContextWindowExceededError"
            assert server.count == 1

    def test_an_unparsable_answer_is_asked_for_again_as_json(self, dspy: ModuleType) -> None:
        with OpenAIServer(answer=lambda request: "nonsense") as server:
            with pytest.raises(dspy.utils.exceptions.AdapterParseError):
                predict(dspy, server, "question -> answer")
            assert server.count == 2

    @pytest.mark.parametrize("status", [429, 500])
    def test_retried_until_it_works(self, dspy: ModuleType, status: int) -> None:
        def fail(request: Request) -> Failure | None:
            return Failure(status, retry_after=0) if request.number == 1 else None

        with OpenAIServer(fail=fail) as server:
            assert fake_lm(dspy, server, num_retries=1)("hello") == ["answer 2"]
            assert [seen.status for seen in server.requests] == [status, 200]

    @pytest.mark.parametrize("status", [429, 500])
    def test_retried_num_retries_times(self, dspy: ModuleType, status: int) -> None:
        with OpenAIServer(fail=lambda request: Failure(status, "not today", retry_after=0)) as server:
            with pytest.raises(Exception, match="not today"):
                fake_lm(dspy, server, num_retries=2)("hello")
            # Before DSPy had a client of its own, both LiteLLM and the OpenAI client under it tried again.
            attempts = 3 if hasattr(dspy, "lm15") else 5
            assert [seen.status for seen in server.requests] == [status] * attempts

    def test_a_timeout_ends_a_request_that_hangs(self, dspy: ModuleType) -> None:
        with OpenAIServer(fail=lambda request: Failure(hang=True)) as server:
            with pytest.raises(Exception, match="timed out"):
                fake_lm(dspy, server, timeout=0.5)("hello")
            assert [seen.status for seen in server.requests] == [None]
