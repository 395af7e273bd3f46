"""Whether two models are the same: their weights, and the files beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from evalsuite.errors import CheckpointError
from evalsuite.model.weights import configuration, fingerprint


def _folder(path: Path) -> Path:
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "chat_template.jinja").write_text("{{ messages }}")
    (path / "model.safetensors").write_bytes(b"weights")
    (path / "scheduler").mkdir()
    (path / "scheduler" / "scheduler_config.json").write_text("{}")
    return path


@pytest.mark.parametrize("name", ["config.json", "chat_template.jinja", "scheduler/scheduler_config.json"])
def test_a_file_that_decides_answers_changes_the_configuration(tmp_path: Path, name: str) -> None:
    folder, other = _folder(tmp_path / "a"), _folder(tmp_path / "b")
    assert configuration(folder) == configuration(other)
    (other / name).write_text("changed")
    assert configuration(folder) != configuration(other)


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "model.safetensors",
        "model.safetensors.index.json",
        "trainer_state.json",
        ".cache/huggingface/a.json",
    ],
)
def test_other_files_do_not(tmp_path: Path, name: str) -> None:
    folder, other = _folder(tmp_path / "a"), _folder(tmp_path / "b")
    (other / name).parent.mkdir(parents=True, exist_ok=True)
    (other / name).write_text("changed")
    assert configuration(folder) == configuration(other)


def test_of_a_hub_repository_the_commit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0123456789abcdef" * 2 + "01234567"
    repository = tmp_path / "models--owner--name"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path), raising=False)
    assert configuration("owner/name") == commit[:16]
    assert configuration("owner/other") == ""


def test_weights_count_by_name_dtype_shape_and_value() -> None:
    torch.manual_seed(0)
    one = torch.nn.Linear(3, 2)
    found = fingerprint([one])
    assert fingerprint([one]) == found
    assert fingerprint([torch.nn.Linear(3, 2)]) != found
    assert fingerprint([one.half()]) != found


@pytest.mark.parametrize("where", ["cpu", "disk"])
def test_offloaded_weights_have_the_fingerprint_of_loaded_ones(tmp_path: Path, where: str) -> None:
    from accelerate import cpu_offload, disk_offload

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Sequential(torch.nn.Linear(4, 2)))
    found = fingerprint([model])
    if where == "cpu":
        cpu_offload(model, execution_device=torch.device("cpu"))
    else:
        disk_offload(model, str(tmp_path), execution_device=torch.device("cpu"))
    assert any(weight.device.type == "meta" for weight in model.parameters())
    assert fingerprint([model]) == found


def test_weights_that_lie_nowhere_are_named() -> None:
    with torch.device("meta"):
        model = torch.nn.Linear(3, 2)
    with pytest.raises(CheckpointError, match="weight bias of a Linear is not loaded"):
        fingerprint([model])
