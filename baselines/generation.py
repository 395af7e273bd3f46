"""Text generation with `transformers`: decoding as the protocol says, answers cut out of what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from evalsuite.model import Prepared, memory
from evalsuite.model.memory import cache_per_token
from evalsuite.model.reasoning import OPENED, opening_mark
from evalsuite.request import GenerateText, Request, TextResponse

from .decoding import OneWait, padded, takes_own_loop

NEUTRAL: dict[str, Any] = {
    "do_sample": False, "temperature": 1.0, "top_p": 1.0, "top_k": None, "min_p": None, "typical_p": 1.0,
    "repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "num_beams": 1, "length_penalty": 1.0,
    "max_length": None, "max_new_tokens": None, "min_length": 0, "min_new_tokens": None,
    "early_stopping": False, "num_return_sequences": 1, "guidance_scale": None,
}  # fmt: skip
"""Decoding parameters that belong to the protocol; a checkpoint's own values are put aside."""


def neutralise(model: Any) -> dict[str, Any]:
    """Puts the decoding defaults of a checkpoint aside, those of models inside it too.

    Returns what was put aside, for the record: a checkpoint with a repetition penalty of its own answers
    otherwise than the same checkpoint under the protocol.
    """
    aside: dict[str, Any] = {}
    for module in model.modules():
        config = getattr(module, "generation_config", None)
        if config is None:
            continue
        for name, value in NEUTRAL.items():
            found = getattr(config, name, None)
            if found is not None and found != value and name not in ("max_length", "max_new_tokens"):
                aside[name] = found
            setattr(config, name, value)
    return aside


def group_of(model: Any, request: Request, *more: Any) -> tuple[Any, ...]:
    """What requests of one batch must share.

    A request that samples stands alone where its rows cannot have generators of their own: its batch cannot
    matter then.
    """
    output = request.output
    if isinstance(output, GenerateText):
        alone = output.temperature > 0 and not _samples_by_row(model, output)
        return (*more, output, request.seed if alone else None)
    return more


def generate(
    model: Any, tokenizer: Any, inputs: Any, output: GenerateText, seeds: Sequence[int], **more: Any
) -> list[TextResponse]:
    """One response per row of `inputs`, which are padded on the left.

    Args:
        inputs: what the model's `generate` takes; `input_ids` of shape (batch, tokens).
        seeds: of sampling, one per row.
        more: further arguments of `generate`.
    """
    import torch
    from transformers import LogitsProcessorList, StoppingCriteriaList

    arguments: dict[str, Any] = {
        "max_new_tokens": output.max_new_tokens,
        "num_beams": output.num_beams,
        "length_penalty": output.length_penalty,
        "do_sample": False,
    }
    prompt = inputs["input_ids"]
    stops = _Stops(tokenizer, output.stop, prompt.shape[1]) if output.stop else None
    top_k = model.generation_config.top_k or 0  # else transformers takes its own 50
    sampled = None
    if output.temperature > 0 and _samples_by_row(model, output):
        sampled = Sampled(seeds, output, top_k)
    elif output.temperature > 0:
        torch.manual_seed(seeds[0])
        arguments |= {"do_sample": True, "temperature": output.temperature, "top_p": output.top_p}
        arguments |= {"top_k": top_k}
    if output.num_beams == 1 and not arguments["do_sample"] and takes_own_loop(model):
        arguments["custom_generate"] = OneWait(sampled, stops.ends if stops else None)
    else:
        if sampled is not None:
            arguments["logits_processor"] = LogitsProcessorList([sampled])
        if stops is not None:
            arguments["stopping_criteria"] = StoppingCriteriaList([stops])
    # on the CPU nothing waits, and skipping a mask is faster
    known = model.device.type != "cpu" and not bool(inputs.get("attention_mask", prompt.new_ones(1)).all())
    with torch.inference_mode(), padded(known):
        found = model.generate(**inputs, **arguments, **more)
    # everything in one copy: asking the device token by token would wait for it as often
    new = without_prompt(found.cpu(), prompt.cpu(), is_encoder_decoder(model)).tolist()
    return [response(tokenizer, row, output) for row in new]


def batch_that_fits(model: Any, item: Prepared, images: int = 0) -> int:
    """How many requests like this one the device's free memory holds, by an estimate of its tokens.

    A token is taken for two characters of the prompt, and an image for 1,000 tokens: rather too many.
    """
    output = item.request.output
    text = sum(len(message.text) for message in item.request.messages)
    tokens, beams = text // 2 + IMAGE_TOKENS * images, 1
    if isinstance(output, GenerateText):
        tokens, beams = tokens + output.max_new_tokens, output.num_beams
    cache = cache_per_token(model.config.to_dict(), model.dtype.itemsize)
    return memory.batch_that_fits(cache, tokens * beams, model.device)


