"""DreamLLM: a language model that reads images as embeddings and generates them through dream
queries (arXiv 2309.11499).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPVisionModel, GenerationMixin, LlamaModel, PreTrainedModel
from transformers.utils.generic import ModelOutput

from evalsuite.dreamllm.configuration import DreamLLMConfig
from evalsuite.dreamllm.diffusion_loss import diffusion_loss, sample_latents, training_scheduler
from evalsuite.dreamllm.embedding import find_blocks, gather, splice
from evalsuite.dreamllm.projector import build_projector
from evalsuite.errors import SampleError, SpecError


@dataclass
class DreamLLMOutput(ModelOutput):
    """What `forward` returns.

    Args:
        loss: weighted sum of both losses, scalar; None without labels, images to generate, or latents.
        lm_loss, vm_loss: the unweighted losses (detached), for logging.
        logits: (batch, sequence or logits_to_keep, vocabulary), float32. None in training mode with labels:
            only positions that carry a label are projected there.
        last_hidden_state: (batch, sequence, hidden), after the final norm.
        past_key_values: the cache.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    lm_loss: Tensor | None = None
    vm_loss: Tensor | None = None
    last_hidden_state: Tensor | None = None
    past_key_values: Any = None


class DreamLLMForCausalLM(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """The model. Parts: `model` (Llama), `lm_head`, `vision`, `vision_projector`, `dream_queries`,
    `condition_projector`, `unet`, `vae`.

    Vision tower, UNet and VAE are frozen; which of the rest trains is `training.set_stage`'s business. Text
    is written by `generation`, images by `diffusion`, documents by `interleaved`.
    """

    config: DreamLLMConfig
    config_class = DreamLLMConfig
    base_model_prefix = "model"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = False
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _no_split_modules = ["LlamaDecoderLayer"]  # noqa: RUF012
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # noqa: RUF012

    def __init__(self, config: DreamLLMConfig, *, parts: Mapping[str, Any] | None = None) -> None:
        """Args:
        parts: ready modules to use instead of new ones (`model`, `lm_head`, `vision`, `unet`, `vae`).
        """
        super().__init__(config)
        given = dict(parts or {})
        text = config.text_config
        self.model: Any = given.get("model") or LlamaModel(text)
        head = given.get("lm_head")
        if head is None:
            head = nn.Linear(text.hidden_size, text.vocab_size, bias=False)
            nn.init.normal_(head.weight, std=text.initializer_range)
        self.lm_head: Any = head
        self.vision: Any = given.get("vision") or CLIPVisionModel(config.vision_config)
        self.unet: Any = given.get("unet") or UNet2DConditionModel.from_config(config.unet_config)
        self.vae: Any = given.get("vae") or AutoencoderKL.from_config(config.vae_config)

        bridge = build_projector(
            config.vision_projector,
            config.vision_projector_depth,
            config.vision_config.hidden_size,
            text.hidden_size,
            bias=True,
        )
        self.vision_projector = bridge
        eps = config.vision_config.layer_norm_eps
        self.vision_norm: nn.Module = (
            nn.LayerNorm(text.hidden_size, eps=eps) if config.vision_post_layernorm else nn.Identity()
        )
        self.dream_queries = nn.Parameter(torch.empty(1, config.num_dream_queries, text.hidden_size))
        nn.init.normal_(self.dream_queries, std=0.02)
        self.condition_projector = build_projector(
            config.condition_projector,
            config.condition_projector_depth,
            text.hidden_size,
            int(self.unet.config.cross_attention_dim),
            bias=config.condition_projector_bias,
        )
        for frozen in (self.vision, self.unet, self.vae):
            frozen.requires_grad_(False)
        self.training_noise = training_scheduler(config)
        self.post_init()  # type: ignore[no-untyped-call]
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        self._adopt_generation_tokens()

    def init_weights(self) -> None:
        """Every part has initialised itself; transformers must not initialise ready parts again."""

    def _adopt_generation_tokens(self) -> None:
        if self.config.special_tokens and self.generation_config is not None:
            tokens = self.config.tokens
            self.generation_config.bos_token_id = tokens.bos
            self.generation_config.eos_token_id = tokens.eos
            self.generation_config.pad_token_id = tokens.pad

    # -- building ------------------------------------------------------------------------------------------

    @classmethod
    def from_parts(cls, **parts: Any) -> DreamLLMForCausalLM:
        """Put a new DreamLLM together from trained parts; see `building.build_from_parts`."""
        from evalsuite.dreamllm.building import build_from_parts

        return build_from_parts(cls, **parts)

    # -- pieces --------------------------------------------------------------------------------------------

    def get_input_embeddings(self) -> nn.Module:
        table: nn.Module = self.model.embed_tokens
        return table

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.embed_tokens = value

    def get_output_embeddings(self) -> nn.Module:
        head: nn.Module = self.lm_head
        return head

    def set_output_embeddings(self, value: nn.Module) -> None:
        self.lm_head = value

    @torch.no_grad()
    def encode_images(self, images: Tensor) -> Tensor:
        """Pixels (n, 3, side, side), normalised as the vision tower wants, to features (n, P, vision width).

        The chosen layer's hidden state without CLS and without the tower's final norm. The tower is frozen,
        so these features can be computed once and kept (`image_features` of `forward`).
        """
        output = self.vision(pixel_values=images.to(self.vision_dtype), output_hidden_states=True)
        features: Tensor = output.hidden_states[self.config.select_layer][:, 1:]
        return features

    @property
    def vision_dtype(self) -> torch.dtype:
        dtype: torch.dtype = next(self.vision.parameters()).dtype
        return dtype

    def project_images(self, features: Tensor) -> Tensor:
        """Vision features (n, P, vision width) to embeddings (n, P, hidden)."""
        projected: Tensor = self.vision_norm(self.vision_projector(features.to(self.dream_queries.dtype)))
        return projected

    def dream_blocks(self, input_ids: Tensor, *, strict: bool = True) -> tuple[Tensor, Tensor]:
        """Rows and columns of the dream blocks' start tokens, see `embedding.find_blocks`."""
        tokens, length = self.config.tokens, self.config.num_dream_queries
        return find_blocks(input_ids, tokens.dream_start, tokens.image_patch, length, "dream", strict=strict)

    def embed(
        self,
        input_ids: Tensor,
        images: Tensor | None = None,
        image_features: Tensor | None = None,
        *,
        insert_dream_queries: bool = True,
        strict: bool = True,
    ) -> Tensor:
        """Token embeddings with images and dream queries in their places, (batch, sequence, hidden).

        Args:
            input_ids: (batch, sequence), better on the CPU.
            images: (n, 3, side, side) for the n image blocks, in reading order over the batch.
            image_features: (n, P, vision width) instead of `images`: what `encode_images` gave.
            insert_dream_queries: upstream leaves the filler embeddings unless images to generate are passed;
                False reproduces that.
            strict: every image block has its image and exactly P fillers. Upstream leaves blocks without an
                image as they are; False reproduces that.

        Raises:
            SampleError: blocks and images do not match.
        """
        tokens = self.config.tokens
        # where blocks are is found on the ids as they come: on the CPU, the host need not wait for the device
        embeddings: Tensor = self.model.embed_tokens(input_ids.to(self.dream_queries.device))
        if input_ids.shape[1] < 2:
            return embeddings
        if insert_dream_queries:
            rows, columns = self.dream_blocks(input_ids, strict=strict)
            if len(rows):
                queries = self.dream_queries.expand(len(rows), -1, -1)
                embeddings = splice(embeddings, rows, columns, queries)
        rows, columns = find_blocks(
            input_ids, tokens.image_start, tokens.image_patch, self.config.num_patches, "image", strict=strict
        )
        if image_features is None and images is not None and len(images):
            image_features = self.encode_images(images)
        given = 0 if image_features is None else len(image_features)
        if given > len(rows) or (strict and given != len(rows)):
            raise SampleError(
                f"The prompt has {len(rows)} image blocks but {given} images were passed.",
                "Pass one image per block, in reading order.",
            )
        if image_features is not None and given:
            embeddings = splice(embeddings, rows, columns, self.project_images(image_features))
        return embeddings

    # -- forward -------------------------------------------------------------------------------------------

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        images: Tensor | None = None,
        image_features: Tensor | None = None,
        images_dm: Tensor | None = None,
        latents: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        insert_dream_queries: bool = True,
        strict: bool = True,
        return_dict: bool | None = None,
        **ignored: Any,
    ) -> DreamLLMOutput | tuple[Any, ...]:
        """One causal pass, and the losses for what is given.

        Args:
            input_ids: (batch, sequence); or `inputs_embeds` (batch, sequence, hidden), ready made.
            attention_mask: (batch, past + sequence), 1 for real tokens.
            labels: (batch, sequence), -100 where nothing is to be learnt; shifted here.
            images, image_features: the images that are read, see `embed`.
            images_dm: (m, 3, height, width) in [-1, 1], the images to be generated, one per dream block
                in reading order; or `latents` (m, channels, h, w), VAE latents already sampled and scaled. A
                VAE is frozen, so latents can be computed once.
            logits_to_keep: 0 for logits at every position, else at the last that many.
            insert_dream_queries, strict: see `embed`.

        Raises:
            SampleError: numbers of blocks and images differ, or the sequence is too long.
        """
        del ignored
        if inputs_embeds is None:
            if input_ids is None:
                raise SpecError("Neither input_ids nor inputs_embeds were passed.")
            self._check_length(input_ids.shape[1])
            inputs_embeds = self.embed(
                input_ids, images, image_features, insert_dream_queries=insert_dream_queries, strict=strict
            )
        learning = labels is not None or images_dm is not None or latents is not None
        outputs = self.model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=False if learning and past_key_values is None else use_cache,
        )
        states: Tensor = outputs.last_hidden_state

        logits = None
        if labels is None or not self.training:
            kept = states[:, -logits_to_keep:] if logits_to_keep else states
            logits = self.lm_head(kept).float()
        lm_loss = vm_loss = None
        if labels is not None:
            with torch.set_grad_enabled(torch.is_grad_enabled() and self.config.loss_weight_lm != 0):
                lm_loss = self.language_loss(states, labels)
        if images_dm is not None or latents is not None:
            if input_ids is None:
                raise SpecError("The image loss needs input_ids, to find the dream blocks.")
            with torch.set_grad_enabled(torch.is_grad_enabled() and self.config.loss_weight_vm != 0):
                vm_loss = self.image_loss(states, input_ids, images_dm, latents, strict=strict)
        loss = self._combine(lm_loss, vm_loss) if learning else None

        output = DreamLLMOutput(
            loss=loss,
            logits=logits,
            lm_loss=None if lm_loss is None else lm_loss.detach(),
            vm_loss=None if vm_loss is None else vm_loss.detach(),
            last_hidden_state=states,
            past_key_values=outputs.past_key_values,
        )
        return output if return_dict is not False else output.to_tuple()

    def _check_length(self, length: int) -> None:
        if length > self.config.sequence_limit:
            raise SampleError(
                f"The sequence has {length} tokens, the model's limit is {self.config.sequence_limit}.",
                "Use fewer images or a shorter text.",
            )

    def language_loss(self, states: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of the next token, mean over the labelled positions of the batch; 0 if there is none.

        The head is applied to labelled positions only: the same number as over all, in less memory.
        """
        targets = labels[:, 1:]
        chosen = targets != -100
        logits = self.lm_head(states[:, :-1][chosen]).float()
        count = max(int(chosen.sum()), 1)
        return F.cross_entropy(logits, targets[chosen], reduction="sum") / count

    def image_loss(
        self,
        states: Tensor,
        input_ids: Tensor,
        images_dm: Tensor | None,
        latents: Tensor | None,
        *,
        strict: bool = True,
    ) -> Tensor:
        """Diffusion loss of the images to be generated, conditioned on the states at their dream queries."""
        config = self.config
        rows, columns = self.dream_blocks(input_ids, strict=strict)
        given = len(latents) if latents is not None else len(images_dm) if images_dm is not None else 0
        if given != len(rows):
            raise SampleError(
                f"The batch has {len(rows)} dream blocks but {given} images to generate.",
                "Pass one image (or latent) per dream block, in reading order.",
            )
        if not given:
            return states.new_zeros((), dtype=torch.float32)
        dtype = next(self.unet.parameters()).dtype
        if latents is None:
            assert images_dm is not None
            with torch.no_grad():
                latents = sample_latents(self.vae, images_dm.to(dtype))
        return diffusion_loss(
            unet=self.unet,
            scheduler=self.training_noise,
            latents=latents.to(dtype),
            condition=gather(states, rows, columns, config.num_dream_queries),
            config=config,
            project=self.condition_projector,
            unconditional=self.unconditional_states,
        )

    def unconditional_states(self, count: int) -> Tensor:
        """States at the dream queries after the empty prompt, for training: (count, Q, hidden)."""
        tokens, queries = self.config.tokens, self.config.num_dream_queries
        row = [tokens.bos, tokens.dream_start, *[tokens.image_patch] * queries, tokens.dream_end]
        ids = torch.tensor([row], device=self.dream_queries.device)
        embeddings = self.embed(ids, insert_dream_queries=self.config.condition_dropout_queries)
        states = self.model(inputs_embeds=embeddings, use_cache=False).last_hidden_state
        after: Tensor = states[:, 2 : 2 + queries].expand(count, -1, -1)
        return after

    def _combine(self, lm_loss: Tensor | None, vm_loss: Tensor | None) -> Tensor:
        config = self.config
        weights = (config.loss_weight_lm, config.loss_weight_vm)
        losses = zip(weights, (lm_loss, vm_loss), strict=True)
        terms = [weight * term for weight, term in losses if term is not None and weight]
        total: Tensor = (
            torch.stack(terms).sum() if terms else self.dream_queries.new_zeros((), dtype=torch.float32)
        )
        scales = {"none": 1.0, "l1_norm": sum(weights), "l2_norm": sum(w * w for w in weights) ** 0.5}
        if config.loss_scale_schedule not in scales:
            raise SpecError(
                f"Unknown loss_scale_schedule {config.loss_scale_schedule!r}.", f"Known: {', '.join(scales)}."
            )
        total = total / scales[config.loss_scale_schedule]
        if self.training and torch.is_grad_enabled():
            # every trainable bridge takes part in every step, as data-parallel training demands
            projectors = [*self.vision_projector.parameters(), *self.condition_projector.parameters()]
            bridges = [bridge for bridge in (self.dream_queries, *projectors) if bridge.requires_grad]
            total = total + sum(0.0 * bridge.sum() for bridge in bridges)
        return total

    def train(self, mode: bool = True) -> DreamLLMForCausalLM:
        """Training mode for the language model and the bridges; the frozen parts stay in evaluation mode."""
        super().train(mode)
        for frozen in (self.vision, self.unet, self.vae):
            if not any(parameter.requires_grad for parameter in frozen.parameters()):
                frozen.eval()
        return self

    # -- files ---------------------------------------------------------------------------------------------

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> None:  # type: ignore[override]
        """Write `config.json` and safetensors; see `checkpoint.save_checkpoint` for the options."""
        from evalsuite.dreamllm.checkpoint import save_checkpoint

        save_checkpoint(self, Path(save_directory), **options)

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options: Any) -> DreamLLMForCausalLM:  # type: ignore[override]
        """Load either layout, ours or upstream's; see `checkpoint.load_checkpoint` for the options."""
        from evalsuite.dreamllm.checkpoint import load_checkpoint

        return load_checkpoint(Path(folder), **options)
