"""Logged from a validation loop of Lightning, as torchmetrics' own."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torchmetrics", reason="the extra evalsuite[torchmetrics] is not installed")
pl: Any = pytest.importorskip("lightning", reason="the extra evalsuite[lightning] is not installed")
pytestmark = pytest.mark.slow


def test_a_validation_loop_logs_the_functions_values(tmp_path: Any) -> None:
    import torch

    from evalsuite.metrics.captions import score_captions
    from evalsuite.metrics.vqa import vqa_accuracy
    from evalsuite.torchmetrics import CaptionMetrics, CIDEr, FrechetDistance, VQAAccuracy
    from tests.torchmetrics import samples

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.accuracy, self.cider, self.table = VQAAccuracy(), CIDEr(), CaptionMetrics()
            self.frechet = FrechetDistance(network=None, reset_real_features=False)

        def validation_step(self, batch: Any, index: int) -> None:
            places = batch.tolist()
            for metric, (said, true) in (
                (self.accuracy, samples.answers()),
                (self.cider, samples.captions()),
                (self.table, samples.captions()),
            ):
                metric.update([said[i] for i in places], [true[i] for i in places], indices=batch)
            generated, real = samples.features()
            self.frechet.update(generated[places], real=False, indices=batch)
            if self.trainer.current_epoch == 0:
                self.frechet.update(real[places], real=True, indices=batch)
            self.log("vqa", self.accuracy)
            self.log("cider", self.cider)
            self.log("frechet", self.frechet)

        def on_validation_epoch_end(self) -> None:
            self.log_dict({f"table/{name}": value for name, value in self.table.compute().items()})
            self.table.reset()

    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    places: Any = torch.arange(samples.COUNT)
    data: Any = torch.utils.data.DataLoader(places, batch_size=6)
    said, true = samples.answers()
    accuracies = [vqa_accuracy(a, b) for a, b in zip(said, true, strict=True)]
    table = score_captions(*samples.captions()).summary()
    module = Module()
    for _ in range(2):  # reset between epochs
        (logged,) = trainer.validate(module, data, verbose=False)
        assert logged["vqa"] == sum(accuracies) / len(accuracies)
        assert logged["cider"] == table["CIDEr"]
        assert logged["table/CIDEr"] == pytest.approx(table["CIDEr"], rel=1e-6)  # Lightning's mean is float32
        assert logged["frechet"] > 0
        module.frechet.reset_real_features = True
        module.frechet.reset()