IMAGE_TOKENS = 1000


def without_prompt(found: Any, prompt: Any, encoder_decoder: bool = False) -> Any:
    """The new tokens of what `generate` returned, (batch, tokens); both on the CPU.

    Decoders return the prompt too, unless they were given embeddings; encoder-decoders return their start
    token instead.
    """
    import torch

    if encoder_decoder:
        return found[:, 1:]
    width = prompt.shape[1]
    whole = found.shape[1] >= width and torch.equal(found[:, :width], prompt)
    return found[:, width:] if whole else found


def is_encoder_decoder(model: Any) -> bool:
    """Whether answers come from an encoder-decoder, as in Florence-2, or BLIP-2 with Flan-T5."""
    config = model.config
    return bool(config.is_encoder_decoder or getattr(config.get_text_config(), "is_encoder_decoder", False))


def response(tokenizer: Any, ids: Sequence[int], output: GenerateText) -> TextResponse:
    """The text of new tokens, cut before the first stop string."""
    special = set(tokenizer.all_special_ids)
    tokens = sum(i not in special for i in ids)
    text = tokenizer.decode(ids, skip_special_tokens=True).strip()
    cut = cut_at(text, output.stop)
    ended = cut != text or any(i in special for i in ids)
    truncated = not ended and len(ids) >= output.max_new_tokens
    return TextResponse(cut, tokens, truncated, _departures(output))


def opened(response: TextResponse, prompt: Any) -> TextResponse:
    """The response with a mark where its prompt ends inside a reasoning block, as some chat templates do: its
    text then begins in the middle of it."""
    mark = opening_mark(prompt) if isinstance(prompt, str) else ""
    return replace(response, details={**response.details, OPENED: mark}) if mark else response


def _departures(output: GenerateText) -> dict[str, str]:
    """What the protocol asks for and transformers does not do; on record with each answer."""
    if output.num_beams > 1 and output.length_normalization != "generated":
        return {"length_normalization": f"generated, not {output.length_normalization}"}
    return {}


def cut_at(text: str, stops: Sequence[str]) -> str:
    """The text before the first stop string in it.

    >>> cut_at("red. Question: why", ["Question:", "."])
    'red'
    """
    for stop in stops:
        text = text.split(stop)[0]
    return text


class Sampled:
    """Samples inside greedy decoding: each row by a generator of its own, on the CPU.

    A row's token is `torch.multinomial`'s on the CPU: the one whose probability over an exponential variate
    is largest. So a seed means the same on every device and in every batch.
    """

    def __init__(self, seeds: Sequence[int], output: GenerateText, top_k: int) -> None:
        import torch
        from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

        self._draws = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._warpers: list[Any] = []
        if output.temperature != 1.0:
            self._warpers.append(TemperatureLogitsWarper(output.temperature))
        if top_k:
            self._warpers.append(TopKLogitsWarper(top_k))
        if output.top_p < 1.0:
            self._warpers.append(TopPLogitsWarper(output.top_p))

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        noise = torch.stack([torch.empty(scores.shape[-1]).exponential_(1, generator=g) for g in self._draws])
        for warper in self._warpers:
            scores = warper(input_ids, scores)
        return scores.float().softmax(-1) / noise.to(scores.device)


def _samples_by_row(model: Any, output: GenerateText) -> bool:
    """Whether `Sampled` can stand in for the library's sampling: not for beams, not in code beside a
    checkpoint that has a `generate` of its own, and not where the checkpoint's own decoding, kept on request,
    prunes in further ways."""
    config = model.generation_config
    own = ("min_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "guidance_scale")
    return (
        output.num_beams == 1
        and takes_own_loop(model)
        and all(getattr(config, name, None) in (None, 0.0, 1.0) for name in own)
    )


class _Stops:
    """Ends a row as soon as a stop string stands in its new text."""

    def __init__(self, tokenizer: Any, stops: Sequence[str], width: int) -> None:
        self._tokenizer, self._stops, self._width = tokenizer, stops, width

    def ends(self, ids: Sequence[int]) -> bool:
        """Whether a row's new ids hold a stop string."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True).strip()
        return cut_at(text, self._stops) != text

    def __call__(self, input_ids: Any, scores: Any, **more: Any) -> Any:
        import torch

        start = self._width if input_ids.shape[1] > self._width else 0
        texts = self._tokenizer.batch_decode(input_ids[:, start:], skip_special_tokens=True)
        ended = [cut_at(text.strip(), self._stops) != text.strip() for text in texts]
        return torch.tensor(ended, device=input_ids.device)
