"""A real, tiny Lightning training, measured after each validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalsuite.store import RunReader
from evalsuite.tracking import track
from tests.watching.trainer import PLUGIN

pl: Any = pytest.importorskip("lightning", reason="the extra evalsuite[lightning] is not installed")
pytestmark = pytest.mark.slow


def _module() -> Any:
    import torch

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.skill = torch.nn.Parameter(torch.tensor([0.3]))

        def training_step(self, batch: Any, index: int) -> Any:
            return ((self.skill - 1.0) ** 2).sum()

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("loss", ((self.skill - 1.0) ** 2).sum())

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    return Module()


def _save(module: Any, folder: Path) -> None:
    from safetensors.torch import save_file

    save_file({"skill": module.skill.detach().double()}, folder / "model.safetensors")


def test_numbers_reach_the_loggers_at_the_step_and_checkpoints_can_be_chosen_by_them(tmp_path: Path) -> None:
    import torch
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.loggers import CSVLogger

    from evalsuite.callbacks import LightningCallback

    measure = LightningCallback(
        "saved", "numbers", tmp_path / "runs", save=_save, plugins=[PLUGIN], self_check=False
    )
    best = ModelCheckpoint(tmp_path / "best", monitor="evalsuite/numbers/mark", mode="max")
    data: Any = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.zeros(4, 1)), batch_size=2)
    trainer = pl.Trainer(
        max_epochs=3, callbacks=[measure, best], logger=CSVLogger(tmp_path / "csv"), accelerator="cpu",
        enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
    )  # fmt: skip
    trainer.fit(_module(), data, data)
    (curve,) = track(tmp_path / "runs").curves
    assert curve.steps == (2, 4, 6)
    values = [point.value for point in curve.points]
    assert values == sorted(values)
    assert values[0] < values[-1]
    assert trainer.callback_metrics["evalsuite/numbers/mark"].item() == pytest.approx(100 * values[-1])
    assert best.best_model_score is not None
    assert best.best_model_score.item() == pytest.approx(100 * values[-1])
    text = next((tmp_path / "csv").rglob("metrics.csv")).read_text()
    assert "evalsuite/numbers/mark" in text.splitlines()[0]
    assert not list((tmp_path / "runs" / "checkpoints").iterdir())
    with RunReader(tmp_path / "runs" / "step-2") as reader:
        assert reader.manifest.training is not None
        assert reader.manifest.training.step == 2


def test_a_module_without_a_model_to_save_says_so(tmp_path: Path) -> None:
    from evalsuite.callbacks.lightning import save_model
    from evalsuite.errors import SpecError

    with pytest.raises(SpecError, match="has no model with save_pretrained"):
        save_model(_module(), tmp_path)
