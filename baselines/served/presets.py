"""The engines that a run starts by name: their commands, as their documentation has them.

Each command listens on this machine only. The decoding defaults of the checkpoint and of the engine itself
are put aside, as our adapters do: what a protocol does not say is then the same behind an engine as in this
process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_NEUTRAL = {
    "do_sample": True, "top_k": 0, "typical_p": 1.0, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0,
    "num_beams": 1, "length_penalty": 1.0, "min_length": 0,
}  # fmt: skip
"""For `transformers serve`, which samples only where this says so, and at temperature 0 never."""


@dataclass(frozen=True, slots=True)
class Preset:
    """How an engine is started.

    Args:
        title: what it is, for `evalsuite list`.
        command: with `{model}` and `{port}`; empty for `served:`, where the user gives it.
        health: path that answers with 200 once it is ready.
        package: distribution whose version is recorded where the engine does not tell its own.
        parallel: arguments that spread a model over `{gpus}`; empty where the engine does that by itself.
        dtype: arguments for `--dtype`; empty where it has none.
        device: arguments for `--device`; empty where it takes what it finds.
        lists_model: `/v1/models` names the model that it serves.
        body: fields of every request that put decoding defaults aside, where the command cannot.
    """

    title: str
    command: str = ""
    health: str = "/health"
    package: str = ""
    parallel: str = ""
    dtype: str = ""
    device: str = ""
    lists_model: bool = True
    body: Mapping[str, Any] = field(default_factory=dict)


PRESETS = {
    "vllm": Preset(
        "a vLLM engine",
        "vllm serve {model} --host 127.0.0.1 --port {port} --generation-config vllm",
        package="vllm",
        parallel="--tensor-parallel-size {gpus}",
        dtype="--dtype {dtype}",
    ),
    "sglang": Preset(
        "an SGLang engine",
        "python3 -m sglang.launch_server --model-path {model} --host 127.0.0.1 --port {port} "
        "--sampling-defaults openai",
        package="sglang",
        parallel="--tp-size {gpus}",
        dtype="--dtype {dtype}",
    ),
    "llama-cpp": Preset(
        "llama.cpp's server",
        "python3 -m llama_cpp.server --model {model} --host 127.0.0.1 --port {port} "
        "--interrupt_requests False",
        health="/v1/models",
        package="llama_cpp_python",
        # Its own are a repetition penalty of 1.1, top_k 40 and min_p 0.05.
        body={"repeat_penalty": 1.0, "top_k": 0, "min_p": 0.0},
    ),
    "transformers-serve": Preset(
        "`transformers serve`",
        "transformers serve {model} --host 127.0.0.1 --port {port}",
        package="transformers",
        dtype="--dtype {dtype}",
        device="--device {device}",
        lists_model=False,  # it lists what the hub's cache holds
        body={"generation_config": json.dumps(_NEUTRAL)},
    ),
}
"""By the name that stands before the colon."""

OWN = Preset("any OpenAI-compatible engine")
"""`served:`, whose command the user gives."""
