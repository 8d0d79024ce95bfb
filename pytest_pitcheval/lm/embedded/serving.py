"""The server's process: `python -m pytest_pitcheval.lm.embedded.serving SPEC`; nobody needs to call it by hand."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from dataclasses import asdict
from typing import Any

from pytest_pitcheval.lm.embedded.processes import RunningServer, ServerSpec, process_exists

OWNER_POLL_SECONDS = 0.25
CONTEXT_TOKENS_PER_SLOT = 4096
# Only for requests that set no max_tokens: a small model that goes on and on would fill its whole context.
DEFAULT_MAX_TOKENS = 1024


def server_parameters(xllamacpp: Any, spec: ServerSpec) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = spec.path
    params.model_alias = {spec.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = spec.slots
    params.n_ctx = spec.slots * CONTEXT_TOKENS_PER_SLOT  # llama.cpp divides it among the slots
    params.n_predict = DEFAULT_MAX_TOKENS
    params.cont_batching = True
    params.cache_prompt = True
    # The second cache, of prompts that lost their slot, may grow to 8 GiB by default.
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    params.use_jinja = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
    params.fit_params = False  # the context is ours to choose, whatever memory seems free
    params.ui = False
    params.verbosity = 1  # errors only
    return params


def serve(spec: ServerSpec) -> None:
    xllamacpp = importlib.import_module("xllamacpp")
    server = xllamacpp.Server(server_parameters(xllamacpp, spec))
    running = RunningServer(f"{server.listening_address}/v1", os.getpid(), spec.path)
    # The one line that says "listening". Whoever started us may be gone by now: then this raises, and we end.
    os.write(sys.stdout.fileno(), json.dumps(asdict(running)).encode() + b"\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    while process_exists(spec.owner_pid):
        time.sleep(OWNER_POLL_SECONDS)
    os._exit(0)  # at once: an orderly end would first finish the answers nobody waits for


def main(argument: str) -> None:
    # The log ends up in an error message of one line, where a traceback would hide what llama.cpp said.
    sys.tracebacklimit = 0
    # A second process, which the first does not wait for: so no process of the session is its parent, and
    # none is left with a zombie or a ResourceWarning.
    if os.fork() == 0:
        serve(ServerSpec(**json.loads(argument)))


if __name__ == "__main__":
    main(sys.argv[1])
