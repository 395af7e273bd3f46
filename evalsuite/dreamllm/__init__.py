"""The DreamLLM model: configuration, model, processor, checkpoints, text and image generation.

`DreamLLMForCausalLM` is a `transformers` model; `DreamLLMProcessor` turns interleaved text and images into
its inputs; `ImageSampler` samples images from the states of its dream queries through the frozen diffusion
decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite._lazy import attach

if TYPE_CHECKING:
    from evalsuite.dreamllm.checkpoint import load_checkpoint, save_checkpoint
    from evalsuite.dreamllm.configuration import DreamLLMConfig, SpecialTokens
    from evalsuite.dreamllm.diffusion import ImageSampler, SamplingConfig, to_images
    from evalsuite.dreamllm.generation import generate_text, score_continuations
    from evalsuite.dreamllm.interleaved import Sampling, write_document, write_documents
    from evalsuite.dreamllm.modeling import DreamLLMForCausalLM, DreamLLMOutput
    from evalsuite.dreamllm.plugin import load as load_adapter
    from evalsuite.dreamllm.processing import DreamLLMProcessor

__all__ = [
    "DreamLLMConfig",
    "DreamLLMForCausalLM",
    "DreamLLMOutput",
    "DreamLLMProcessor",
    "ImageSampler",
    "Sampling",
    "SamplingConfig",
    "SpecialTokens",
    "generate_text",
    "load_adapter",
    "load_checkpoint",
    "save_checkpoint",
    "score_continuations",
    "to_images",
    "write_document",
    "write_documents",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "evalsuite.dreamllm.checkpoint": "load_checkpoint save_checkpoint",
            "evalsuite.dreamllm.configuration": "DreamLLMConfig SpecialTokens",
            "evalsuite.dreamllm.diffusion": "ImageSampler SamplingConfig to_images",
            "evalsuite.dreamllm.generation": "generate_text score_continuations",
            "evalsuite.dreamllm.interleaved": "Sampling write_document write_documents",
            "evalsuite.dreamllm.modeling": "DreamLLMForCausalLM DreamLLMOutput",
            "evalsuite.dreamllm.plugin": "load_adapter:load",
            "evalsuite.dreamllm.processing": "DreamLLMProcessor",
        },
    )
