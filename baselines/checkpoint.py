"""Loading of `transformers` checkpoints: the same options, checks and records for every adapter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError, SpecError, UnavailableError, suggest, text_of
from evalsuite.model import ModelInfo, ModelOptions
from evalsuite.model.devices import resolve
from evalsuite.model.memory import estimate, require_room
from evalsuite.model.weights import configuration, count, fingerprint

from .options import check_known, switch

if TYPE_CHECKING:
    import torch

OPTIONS = (
    "name", "revision", "template", "attention", "device_map", "quantization", "trust_remote_code",
    "generation_config", "memory_check",
)  # fmt: skip
"""What every adapter of transformers understands.

- `name`: in leaderboards; the folder's by default.
- `revision`: branch, tag or commit of a hub repository.
- `template`: a Jinja chat template in place of the checkpoint's; `plain` for no template at all.
- `attention`: `sdpa`, `eager`, `flash_attention_2` …
- `device_map`: accelerate's (`auto`, `balanced` …): spreads a model over several devices.
- `quantization`: `4bit` or `8bit`, with bitsandbytes.
- `trust_remote_code=yes`: runs Python that lies beside the weights. Off otherwise; recorded.
- `generation_config=checkpoint`: keeps the checkpoint's own decoding defaults (repetition penalty, top-k …),
  which are otherwise put aside because the protocol decides.
