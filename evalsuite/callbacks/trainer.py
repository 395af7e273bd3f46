"""The callback for `transformers.Trainer`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers.trainer_callback import TrainerCallback

from evalsuite.callbacks.settings import numbers_of, plan_of
from evalsuite.registry import Registry


class EvalsuiteCallback(TrainerCallback):
    """Measures every checkpoint that a Trainer saves, and logs the numbers through the Trainer.

    The numbers reach everything that the Trainer reports to, at the checkpoint's step, and `log_history`.
    Training waits meanwhile; `evalsuite watch` measures beside it. The process of rank 0 measures.

        trainer.add_callback(EvalsuiteCallback(trainer, "dreamllm", ["vqav2"], "runs", limit=500))

    Args:
        trainer: whose checkpoints; its `log` is used.
        model: adapter that loads a checkpoint, such as `dreamllm`.
        tasks: names of tasks, and
        suite: a named list of tasks.
        out: folder of the runs, one per checkpoint.
        every: of how many saved checkpoints one is measured.
        strict: an error ends the training; by default it is a warning.
        plugins, registry: where tasks and models are found.
        settings: further arguments of `evalsuite.run`: `limit`, `seed`, `device`, `options`, `batch_size` …

    Raises:
        SpecError: an unknown task, model or setting.
    """

    def __init__(
        self,
        trainer: Any,
        model: str,
        tasks: str | Sequence[str] = (),
        out: Path | str = "runs",
        *,
        suite: str | None = None,
        every: int = 1,
        strict: bool = False,
        plugins: Sequence[Path | str] = (),
        registry: Registry | None = None,
        **settings: Any,
    ) -> None:
        self._trainer = trainer
        self._every = max(1, every)
        self._strict = strict
        self._saved = 0
        self._how = plan_of(
            model, tasks, out, suite=suite, plugins=plugins, registry=registry, settings=settings
        )

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Measures the checkpoint that was just saved."""
        self._saved += 1
        if not state.is_world_process_zero or self._saved % self._every:
            return
        checkpoint = Path(args.output_dir).absolute() / f"checkpoint-{state.global_step}"
        numbers = numbers_of(checkpoint, self._how, strict=self._strict)
        if numbers:
            self._trainer.log(numbers)
