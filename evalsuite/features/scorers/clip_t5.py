"""VQAScore of t2v_metrics 1.x (Lin et al. 2024): how surely CLIP-FlanT5 says "Yes" to a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from evalsuite.errors import UnavailableError
from evalsuite.features._torch import device_of, load_pretrained
from evalsuite.features.base import NetworkSpec
from evalsuite.features.preprocess import CLIP_MEAN, CLIP_STD, Geometry
from evalsuite.features.scorers.base import TorchScorer, find_checkpoint
from evalsuite.model.weights import fingerprint

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TOKENIZER = "google/flan-t5-xxl"
"""Where the tokenizer comes from that the published folder does not hold."""
QUESTION = 'Does this figure show "{}"? Please answer yes or no.'
ANSWER = "Yes"
_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
"""Vicuna's system message, which CLIP-FlanT5 was tuned with."""
_IMAGE = "<image>"
_TOWER = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
    "image_size": 336, "patch_size": 14, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
}  # fmt: skip
"""CLIP ViT-L/14 at 336 pixels, which every published CLIP-FlanT5 has inside."""


def asked(text: str, question: str = QUESTION) -> tuple[str, str]:
    """What stands before the image and behind it."""
    before = f"{_SYSTEM} USER: "
    return before, f"\n{question.replace('{}', text, 1)} ASSISTANT: "


@lru_cache(maxsize=1)
def clip_t5() -> Any:
    """The class of CLIP-FlanT5: a T5 whose input holds the patches of an image."""
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModel, T5Config, T5ForConditionalGeneration

    class ClipT5Config(T5Config):  # type: ignore[no-untyped-call]
        model_type = "clip_t5"

    class Tower(torch.nn.Module):
        def __init__(self, sizes: dict[str, Any]) -> None:
            super().__init__()
            # The names of the published tensors: vision_tower.vision_tower.vision_model.…
            self.vision_tower: Any = torch.nn.Module()
            self.vision_tower.vision_model = CLIPVisionModel(CLIPVisionConfig(**sizes))

        def forward(self, pixels: Tensor) -> Tensor:
            states = self.vision_tower.vision_model(
                pixel_values=pixels, output_hidden_states=True
            ).hidden_states
            patches: Tensor = states[-2][:, 1:]
            return patches

    class ClipT5(T5ForConditionalGeneration):  # type: ignore[no-untyped-call]
        config_class = ClipT5Config
        # FlanT5's output layer is its own, which transformers ties to the input since 5.
        _tied_weights_keys: ClassVar[dict[str, str]] = {  # type: ignore[misc]
            "encoder.embed_tokens.weight": "shared.weight",
            "decoder.embed_tokens.weight": "shared.weight",
        }

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            sizes = {**_TOWER, **(getattr(config, "vision_config", None) or {})}
            self.vision_tower = Tower(sizes)
            self.mm_projector = torch.nn.Sequential(
                torch.nn.Linear(sizes["hidden_size"], config.d_model),
                torch.nn.GELU(),
                torch.nn.Linear(config.d_model, config.d_model),
            )
            self.post_init()  # type: ignore[no-untyped-call]

    return ClipT5


def answer_score(model: Any, pixels: Tensor, before: Tensor, after: Tensor, answer: Tensor) -> Tensor:
    """(n,) exp(-mean cross entropy) of the answer's tokens, its end token among them: for "Yes" the root of
    P(Yes) P(</s>), not P(Yes).

    Args:
        pixels: (n, 3, side, side).
        before, after: (n, a) and (n, b) tokens in front of the image and behind it, without padding.
        answer: (n, c) tokens.
    """
    import torch

    patches = model.mm_projector(model.vision_tower(pixels))
    embed = model.get_input_embeddings()
    inputs = torch.cat([embed(before), patches.to(embed.weight.dtype), embed(after)], dim=1)
    mask = torch.ones(inputs.shape[:2], dtype=torch.long, device=inputs.device)
    logits = model(inputs_embeds=inputs, attention_mask=mask, labels=answer).logits
    chosen = logits.float().log_softmax(-1).gather(-1, answer[..., None])[..., 0]
    score: Tensor = chosen.mean(1).exp()
    return score


class VqaScore(TorchScorer):
    """How likely it is that an image shows its text, from 0 to 1.

    Weights: a folder or hub id of CLIP-FlanT5 (`zhiqiulin/clip-flant5-xxl`), tower and projector inside, and
    FlanT5's tokenizer there or from its own repository. bfloat16 on a GPU, as published; float32 on a CPU.
    """

    batch = 8

    def __init__(self, spec: NetworkSpec, device: str = "auto") -> None:
        import torch
        from transformers import AutoTokenizer, T5Config

        folder = find_checkpoint(spec)
        tokenizer = tokenizer_folder(folder)
        model = load_pretrained(clip_t5(), folder, spec.source)
        if device_of(device).type == "cuda":
            model = model.to(torch.bfloat16)
        side = int(model.vision_tower.vision_tower.vision_model.config.image_size)
        weights = fingerprint([model])
        super().__init__(spec, device, Geometry(side, side, CLIP_MEAN, CLIP_STD), weights, QUESTION, ANSWER)
        self.dtype = str(model.dtype).removeprefix("torch.")
        self._model = model.to(self._device)
        self._tokenizer = AutoTokenizer.from_pretrained(tokenizer, config=T5Config(), local_files_only=True)

    def step(self, pixels: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
        import torch

        found = torch.empty(len(texts))
        answer, before = self._tokens([ANSWER]), self._tokens([asked("")[0]])
        afters = [self._tokens([asked(text)[1]]) for text in texts]
        # Texts of one length go together: padding would move the last digits of a score.
        for length in sorted({after.shape[1] for after in afters}):
            places = [at for at, after in enumerate(afters) if after.shape[1] == length]
            after = torch.cat([afters[at] for at in places])
            some = pixels[places].to(self._model.dtype)
            count = len(places)
            scores = answer_score(self._model, some, before.repeat(count, 1), after, answer.repeat(count, 1))
            found[places] = scores.float().cpu()
        return found

    def _tokens(self, texts: list[str]) -> Tensor:
        found: Tensor = self._tokenizer(texts, return_tensors="pt").input_ids
        return found.to(self._device)


def require_vqascore(spec: NetworkSpec) -> None:
    """Raises UnavailableError where the weights or the tokenizer are not on this machine."""
    tokenizer_folder(find_checkpoint(spec))


def tokenizer_folder(folder: Path) -> Path:
    """Where FlanT5's tokenizer is: beside the weights, or in the hub's cache. Raises UnavailableError."""
    if any((folder / name).is_file() for name in ("spiece.model", "tokenizer.json")):
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(TOKENIZER, local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, ValueError) as error:
        raise UnavailableError(
            f"The tokenizer of {TOKENIZER} (tokenizer.json) is not here.",
            f"Put it into {folder}, or fetch it from the hub.",
        ) from error
