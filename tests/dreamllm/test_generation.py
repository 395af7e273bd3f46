"""Text, images and documents: independent of the batch, within their limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from evalsuite.dreamllm.conversation import Mark
from evalsuite.dreamllm.diffusion import ImageSampler, SamplingConfig, check_finite, guide
from evalsuite.dreamllm.generation import generate_text, sampling_probabilities, score_continuations
from evalsuite.dreamllm.interleaved import write_document, write_documents
from evalsuite.dreamllm.shipped import STABLE_DIFFUSION_2_1_BASE
from evalsuite.errors import SampleError, SpecError
from evalsuite.model.schedulers import build_scheduler
from tests.dreamllm.recordings import TINY as VARIANT

MODEL, PROCESSOR, SAMPLER = VARIANT.model, VARIANT.processor, VARIANT.sampler
PROMPTS: list[list[str | Mark]] = [
    ["A cute cat."],
    [" A chat. USER: ", Mark.IMAGE, "What is it?"],
    [Mark.IMAGE, "and", Mark.IMAGE, "differ how?"],
]
IMAGES: list[list[str]] = [[], ["gray"], ["landscape_rgb", "portrait_rgb"]]
FEW = SamplingConfig(steps=3, guidance_scale=2.0)


def together_and_alone(**options: Any) -> Any:
    rows = [PROCESSOR.encode(prompt) for prompt in PROMPTS]
    ids, mask = PROCESSOR.pad_left(rows)
    images = VARIANT.pixels([name for names in IMAGES for name in names])
    seeds = options.pop("seeds", None)
    together = generate_text(MODEL, ids, mask, images=images, seeds=seeds, **options)
    alone = [
        generate_text(
            MODEL,
            torch.tensor([row]),
            images=VARIANT.pixels(names),
            seeds=None if seeds is None else [seeds[index]],
            **options,
        )[0]
        for index, (row, names) in enumerate(zip(rows, IMAGES, strict=True))
    ]
    return together, alone


@pytest.mark.parametrize(
    "options", [{}, {"num_beams": 3}, {"temperature": 0.9, "top_p": 0.9, "seeds": [3, 1, 2]}], ids=str
)
def test_a_batch_writes_what_each_prompt_writes_alone(options: dict[str, Any]) -> None:
    together, alone = together_and_alone(max_new_tokens=10, **options)
    assert [one.ids for one in together] == [one.ids for one in alone]


def test_greedy_equals_transformers_own_loop() -> None:
    ids, mask = PROCESSOR.pad_left([PROCESSOR.encode(prompt) for prompt in PROMPTS[:1]])
    with torch.no_grad():
        model: Any = MODEL
        theirs = model.generate(ids, attention_mask=mask, max_new_tokens=12, do_sample=False)
    (ours,) = generate_text(MODEL, ids, mask, max_new_tokens=12)
    assert theirs[0, ids.shape[1] :].tolist() == list(ours.ids)


def test_seeds_decide_what_is_sampled() -> None:
    ids = torch.tensor([PROCESSOR.encode("Hello")]).repeat(4, 1)
    found = generate_text(MODEL, ids, temperature=1.5, max_new_tokens=8, seeds=[1, 2, 1, 3])
    assert found[0].ids == found[2].ids != found[1].ids


def test_top_k_and_top_p_cut_the_tail() -> None:
    logits = torch.tensor([4.0, 3.0, 2.0, 1.0])
    assert (sampling_probabilities(logits, 1.0, top_k=2) > 0).tolist() == [True, True, False, False]
    assert (sampling_probabilities(logits, 1.0, top_p=0.6) > 0).tolist() == [True, False, False, False]
    assert float(sampling_probabilities(logits, 0.7, top_p=0.9).sum()) == pytest.approx(1)


def test_generation_stops_at_the_model_s_limit() -> None:
    limit = MODEL.config.sequence_limit
    ids = torch.full((1, limit - 3), 300)
    (found,) = generate_text(MODEL, ids, max_new_tokens=50, eos=-1)
    assert len(found.ids) == 3
    with pytest.raises(SampleError, match=str(limit)):
        generate_text(MODEL, torch.full((1, limit), 300))


@pytest.mark.parametrize("beams", [1, 3])
def test_a_long_prompt_at_the_limit_does_not_cut_its_neighbour_short(beams: int) -> None:
    long, short = [300] * (MODEL.config.sequence_limit - 3), PROCESSOR.encode("Hello")
    ids, mask = PROCESSOR.pad_left([long, short])
    how: dict[str, Any] = {
        "max_new_tokens": 12,
        "num_beams": beams,
        "eos": 0,
        "suppress": [0],
    }  # never ends by itself
    together = generate_text(MODEL, ids, mask, **how)
    alone = generate_text(MODEL, torch.tensor([short]), **how)
    assert [len(one.ids) for one in together] == [3, 12]
    assert together[1].ids == alone[0].ids


def test_stop_and_suppress() -> None:
    ids = torch.tensor([PROCESSOR.encode("Hello")])
    (free,) = generate_text(MODEL, ids, max_new_tokens=6)
    (stopped,) = generate_text(MODEL, ids, max_new_tokens=6, stop=lambda row, new: len(new) == 2)
    assert stopped.ids == free.ids[:2]
    (other,) = generate_text(MODEL, ids, max_new_tokens=6, suppress=[free.ids[0]])
    assert free.ids[0] not in other.ids


def test_length_normalisation_must_be_known() -> None:
    with pytest.raises(SpecError, match=r"prompt\+generated"):
        generate_text(MODEL, torch.tensor([[1]]), num_beams=2, length_normalization="none")


def test_choices_weigh_what_the_whole_sequence_weighs() -> None:
    prompts = [PROCESSOR.encode(prompt) for prompt in PROMPTS]
    choices = [[[300], [301, 302, 303]], [[299, 300]], [[400, 2], [17]]]
    ids, mask = PROCESSOR.pad_left(prompts)
    images = VARIANT.pixels([name for names in IMAGES for name in names])
    found = score_continuations(MODEL, ids, mask, choices, images=images)
    for prompt, names, several, values in zip(prompts, IMAGES, choices, found, strict=True):
        for choice, value in zip(several, values, strict=True):
            with torch.no_grad():
                logits = MODEL(torch.tensor([prompt + choice]), images=VARIANT.pixels(names)).logits[0]
            steps = torch.log_softmax(logits, -1)[len(prompt) - 1 : -1]
            assert value == pytest.approx(
                sum(float(step[token]) for step, token in zip(steps, choice, strict=True)), abs=1e-4
            )


def test_choices_are_tokenised_with_their_prompt() -> None:
    prompt, choices = PROCESSOR.encode_choices(["The answer is"], [" red", " blue and green"])
    for text, choice in ((" red", choices[0]), (" blue and green", choices[1])):
        assert prompt + choice == PROCESSOR.encode("The answer is" + text)


# -- images ----------------------------------------------------------------------------------------------


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.mark.parametrize("scheduler", ["ddpm", "ddim", "dpm++", "euler"])
def test_an_image_does_not_depend_on_the_batch(scheduler: str) -> None:
    how = SamplingConfig(steps=3, guidance_scale=3.0, scheduler=scheduler)
    rows = [PROCESSOR.encode(prompt) for prompt in PROMPTS]
    ids, mask = PROCESSOR.pad_left(rows)
    condition = SAMPLER.condition(ids, mask, images=VARIANT.pixels([n for names in IMAGES for n in names]))
    together = SAMPLER.sample(condition, generators(1, 2, 3), how)
    for index, (row, names) in enumerate(zip(rows, IMAGES, strict=True)):
        own = SAMPLER.condition(torch.tensor([row]), images=VARIANT.pixels(names))
        alone = SAMPLER.sample(own, generators(index + 1), how)
        assert float((alone[0] - together[index]).abs().max()) < 1e-4
    assert float((together[0] - together[1]).abs().max()) > 1e-3


def test_an_edit_depends_on_its_source_image() -> None:
    ids = torch.tensor([PROCESSOR.encode([Mark.IMAGE, "make it blue"])])
    first, second = (
        SAMPLER.condition(ids, images=VARIANT.pixels([name])) for name in ("gray", "portrait_rgb")
    )
    assert float((first - second).abs().max()) > 1e-2


def test_unconditional_states_are_computed_once() -> None:
    sampler = ImageSampler(MODEL)
    assert sampler.unconditional(2).data_ptr() == sampler.unconditional(5).data_ptr()


def test_guidance_of_one_is_no_guidance() -> None:
    pair = torch.stack([torch.zeros(2), torch.ones(2)])
    assert torch.equal(guide(pair, 1.0), torch.ones(1, 2))
    assert torch.equal(guide(pair, 7.5), torch.full((1, 2), 7.5))


@pytest.mark.parametrize(
    ("name", "steps", "first", "last"),
    [
        # Stable Diffusion 2.1's "leading" spacing with offset 1: 150 steps begin at 895, from pure noise
        ("ddpm", 150, [895, 889, 883], 1),
        ("ddpm", 50, [981, 961, 941], 1),
        ("ddim", 50, [981, 961, 941], 1),
        ("dpm++", 25, [999, 959, 919], 40),
        ("DPM-Solver++", 25, [999, 959, 919], 40),
    ],
)
def test_samplers_step_as_the_paper_s_scheduler_spaces_them(
    name: str, steps: int, first: list[int], last: int
) -> None:
    scheduler = build_scheduler(name, STABLE_DIFFUSION_2_1_BASE["scheduler"])
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps.tolist()
    assert (len(timesteps), timesteps[:3], timesteps[-1]) == (steps, first, last)


def test_unknown_scheduler_and_size_are_refused() -> None:
    condition = SAMPLER.unconditional(1)
    with pytest.raises(SpecError, match="scheduler 'dpmm'"):
        SAMPLER.denoise(condition, generators(0), SamplingConfig(scheduler="dpmm"))
    with pytest.raises(SpecError, match="multiples"):
        SAMPLER.denoise(condition, generators(0), SamplingConfig(width=33))
    with pytest.raises(SpecError, match="steps"):
        SAMPLER.denoise(condition, generators(0), SamplingConfig(steps=0))


def test_latents_that_are_not_finite_are_reported() -> None:
    condition = SAMPLER.unconditional(2)
    shape = (1, 4, *[MODEL.config.resolution // MODEL.config.vae_factor] * 2)
    latents = torch.cat([torch.randn(shape), torch.full(shape, torch.nan)])
    with pytest.raises(SampleError, match=r"images \[1\]"):
        SAMPLER.denoise(condition, generators(0, 1), FEW, latents=latents)
    check_finite(torch.ones(2, 3))


# -- documents ---------------------------------------------------------------------------------------------


class Scripted:
    """Makes the language model's head say given tokens, one after the other, then `</s>`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, script: list[int]) -> None:
        self.script = list(script)
        import evalsuite.dreamllm.interleaved as room

        def choose(logits: Any, draws: Any, temperature: Any, top_k: Any, top_p: Any, suppress: Any) -> Any:
            def is_forbidden(token: Any) -> Any:
                return token in suppress.tolist() or bool(logits[0, token].isneginf())

            while self.script and is_forbidden(self.script[0]):
                self.script.pop(0)
            return torch.tensor([self.script.pop(0) if self.script else MODEL.config.tokens.eos])

        monkeypatch.setattr(room, "choose", choose)


