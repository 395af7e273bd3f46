"""Which workers get work, and how many can be made: no Ray is started here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalsuite.engine.driver import Account
from evalsuite.engine.pool import WorkerInfo
from evalsuite.errors import CheckpointError, EvalsuiteError, SpecError, UnavailableError
from evalsuite.model import ModelInfo
from evalsuite.ray import cluster
from evalsuite.running.distributing import WorkerGate
from evalsuite.spec import ExecutionOptions
from evalsuite.store.environment import collect
from evalsuite.store.manifest import WorkerRecord
from tests.engine.support import PLUGIN, sums_spec


@dataclass
class Recorder:
    """What of a run's writer the gate uses."""

    models: list[ModelInfo] = field(default_factory=list)
    workers: list[WorkerRecord] = field(default_factory=list)
    sizes: set[int] = field(default_factory=set)

    def set_model(self, info: ModelInfo) -> None:
        self.models.append(info)

    def set_workers(self, pool: str, lease_size: int, workers: list[WorkerRecord]) -> None:
        self.workers = list(workers)
        self.sizes.add(lease_size)


def info(worker: int = 0, **changes: Any) -> WorkerInfo:
    here = collect((PLUGIN,))
    model = ModelInfo("adder", "v1")
    whole = WorkerInfo(worker, "node", "host", 1, ("A100 (1)",), here.packages, here.plugins, model)
    return replace(whole, **changes)


def gate(**options: Any) -> tuple[WorkerGate, Recorder]:
    recorder = Recorder()
    execution = ExecutionOptions(batch_size=4, **options)
    entrance = WorkerGate(recorder, execution, "ray 2", Account(), sums_spec())  # type: ignore[arg-type]
    return entrance, recorder


def test_a_worker_is_recorded_with_all_that_it_is_before_it_gets_work() -> None:
    entrance, recorder = gate()
    assert entrance.admit(info()) == []
    [record] = recorder.workers
    assert (record.node, record.host, record.gpus, record.fingerprint) == (
        "node",
        "host",
        ("A100 (1)",),
        "v1",
    )
    assert record.ended == "", "it runs"
    assert record.versions["evalsuite"]
    assert recorder.sizes == {16}
    assert [model.fingerprint for model in recorder.models] == ["v1"]
    entrance.account.answers[0] = 7
    entrance.record(living="finished")
    assert (recorder.workers[0].answers, recorder.workers[0].ended) == (7, "finished")


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"versions": {"evalsuite": "0.0.1"}}, SpecError, r"It has evalsuite 0\.0\.1, the driver"),
        ({"plugins": {}}, SpecError, r"Its plugin .*sums_plugin\.py differs"),
        ({"plugins": {str(PLUGIN): "other"}}, SpecError, r"Its plugin .*sums_plugin\.py differs"),
        ({"model": ModelInfo("adder", "v2")}, CheckpointError, "It loaded other weights"),
    ],
)
def test_other_code_or_weights_are_refused_by_name(
    changes: dict[str, Any], kind: type[EvalsuiteError], says: str
) -> None:
    entrance, recorder = gate()
    entrance.admit(info())
    with pytest.raises(kind, match=says):
        entrance.admit(info(1, **changes))
    assert [record.worker for record in recorder.workers] == [0]


def test_other_gpus_are_noted_or_refused() -> None:
    entrance, _ = gate()
    assert entrance.admit(info()) == []
    assert entrance.admit(info(1, gpus=("A100 (2)",))) == [], "another one of the same kind"
    assert entrance.admit(info(2, gpus=("H100 (3)",))) == [
        "answers come from several kinds of GPU: A100, H100"
    ]
    strict, _ = gate(same_gpus=True)
    strict.admit(info())
    strict.admit(info(1, gpus=("A100 (2)",)))
    with pytest.raises(SpecError, match=r"another kind \(H100\)"):
        strict.admit(info(2, gpus=("H100 (3)",)))


