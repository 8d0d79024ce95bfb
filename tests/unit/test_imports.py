"""Imports go one way, and what is heavy is imported only when it is needed."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_pitcheval

PACKAGE = "pytest_pitcheval"
FOLDER = Path(pytest_pitcheval.__file__).parent
MODULES = sorted(".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in FOLDER.rglob("*.py"))

PURE = {
    "baseline_files",
    "baselines",
    "buckets",
    "cache_thread",
    "comparison",
    "decisions",
    "errors",
    "evaluation",
    "example_rows",
    "examples",
    "fingerprints",
    "formats",
    "garbage",
    "gates",
    "github",
    "html",
    "identities",
    "journal",
    "junit",
    "markdown",
    "matrix",
    "merging",
    "methods",
    "mlflow_runs",
    "names",
    "plots",
    "records",
    "pool",
    "rate_limits",
    "retries",
    "repeating",
    "report_groups",
    "rollouts",
    "run_files",
    "run_reports",
    "scopes",
    "scores",
    "shared_slots",
    "slots",
    "placeholders",
    "spool",
    "starter_files",
    "statistics",
    "status",
    "storage",
    "summaries",
    "terminal",
}
DSPY_GLUE = {"dspy_examples", "optimization", "lm_calls", "patient_lm", "plain_adapter", "rollout_cache"}
"""Imported by others only where DSPy is needed anyway."""
LAZY_DSPY = {"language_models"}
MLFLOW = {"tracking"}
HEAVY = {"dspy", "filelock", "jinja2", "litellm", "mlflow", "numpy", "openai"}
HEAVY |= {"pyarrow", "pydantic", "scipy", "xllamacpp"}


def statements(nodes: list[ast.stmt], top: bool = True) -> Iterator[tuple[bool, ast.Import | ast.ImportFrom]]:
    """Every import, and whether it happens when the module is imported; not those for the type checker alone."""
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield top, node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from statements(node.orelse, top)
        else:
            inner = top and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            for name in ("body", "orelse", "finalbody"):
                yield from statements(getattr(node, name, []), inner)
            for handler in (*getattr(node, "handlers", []), *getattr(node, "cases", [])):
                yield from statements(handler.body, inner)


def named(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The full names of what is imported; of ``from a import b`` both ``a`` and ``a.b``, which may be a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    module = f"{PACKAGE}.{node.module or ''}".rstrip(".") if node.level else node.module or ""
    yield module
    yield from (f"{module}.{alias.name}" for alias in node.names)


@functools.cache
def imports(module: str, lazy: bool = False) -> set[str]:
    """What ``module`` imports: at its top, or with ``lazy`` anywhere."""
    tree = ast.parse((FOLDER / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8"))
    return {name for top, node in statements(tree.body) if top or lazy for name in named(node)}


def packages(module: str, lazy: bool = False) -> set[str]:
    """The packages of others that ``module`` imports."""
    return {name.partition(".")[0] for name in imports(module, lazy)}


def own(module: str) -> set[str]:
    """The modules of the package that ``module`` imports at its top."""
    names = {name.removeprefix(f"{PACKAGE}.") for name in imports(module) if name.startswith(f"{PACKAGE}.")}
    return names & set(MODULES)


def reached_from(*modules: str) -> set[str]:
    """``modules`` and what they import, and so on, each at its top."""
    reached: set[str] = set()
    waiting = set(modules)
    while waiting:
        reached |= waiting
        waiting = {name for one in waiting for name in own(one)} - reached
    return reached


def test_the_modules_named_here_exist() -> None:
    assert set(MODULES) >= PURE | DSPY_GLUE | LAZY_DSPY


@pytest.mark.parametrize("module", sorted(PURE))
def test_pure_modules_import_neither_pytest_nor_dspy(module: str) -> None:
    assert not packages(module) & {"pytest", "_pytest", "dspy"}


@pytest.mark.parametrize("module", MODULES)
def test_only_the_glue_imports_dspy(module: str) -> None:
    if module not in DSPY_GLUE:
        assert "dspy" not in packages(module)
        assert module in LAZY_DSPY or "dspy" not in packages(module, lazy=True)


@pytest.mark.parametrize("module", MODULES)
def test_only_tracking_imports_mlflow(module: str) -> None:
    assert module in MLFLOW or "mlflow" not in packages(module, lazy=True)
    assert "mlflow" not in packages(module)


@pytest.mark.parametrize("module", MODULES)
def test_only_the_public_parts_of_pytest_are_imported(module: str) -> None:
    assert "_pytest" not in packages(module, lazy=True)


AT_START = reached_from("plugin", "__init__")
NEEDED_AT_START = {"fixtures", "garbage", "names", "options", "ownership", "plugin", "state", "__init__"}


@pytest.mark.parametrize("module", sorted(AT_START))
def test_a_pytest_start_imports_nothing_heavy(module: str) -> None:
    assert not packages(module) & HEAVY


def test_a_pytest_start_imports_few_of_our_modules() -> None:
    assert AT_START == NEEDED_AT_START


def test_tests_of_one_process_without_limits_need_nothing_heavy_but_dspy() -> None:
    reached = reached_from("runner", "running_hooks", "compilation", "limiter", "rollout_cache", "display")
    assert reached >= {"lookahead", "pool", "slots"}
    others = {package for module in reached for package in packages(module)}
    assert not others & ((HEAVY | {"pyrate_limiter"}) - {"dspy"})


def test_importing_the_plugin_is_what_its_imports_say() -> None:
    script = f"import sys, {PACKAGE}.plugin; print(*sorted(name for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert f"{PACKAGE}.plugin" in loaded
    assert not loaded & HEAVY
    ours = {name.removeprefix(f"{PACKAGE}.") for name in loaded if name.startswith(f"{PACKAGE}.")}
    assert ours == AT_START - {"__init__"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_have_no_cycle(module: str) -> None:
    for imported in own(module):
        assert module not in reached_from(imported)


def test_what_is_imported_of_our_own_exists() -> None:
    """So that a slip in this file does not hide a module."""
    for module in MODULES:
        for name in imports(module, lazy=True):
            if name.startswith(f"{PACKAGE}.") and name.count(".") == 1:
                found = name.removeprefix(f"{PACKAGE}.") in MODULES
                assert found or hasattr(pytest_pitcheval, name.rpartition(".")[2]), name


def test_walks_into_every_kind_of_block() -> None:
    text = """
import a
if TYPE_CHECKING:
    import never
else:
    import b
try:
    import c
except ImportError:
    import d
with x:
    import e
class C:
    import f
    def method(self):
        import lazy1
def function():
    if x:
        import lazy2
"""
    found = [(top, name) for top, node in statements(ast.parse(text).body) for name in named(node)]
    assert [name for top, name in found if top] == ["a", "b", "c", "d", "e", "f"]
    assert [name for top, name in found if not top] == ["lazy1", "lazy2"]


def test_the_public_names_are_there_when_they_are_asked_for() -> None:
    for name in pytest_pitcheval.__all__:
        assert getattr(pytest_pitcheval, name).__name__ == name
        assert name in dir(pytest_pitcheval)
    with pytest.raises(AttributeError, match="no attribute 'Scores'"):
        pytest_pitcheval.Scores  # noqa: B018
