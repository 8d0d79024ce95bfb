"""Runs in MLflow: whatever of a run is there already, it is logged once.

All of it may be done again after a kill: runs are found by their tags, and a metric's points have fixed times.
"""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytest_pitcheval import files
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.media import FOLDER
from pytest_pitcheval.tracking.mlflow_runs import GATES_TAG, PART, RUN_ID, SESSION, TABLE, MlflowRun, mlflow_runs

RUN_FILE = "run.json"
"""The artifact that holds the run file."""

ROLLOUT = "pitcheval.rollout_id"
"""The tag by which a trace is found again."""

_BATCH = 1_000
_PARENT = "mlflow.parentRunId"


_REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "MALFORMED_REQUEST", "RESOURCE_ALREADY_EXISTS"})
"""MLflow's codes for a request that will be as wrong another time."""


_REFUSED = frozenset({400, 413, 414, 415, 422})
"""The same of servers in front of it, as HTTP has them: too large, above all."""


def is_refusal(error: Exception) -> bool:
    """Whether ``error`` is about what was to be logged, and not about the tracker."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return error.error_code in _REFUSALS
    if (response := getattr(error, "response", None)) is not None:
        return getattr(response, "status_code", None) in _REFUSED
    return not isinstance(error, OSError)  # as those of HTTP clients are


class Target:
    """A tracker and an experiment there; ``uri`` is None for MLflow's own default."""

    def __init__(self, uri: str | None, experiment: str) -> None:
        from mlflow import MlflowClient, set_tracking_uri

        if uri is not None:
            set_tracking_uri(uri)
        self.uri = uri or _default_uri()
        if self.uri.startswith("sqlite:///"):
            _create_store(Path(urlsplit(self.uri).path[1:]))
        self.client = MlflowClient(self.uri)
        self.experiment_id = self._experiment(experiment)

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(self.client.create_experiment(name))
        except MlflowException:  # another session was faster
            found = self.client.get_experiment_by_name(name)
            if found is None:
                raise
            return str(found.experiment_id)

    def link(self, run_id: str) -> str:
        """Where one sees the run: a URL, or the store."""
        if not self.uri.startswith("http"):
            return f"run {run_id} in {self.uri}, which mlflow ui shows"
        return f"{self.uri.rstrip('/')}/#/experiments/{self.experiment_id}/runs/{run_id}"

    def log(self, document: Mapping[str, Any], job: Mapping[str, Any]) -> str:
        """Log a run file, whatever of it is there already; returns the session's MLflow run ID."""
        runs = mlflow_runs(document, job["name"], job["tags"])
        known = dict(self._known(document["run"]["id"]))
        parent = self._run(runs[0], known, {})
        ids = {SESSION: parent} | {run.part: self._run(run, known, {_PARENT: parent}) for run in runs[1:]}
        for run in runs:
            self._fill(ids[run.part], run)
        self._artifacts(parent, job)
        if job["traces"]:
            self._traces(parent, document)
        for run in reversed(runs):  # the session's last: what is finished is all there
            self.client.set_terminated(ids[run.part], "FINISHED", run.end)
        self._remove_twins(document["run"]["id"], ids)
        return parent

    def has(self, logged: str, run: str) -> bool:
        """Whether the MLflow run ``logged`` is still there, and is that of our ``run``."""
        from mlflow.exceptions import MlflowException

        try:
            found = self.client.get_run(logged)
            return found.info.lifecycle_stage == "active" and found.data.tags.get(RUN_ID) == run
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def missing_media(self, logged: str, sizes: Mapping[str, int]) -> list[str]:
        """The names of ``sizes``, in bytes, of media that the MLflow run ``logged`` does not have whole."""
        there = {one.path: one.file_size for one in self.client.list_artifacts(logged, FOLDER)} if sizes else {}
        return [name for name, size in sizes.items() if there.get(f"{FOLDER}/{name}", -1) not in (size, None)]

    def log_medium(self, logged: str, folder: Path, name: str) -> None:
        """Send the file ``name`` of ``folder``, which is no link to elsewhere."""
        if not files.is_within(folder / name, folder):
            raise PitchevalError(f"{folder / name} is gone")
        self.client.log_artifact(logged, str(folder / name), FOLDER)

    def _known(self, run_id: str) -> list[tuple[str, str]]:
        """Part and ID of each MLflow run of a run that was logged before, or in part."""
        ours = f"tags.`{RUN_ID}` = '{run_id}'"
        found = self.client.search_runs([self.experiment_id], ours, max_results=10_000)
        return [(run.data.tags[PART], run.info.run_id) for run in found]

    def _remove_twins(self, run_id: str, ids: Mapping[str, str]) -> None:
        """A request that was given up as lost may have made its run nevertheless: of each part one stays."""
        for part, found in self._known(run_id):
            if ids.get(part, found) != found:
                self.client.delete_run(found)

    def _run(self, run: MlflowRun, known: Mapping[str, str], tags: Mapping[str, str]) -> str:
        if found := known.get(run.part):
            for key, value in tags.items():  # the parent that this one was made for may have been a twin
                self.client.set_tag(found, key, value)
            return found
        created = self.client.create_run(self.experiment_id, run.start, {**run.tags, **tags}, run.name)
        return str(created.info.run_id)

    def _fill(self, run_id: str, run: MlflowRun) -> None:
        from mlflow.entities import Metric, Param

        params = [Param(key, value) for key, value in run.params.items()]
        points = [Metric(key, value, run.end, step) for key, value, step in run.points]
        for start in range(0, len(params), 100):
            self.client.log_batch(run_id, params=params[start : start + 100])
        for start in range(0, len(points), _BATCH):
            self.client.log_batch(run_id, metrics=points[start : start + _BATCH])
        self.client.log_dict(run_id, dict(run.table), TABLE)
        self.client.set_tag(run_id, "mlflow.loggedArtifacts", json.dumps([{"path": TABLE, "type": "table"}]))
        self._datasets(run_id, run)

    def _datasets(self, run_id: str, run: MlflowRun) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        context = [InputTag("mlflow.data.context", "evaluation")]
        for name, digest, rows in run.datasets:
            profile = json.dumps({"num_rows": rows})
            dataset = Dataset(name, digest, "code", json.dumps({"test": name}), profile=profile)
            self.client.log_inputs(run_id, [DatasetInput(dataset, context)])

    def _artifacts(self, run_id: str, job: Mapping[str, Any]) -> None:
        self.client.log_text(run_id, Path(job["file"]).read_text(encoding="utf-8"), RUN_FILE)
        for program in job["programs"]:
            if os.path.isfile(program):
                self.client.log_artifact(run_id, program, "programs")

    def _traces(self, run_id: str, document: Mapping[str, Any]) -> None:
        """A trace of each example that has none yet: inputs, prediction, and the score as feedback."""
        import mlflow
        from mlflow.entities import AssessmentSource, AssessmentSourceType

        known = self._traced(document["run"]["id"])
        judge = AssessmentSource(AssessmentSourceType.CODE, "metric")
        for test in document["tests"]:
            trace_id, scored = known.get(test["rollout_id"]) or (self._trace(run_id, document, test), False)
            if test["score"] is not None and not scored:
                mlflow.log_feedback(
                    trace_id=trace_id, name="score", value=test["score"], source=judge, rationale=test["feedback"]
                )
        lost = len({test["rollout_id"] for test in document["tests"]} - set(self._traced(document["run"]["id"])))
        if lost:  # MLflow's client does not raise where it could not send a trace
            raise ConnectionError(f"{lost} of {len(document['tests'])} traces did not arrive")

    def _trace(self, run_id: str, document: Mapping[str, Any], test: Mapping[str, Any]) -> str:
        span = self.client.start_trace(
            test["nodeid"],
            inputs=test["inputs"],
            tags={RUN_ID: document["run"]["id"], ROLLOUT: test["rollout_id"]},
            experiment_id=self.experiment_id,
            run_id=run_id,
        )
        status = "ERROR" if test["status"] == "error" else "OK"
        self.client.end_trace(span.trace_id, outputs=test["prediction"], status=status)
        return str(span.trace_id)

    def _traced(self, run_id: str) -> dict[str, tuple[str, bool]]:
        """The traces of a run that are there, by rollout: ID, and whether the score is there too."""
        found: dict[str, tuple[str, bool]] = {}
        token = None
        while True:
            page = self.client.search_traces(
                locations=[self.experiment_id],
                filter_string=f"tags.`{RUN_ID}` = '{run_id}'",
                max_results=500,
                page_token=token,
                include_spans=False,
            )
            for trace in page:
                found[trace.info.tags[ROLLOUT]] = (trace.info.trace_id, bool(trace.info.assessments))
            token = page.token
            if not token:
                return found

    def fetch(self, reference: str) -> str:
        """The run file of an MLflow run: its ID, ``latest`` (whose gates passed), or ``latest@BRANCH``."""
        import tempfile

        run_id = reference if not reference.startswith("latest") else self._latest(reference.partition("@")[2])
        with tempfile.TemporaryDirectory() as folder:
            return Path(self.client.download_artifacts(run_id, RUN_FILE, folder)).read_text(encoding="utf-8")

    def _latest(self, branch: str) -> str:
        wanted = {PART: SESSION, GATES_TAG: "passed", **({"pitcheval.branch": branch} if branch else {})}
        filters = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in wanted.items())
        found = self.client.search_runs([self.experiment_id], filters, max_results=1, order_by=["start_time DESC"])
        if not found:
            raise LookupError("no run whose gates passed" + (f" on branch {branch!r}" if branch else ""))
        return str(found[0].info.run_id)


def _default_uri() -> str:
    from mlflow import get_tracking_uri

    return str(get_tracking_uri())


def _create_store(path: Path) -> None:
    """Create an SQLite store elsewhere, then put it into place: made by halves, or by two at once, it stays broken."""
    from mlflow import MlflowClient

    for left in path.parent.glob(f"{glob.escape(path.name)}.new-*"):
        if not _is_alive(left.name.rpartition(".new-")[2].partition("-")[0]):  # SQLite's journal ends in "-journal"
            left.unlink(missing_ok=True)
    if not path.exists():
        new = path.with_name(f"{path.name}.new-{os.getpid()}")
        MlflowClient(f"sqlite:///{new}").search_experiments(max_results=1)
        try:
            os.link(new, path)  # not over one that somebody else has put there meanwhile: runs may be in it
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            os.replace(new, path)
        new.unlink(missing_ok=True)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:  # another user's
        return True
    return True
