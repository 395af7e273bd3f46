"""The callback for Lightning."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evalsuite.callbacks.settings import numbers_of, plan_of
from evalsuite.errors import SpecError, UnavailableError
from evalsuite.registry import Registry

try:
    from lightning.pytorch.callbacks import Callback
except ImportError as error:
    raise UnavailableError(
        "The Lightning callback needs the package lightning.", "pip install 'evalsuite[lightning]'"
    ) from error


def save_model(module: Any, folder: Path) -> None:
    """Saves `module.model` by its own `save_pretrained`. Raises SpecError where it has none."""
    save = getattr(getattr(module, "model", None), "save_pretrained", None)
    if not callable(save):
        raise SpecError(
            f"{type(module).__name__} has no model with save_pretrained.",
            "Give the callback save=FUNCTION, which writes the module's checkpoint into a folder.",
        )
    save(folder)


class LightningCallback(Callback):
    """Measures the model after each validation epoch, and logs the numbers as the module logs its own.

    The module is saved into a folder that the adapter can load, measured, and the folder removed. The numbers
    reach all loggers at the training's step, and `ModelCheckpoint(monitor=…)` can use them. Training waits
    meanwhile; the process of rank 0 measures.

        Trainer(callbacks=[LightningCallback("dreamllm", ["vqav2"], "runs", limit=500)])

    Args:
        save: writes the module's checkpoint into a folder; `module.model.save_pretrained` by default.
        every: of how many validations one is measured.
        keep: keeps the saved checkpoints, under `out/checkpoints`.

    The other arguments are those of `EvalsuiteCallback`.
    """

    def __init__(
        self,
        model: str,
        tasks: str | Sequence[str] = (),
        out: Path | str = "runs",
        *,
        suite: str | None = None,
        save: Callable[[Any, Path], None] = save_model,
        every: int = 1,
        keep: bool = False,
        strict: bool = False,
        plugins: Sequence[Path | str] = (),
        registry: Registry | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        self._save = save
        self._every = max(1, every)
        self._keep = keep
        self._strict = strict
        self._validated = 0
        self._how = plan_of(
            model, tasks, out, suite=suite, plugins=plugins, registry=registry, settings=settings
        )

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Measures the module as it is."""
        if trainer.sanity_checking:
            return
        self._validated += 1
        if self._validated % self._every:
            return
        numbers: dict[str, float] = {}
        if trainer.is_global_zero:
            folder = self._how.out.absolute() / "checkpoints" / f"step-{trainer.global_step}"
            folder.mkdir(parents=True, exist_ok=True)
            self._save(pl_module, folder)
            numbers = numbers_of(folder, self._how, strict=self._strict)
            if not self._keep:
                shutil.rmtree(folder, ignore_errors=True)
        numbers = trainer.strategy.broadcast(numbers)
        if numbers:
            pl_module.log_dict(numbers)
