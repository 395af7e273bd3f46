"""Adapters of PEFT (LoRA and its kin) on top of a checkpoint: found, loaded, checked and on record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from evalsuite.errors import CheckpointError, UnavailableError
from evalsuite.model.folders import ADAPTER, DIFFUSERS_ADAPTER
from evalsuite.model.loading import LoadReport, check_loaded
from evalsuite.model.weights import configuration

NONE = "none"
"""Value of the option `adapter` that leaves an adapter in the checkpoint's folder away."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A folder that PEFT wrote.

    Args:
        settings: its `adapter_config.json`.
    """

    folder: Path
    settings: dict[str, Any]

    @property
    def has_tokenizer(self) -> bool:
        """Whether a trainer left the tokenizer (with its chat template and added tokens) beside it."""
        return (self.folder / "tokenizer_config.json").is_file() and (
            (self.folder / "processor_config.json").is_file()
            or (self.folder / "preprocessor_config.json").is_file()
            or (self.folder / "tokenizer.json").is_file()
        )

    def put_on(self, model: Any) -> Any:
        """The model with the adapter in it, not merged: of the same class, its state with the adapter's
        tensors.

        Raises CheckpointError where adapter and model do not belong together.
        """
        from .checkpoint import explaining

        with explaining(str(self.folder), "an adapter"):
            from peft import PeftConfig, PeftModel

            config = PeftConfig.from_pretrained(str(self.folder))
            if config.is_prompt_learning:
                raise CheckpointError(
                    f"{self.folder} is an adapter of the kind {self.settings.get('peft_type')}, which adds "
                    "to the prompt and not to the weights.",
                    "Adapters in the weights are supported: LoRA, DoRA, IA³ …",
                )
            config.inference_mode = True
            whole = PeftModel(model, config)
            found = whole.load_adapter(str(self.folder), "default", is_trainable=False)
        report = LoadReport(tuple(sorted(found.missing_keys)), tuple(sorted(found.unexpected_keys)))
        check_loaded(f"{self.folder} (adapter)", report, override="")
        return whole.get_base_model().eval()

    def describe(self) -> dict[str, Any]:
        """For the record."""
        return {
            "source": str(self.folder),
            "kind": str(self.settings.get("peft_type", "")),
            "base": str(self.settings.get("base_model_name_or_path") or ""),
            "configuration": configuration(self.folder),
        }


def adapter_of(source: str, wanted: str) -> tuple[str, Adapter | None]:
    """The checkpoint that is meant, and the adapter on top of it.

    Args:
        source: a checkpoint, or an adapter's own folder.
        wanted: the option `adapter`; empty where it is not given.

    Raises:
        CheckpointError: no adapter there, no base model known, or an adapter beside full weights that the
            options say nothing of.
        UnavailableError: PEFT is not installed.
    """
    folder = Path(source)
    beside = (folder / ADAPTER).is_file()
    is_model = (folder / "config.json").is_file()
    if (folder / DIFFUSERS_ADAPTER).is_file() and not is_model and not beside:
        raise CheckpointError(
            f"{source} holds a LoRA of diffusers.", f"Use diffusers:BASE --option adapter={source}."
        )
    if wanted and wanted != NONE:
        return source, _read(Path(wanted))
    if not beside or wanted == NONE:
        return source, None
    if is_model:
        raise CheckpointError(
            f"{source} holds full weights and an adapter beside them ({ADAPTER}): which is to be used?",
            f"--option adapter={source} puts the adapter on top of them, --option adapter={NONE} measures "
            "the weights alone.",
        )
    found = _read(folder)
    base = str(found.settings.get("base_model_name_or_path") or "")
    if not base or (Path(base).is_absolute() and not Path(base).is_dir()):
        told = f"names {base} as its base model, which is not there" if base else "names no base model"
        raise CheckpointError(
            f"{source} is an adapter that {told}.",
            f"Name the base as the model, and the adapter by --option adapter={source}.",
        )
    return base, found


@contextmanager
def without_adapter(source: str) -> Iterator[str]:
    """The checkpoint as a folder that shows no adapter: transformers puts one that lies beside the weights on
    by itself where PEFT is installed, and leaves it away where it is not."""
    folder = Path(source)
    if not (folder / ADAPTER).is_file():
        yield source
        return
    with TemporaryDirectory(prefix="evalsuite-") as view:
        for path in folder.iterdir():
            if path.name != ADAPTER:
                (Path(view) / path.name).symlink_to(path.absolute())
        yield view


def _read(folder: Path) -> Adapter:
    if not (folder / ADAPTER).is_file():
        more = (
            " It holds a LoRA of diffusers, for diffusers:FOLDER."
            if (folder / DIFFUSERS_ADAPTER).is_file()
            else ""
        )
        raise CheckpointError(
            f"{folder} is no adapter: it has no {ADAPTER}.{more}", "Give the folder that PEFT wrote."
        )
    try:
        settings: Any = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / ADAPTER} cannot be read ({error}).", "Restore it.") from error
    if not isinstance(settings, dict):
        raise CheckpointError(f"{folder / ADAPTER} is not an adapter's configuration.", "Restore it.")
    if find_spec("peft") is None:
        raise UnavailableError(
            f"{folder} is an adapter, which needs the package peft.", "pip install 'evalsuite[peft]'"
        )
    return Adapter(folder, settings)
