"""What a DreamLLM is made of, as data that is saved with the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from transformers import CLIPVisionConfig, LlamaConfig, PretrainedConfig

from evalsuite.errors import CheckpointError

TOKEN_TEXTS: dict[str, str] = {
    "bos": "<s>",
    "eos": "</s>",
    "unk": "<unk>",
    "pad": "[PAD]",
    "image": "<image>",
    "image_patch": "<im_patch>",
    "image_start": "<im_start>",
    "image_end": "<im_end>",
    "dream": "<dream>",
    "dream_start": "<dream_start>",
    "dream_end": "<dream_end>",
}
"""The texts of the special tokens, as published checkpoints spell them."""


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Ids of the tokens that carry structure. They come from files, never from the order of a list.

    `image_patch` is the filler of both blocks: an image is `image_start`, P x `image_patch`, `image_end`; a
    dream is `dream_start`, Q x `image_patch`, `dream_end`. `dream_start` is what the language model learns to
    say when it wants to generate an image.
    """

    bos: int
    eos: int
    pad: int
    image_start: int
    image_end: int
    image_patch: int
    dream_start: int
    dream_end: int
    unk: int | None = None
    image: int | None = None
    dream: int | None = None

    @classmethod
    def from_texts(cls, ids: Mapping[str, int], texts: Mapping[str, str] = TOKEN_TEXTS) -> SpecialTokens:
        """Pick the ids out of a vocabulary (token text -> id).

        Raises:
            CheckpointError: a token that the model needs is not in the vocabulary.
        """
        found = {name: ids[text] for name, text in texts.items() if text in ids}
        missing = [texts[name] for name in cls.required() if name not in found]
        if missing:
            raise CheckpointError(
                f"The tokenizer lacks the special tokens {', '.join(missing)}.",
                "Add them to its vocabulary, or point to the folder that holds added_tokens.json.",
            )
        return cls(**found)

    @property
    def ids(self) -> list[int]:
        """All ids that are set."""
        return [value for value in asdict(self).values() if value is not None]

    @staticmethod
    def required() -> tuple[str, ...]:
        return ("bos", "eos", "pad", "image_start", "image_end", "image_patch", "dream_start", "dream_end")


def plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """A diffusers configuration as a plain dict: private entries dropped, tuples as lists."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in dict(config).items()
        if not key.startswith("_")
    }


class DreamLLMConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Everything that shapes a DreamLLM.

    Args:
        text_config: the Llama part (LlamaConfig or its dict).
        vision_config: the CLIP image tower (CLIPVisionConfig or its dict).
        unet_config, vae_config, scheduler_config: diffusers configurations as dicts.
        special_tokens: ids, see SpecialTokens.
        num_dream_queries: Q, length of the condition that an image is generated from.
        vision_projector, vision_projector_depth: `linear` (depth 1) or `mlp` (depth linear layers, GELU
            between), vision width -> hidden width, with bias.
        vision_post_layernorm: a LayerNorm after the vision projector, with the vision tower's epsilon.
        condition_projector, condition_projector_depth: same kinds, hidden width -> cross-attention width.
            Without bias, as published, unless `condition_projector_bias`.
        select_layer: hidden state of the vision tower that is used (-2: the last but one layer), CLS dropped.
        max_sequence_length: longest sequence; None takes the language model's `max_position_embeddings`.
        image_resolution: side of generated images in pixels; None takes UNet sample size x VAE factor.
        loss_weight_lm, loss_weight_vm: weights of the text and the image loss.
        loss_scale_schedule: `none`, `l1_norm` (sum divided by w_lm + w_vm) or `l2_norm`.
        condition_dropout: probability of training the UNet's condition on the empty prompt; None or 0 is off,
            as published.
        condition_dropout_queries: the empty prompt has the dream queries, as at inference. Upstream forgets
            them there; False reproduces that.
        noise_offset, input_perturbation, snr_gamma: the usual diffusion-loss options, off.
    """

    model_type = "evalsuite-dreamllm"
    sub_configs = {"text_config": LlamaConfig, "vision_config": CLIPVisionConfig}  # noqa: RUF012
    keys_to_ignore_at_inference = ["past_key_values"]  # noqa: RUF012

    def __init__(
        self,
        text_config: LlamaConfig | dict[str, Any] | None = None,
        vision_config: CLIPVisionConfig | dict[str, Any] | None = None,
        unet_config: dict[str, Any] | None = None,
        vae_config: dict[str, Any] | None = None,
        scheduler_config: dict[str, Any] | None = None,
        special_tokens: SpecialTokens | dict[str, Any] | None = None,
        num_dream_queries: int = 64,
        vision_projector: str = "linear",
        vision_projector_depth: int = 1,
        vision_post_layernorm: bool = False,
        condition_projector: str = "linear",
        condition_projector_depth: int = 1,
        condition_projector_bias: bool = False,
        select_layer: int = -2,
        max_sequence_length: int | None = None,
        image_resolution: int | None = None,
        loss_weight_lm: float = 1.0,
        loss_weight_vm: float = 10.0,
        loss_scale_schedule: str = "none",
        condition_dropout: float | None = None,
        condition_dropout_queries: bool = True,
        noise_offset: float = 0.0,
        input_perturbation: float = 0.0,
        snr_gamma: float | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("tie_word_embeddings", None)
        super().__init__(**kwargs)
        if text_config is None or isinstance(text_config, dict):
            text_config = LlamaConfig(**(text_config or {}))
        if vision_config is None or isinstance(vision_config, dict):
            vision_config = CLIPVisionConfig(**(vision_config or {}))
        self.text_config, self.vision_config = text_config, vision_config
        self.tie_word_embeddings = bool(self.text_config.tie_word_embeddings)
        self.unet_config = plain(unet_config or {})
        self.vae_config = plain(vae_config or {})
        self.scheduler_config = plain(scheduler_config or {})
        self.special_tokens = (
            asdict(special_tokens) if isinstance(special_tokens, SpecialTokens) else special_tokens
        )
        self.num_dream_queries = num_dream_queries
        self.vision_projector = vision_projector
        self.vision_projector_depth = vision_projector_depth
        self.vision_post_layernorm = vision_post_layernorm
        self.condition_projector = condition_projector
        self.condition_projector_depth = condition_projector_depth
        self.condition_projector_bias = condition_projector_bias
        self.select_layer = select_layer
        self.max_sequence_length = max_sequence_length
        self.image_resolution = image_resolution
        self.loss_weight_lm = loss_weight_lm
        self.loss_weight_vm = loss_weight_vm
        self.loss_scale_schedule = loss_scale_schedule
        self.condition_dropout = condition_dropout
        self.condition_dropout_queries = condition_dropout_queries
        self.noise_offset = noise_offset
        self.input_perturbation = input_perturbation
        self.snr_gamma = snr_gamma

    @property
    def tokens(self) -> SpecialTokens:
        """The special ids.

        Raises:
            CheckpointError: the configuration was made without them.
        """
        if not self.special_tokens:
            raise CheckpointError(
                "This DreamLLM configuration has no special_tokens.", "Set them from the tokenizer."
            )
        return SpecialTokens(**self.special_tokens)

    @property
    def num_patches(self) -> int:
        """P, number of image embeddings per image."""
        vision: Any = self.vision_config
        patches: int = (vision.image_size // vision.patch_size) ** 2
        return patches

    @property
    def sequence_limit(self) -> int:
        """Longest sequence in tokens, prompt and answer together."""
        return self.max_sequence_length or self.text_config.max_position_embeddings

    @property
    def vae_factor(self) -> int:
        """Pixels per latent along one side."""
        factor: int = 2 ** (len(self.vae_config.get("block_out_channels", [0])) - 1)
        return factor

    @property
    def resolution(self) -> int:
        """Side of generated images in pixels."""
        return self.image_resolution or int(self.unet_config.get("sample_size", 64)) * self.vae_factor
