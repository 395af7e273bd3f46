"""One way to train every part: `transformers.Trainer` on a module that returns {"loss"}, resumable after a
kill."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from .memory import GiveBack
from .optimizer import muon_for
from .precision import fastest
from .progress import CHECKED, Check, Clock
from .recipe import Schedule

log = logging.getLogger(__name__)

Batch = dict[str, Any]
MakeBatch = Callable[[np.random.Generator, int], Batch]
"""Makes a batch of so many rows from a generator that is seeded by the position of the batch in the
training."""


@dataclass(frozen=True)
class Record:
    """What one training reached; `curve` is (step, loss), `checks` what was measured on the way."""

    stage: str
    steps: int
    minutes: float
    first_loss: float
    last_loss: float
    parameters: int
    curve: list[tuple[int, float]] = field(default_factory=list)
    checks: list[dict[str, float]] = field(default_factory=list)
    precision: str = "float32"
    step_seconds: Mapping[str, float] = field(default_factory=dict)
    """What a step took in each format when it was measured at the start; empty where the recipe names one."""

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


class _Positions(torch.utils.data.Dataset[int]):
    """Row numbers only: a batch is drawn from its own seed, so that resuming needs no data to be skipped."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, index: int) -> int:
        return index


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint of a stage.

    The trainer writes its state last, so a checkpoint without it was cut off.
    """
    found = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json") if _is_json(path)]
    return max(found, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except ValueError:
        return False
    return True


def fit(
    stage: str,
    model: nn.Module,
    batches: MakeBatch,
    schedule: Schedule,
    work: Path,
    *,
    resume: bool = True,
    check: Callable[[], dict[str, float]] | None = None,
    check_every: int = 0,
    callbacks: Sequence[TrainerCallback] = (),
) -> Record:
    """Train `model` in place.

    Args:
        stage: name of the stage; checkpoints lie in `work/stage`.
        model: its forward takes the batch as keyword arguments and returns {"loss": scalar tensor}.
        batches: see `MakeBatch`.
        resume: go on from the last checkpoint in `work/stage`, if there is one.
        check: figures to measure every `check_every` steps, with the model in evaluation mode.

    Returns:
        What was reached, over all resumptions.
    """
    folder = work / stage
    folder.mkdir(parents=True, exist_ok=True)
    clock = Clock(folder)

    def collate(rows: list[int]) -> Batch:
        return batches(np.random.default_rng([schedule.seed, rows[0]]), len(rows))

    if schedule.precision == "auto":
        precision, seconds = fastest(model, collate(list(range(schedule.batch))), folder / "precision.json")
        log.info("%s trains in %s: %s", stage, precision, seconds)
    else:
        precision, seconds = schedule.precision, {}
    args = TrainingArguments(
        output_dir=str(folder),
        max_steps=schedule.steps,
        per_device_train_batch_size=schedule.batch,
        learning_rate=schedule.lr,
        lr_scheduler_type="cosine",
        warmup_steps=schedule.warmup,
        weight_decay=schedule.weight_decay,
        adam_beta2=schedule.beta2,
        max_grad_norm=schedule.clip,
        bf16=precision == "bf16",
        use_cpu=True,
        logging_steps=schedule.log_every,
        save_steps=schedule.save_every,
        save_total_limit=1,
        report_to=[],
        dataloader_num_workers=0,
        dataloader_drop_last=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        disable_tqdm=True,
        seed=schedule.seed,
        data_seed=schedule.seed,
    )
    checks: list[TrainerCallback] = [Check(check_every, check, clock)] if check and check_every else []
    optimizer = muon_for(model, schedule.lr, schedule.beta2, schedule.weight_decay) if schedule.muon else None
    trainer = Trainer(
        model=model,
        optimizers=(optimizer, None),
        args=args,
        train_dataset=_Positions(schedule.steps * schedule.batch),
        data_collator=collate,
        callbacks=[clock, GiveBack(), *checks, *callbacks],
    )
    trainer.remove_callback(PrinterCallback)  # the clock says it, with the time left
    last = last_checkpoint(folder) if resume else None
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    model.eval()
    history = trainer.state.log_history
    curve = [(int(row["step"]), float(row["loss"])) for row in history if "loss" in row]
    return Record(
        stage,
        trainer.state.global_step,
        round(clock.minutes(), 2),
        curve[0][1] if curve else float("nan"),
        curve[-1][1] if curve else float("nan"),
        sum(p.numel() for p in model.parameters() if p.requires_grad),
        curve,
        [
            {name[len(CHECKED) :]: value for name, value in row.items() if name.startswith(CHECKED)}
            | {"step": row["step"]}
            for row in history
            if any(name.startswith(CHECKED) for name in row)
        ],
        precision,
        seconds,
    )
