"""MLflow: an experiment per project, a run per series, metrics with the training step."""

from __future__ import annotations

import os
import re
from typing import Any

from evalsuite.data.images import decode
from evalsuite.loggers.entries import Entry

_BATCH = 1000
"""Metrics of one call; the server refuses more."""
_LONGEST = 500
"""Characters of a parameter's value."""
TAG = "evalsuite.series"
"""By which the run of a series is found again."""


def open_sink(where: str, project: str) -> MlFlow:
    """`where`: a tracking URI (`sqlite:///mlflow.db`, `http://host:5000`); empty: MLflow's own."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    return MlFlow(where, project)


class MlFlow:
    """Logs through `MlflowClient`, which leaves the process's active run alone: a trainer may have one."""

    def __init__(self, where: str, project: str) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=where or None)
        found = self._client.get_experiment_by_name(project)
        self._experiment = found.experiment_id if found else self._client.create_experiment(project)

    def write(self, entry: Entry) -> None:
        import time

        from mlflow.entities import Metric, Param

        run = self._run(entry)
        now = int(time.time() * 1000)
        metrics = [Metric(_key(name), value, now, entry.step) for name, value in entry.scalars.items()]
        for start in range(0, len(metrics), _BATCH):
            self._client.log_batch(run.info.run_id, metrics=metrics[start : start + _BATCH])
        known = run.data.params
        new = [
            Param(_key(name), value[:_LONGEST] or "-")
            for name, value in entry.parameters.items()
            if _key(name) not in known
        ]
        if new:
            self._client.log_batch(run.info.run_id, params=new[:100])
        for one in entry.images:
            name = f"images/{_key(one.key)}/step-{entry.step}.png"
            self._client.log_image(run.info.run_id, decode(one.image).convert("RGB"), name)

    def _run(self, entry: Entry) -> Any:
        quoted = entry.series.replace("'", "")
        found = self._client.search_runs([self._experiment], f"tags.`{TAG}` = '{quoted}'", max_results=1)
        if found:
            return found[0]
        made = self._client.create_run(self._experiment, run_name=entry.series, tags={TAG: quoted})
        return self._client.get_run(made.info.run_id)

    def close(self) -> None:
        """Sets the state of nothing: the training may go on, and its later checkpoints belong to this run."""


def _key(name: str) -> str:
    """A name with the characters that MLflow takes."""
    return re.sub(r"[^\w./ -]+", "-", name)[:240].strip("/ ")
