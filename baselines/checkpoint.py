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
from evalsuite.model.folders import fault_of_folder
from evalsuite.model.loading import LoadReport, check_loaded
from evalsuite.model.memory import estimate, require_room
from evalsuite.model.weights import configuration, count, fingerprint

from .decoding import check_decoding
from .lora import Adapter, adapter_of, without_adapter
from .options import check_known, switch

if TYPE_CHECKING:
    import torch

OPTIONS = (
    "name", "revision", "template", "attention", "device_map", "quantization", "trust_remote_code",
    "generation_config", "memory_check", "weights_check", "adapter", "thinking",
    "cache", "compile",
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
- `weights_check=no`: measures a model some of whose tensors are missing, unexpected or of another shape; what
  is missing is random. Recorded.
- `adapter`: a folder of PEFT (LoRA …) on top of the checkpoint; `none` leaves one in the same folder away. An
  adapter's folder in place of the checkpoint loads with the base model that it names.
- `cache=static`: decodes with a cache of fixed size, for greedy search and sampling; `compile=yes` compiles
  the decoding step then (on a GPU with CUDA graphs).
- `thinking`: `on` or `off`, the switch of the chat templates of reasoning models.
"""

QUANTIZATIONS = ("4bit", "8bit")


@dataclass(frozen=True)
class Checkpoint:
    """Which weights, and how they are to be loaded.

    Args:
        source: a folder, or a hub id.
        adapter: what is put on top of it; None for nothing.
    """

    source: str
    device: torch.device
    dtype: torch.dtype
    options: Mapping[str, str]
    adapter: Adapter | None = None

    @classmethod
    def of(cls, options: ModelOptions, adapter: str, more: tuple[str, ...] = ()) -> Checkpoint:
        """Checks options and folder before anything is loaded.

        Raises SpecError for a wrong option, CheckpointError for a folder without `config.json`,
        UnavailableError where quantisation is asked for and bitsandbytes is missing.
        """
        check_known(options.options, (*OPTIONS, *more), adapter)
        _check_quantization(options.options)
        thinking(options.options)
        source, found = adapter_of(options.argument, options.options.get("adapter", ""))
        given = options.options
        if found is not None and source != options.argument:
            given = {"name": Path(options.argument).name, **given}
        device, dtype = resolve(options)
        return cls(source, device, dtype, given, found)

    @property
    def processing(self) -> str:
        """Where tokenizer and processor are: the adapter's folder where a trainer left them there."""
        if self.adapter is not None and self.adapter.has_tokenizer:
            return str(self.adapter.folder)
        return self.source

    def require_config(self) -> None:
        """Raises CheckpointError for a folder without a model, and where the hub is needed and out of reach.

        Loading itself would try for minutes before it said so.
        """
        folder = Path(self.source)
        if not folder.is_dir():
            require_reach(self.source, self.common["revision"])
        if folder.is_dir() and not (folder / "config.json").is_file():
            what, remedy = fault_of_folder(folder)
            if not what and (folder / "model_index.json").is_file():
                what, remedy = "It is a pipeline of diffusers.", f"Use diffusers:{self.source}."
            raise CheckpointError(
                f"{self.source} holds no transformers model: config.json is missing.{what and ' ' + what}",
                remedy or "Give the folder that save_pretrained wrote.",
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
        from transformers.utils import logging as transformers_logging

        logging: Any = transformers_logging  # without types
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
        before = logging.get_verbosity()
        logging.set_verbosity_error()  # its report of tensors is ours to read
        try:
            with explaining(self.source, "a model"), without_adapter(self.source) as source:
                model, report = kind.from_pretrained(source, output_loading_info=True, **arguments)
        finally:
            logging.set_verbosity(before)
        if switch(self.options, "weights_check", default=True):
            check_loaded(self.source, LoadReport.of(report))
        placed = {"device_map", "quantization"} & set(self.options)
        model = model if placed else model.to(self.device)
        if self.adapter is not None:
            model = self.adapter.put_on(model)
        check_decoding(model, self.source, self.options)
        return model.eval()

    def info(self, model: Any, **more: Any) -> ModelInfo:
        """Who the model is, with everything that can change its answers."""
        config = model.config
        kept: dict[str, Any] = {
            name: self.options[name]
            for name in ("attention", "device_map", "weights_check", "thinking", "cache", "compile")
            if name in self.options
        }
        if self.adapter is not None:
            kept["adapter"] = self.adapter.describe()
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
        import transformers

        config: Any = transformers.BitsAndBytesConfig  # without types
        if self.options["quantization"] == "8bit":
            return config(load_in_8bit=True)
        return config(load_in_4bit=True, bnb_4bit_compute_dtype=self.dtype)


def require_reach(source: str, revision: str = "main") -> None:
    """Raises CheckpointError when a hub repository is not in the cache and the hub cannot be reached.

    A path of a folder that does not exist is no repository's name, and is refused as what it is.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(source, "config.json", revision=revision)
    except HFValidationError as error:
        raise CheckpointError(
            f"{source} is not a folder.",
            "Give the folder of a checkpoint, or its name on the hub (owner/name).",
        ) from error
    if isinstance(cached, str):
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
    except CheckpointError:
        raise
    except Exception as error:  # every library that reads a checkpoint raises kinds of its own
        text = " ".join(text_of(error).split()) or type(error).__name__
        if any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
            raise UnavailableError(
                f"{source} does not fit into the device's memory ({text[:300]}).",
                "Use --dtype bfloat16, --option quantization=4bit or --option device_map=auto.",
            ) from error
        what, remedy = fault_of_folder(Path(source))
        raise CheckpointError(
            f"{source} cannot be loaded as {wanted} ({text[:600]}).{what and ' ' + what}",
            remedy or _remedy(text, wanted),
        ) from error


def _remedy(text: str, wanted: str) -> str:
    if "trust_remote_code" in text or "custom code" in text:
        return "Read the code beside the weights; if you trust it, add --option trust_remote_code=yes."
    if "torchvision" in text.lower() or "_extra_content" in text:
        return "Its processor needs torchvision: install the build that fits your torch."
    if "safetensors" in text:
        return "Weights must be safetensors: convert them, or name a revision that has them."
    if any(word in text.lower() for word in ("connect", "offline", "cached")):
        return "Give a folder that holds the checkpoint, or go online."
    if wanted == "a diffusers pipeline":
        return "It needs model_index.json and the folders that it names."
    return "It needs config.json, safetensors weights, tokenizer and (for images) a processor."


def thinking(options: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of `apply_chat_template` for the option `thinking`; the names that public templates use.

    Raises SpecError for a value that is neither `on` nor `off`.
    """
    if "thinking" not in options:
        return {}
    if options["thinking"] not in ("on", "off"):
        raise SpecError(
            f"Option thinking={options['thinking']!r} is neither on nor off.", "Write thinking=off."
        )
    wanted = options["thinking"] == "on"
    return {"enable_thinking": wanted, "thinking": wanted}  # Qwen3, GLM, Gemma; DeepSeek-V3.1, Granite


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
            "pip install bitsandbytes, or omit the option quantization.",
        )
