"""The process that logs, and may be killed while it does: `main` with ``sys.argv[1]`` FOLDER.

It works in FOLDER, and imports nothing from there. Its first line of input says where to log, each further one what.
It answers each with a line of JSON.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from pytest_pitcheval import files
from pytest_pitcheval.credentials.hiding import hide
from pytest_pitcheval.errors import PitchevalError, one_line
from pytest_pitcheval.tracking import media
from pytest_pitcheval.tracking.mlflow_client import Target, is_refusal

PREPARE: Mapping[str, Any] = {"prepare": True}
"""The job of importing MLflow and connecting, which take seconds."""

DEFAULTS = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}
"""What MLflow's client is told, unless the user has said otherwise: its own defaults wait for minutes."""

ALWAYS = {
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_TRACE_SAMPLING_RATIO": "1",
}
"""What it is told whatever the user wants for their own logging: what is answered for must be there."""

NEVER = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""What would send traces elsewhere."""


class _Worker:
    """Answers jobs; connects for the first one, and again for the next if that failed."""

    def __init__(self, target: Mapping[str, Any]) -> None:
        self._arguments = target
        self._target: Target | None = None

    def _connected(self) -> Target:
        if self._target is None:
            self._target = Target(**self._arguments)
        return self._target

    def answer(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """What came of a job; its error as one line."""
        connected = False
        try:
            target = self._connected()
            connected = True
            if job == PREPARE:
                return {}
            if "fetch" in job:
                return {"document": target.fetch(job["fetch"])}
            with files.locked(Path(job["lock"]), note=_nowhere):  # two sessions may send what is left of a third
                if "medium" in job:
                    target.log_medium(job["logged"], Path(job["folder"]), job["medium"])
                    return {}
                return self._logged(target, job)
        except Exception as error:  # hidden before it is cut, which could leave half a secret
            text = one_line(hide(f"{type(error).__name__}: {error}", self._arguments["uri"]))
            return {"error": text, "refused": connected and is_refusal(error)}

    def _logged(self, target: Target, job: Mapping[str, Any]) -> dict[str, Any]:
        """The run is there now but for its media: which MLflow run it is, and which of them are to follow."""
        document = _run_of(job)
        sent = media.chosen(document["tests"], Path(job["folder"]))
        run_id = job["logged"]
        if not (run_id and target.has(run_id, job["run"])):
            run_id = target.log(media.with_paths(document, sent), job)
        link = hide(target.link(run_id), self._arguments["uri"])
        missing = target.missing_media(run_id, sent.sizes)
        return {"link": link, "logged": run_id, "missing": missing, "media": len(sent.sizes), "left_out": sent.left_out}


def _run_of(job: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run file of a job, which is that of the run that the job names."""
    document: Mapping[str, Any] = files.read_json(Path(job["file"]))
    if document["run"]["id"] != job["run"]:  # by which runs are found, and their twins removed
        raise PitchevalError(f"{job['file']}: run.id {document['run']['id']!r}; expected {job['run']!r}")
    return document


def _nowhere(line: str) -> None:
    """Without a lock, what two processes log of one run at once is cleared away as its twin."""


def main() -> None:
    """Answer the jobs that come in."""
    gc.disable()  # a fifth of the time that MLflow's imports take
    answers = _own_output()
    os.environ.update({**DEFAULTS, **os.environ, **ALWAYS})
    for name in NEVER:
        os.environ.pop(name, None)
    os.chdir(sys.argv[1])  # where MLflow's own default store is
    worker = _Worker(json.loads(sys.stdin.readline()))
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=(jobs,), daemon=True).start()
    worker.answer(PREPARE)  # while tests run; a job that comes later tries again, and tells what is wrong
    gc.freeze()  # else a quarter of the time that many points take goes into collecting what imports have made
    gc.enable()
    while True:
        answers.write(json.dumps(worker.answer(json.loads(jobs.get()))) + "\n")
        answers.flush()


def _read_jobs(jobs: queue.SimpleQueue[str]) -> None:
    """Until the session is gone, however it ended: then nobody is there to end this process."""
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def _own_output() -> IO[str]:
    """Where the answers go; what libraries print goes nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return answers
