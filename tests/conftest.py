"""What all tests share: a cache of their own, a provider on loopback, and suites that use the plugin."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import gc
import importlib
import os
import pkgutil
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# DSPy reads these when it is imported; a test's own cache is configured by the `suite` fixture.
os.environ["DSPY_CACHEDIR"] = tempfile.mkdtemp(prefix="pitcheval-tests-")
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "true"
for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL", "PYTEST_ADDOPTS", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
    os.environ.pop(name, None)
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):  # else each of hundreds of processes compiles DSPy anew
    os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="pitcheval-tests-bytecode-")
    atexit.register(shutil.rmtree, os.environ["PYTHONPYCACHEPREFIX"], ignore_errors=True)

import pytest
from support.background import PATIENCE, Background, is_alive
from support.command_line import Command
from support.forking.workers import ForkedWorkers
from support.mlflow_server import SharedServer, shared
from support.openai_server import OpenAIServer
from support.suite import Suite

import pytest_pitcheval

pytest_plugins = ["pytester"]


def pytest_collection_finish() -> None:
    """Python's garbage collector looks less often through all that is imported by now, which takes half a second."""
    gc.set_threshold(*gc.get_threshold()[:2], 100)


def pytest_configure() -> None:
    """LiteLLM asks for the event loop of the main thread, which Python would make for it, and nobody closes."""
    asyncio.set_event_loop(None)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A provider on loopback that counts what it is asked."""
    with OpenAIServer() as running:
        yield running


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServer]:
    """A real MLflow server, shared by all tests and workers; it takes many seconds to start."""
    base = tmp_path_factory.getbasetemp()  # of a worker: in the folder of its session
    with shared((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "mlflow") as running:
        yield running


@pytest.fixture(scope="session")
def _imported() -> None:
    """What pytester would forget with each test, because it was not the first to import it.

    numpy and multiprocessing can be imported once only (a second time may write into memory that was given back),
    and pydantic looks for a class in the module that it is from. importlib_metadata, which LiteLLM imports, takes the
    place of the standard library's finder: where it is forgotten, no package has a version any more. The modules of
    the package come along, as unit tests import most of them: a test is the same alone and among all.
    """
    ours = {module.name for module in pkgutil.walk_packages(pytest_pitcheval.__path__, "pytest_pitcheval.")}
    for name in (
        *("dspy", "scipy.stats", "pandas", "pyarrow.dataset", "multiprocessing.shared_memory", "pyrate_limiter"),
        *("importlib_metadata", "mmap", "termios", "zipp"),
        *sorted(ours - {"pytest_pitcheval.tracking.mlflow_client"}),
    ):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)


@pytest.fixture(scope="session")
def _empty_cache(_imported: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of DSPy with nothing in it: its 16 databases are copied in a tenth of the time that making them takes."""
    import dspy

    folder = tmp_path_factory.mktemp("empty-cache")
    previous = dspy.cache
    dspy.configure_cache(disk_cache_dir=str(folder))
    dspy.cache.disk_cache.close()
    dspy.cache = previous
    return folder


@pytest.fixture(scope="session")
def forked_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedWorkers]:
    """xdist's workers of runs inside this process."""
    forked = ForkedWorkers(tmp_path_factory.mktemp("forked"))
    yield forked
    forked.close()


@pytest.fixture
def suite(
    _empty_cache: Path,
    pytester: pytest.Pytester,
    server: OpenAIServer,
    forked_workers: ForkedWorkers,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Suite]:
    """A suite that uses the plugin, with a DSPy cache of its own that its runs share."""
    import dspy

    cache = str(shutil.copytree(_empty_cache, tmp_path_factory.mktemp("dspy-cache"), dirs_exist_ok=True))
    monkeypatch.setenv("DSPY_CACHEDIR", cache)
    previous = dspy.cache
    dspy.configure_cache(disk_cache_dir=cache)
    configured = dspy.cache
    yield Suite(pytester, server, forked_workers)
    configured.disk_cache.close()
    dspy.cache = previous


@pytest.fixture
def command(suite: Suite, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The ``pitcheval`` command in the suite's folder."""
    monkeypatch.chdir(suite.path)
    monkeypatch.setenv("COLUMNS", "80")
    return Command(suite, capsys)


@pytest.fixture(params=[("-p", "no:xdist"), ("-n0",), ("-n2",)], ids=["without-xdist", "n0", "n2"])
def plugin_args(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The ways to run a suite that must make no difference."""
    arguments: tuple[str, ...] = request.param
    return arguments


@pytest.fixture
def background(suite: Suite) -> Iterator[Callable[..., Background]]:
    """Starts runs in the background, and ends whatever is left of them."""
    started: list[Background] = []

    def start(*arguments: str) -> Background:
        started.append(Background(suite, *arguments))
        return started[-1]

    yield start
    for run in started:
        for pid in {run.process.pid, *run.processes}:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        run.process.wait(PATIENCE)
