"""MLflow with a SQLite file, read back by its own client."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.loggers import destination, log_all

mlflow = pytest.importorskip("mlflow", reason="the extra evalsuite[mlflow] is not installed")


@pytest.mark.slow
def test_a_series_is_one_run_with_the_step_as_x_axis(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # artefacts lie beside the database
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    for one in runs:  # two processes of a watch: the second finds the run of the first
        outcome = log_all([one], destination(f"mlflow:{uri}", "mine"))
        assert (outcome.error, outcome.written) == (None, 1)
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("mine")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "base"
    assert run.data.params["model"] == "exact"
    history = client.get_metric_history(run.info.run_id, "shapes/accuracy")
    assert [(one.step, one.value) for one in history] == [(1000, 100.0), (2000, 100.0)]
    assert "shapes/accuracy/low" in run.data.metrics
    (folder,) = [one for one in client.list_artifacts(run.info.run_id) if one.path == "images"]
    assert folder.is_dir