def document(**options: Any) -> Any:
    ids = PROCESSOR.encode(["Tell a story."])
    return write_document(MODEL, PROCESSOR, SAMPLER, ids, how=FEW, **options)


def test_a_document_has_text_and_images_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    start, word = MODEL.config.tokens.dream_start, PROCESSOR.encode("cat", bos=False)
    Scripted(monkeypatch, [*word, start, *word, *word, start])
    written = document(seed=4)
    kinds = ["picture" if isinstance(part, Image.Image) else part for part in written.parts]
    assert kinds == ["cat", "picture", "cat cat", "picture"]
    assert written.ended
    assert written.tokens == 3 * len(word)
    one, other = (np.asarray(image) for image in written.images)
    assert not np.array_equal(one, other)


def test_an_image_in_a_document_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn stands in the context of what follows: dream block, then image block."""
    seen: list[tuple[int, ...]] = []
    from evalsuite.dreamllm.decoding import DecodingState

    original = DecodingState.append_embeddings

    def spy(self: DecodingState, embeddings: Any, mask: Any = None, **options: Any) -> Any:
        seen.append(tuple(embeddings.shape[1:2]))
        return original(self, embeddings, mask, **options)

    monkeypatch.setattr(DecodingState, "append_embeddings", spy)
    Scripted(monkeypatch, [MODEL.config.tokens.dream_start])
    document()
    assert seen == [(PROCESSOR.num_dream_queries + 2,), (PROCESSOR.num_patches + 2,)]


def test_the_first_image_is_that_of_text_to_image(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted(monkeypatch, [MODEL.config.tokens.dream_start])
    written = document(seed=9)
    condition = SAMPLER.condition(torch.tensor([PROCESSOR.encode("Tell a story.")]))
    pixels = SAMPLER.sample(condition, generators(9), FEW)[0]
    drawn = torch.from_numpy(np.asarray(written.images[0]).copy()).permute(2, 0, 1) / 255
    assert float((drawn - pixels).abs().max()) <= 0.5 / 255 + 1e-4


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_no_more_images_than_allowed(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    Scripted(monkeypatch, [MODEL.config.tokens.dream_start] * 3)
    assert len(document(max_images=limit).images) == limit


def test_no_more_text_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted(monkeypatch, [300] * 50)
    written = document(max_new_tokens=7)
    assert (written.tokens, written.ended) == (7, False)


def test_no_image_where_the_sequence_has_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted(monkeypatch, [MODEL.config.tokens.dream_start] * 10)
    room = MODEL.config.sequence_limit - 20
    ids = [MODEL.config.tokens.bos, *[300] * (room - 1)]
    written = write_document(MODEL, PROCESSOR, SAMPLER, ids, how=FEW, max_images=10)
    block = PROCESSOR.num_dream_queries + PROCESSOR.num_patches + 4
    assert len(written.images) == 20 // block


def test_documents_are_reproducible() -> None:
    first, second = (
        document(max_new_tokens=12, max_images=1, seed=1),
        document(max_new_tokens=12, max_images=1, seed=1),
    )
    assert first.text == second.text
    assert len(first.images) == len(second.images)


def test_documents_in_a_batch_are_what_each_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Different prompts, images in some, and images wanted at different steps; one ends early."""
    start, eos = MODEL.config.tokens.dream_start, MODEL.config.tokens.eos
    scripts = [[300, start, 301, 302, start], [eos], [start, 303, 304, 305, 306]]
    import evalsuite.dreamllm.interleaved as room
    from evalsuite.dreamllm.generation import choose as original

    def answers(script: Any) -> Any:
        left = [*script]
        return lambda: left.pop(0) if left else eos

    following: Iterator[Any] = iter(())

    def choose(logits: Any, draws: Any, *how: Any) -> Any:
        # a mixture: the script says what kind of step it is, the model's own logits which word
        said = [next(following)() for _ in logits]
        words = original(logits, draws, *how).tolist()
        return torch.tensor([t if t in (start, eos) else w for t, w in zip(said, words, strict=True)])

    monkeypatch.setattr(room, "choose", choose)
    rows = [PROCESSOR.encode(prompt) for prompt in PROMPTS]
    options: dict[str, Any] = {"how": FEW, "max_images": 3}

    def turns(live: Any) -> Iterator[Any]:
        """Who is asked next: every live row once per step, until its script has ended."""
        while live:
            yield from list(live)
            live[:] = [said for said in live if not said.done]

    class Said:
        def __init__(self, script: Any) -> None:
            self.next, self.done = answers(script), False

        def __call__(self) -> Any:
            token = self.next()
            self.done = token == eos
            return token

    images = VARIANT.pixels([name for names in IMAGES for name in names])
    following = turns([Said(script) for script in scripts])
    together = write_documents(MODEL, PROCESSOR, SAMPLER, rows, seeds=[1, 2, 3], pixels=images, **options)
    for index, (row, names) in enumerate(zip(rows, IMAGES, strict=True)):
        following = turns([Said(scripts[index])])
        alone = write_document(
            MODEL, PROCESSOR, SAMPLER, row, seed=index + 1, pixels=VARIANT.pixels(names), **options
        )
        assert (alone.text, alone.tokens) == (together[index].text, together[index].tokens)
        assert len(alone.images) == len(together[index].images) == scripts[index].count(start)
        for one, other in zip(alone.images, together[index].images, strict=True):
            assert np.abs(np.asarray(one, int) - np.asarray(other, int)).max() <= 1


def test_negative_limits_are_refused() -> None:
    with pytest.raises(SpecError, match="negative"):
        document(max_images=-1)
