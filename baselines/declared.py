"""The options of the adapters of this package, as `--option KEY=VALUE` takes them.

Declared apart from the adapters, whose import is expensive: a misspelt option is refused before that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evalsuite.model import Option

NAME = Option("name", "name in leaderboards; by default the folder's or the model's")
REVISION = Option("revision", "branch, tag or commit of a hub repository", default="main")
REMOTE_CODE = Option("trust_remote_code", "runs Python that lies beside the weights; recorded", bool, False)
MEMORY_CHECK = Option(
    "memory_check", "`no` loads although the estimate says that it will not fit", bool, True
)
DEVICE_MAP = Option("device_map", "accelerate's, e.g. auto: spreads a model over several devices")
TEMPLATE = Option(
    "template",
    "Jinja chat template in place of the checkpoint's; `chat`: the checkpoint's; `plain`: none at all",
)
WEIGHTS_CHECK = Option(
    "weights_check",
    "`no` measures though tensors are missing, unexpected or mismatched",
    bool,
    True,
)
ADAPTER = Option("adapter", "folder of an adapter (LoRA …) on top of the checkpoint; `none`: uses none")

TRANSFORMERS = (
    NAME,
    REVISION,
    TEMPLATE,
    Option("attention", "sdpa, eager, flash_attention_2 …; by default the library's choice"),
    DEVICE_MAP,
    Option("quantization", "loads with bitsandbytes", choices=("4bit", "8bit")),
    REMOTE_CODE,
    Option(
        "generation_config",
        "`checkpoint` keeps its own decoding defaults, which are otherwise put aside",
        choices=("checkpoint",),
    ),
    MEMORY_CHECK,
    WEIGHTS_CHECK,
    ADAPTER,
    Option("thinking", "the switch of reasoning models' chat templates", choices=("on", "off")),
    Option("cache", "of decoding; static has a fixed size", choices=("growing", "static")),
    Option("compile", "compiles the decoding step; needs cache=static", bool, False),
)
"""Every adapter of transformers."""

LANGUAGE = (
    *(option for option in TRANSFORMERS if option is not TEMPLATE),
    replace(TEMPLATE, help=f"{TEMPLATE.help}; named, it holds for likelihoods too"),
    Option("gguf_file", "file of a folder or hub repository with several"),
)

UNIFIED = (*TRANSFORMERS, Option("image_area", "pixels of a generated image, for models that choose", int))

DIFFUSERS = (
    NAME,
    REVISION,
    Option("variant", "of the weights' files, e.g. fp16"),
    Option("scheduler", "sampler where a protocol leaves it open: ddpm, ddim, dpm++, euler"),
    Option("steps", "denoising steps where a protocol leaves them open", int, minimum=1),
    Option("guidance_scale", "classifier-free guidance where a protocol leaves it open", float),
    Option("strength", "fraction of the noise schedule that an edit runs", float, minimum=0),
    Option("task", "switches the pipeline", choices=("text-to-image", "image-to-image", "inpainting")),
    DEVICE_MAP,
    Option("offload", "keeps on the GPU only what is at work", bool, False),
    Option("safety_checker", "`no` leaves it out (it blackens images)", bool, True),
    REMOTE_CODE,
    MEMORY_CHECK,
    WEIGHTS_CHECK,
    ADAPTER,
)
CALL = "every other argument of the pipeline's call, such as image_guidance_scale"
"""What pipelines take beyond `DIFFUSERS`; a name that is none is refused before the weights are loaded."""

SERVER = (
    NAME,
    Option("base_url", "address of the server, up to and with /v1", default="https://api.openai.com/v1"),
    Option("key_env", "environment variable with the API key", default="OPENAI_API_KEY"),
    Option("in_flight", "maximum concurrent requests", int, 8, minimum=1),
    Option("timeout", "seconds one attempt may take", float, 120.0, minimum=0.001),
    Option("retries", "maximum retries of a request after a transient error", int, 6, minimum=0),
    Option("backoff", "seconds before the first retry; doubled each time", float, 1.0, minimum=0),
    Option("longest_wait", "longest wait in seconds; a server that asks for more is given up", float, 120.0,
           minimum=0),
    Option("limit_name", "field that bounds an answer's length", default="max_tokens",
           choices=("max_tokens", "max_completion_tokens")),
    Option("prefill", "how the beginning of an answer is sent", default="refuse",
           choices=("refuse", "continue", "assistant")),
    Option("image_detail", "low or high, where the server knows it"),
    Option("image_format", "how images are sent; `auto` re-encodes what servers may read otherwise",
           default="auto", choices=("auto", "png", "jpeg", "webp", "original")),
    Option("orientation", "`upright` turns photographs as their EXIF data say; `stored` sends them as local "
           "adapters see them", default="stored", choices=("upright", "stored")),
    Option("max_reply", "MiB of a reply; a longer one fails (image models: 512)", float, 64.0, minimum=0.001),
    Option("extra_body", "JSON object of further fields of every request"),
    Option("price_in", "price of a million prompt tokens, for the cost in `runs show`", float, minimum=0),
    Option("price_out", "price of a million generated tokens", float, minimum=0),
)  # fmt: skip

CHAT = (
    *SERVER,
    Option("omit", "parameters, with commas, left to the server: temperature, top_p, seed, max_tokens, stop"),
    Option("ignore_beams", "`yes` generates greedily where a protocol wants beams", bool, False),
    Option("thinking", "the switch of reasoning models, or OpenAI's reasoning effort",
           choices=("on", "off", "none", "minimal", "low", "medium", "high")),
    Option("template", "`plain` sends bare text to `completions`", default="chat", choices=("chat", "plain")),
    Option("probe", "`no` asks nothing before a task to find out what the server can do", bool, True),
)  # fmt: skip

ENGINE = (
    Option("engine", "command that starts the engine, with {port} and {model}; presets have their own"),
    Option("engine_args", "further arguments of the command, as on a command line"),
    Option("health", "path that answers when the engine is ready; presets have their own"),
    Option("startup_timeout", "seconds until it must be ready", float, 1800.0, minimum=0),
    Option("restarts", "how often it is started again after it died", int, 3, minimum=0),
    Option("served_name", "the model's name at the engine, where that is not the argument"),
    *(option for option in CHAT if option.name != "base_url"),
)
"""Engines that a run starts itself."""

ISOLATED = (
    NAME,
    Option("python", "interpreter of the adapter's environment, or a command that runs one"),
    Option("startup_timeout", "seconds in which the model must be loaded", float, 1800.0, minimum=0),
    Option("silence", "seconds without a sign of life after which it is ended", float, 120.0, minimum=0),
    Option("restarts", "requests in a row that no child survived until the run stops", int, 3, minimum=0),
)
PASSED = "every other name, for the adapter file's load()"
"""What an adapter in another interpreter takes beyond `ISOLATED`; that file checks it."""

IMAGES = (
    *SERVER,
    Option("size", "e.g. 1024x1024, where the protocol leaves it open"),
    Option("response_format", "b64_json for servers that give addresses by default"),
)

ANSWERS = (Option("answers", "JSON lines of training answers; by default the miniature's", Path),)

NEIGHBOURS = (
    Option("images", "JSON lines of training images with captions; by default the miniature's", Path),
    Option("pictures", "deprecated name of `images`", Path),
    Option("network", "folder or hub id of a CLIP; by default the miniature's"),
)


def with_defaults(options: Sequence[Option], defaults: Mapping[str, str]) -> tuple[Option, ...]:
    """The options with the defaults of a named checkpoint; names that are not declared are added."""
    names = {option.name for option in options}
    changed = (
        replace(option, default=option.parse(defaults[option.name])) if option.name in defaults else option
        for option in options
    )
    return (*changed, *(Option(name, default=text) for name, text in defaults.items() if name not in names))
