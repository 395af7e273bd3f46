"""Interleaved documents: what is asked, what a document must keep, and how text and images are scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as pil

from evalsuite.content import Document, Image, Text, document
from evalsuite.data.images import decode
from evalsuite.errors import DataError, SampleError
from evalsuite.features import NetworkSpec, load_network
from evalsuite.metrics.captions import score_captions
from evalsuite.metrics.frechet import GaussianStatistics, frechet_distance
from evalsuite.request import DocumentResponse, GenerateDocument, GenerateImages, ImageResponse, TextResponse
from evalsuite.stats import estimate
from evalsuite.task import Answered, Sample, Task
from tests.features.networks import write_clip
from tests.tasks.image_files import build, failures, flat, png, values
from tests.tasks.image_files import world as write_world


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world") / "w", captioned=2, edits=2, stories=12)


@pytest.fixture(scope="module")
def stories(data: Path, clip: Path) -> Task:
    return build("mini-stories", data, weights=f"clip={clip}")


def given(data: Path, clip: Path, protocol: str = "given-text") -> Task:
    return build("mini-stories-given-text", data, protocol, weights=f"clip={clip}")


def told(sample: Sample, *parts: Any, truncated: bool = False) -> Answered:
    return Answered(sample, (DocumentResponse(document(*parts), truncated),))


def true_story(sample: Sample) -> Answered:
    return told(sample, *sample.record.parts[1:])


def true_pictures(sample: Sample) -> Answered:
    return Answered(sample, tuple(ImageResponse((picture,)) for picture in sample.record.images))


# What is asked


def test_the_first_sentence_is_given_as_the_beginning_of_the_answer(stories: Task) -> None:
    sample = next(iter(stories.samples()))
    request = stories.request(sample)
    assert request is not None
    assert request.prefill == sample.record.parts[0].text
    assert request.messages[0].parts == ()
    assert request.output == GenerateDocument(
        max_new_tokens=64, max_images=4, image=GenerateImages(width=64, height=64)
    )
    assert stories.request(sample, [TextResponse("x")]) is None


def asked(task: Task, sample: Sample, *earlier: Image) -> Document | None:
    request = task.request(sample, [ImageResponse((image,)) for image in earlier])
    return request.messages[0].parts if request else None


def test_given_text_the_model_sees_the_true_text_and_what_it_drew_itself(data: Path, clip: Path) -> None:
    task = given(data, clip)
    sample = next(s for s in task.samples() if len(s.record.images) == 3)
    one, two, three = (text for text, _ in sample.record.steps())
    made = [flat(value) for value in (10, 20, 30)]
    assert asked(task, sample) == document(one)
    assert asked(task, sample, made[0]) == document(one, made[0], two)
    assert asked(task, sample, *made[:2]) == document(one, made[0], two, made[1], three)
    assert asked(task, sample, *made) is None
    request = task.request(sample)
    assert request is not None
    assert request.output == GenerateImages(width=64, height=64)
    true = given(data, clip, "true-pictures")
    assert asked(true, sample, made[0]) == document(one, sample.record.images[0], two)
    last = given(data, clip, "last-text")
    assert asked(last, sample, made[0]) == document(two)
    with pytest.raises(SampleError, match="image 1 is missing"):
        task.request(sample, [ImageResponse(())])


def test_a_document_without_an_instruction_cannot_be_asked_for(tmp_path: Path, clip: Path) -> None:
    rows = [
        {"text_list": ["One."], "image_info": [], "instruction": "Write about tea.", "topic": "tea"},
        {"text_list": ["One."], "image_info": []},
    ]
    (tmp_path / "documents.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = build("documents", tmp_path, weights=f"clip={clip}", metrics="form,num_images")
    first, second = task.samples()
    request = task.request(first)
    assert request is not None
    assert request.messages[0].text == "Write about tea."
    assert first.labels["topic"] == "tea"
    with pytest.raises(SampleError, match="Document 2 has no instruction"):
        task.request(second)


# The miniature's exact truth


def test_true_stories_are_right_in_every_column(stories: Task) -> None:
    samples = list(stories.samples())
    scores = stories.score([true_story(sample) for sample in samples])
    assert not failures(scores)
    found = values(scores)
    for name in ("correct_document", "correct_images", "sentences", "form", "ROUGE-L"):
        assert found[name] == pytest.approx(1), name
    assert found["Frechet-miniCLIP"] == pytest.approx(0, abs=1e-4)
    assert 2 <= found["num_images"] <= 3


def test_true_images_are_right_and_shuffled_ones_are_not(data: Path, clip: Path) -> None:
    task = given(data, clip)
    samples = list(task.samples())
    right = values(task.score([true_pictures(sample) for sample in samples]))
    assert right["ground_truth_images"] == right["correct_images"] == right["correct_document"] == 1
    assert right["miniCLIP-I"] == pytest.approx(1)
    turned = [Answered(s, true_pictures(s).responses[::-1]) for s in samples]
    wrong = values(task.score(turned))
    # A story that ends where it began reads the same backwards.
    assert wrong["correct_document"] < 0.2
    assert wrong["ground_truth_images"] < 0.4
    assert wrong["Frechet-miniCLIP"] == pytest.approx(0, abs=1e-4)


def test_what_an_image_must_show_follows_from_the_image_that_was_drawn(stories: Task) -> None:
    from evalsuite.mini.render import render
    from evalsuite.mini.world import Scene, Thing

    def shows(colour: str, size: str) -> Image:
        thing = Thing("circle", colour, size, 17, 17, 13.0 if size == "large" else 8.0)
        return png(pil.fromarray(render(Scene((thing,), (244, 244, 244)))))

    sample = next(iter(stories.samples()))
    parts = (shows("red", "small"), "now it is large .", shows("red", "large"))
    # The first image does not show what the opening says; the second follows from the first all the same.
    row = stories.score([told(sample, *parts)]).rows[0]
    assert row.values["correct_images"] == 0.5
    assert row.values["correct_document"] == 0
    assert "small red circle" in row.parsed
    assert "(does not follow)" in row.parsed


# Form


@pytest.mark.parametrize(
    ("parts", "truncated", "said"),
    [
        (("now it is red .", "then it is small ."), False, "0 images, at least 2"),
        ((flat(), "now it is red .", flat(), "x", flat(), "y", flat()), False, "4 images, at most 3"),
        ((flat(), flat()), False, "images without text between them"),
        ((flat(), "now it is red .", flat()), True, "not ended by the model"),
    ],
)
def test_documents_that_break_a_limit_are_out_of_form_with_the_reason(
    stories: Task, parts: Any, truncated: bool, said: str
) -> None:
    sample = next(iter(stories.samples()))
    row = stories.score([told(sample, *parts, truncated=truncated)]).rows[0]
    assert row.values["form"] == 0
    assert said in row.parsed
    assert row.parsed.startswith(sample.record.parts[0].text)


# Text and images


def test_text_is_scored_without_the_opening_that_was_given(stories: Task) -> None:
    samples = list(stories.samples())
    scores = stories.score([told(s, flat(), f"now it is {i} .") for i, s in enumerate(samples)])
    true = [" ".join(p.text for p in s.record.parts[1:] if isinstance(p, Text)) for s in samples]
    said = [f"now it is {i} ." for i in range(len(samples))]
    expected = score_captions(said, [[text] for text in true])
    for row, cider, rouge in zip(scores.rows, expected.cider, expected.rouge, strict=True):
        assert (row.values["CIDEr"], row.values["ROUGE-L"]) == pytest.approx((cider, rouge))


def noise(seed: int) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 24, 3)).astype(np.uint8)
    return png(pil.fromarray(pixels))


def test_similarity_is_the_mean_over_images_with_the_text_since_the_image_before(
    stories: Task, clip: Path
) -> None:
    sample = next(iter(stories.samples()))
    pictures = [noise(k) for k in range(3)]
    row = stories.score([told(sample, pictures[0], "now it is red .", pictures[1], pictures[2])]).rows[0]
    net: Any = load_network(NetworkSpec("clip", str(clip)), "cpu")
    features = net.images([decode(picture) for picture in pictures[:2]])
    texts = net.texts([sample.record.parts[0].text, "now it is red ."])
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(features, texts, strict=True)]
    # The third image has no text of its own, so it has no similarity either.
    assert row.values["miniCLIP-T"] == pytest.approx(np.mean(cosines), abs=1e-5)


def test_the_distance_is_over_all_images_and_resamples_documents(data: Path, clip: Path) -> None:
    task = given(data, clip)
    samples = list(task.samples())
    answers = [
        Answered(s, tuple(ImageResponse((noise(100 * i + k),)) for k in range(len(s.record.images))))
        for i, s in enumerate(samples)
    ]
    net: Any = load_network(NetworkSpec("clip", str(clip)), "cpu")
    sums = [GaussianStatistics(), GaussianStatistics()]
    for one in answers:
        sums[0].update(
            net.images([decode(r.images[0]) for r in one.responses if isinstance(r, ImageResponse)])
        )
        sums[1].update(net.images([decode(picture) for picture in one.sample.record.images]))
    expected = frechet_distance(*(one.finalize() for one in sums))
    (found,) = [e for e in estimate(task.score(answers), resamples=20) if e.metric.name == "Frechet-miniCLIP"]
    assert found.value == pytest.approx(expected, rel=1e-4)
    assert found.n == len(samples)
    assert found.low < found.value < found.high


def test_a_document_without_images_is_scored_in_form_and_text_alone(stories: Task) -> None:
    samples = list(stories.samples())
    scores = stories.score([told(sample, "now it is red .") for sample in samples])
    assert not failures(scores)
    assert "miniCLIP-T" not in scores.rows[0].values
    assert scores.rows[0].values["correct_document"] == 0
    assert "too few images" in scores.missing["Frechet-miniCLIP"]
    assert stories.score([told(samples[0])]).rows[0].values["num_images"] == 0


def test_broken_images_and_other_answers_are_failures(stories: Task, data: Path, clip: Path) -> None:
    samples = list(stories.samples())
    cut = Image(flat().read()[:60], name="cut")
    text = Answered(samples[1], (TextResponse("x"),))
    said = failures(stories.score([told(samples[0], cut), text, true_story(samples[2])]))
    assert "truncated" in said[samples[0].id]
    assert "TextResponse" in said[samples[1].id]
    assert len(said) == 2
    task = given(data, clip)
    short = Answered(samples[0], true_pictures(samples[0]).responses[:1])
    assert "1 of" in failures(task.score([short, true_pictures(samples[1])]))[samples[0].id]


def test_a_document_with_an_image_that_a_network_does_not_take_lacks_its_columns_alone(
    stories: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalsuite.features._torch import PretrainedNetwork

    samples = list(stories.samples())[:4]
    original = PretrainedNetwork.prepare

    def prepare(self: Any, image: pil.Image) -> np.ndarray:
        if image.size == (64, 63):
            raise DataError("63 pixels are too few.")
        return original(self, image)

    monkeypatch.setattr(PretrainedNetwork, "prepare", prepare)
    odd = told(samples[0], noise(0), "now it is red .", flat(9, (64, 63)))
    scores = stories.score([odd, *map(true_story, samples[1:])])
    assert not failures(scores)
    row, other = scores.rows[:2]
    assert other.values.keys() - row.values.keys() == {"miniCLIP-T"}
    assert row.values["num_images"] == 2
    assert "no miniCLIP-T: 63 pixels are too few." in row.parsed
    (distance,) = (one for one in scores.statistics if one.metric.name == "Frechet-miniCLIP")
    assert list(distance.rows) == [1, 2, 3]
    assert set(scores.notes) == {"miniCLIP-T", "Frechet-miniCLIP"}


def test_a_missing_true_image_stops_the_distance_with_its_name(
    data: Path, clip: Path, tmp_path: Path
) -> None:
    import shutil

    copy = shutil.copytree(data, tmp_path / "copy")
    task = given(copy, clip)
    samples = list(task.samples())
    answers = [Answered(s, tuple(ImageResponse((flat(),)) for _ in s.record.images)) for s in samples]
    samples[0].record.images[0].path.unlink()
    with pytest.raises(DataError, match="true images cannot be read"):
        task.score(answers)
