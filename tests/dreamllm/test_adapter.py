"""The adapter on the recorded tiny checkpoint: every capability, alone and in a batch."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as PilImage

from evalsuite.content import Image, Text, user
from evalsuite.errors import SampleError, SpecError
from evalsuite.model.entry import ModelOptions
from evalsuite.registry import load_registry
from evalsuite.request import (
    DocumentResponse,
    GenerateDocument,
    GenerateImages,
    GenerateText,
    Request,
    ScoreChoices,
)
from tests.goldens import golden_dir

FOLDER = golden_dir("dreamllm") / "model-a"


@pytest.fixture(scope="module")
def model() -> Any:
    return build(steps="3", guidance_scale="2.0", scheduler="ddpm", name="tiny")


def build(**options: Any) -> Any:
    entry, argument = load_registry().model(f"dreamllm:{FOLDER}")
    return entry.build(ModelOptions(argument=argument, device="cpu", options=options))


def picture(seed: Any) -> Any:
    buffer = io.BytesIO()
    PilImage.fromarray(np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(
        buffer, "PNG"
    )
    return Image(buffer.getvalue())


def pixels(image: Any) -> Any:
    return np.asarray(PilImage.open(io.BytesIO(image.read()))).astype(int)


def together_and_alone(model: Any, method: Any, requests: Any) -> Any:
    prepared = [model.prepare(request) for request in requests]
    together = getattr(model, method)(prepared)
    return together, [getattr(model, method)([item])[0] for item in prepared]


@pytest.mark.parametrize("beams", [1, 3])
def test_text_in_a_batch_equals_text_alone(model: Any, beams: int) -> None:
    texts = ["What is it?", "What color is the large thing on the left?", "Why?"]
    output = GenerateText(max_new_tokens=8, num_beams=beams)
    together, alone = together_and_alone(
        model, "generate_text", [Request((user(picture(i), text),), output) for i, text in enumerate(texts)]
    )
    assert [r.text for r in together] == [r.text for r in alone]


def test_choices_in_a_batch_equal_choices_alone_and_add_up(model: Any) -> None:
    requests = [
        Request((user(picture(i), "Which?"),), ScoreChoices(("red", "blue and green"))) for i in range(3)
    ]
    together, alone = together_and_alone(model, "score_choices", requests)
    for one, other in zip(together, alone, strict=True):
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, abs=1e-4)
        assert all(value < 0 for value in one.log_likelihoods)
    assert together[0].token_counts[1] > together[0].token_counts[0] >= 1


def test_images_in_a_batch_equal_images_alone(model: Any) -> None:
    requests = [
        Request((user(text),), GenerateImages(count=2), seed=i)
        for i, text in enumerate(["a cat", "two red dogs"])
    ]
    together, alone = together_and_alone(model, "generate_images", requests)
    for one, other in zip(together, alone, strict=True):
        assert len(one.images) == 2
        for a, b in zip(one.images, other.images, strict=True):
            assert np.abs(pixels(a) - pixels(b)).max() <= 1
    assert together[0].details == {"steps": 3, "guidance_scale": 2.0, "scheduler": "ddpm"}


def test_an_edit_depends_on_its_source_image(model: Any) -> None:
    def edit(source: Any) -> Any:
        (response,) = model.generate_images(
            [model.prepare(Request((user(source, "make it red"),), GenerateImages()))]
        )
        return pixels(response.images[0])

    assert np.abs(edit(picture(0)) - edit(picture(1))).max() > 0


def test_a_negative_prompt_changes_the_image(model: Any) -> None:
    def draw(negative: Any) -> Any:
        request = Request((user("a cat"),), GenerateImages(negative=negative))
        return pixels(model.generate_images([model.prepare(request)])[0].images[0])

    assert np.abs(draw("") - draw("blurry and dark")).max() > 0


def test_a_document_keeps_its_limits(model: Any) -> None:
    request = Request((user("tell a story"),), GenerateDocument(max_new_tokens=12, max_images=1))
    (response,) = model.generate_documents([model.prepare(request)])
    assert sum(isinstance(part, Image) for part in response.parts) <= 1
    assert all(isinstance(part, Image | Text) for part in response.parts)


def test_documents_in_a_batch_equal_documents_alone(model: Any) -> None:
    output = GenerateDocument(max_new_tokens=6, max_images=1)
    requests = [
        Request((user(text),), output, seed=i)
        for i, text in enumerate(["tell a story", "write", "go on, do"])
    ]
    together, alone = together_and_alone(model, "generate_documents", requests)
    assert [one.details for one in together] == [one.details for one in alone]
    assert [p for one in together for p in one.parts if isinstance(p, Text)] == [
        p for one in alone for p in one.parts if isinstance(p, Text)
    ]


def test_documents_pass_the_engine_s_comparison_of_batch_and_single(model: Any) -> None:
    from evalsuite.engine.batching import Batch, Scope
    from evalsuite.engine.prepare import Ready
    from evalsuite.engine.worker import Worker

    output = GenerateDocument(max_new_tokens=5, max_images=1)
    prepared = [
        model.prepare(Request((user(*parts),), output, seed=seed))
        for seed, parts in enumerate([("tell a story",), (picture(1), "and then?"), ("go on, please do",)])
    ]
    plan: Any = None  # the worker looks at the prepared inputs only
    items = tuple(Ready(plan, item, "", "", "", "", "generate_documents", 0) for item in prepared)
    scope = Scope("stories", "generate_documents", output, prepared[0].group)
    result = Worker(model).run(Batch(scope, items))
    assert not result.notes
    assert [outcome.batch_size for outcome in result.outcomes] == [3, 3, 3]
    assert all(isinstance(outcome.response, DocumentResponse) for outcome in result.outcomes)


def test_a_document_without_instruction_goes_on_behind_bos_as_in_training(model: Any) -> None:
    output = GenerateDocument(max_new_tokens=4, max_images=1)
    raw = model.prepare(Request((user(),), output, prefill="Once upon a time"))
    assert raw.payload.ids == model.processor.encode("Once upon a time")
    asked = model.prepare(Request((user("Tell a story."),), output, prefill="Once"))
    assert len(asked.payload.ids) > 30


def test_prompts_stand_in_the_template_of_the_evaluation_scripts(model: Any) -> None:
    """Which begins with a space: one token more than the template of training."""
    prepared = model.prepare(Request((user("Why?"),), GenerateText()))
    space = model.processor.tokenizer.encode(" ")[0]
    assert prepared.payload.ids[:2] == [model.processor.tokens.bos, space]


def test_sampling_is_from_the_50_likeliest_unless_told_otherwise(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import evalsuite.dreamllm.adapter as room
    from evalsuite.dreamllm.generation import generate_text as original

    seen: list[int] = []

    def spy(*inputs: Any, **options: Any) -> Any:
        seen.append(options["top_k"])
        return original(*inputs, **options)

    monkeypatch.setattr(room, "generate_text", spy)
    request = Request((user("Why?"),), GenerateText(max_new_tokens=2, temperature=0.7), seed=1)
    model.generate_text([model.prepare(request)])
    build(top_k="0").generate_text([model.prepare(request)])
    assert seen == [50, 0]


def test_settings_for_speed_change_no_answer(model: Any) -> None:
    fast = build(channels_last="true", steps="3", guidance_scale="2.0")
    assert fast.model.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    request = Request((user("a cat"),), GenerateImages(), seed=3)
    one, other = (
        pixels(adapter.generate_images([adapter.prepare(request)])[0].images[0]) for adapter in (model, fast)
    )
    assert np.abs(one - other).max() <= 1


def test_pixels_are_rounded_to_half_precision_where_asked(model: Any) -> None:
    request = Request((user(picture(1), "What?"),), GenerateText())
    plain, rounded = (
        adapter.prepare(request).payload.pixels for adapter in (model, build(round_pixels="true"))
    )
    assert torch.equal(rounded, plain.half().float())
    assert not torch.equal(rounded, plain)


def test_images_may_be_prepared_as_the_scripts_could(model: Any) -> None:
    from evalsuite.dreamllm.images import augmented

    source = picture(2)
    request = Request((user(source, "What?"),), GenerateText())
    found = build(augment="padding_square_resize").prepare(request).payload.pixels
    by_hand = augmented(PilImage.open(io.BytesIO(source.read())), "padding_square_resize")
    assert torch.equal(found, model.processor.pixels([by_hand]))
    assert not torch.equal(found, model.prepare(request).payload.pixels)


def test_every_image_of_a_subject_prompt_is_read(model: Any) -> None:
    """Where upstream encodes the first only."""

    def draw(*sources: Any) -> Any:
        request = Request((user("a", sources[0], "on a", sources[1]),), GenerateImages())
        return pixels(model.generate_images([model.prepare(request)])[0].images[0])

    plain = draw(picture(0), picture(1))
    assert np.abs(draw(picture(2), picture(1)) - plain).max() > 0
    assert np.abs(draw(picture(0), picture(2)) - plain).max() > 0


def test_an_unknown_scheduler_is_refused_before_anything_is_drawn(model: Any) -> None:
    with pytest.raises(SpecError, match="no scheduler 'ddpm2'"):
        model.prepare(Request((user("a cat"),), GenerateImages(scheduler="ddpm2")))
    with pytest.raises(SpecError, match="no scheduler 'eular'"):
        build(scheduler="eular")


def test_a_prompt_that_does_not_fit_says_how_many_images_would(model: Any) -> None:
    limit = model.processor.limit
    images = [picture(i) for i in range(limit // model.processor.num_patches + 1)]
    with pytest.raises(SampleError, match="images fit"):
        model.prepare(Request((user(*images, "What?"),), GenerateText()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stepz": "3"}, "steps"),
        ({"steps": "few"}, "not a whole number"),
        ({"template": "vicuna"}, "vicuna_v1.1"),
        ({"compile": "maybe"}, "not one of its values"),
        ({"augment": "square"}, "square_resize"),
    ],
)
def test_bad_options_are_named(options: dict[str, str], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        build(**options)


@pytest.mark.slow
def test_the_fingerprint_tells_precisions_apart(model: Any) -> None:
    entry, argument = load_registry().model(f"dreamllm:{FOLDER}")
    other = entry.build(ModelOptions(argument=argument, device="cpu", dtype="bfloat16"))
    assert other.info.fingerprint != model.info.fingerprint
    assert other.info.parameters == model.info.parameters
