"""Language models: text and likelihoods from an `AutoModelForCausalLM`, GGUF files included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evalsuite.model import Model, ModelEntry, ModelOptions
from evalsuite.request import Capability

from .. import declared, presets

CAPABILITIES: frozenset[Capability] = frozenset({"text", "choices"})


def models() -> Iterator[ModelEntry]:
    yield ModelEntry(
        "causal",
        "any language model of transformers, from a folder, a GGUF file or the hub",
        CAPABILITIES,
        load,
        takes_argument=True,
        group="any checkpoint",
        options=declared.LANGUAGE,
    )
    yield from presets.entries(
        Path(__file__).with_name("presets.yaml"), CAPABILITIES, "language", load, declared.LANGUAGE
    )


def load(options: ModelOptions) -> Model:
    """Loads the model named by `options.argument`: a folder, a hub id, a `.gguf` file, or
    `package:PACKAGE/FILE.gguf` for one that an installed Python package carries.

    Options as in `evalsuite_baselines.checkpoint`, and `gguf_file` (of a folder or hub repository with
    several).

    Raises CheckpointError when it cannot be loaded, UnavailableError when it will not fit or a package is
    missing.
    """
    from .adapter import LanguageModel

    return LanguageModel(options)
