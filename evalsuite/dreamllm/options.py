"""The options of the DreamLLM adapter, apart from it: a misspelt one is refused before torch is imported."""

from __future__ import annotations

from evalsuite.options import Option

OPTIONS = (
    Option("name", "name in leaderboards; by default the folder's"),
    Option("template", "conversation template", default="vicuna_v1.1-evaluation"),
    Option("steps", "denoising steps where a protocol leaves them open", int, 50, minimum=1),
    Option("guidance_scale", "classifier-free guidance where a protocol leaves it open", float, 7.5),
    Option("scheduler", "sampler where a protocol leaves it open: ddpm, ddim, dpm++, euler", default="ddpm"),
    Option("top_k", "of sampling text; 0: off", int, 50, minimum=0),
    Option(
        "augment",
        "what is done to an image before the vision tower's own preprocessing",
        default="none",
        choices=("none", "square_resize", "padding_square_resize", "center_crop"),
    ),
    Option("round_pixels", "rounds pixels to float16 before the vision tower, as upstream does", bool, False),
    Option("channels_last", "lays out UNet and VAE for speed", bool, False),
    Option(
        "compile",
        "compiles UNet and VAE (true), the decoding step of text (text, with cache=static), or all",
        default="false",
        choices=("false", "true", "text", "all", "no", "yes", "0", "1"),
    ),
    Option(
        "cache", "of decoding text; static has a fixed size", default="growing", choices=("growing", "static")
    ),
)
