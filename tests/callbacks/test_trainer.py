"""A real, tiny `transformers.Trainer`, whose checkpoints are measured while it trains."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from evalsuite.callbacks import EvalsuiteCallback
from evalsuite.errors import EvalsuiteError, SpecError
from evalsuite.loggers import entry_of
from evalsuite.store import RunReader
from evalsuite.tracking import track
from tests.watching.trainer import PLUGIN

pytestmark = pytest.mark.slow


def _trainer(folder: Path, steps: int = 4) -> Any:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

    config = GPT2Config(vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=1)
    arguments = TrainingArguments(
        str(folder / "tiny-seed5"), max_steps=steps, save_steps=2, logging_steps=1, report_to=[],
        per_device_train_batch_size=2, use_cpu=True, learning_rate=0.1, disable_tqdm=True,
    )  # fmt: skip
    row = torch.arange(8)
    return Trainer(GPT2LMHeadModel(config), arguments, train_dataset=[{"input_ids": row, "labels": row}] * 8)


def test_every_saved_checkpoint_is_measured_and_the_trainer_logs_the_same_numbers(tmp_path: Path) -> None:
    trainer = _trainer(tmp_path)
    callback = EvalsuiteCallback(
        trainer, "saved", "numbers", tmp_path / "runs", plugins=[PLUGIN], limit=20, self_check=False
    )
    trainer.add_callback(callback)
    trainer.train()
    logged = {
        entry["step"]: entry for entry in trainer.state.log_history if "evalsuite/numbers/mark" in entry
    }
    assert sorted(logged) == [2, 4]
    for step, entry in logged.items():
        with RunReader(tmp_path / "runs" / f"checkpoint-{step}") as reader:
            expected = entry_of(reader).scalars
            assert reader.spec.limit == 20
        assert {name: entry[f"evalsuite/{name}"] for name in expected} == dict(expected)
    (curve,) = track(tmp_path / "runs").curves
    assert (curve.series, curve.steps) == ("tiny", (2, 4))
    assert curve.points[0].measured[0].run.manifest.training is not None
    assert curve.points[0].measured[0].run.manifest.training.seed == 5


def test_an_error_does_not_end_the_training_unless_it_should(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = tmp_path / "gone"
    gone.touch()
    settings: dict[str, Any] = {"plugins": [PLUGIN], "task_options": {"gone": gone}}
    trainer = _trainer(tmp_path, steps=2)
    trainer.add_callback(EvalsuiteCallback(trainer, "saved", "numbers", tmp_path / "runs", **settings))
    with caplog.at_level(logging.WARNING):
        trainer.train()
    assert "The numbers are gone" in caplog.text
    assert trainer.state.global_step == 2
    trainer = _trainer(tmp_path / "again", steps=2)
    strict = EvalsuiteCallback(trainer, "saved", "numbers", tmp_path / "r", strict=True, **settings)
    trainer.add_callback(strict)
    with pytest.raises(EvalsuiteError, match="The numbers are gone"):
        trainer.train()


def test_a_misspelt_task_or_setting_is_refused_before_the_training(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="nmubers"):
        EvalsuiteCallback(None, "saved", "nmubers", tmp_path, plugins=[PLUGIN])
    with pytest.raises(SpecError, match="limti"):
        EvalsuiteCallback(None, "saved", "numbers", tmp_path, plugins=[PLUGIN], limti=3)