@pytest.mark.parametrize(
    ("gpus", "cpus", "wanted", "per_gpu", "per_cpu", "found"),
    [
        (8, 64, None, 1.0, 1.0, 8),
        (8, 64, None, 2.0, 1.0, 4),
        (8, 64, 8, 1.0, 8.0, 8),
        (1, 4, 2, 0.5, 1.0, 2),
        (0, 4, 3, 1.0, 1.0, 3),
        (0, 8, 64, 1.0, 0.1, 64),
        (8, 64, 9, 1.0, 1.0, "--workers 9 with 1 GPUs each need more than the 8 GPUs"),
        (8, 64, 5, 2.0, 1.0, "--workers 5 with 2 GPUs each need more than the 8 GPUs.*--workers 4"),
        (0, 4, 8, 1.0, 1.0, "--workers 8 with 1 cores each need more than the 4 cores.*--workers 4"),
        (8, 4, 8, 1.0, 1.0, "--workers 8 with 1 cores each need more than the 4 cores"),
        (0, 4, None, 1.0, 1.0, "has no GPU that --workers auto could use"),
    ],
)
def test_no_more_workers_than_devices(
    monkeypatch: pytest.MonkeyPatch, gpus: float, cpus: float, wanted: int | None, per_gpu: float,
    per_cpu: float, found: int | str,
) -> None:  # fmt: skip
    monkeypatch.setattr(cluster, "resources", lambda: (gpus, cpus))
    if isinstance(found, int):
        assert cluster.workers_for(wanted, per_gpu, per_cpu, cluster=True) == found
    else:
        with pytest.raises(SpecError, match=found):
            cluster.workers_for(wanted, per_gpu, per_cpu, cluster=True)


def refusing(monkeypatch: pytest.MonkeyPatch, error: Exception, token: Path) -> list[dict[str, Any]]:
    """Lets Ray refuse to join with an error; the token is looked for in a file."""
    calls: list[dict[str, Any]] = []

    def init(**options: Any) -> None:
        calls.append(options)
        raise error

    fake = SimpleNamespace(
        init=init, is_initialized=lambda: False, shutdown=lambda: None, __version__="2.60.0"
    )
    monkeypatch.setattr(cluster, "require_ray", lambda: fake)
    monkeypatch.setattr(cluster, "_require_reachable", lambda address: None)
    monkeypatch.setattr(cluster, "_TOKEN", token)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    return calls


def test_a_ray_of_another_version_is_named_with_both_versions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = "Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n    Python: 3.10\nThis process:"
    refusing(monkeypatch, RuntimeError(f"{text}\n    Ray: 2.60.0"), tmp_path / "token")
    with pytest.raises(UnavailableError, match=r"Ray: 2\.9\.0.*Ray: 2\.60\.0") as caught:
        cluster.connect("head:6379", workers=None, cpus_per_worker=1)
    assert "\n" not in caught.value.what


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (PermissionError(13, "Permission denied", "/.ray"), r"name a HOME that may be written"),
        (ConnectionError("Failed to connect to the raylet"), "try again when it is idle"),
    ],
)
def test_a_local_ray_that_does_not_start_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, remedy: str
) -> None:
    refusing(monkeypatch, error, tmp_path / "token")
    with pytest.raises(UnavailableError, match=r"Ray does not start on this machine \(.*") as caught:
        cluster.connect(None, workers=1, cpus_per_worker=1)
    assert remedy in caught.value.remedy


def test_a_token_is_used_where_there_is_one_and_missed_by_name_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import os

    token = tmp_path / "auth_token"
    refusing(monkeypatch, ConnectionError("Failed to connect to Ray cluster"), token)
    with pytest.raises(UnavailableError, match=r"auth_token on this machine too \(there is none\)"):
        cluster.connect("head:6379", workers=None, cpus_per_worker=1)
    assert "RAY_AUTH_MODE" not in os.environ
    token.write_text("secret")
    with pytest.raises(UnavailableError, match=r"\(it is there\)"):
        cluster.connect("head:6379", workers=None, cpus_per_worker=1)
    assert os.environ["RAY_AUTH_MODE"] == "token"
    monkeypatch.delenv("RAY_AUTH_MODE")


def test_a_local_ray_that_a_busy_machine_keeps_from_starting_is_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = refusing(monkeypatch, Exception("The current node timed out during startup."), tmp_path / "token")
    with pytest.raises(UnavailableError, match="timed out during startup"):
        cluster.connect(None, workers=2, cpus_per_worker=1)
    assert len(calls) == 3
    other = refusing(monkeypatch, Exception("No such option"), tmp_path / "token")
    with pytest.raises(UnavailableError, match="No such option"):
        cluster.connect(None, workers=2, cpus_per_worker=1)
    assert len(other) == 1


@pytest.mark.parametrize(("address", "given", "found"), [
    (None, None, "600"),
    (None, "90", "90"),
    ("head:6379", None, None),
])  # fmt: skip
def test_workers_of_a_local_ray_are_given_time_to_report_on_a_busy_machine(
    address: str | None, given: str | None, found: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import os

    name = "RAY_worker_register_timeout_seconds"
    monkeypatch.setenv(name, given or "")
    if given is None:
        monkeypatch.delenv(name)
    refusing(monkeypatch, Exception("No such option"), tmp_path / "token")
    with pytest.raises(UnavailableError):
        cluster.connect(address, workers=2, cpus_per_worker=1)
    assert os.environ.get(name) == found
