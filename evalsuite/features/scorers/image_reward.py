"""ImageReward v1.0 (Xu et al. 2023, THUDM/ImageReward): a BLIP that looks at image and prompt, and a head on
its first token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from evalsuite.errors import CheckpointError
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import CLIP_MEAN, CLIP_STD, Geometry
from evalsuite.features.scorers.base import WEIGHTS, TorchScorer, find_checkpoint, load_state, read_config
from evalsuite.features.scorers.blip import part, text_config, vision_config, vision_state
from evalsuite.model.weights import fingerprint

if TYPE_CHECKING:
    import torch
    from torch import Tensor

KIND = "image-reward"
TOKENS = 35
"""Of a prompt; longer ones are cut off."""
MEAN, STD = 0.16717362830052426, 1.0333394966054072
"""Of the raw rewards of its authors' data; a reward is (x - MEAN) / STD."""


def reward_model(config: Mapping[str, Any]) -> Any:
    """A module of these sizes with the parts `vision`, `text` and `head`, and random weights."""
    import torch
    from transformers import BlipTextConfig, BlipVisionConfig
    from transformers.models.blip.modeling_blip import BlipVisionModel
    from transformers.models.blip.modeling_blip_text import BlipTextModel

    model: Any = torch.nn.Module()
    model.vision = BlipVisionModel(BlipVisionConfig(**config["vision_config"]))
    model.text = BlipTextModel(BlipTextConfig(**config["text_config"]), add_pooling_layer=False)
    widths = [config["text_config"]["hidden_size"], *config["head"]]
    # Without activations between them: with dropout off the five layers are one linear map.
    model.head = torch.nn.Sequential(*(torch.nn.Linear(wide, narrow) for wide, narrow in pairwise(widths)))
    return model.eval()


def reward(model: Any, pixels: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    """(n,) rewards of (n, 3, side, side) pixels and (n, length) tokens."""
    import torch

    seen = model.vision(pixel_values=pixels).last_hidden_state
    hidden = model.text(
        input_ids=tokens,
        attention_mask=mask,
        encoder_hidden_states=seen,
        encoder_attention_mask=torch.ones(seen.shape[:2], dtype=torch.long, device=seen.device),
    ).last_hidden_state
    raw: Tensor = model.head(hidden[:, 0])[:, 0]
    return (raw - MEAN) / STD


def converted(state: Mapping[str, Tensor], heads: int = 0) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and tensors of `ImageReward.pt` for `reward_model`.

    Args:
        heads: of both encoders' attention; 0: one per 64 channels, as published.

    Raises CheckpointError where it is another network's.
    """
    vision, text = part(state, "blip.visual_encoder."), part(state, "blip.text_encoder.")
    layers = sorted(
        {int(name.split(".")[2]) for name in state if name.startswith("mlp.layers.")}
    )  # dropout takes the numbers between
    head = [state[f"mlp.layers.{number}.weight"].shape[0] for number in layers]
    config = {
        "model_type": KIND,
        "vision_config": vision_config(vision, heads),
        "text_config": text_config(text, heads),
        "head": head,
    }
    if not head or head[-1] != 1:
        raise CheckpointError(
            "The checkpoint has no head of ImageReward.", "Give ImageReward.pt as it is published."
        )
    tensors = {f"vision.{name}": tensor for name, tensor in vision_state(vision).items()}
    tensors |= {f"text.{name}": tensor for name, tensor in text.items()}
    for place, number in enumerate(layers):
        for kind in ("weight", "bias"):
            tensors[f"head.{place}.{kind}"] = state[f"mlp.layers.{number}.{kind}"]
    return config, tensors


class ImageReward(TorchScorer):
    """The reward of an image for a prompt: about 0 on the mean of its authors' data, mostly from -2 to 2.

    Weights: a folder that `evalsuite weights convert image-reward ImageReward.pt` wrote.
    """

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        from transformers import AutoTokenizer, BertConfig

        folder = find_checkpoint(spec)
        config = read_config(folder, KIND)
        model = reward_model(config)
        load_state(model, folder / WEIGHTS)
        side = int(config["vision_config"]["image_size"])
        super().__init__(spec, device, Geometry(side, side, CLIP_MEAN, CLIP_STD), fingerprint([model]), KIND)
        self._model = model.to(self._device)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, config=BertConfig(), local_files_only=True)

    def step(self, pixels: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
        tokens = self._tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt"
        ).to(self._device)
        return reward(self._model, pixels, tokens["input_ids"], tokens["attention_mask"])