- `memory_check=no`: loads although the estimate says that it will not fit.
"""

QUANTIZATIONS = ("4bit", "8bit")


@dataclass(frozen=True)
class Checkpoint:
    """Which weights, and how they are to be loaded.

    Args:
        source: a folder, or a hub id.
    """

    source: str
    device: torch.device
    dtype: torch.dtype
    options: Mapping[str, str]

    @classmethod
    def of(cls, options: ModelOptions, adapter: str, more: tuple[str, ...] = ()) -> Checkpoint:
        """Checks options and folder before anything is loaded.

        Raises SpecError for a wrong option, CheckpointError for a folder without `config.json`,
        UnavailableError where quantisation is asked for and bitsandbytes is missing.
        """
        check_known(options.options, (*OPTIONS, *more), adapter)
        _check_quantization(options.options)
        device, dtype = resolve(options)
        return cls(options.argument, device, dtype, options.options)

    def require_config(self) -> None:
        """Raises CheckpointError for a folder without a model, and where the hub is needed and out of reach.

        Loading itself would try for minutes before it said so.
        """
        folder = Path(self.source)
        if not folder.is_dir():
            require_reach(self.source, self.common["revision"])
        if folder.is_dir() and not (folder / "config.json").is_file():
            raise CheckpointError(
                f"{self.source} holds no transformers model: config.json is missing.",
                "Give the folder that save_pretrained wrote.",
            )

    @property
    def common(self) -> dict[str, Any]:
        """Arguments of every `from_pretrained`."""
        return {
            "revision": self.options.get("revision", "main"),
            "trust_remote_code": switch(self.options, "trust_remote_code"),
        }

    def load(self, kind: Any, **more: Any) -> Any:
        """The model in evaluation mode, on its device.

        Args:
            kind: an `AutoModelFor…` class.
            more: further arguments of its `from_pretrained`.

        Raises:
            UnavailableError: the weights will not fit into the memory that is free.
            CheckpointError: it cannot be loaded.
        """
        from transformers.utils import logging

        self._require_room()
        logging.disable_progress_bar()  # a run shows its own progress
        arguments: dict[str, Any] = {"dtype": self.dtype, **self.common, **more}
        if "gguf_file" not in more:
            arguments["use_safetensors"] = True
        if "attention" in self.options:
            arguments["attn_implementation"] = self.options["attention"]
        if "device_map" in self.options:
            arguments["device_map"] = self.options["device_map"]
        if "quantization" in self.options:
            arguments["quantization_config"] = self._quantization()
        with explaining(self.source, "a model"):
            model = kind.from_pretrained(self.source, **arguments)
        placed = {"device_map", "quantization"} & set(self.options)
        return (model if placed else model.to(self.device)).eval()

    def info(self, model: Any, **more: Any) -> ModelInfo:
        """Who the model is, with everything that can change its answers."""
        config = model.config
        kept = {name: self.options[name] for name in ("attention", "device_map") if name in self.options}
        revision = getattr(config, "_commit_hash", None) or self.common["revision"]
        return ModelInfo(
            self.options.get("name", Path(self.source).name),
            fingerprint([model]),
            count([model]),
            {
                "source": self.source,
                "model_type": config.model_type,
                "revision": revision,
                "configuration": configuration(self.source, revision),
                "device": str(self.device),
                "dtype": str(self.dtype).removeprefix("torch."),
                "quantization": self.options.get("quantization", "none"),
                "trust_remote_code": self.common["trust_remote_code"],
                **kept,
                **more,
            },
        )

    def _require_room(self) -> None:
        if switch(self.options, "memory_check", default=True):
            bits = {"4bit": 4, "8bit": 8}.get(self.options.get("quantization", ""), 8 * self.dtype.itemsize)
            found = estimate(self.source, bits, revision=self.common["revision"])
            spread = "device_map" in self.options
            require_room(self.source, found, self.device, spread=spread)

    def _quantization(self) -> Any:
        from transformers import BitsAndBytesConfig

        if self.options["quantization"] == "8bit":
            return BitsAndBytesConfig(load_in_8bit=True)
        return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=self.dtype)


def require_reach(source: str, revision: str = "main") -> None:
    """Raises CheckpointError when a hub repository is not in the cache and the hub cannot be reached."""
    from huggingface_hub import HfApi, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(source, "config.json", revision=revision), str):
        return
    try:
        HfApi().repo_info(source, revision=revision, timeout=10)
    except Exception as error:  # absent and gated repositories are for loading to explain
        if any(kind.__name__ in ("TransportError", "OfflineModeIsEnabled") for kind in type(error).__mro__):
            raise CheckpointError(
                f"{source} is no folder and not in the cache, and the hub cannot be reached ({error}).",
                "Give a folder that holds the checkpoint, or go online.",
            ) from error


@contextmanager
def explaining(source: str, wanted: str) -> Iterator[None]:
    """Turns what `from_pretrained` raises into a CheckpointError that says what to do."""
    try:
        yield
    except (OSError, ValueError, ImportError, AttributeError, KeyError, TypeError) as error:
        text = " ".join(text_of(error).split())
        raise CheckpointError(
            f"{source} cannot be loaded as {wanted} ({text[:600]}).", _remedy(text)
        ) from error


def _remedy(text: str) -> str:
    if "trust_remote_code" in text or "custom code" in text:
        return "Read the code beside the weights; if you trust it, add --option trust_remote_code=yes."
    if "torchvision" in text.lower() or "_extra_content" in text:
        return "Its processor needs torchvision: install the build that fits your torch."
    if "safetensors" in text:
        return "Weights must be safetensors: convert them, or name a revision that has them."
    if any(word in text.lower() for word in ("connect", "offline", "cached")):
        return "Give a folder that holds the checkpoint, or go online."
    return "It needs config.json, safetensors weights, tokenizer and (for images) a processor."


def _check_quantization(options: Mapping[str, str]) -> None:
    if "quantization" not in options:
        return
    if options["quantization"] not in QUANTIZATIONS:
        raise SpecError(
            f"There is no quantization {options['quantization']!r}.",
            suggest(options["quantization"], QUANTIZATIONS),
        )
    from importlib.util import find_spec

    if find_spec("bitsandbytes") is None:
        raise UnavailableError(
            "Quantisation needs bitsandbytes, which is not installed.",
            "pip install bitsandbytes, or leave the option quantization away.",
        )
