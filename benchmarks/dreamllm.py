"""The DreamLLM adapter against the original's algorithm and against the bare model calls: CPU seconds.

On the miniature, the same prompts, steps and batch for all three, in one process:

    ours      the adapter's device step: what a run spends beside preparing (which runs in other threads)
    bare      the vision tower, language model, UNet and VAE calls that the answers need, nothing around
    original  one request at a time; the vision tower on a zero image at every forward without one, as
              upstream does; the unconditional branch anew for each image

    python benchmarks/dreamllm.py [--count N] [--batch N] [--tokens N] [--steps N] [--repeats N]
                                  [--variants] [--json FILE]

`--variants` also times settings of the adapter: channels_last, compile, bfloat16, attention implementations.
Every time is the least of `--repeats`; ours and bare alternate, so that a busy machine hurts both alike.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor

from evalsuite.content import Image, user
from evalsuite.dreamllm.adapter import DreamLLMAdapter
from evalsuite.dreamllm.diffusion import dream_embeddings, guide
from evalsuite.mini.data import ensure_world
from evalsuite.model import Prepared
from evalsuite.model.entry import ModelOptions
from evalsuite.model.schedulers import build_scheduler
from evalsuite.request import GenerateImages, GenerateText, Request

CHECKPOINT = Path(__file__).parent.parent / "baselines" / "mini" / "checkpoints" / "dreamllm"
GUIDANCE, SCHEDULER = 3.0, "dpm++"


def adapter(device: str = "cpu", dtype: str = "float32", **options: str) -> DreamLLMAdapter:
    plain = {"template": "vicuna-without-system", "guidance_scale": str(GUIDANCE), "scheduler": SCHEDULER}
    return DreamLLMAdapter(ModelOptions(str(CHECKPOINT), device, dtype, plain | options))


def least(runs: Sequence[Callable[[], Any]], repeats: int) -> list[float]:
    """The least CPU seconds of each, taken in turn."""
    times = [[] for _ in runs]  # type: list[list[float]]
    for run in runs:
        run()
    for _ in range(repeats):
        for run, found in zip(runs, times, strict=True):
            start = time.process_time()
            run()
            found.append(time.process_time() - start)
    return [min(found) for found in times]


def batches(items: Sequence[Prepared], size: int) -> list[Sequence[Prepared]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


# -- text --------------------------------------------------------------------------------------------------


def text_requests(model: DreamLLMAdapter, count: int, tokens: int) -> list[Prepared]:
    """Questions about images whose answers all have the full length: what ends early is left out, so that
    bare and original need no ends of their own."""
    folder = ensure_world() / "coco" / "val2014"
    pictures = sorted((folder if folder.is_dir() else ensure_world()).rglob("*.png"))
    pictures = pictures or sorted(ensure_world().rglob("*.jpg"))
    output = GenerateText(max_new_tokens=tokens)
    found: list[Prepared] = []
    for start in range(0, len(pictures), 32):
        prepared = [
            model.prepare(Request((user(Image(path=path), "describe the image"),), output))
            for path in pictures[start : start + 32]
        ]
        answers = model.generate_text(prepared)
        found += [item for item, answer in zip(prepared, answers, strict=True) if answer.truncated]
        if len(found) >= count:
            return found[:count]
    raise SystemExit(f"only {len(found)} answers have {tokens} tokens: use fewer --tokens")


def text_inputs(model: DreamLLMAdapter, batch: Sequence[Prepared]) -> tuple[Tensor, Tensor, Tensor]:
    ids, mask = model.processor.pad_left([item.payload.ids for item in batch])
    return ids, mask, torch.cat([item.payload.pixels for item in batch])


@torch.no_grad()
def bare_text(model: DreamLLMAdapter, inputs: tuple[Tensor, Tensor, Tensor], tokens: int) -> Tensor:
    """Vision tower once, the prompt once, then one call per token, greedy."""
    core, (ids, mask, pixels) = model.model, inputs
    embeddings = core.embed(ids, pixels)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    written, cache = [], None
    for _ in range(tokens):
        output = core.model(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        cache = output.past_key_values
        token = core.lm_head(output.last_hidden_state[:, -1]).argmax(-1, keepdim=True)
        written.append(token)
        embeddings, positions = core.model.embed_tokens(token), positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
    return torch.cat(written, 1)


def each(step: Callable[[Any], Any], parts: Iterable[Any]) -> list[Any]:
    """What a step makes of each batch."""
    return [step(part) for part in parts]


@torch.no_grad()
def original_text(model: DreamLLMAdapter, item: Prepared, tokens: int) -> Tensor:
    """One request: the tower sees a zero image at every step after the first."""
    core = model.model
    side: Any = core.config.vision_config.image_size
    ids, mask, pixels = text_inputs(model, [item])
    written, cache, embeddings = [], None, core.embed(ids, pixels)
    for step in range(tokens):
        if step:
            core.project_images(core.encode_images(torch.zeros(1, 3, side, side)))
        output = core.model(
            inputs_embeds=embeddings, attention_mask=mask, past_key_values=cache, use_cache=True
        )
        cache = output.past_key_values
        token = core.lm_head(output.last_hidden_state)[:, -1].argmax(-1, keepdim=True)
        written.append(token)
        embeddings = core.model.embed_tokens(token)
        mask = torch.cat([mask, mask.new_ones(1, 1)], 1)
    return torch.cat(written, 1)


def compare_text(model: DreamLLMAdapter, count: int, size: int, tokens: int, repeats: int) -> dict[str, Any]:
    items = text_requests(model, count, tokens)
    parts = batches(items, size)
    ready = [text_inputs(model, part) for part in parts]
    ours = [answer.text for part in parts for answer in model.generate_text(part)]
    for other in (
        [row for inputs in ready for row in bare_text(model, inputs, tokens).tolist()],
        [original_text(model, item, tokens)[0].tolist() for item in items],
    ):
        agree = sum(a == model.processor.decode(b).strip() for a, b in zip(ours, other, strict=True))
        if agree < 0.98 * count:
            raise SystemExit(f"only {agree} of {count} answers agree: nothing to compare")
    seconds = least(
        [
            lambda: [model.generate_text(part) for part in parts],
            lambda: [bare_text(model, inputs, tokens) for inputs in ready],
            lambda: [original_text(model, item, tokens) for item in items],
        ],
        repeats,
    )
    return report("tokens", count * tokens, seconds)


# -- images ----------------------------------------------------------------------------------------------


def image_requests(model: DreamLLMAdapter, count: int, steps: int) -> list[Prepared]:
    output = GenerateImages(steps=steps, guidance_scale=GUIDANCE, scheduler=SCHEDULER)
    colours, shapes = ("red", "blue", "green", "yellow"), ("circle", "square", "triangle")
    captions = [f"a {colour} {shape}" for colour in colours for shape in shapes]
    return [
        model.prepare(Request((user(captions[index % len(captions)]),), output, seed=index))
        for index in range(count)
    ]


def draw(core: Any, latents: Tensor, context: Tensor, steps: int) -> Tensor:
    """The guided UNet steps and the decoding, which bare and original have alike."""
    scheduler = build_scheduler(SCHEDULER, core.config.scheduler_config)
    scheduler.set_timesteps(steps)
    for timestep in scheduler.timesteps:
        predicted = core.unet(torch.cat([latents, latents]), timestep, encoder_hidden_states=context).sample
        latents = scheduler.step(guide(predicted, GUIDANCE), timestep, latents).prev_sample
    image: torch.Tensor = core.vae.decode(latents / core.vae.config.scaling_factor).sample
    return image


@torch.no_grad()
def bare_images(
    model: DreamLLMAdapter,
    inputs: tuple[Tensor, Tensor],
    unconditional: Tensor,
    latents: Tensor,
    steps: int,
) -> Tensor:
    """Prompt and queries in one call, guided UNet steps, one decoding."""
    core, (ids, mask) = model.model, inputs
    block = dream_embeddings(core, len(ids))
    embeddings = torch.cat([core.model.embed_tokens(ids), block], 1)
    whole = torch.cat([mask, mask.new_ones(block.shape[:2])], 1)
    positions = (whole.cumsum(1) - 1).clamp(min=0)
    states = core.model(inputs_embeds=embeddings, attention_mask=whole, position_ids=positions)
    condition = states.last_hidden_state[:, -block.shape[1] + 1 : -1]
    context = core.condition_projector(torch.cat([unconditional.expand_as(condition), condition]))
    return draw(core, latents, context, steps)


@torch.no_grad()
def original_images(model: DreamLLMAdapter, item: Prepared, steps: int) -> Tensor:
    """One request: four language-model calls (prompt and queries, with and without condition), each with the
    tower on a zero image."""
    core = model.model
    side: Any = core.config.vision_config.image_size
    states = []
    for ids in (torch.tensor([[core.config.tokens.bos]]), torch.tensor([item.payload.ids])):
        cache = None
        for embeddings in (core.model.embed_tokens(ids), dream_embeddings(core, 1)):
            core.project_images(core.encode_images(torch.zeros(1, 3, side, side)))
            output = core.model(inputs_embeds=embeddings, past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            core.lm_head(output.last_hidden_state)
        states.append(output.last_hidden_state[:, 1:-1])
    context = core.condition_projector(torch.cat(states))
    latents = model._sampler.initial_latents([torch.Generator().manual_seed(item.request.seed)])
    return draw(core, latents, context, steps)


def compare_images(model: DreamLLMAdapter, count: int, size: int, steps: int, repeats: int) -> dict[str, Any]:
    items = image_requests(model, count, steps)
    parts = batches(items, size)
    unconditional = model._sampler.unconditional(1)
    ready = []
    for part in parts:
        seeds = [torch.Generator().manual_seed(item.request.seed) for item in part]
        inputs = model.processor.pad_left([item.payload.ids for item in part])
        ready.append((inputs, unconditional, model._sampler.initial_latents(seeds), steps))
    seconds = least(
        [
            lambda: [model.generate_images(part) for part in parts],
            lambda: [bare_images(model, *arguments) for arguments in ready],
            lambda: [original_images(model, item, steps) for item in items],
        ],
        repeats,
    )
    return report("images", count, seconds)


def report(unit: str, amount: int, seconds: Sequence[float]) -> dict[str, Any]:
    ours, bare, original = (amount / value for value in seconds)
    return {
        f"{unit}_per_cpu_second": {"ours": ours, "bare": bare, "original": original},
        "of_bare": ours / bare,
        "times_original": ours / original,
    }


# -- settings ----------------------------------------------------------------------------------------------


def compare_variants(count: int, size: int, tokens: int, steps: int, repeats: int) -> dict[str, Any]:
    """Tokens and images per CPU second with settings of the adapter, each beside the plain one."""
    found: dict[str, Any] = {}
    variants: dict[str, Callable[[], DreamLLMAdapter]] = {
        "plain": adapter,
        "channels_last": lambda: adapter(channels_last="true"),
        "compile": lambda: adapter(compile="true"),
        "bfloat16": lambda: adapter(dtype="bfloat16"),
        "eager attention": lambda: with_attention(adapter(), "eager"),
    }
    for name, build in variants.items():
        model = build()
        texts = batches(text_requests(adapter(), count, tokens), size)
        pictures = batches(image_requests(model, count, steps), size)
        seconds = least(
            [
                partial(each, model.generate_text, texts),
                partial(each, model.generate_images, pictures),
            ],
            repeats,
        )
        found[name] = {"tokens": count * tokens / seconds[0], "images": count / seconds[1]}
    return found


def with_attention(model: DreamLLMAdapter, kind: str) -> DreamLLMAdapter:
    from diffusers.models.attention_processor import AttnProcessor

    model.model.model.set_attn_implementation(kind)
    model.model.vision.set_attn_implementation(kind)
    for part in (model.model.unet, model.model.vae):
        part.set_attn_processor(AttnProcessor())
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--variants", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.set_grad_enabled(False)
    model = adapter()
    found: dict[str, Any] = {
        "text": compare_text(model, options.count, options.batch, options.tokens, options.repeats),
        "images": compare_images(model, options.count, options.batch, options.steps, options.repeats),
    }
    if options.variants:
        found["variants"] = compare_variants(
            options.count, options.batch, options.tokens, options.steps, options.repeats
        )
    text = json.dumps(found | {"options": vars(options) | {"json": str(options.json)}}, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
