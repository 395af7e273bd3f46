"""Text-to-image: a fixed list of prompts, selection among several, distances, likeness, exact truth."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import evalsuite_tasks
import numpy as np
import pytest
import yaml
from PIL import Image as pil

from evalsuite.content import Image, Text
from evalsuite.data.images import decode
from evalsuite.errors import DataError, SpecError, UnavailableError
from evalsuite.features import NetworkSpec, load_network
from evalsuite.metrics.frechet import Gaussian, frechet_distance
from evalsuite.request import GenerateImages, ImageResponse, TextResponse
from evalsuite.stats import estimate
from evalsuite.task import Answered, Sample, Task, TaskEntry
from evalsuite.task.benchmark import entries
from evalsuite.task.columns import FORMULAS
from evalsuite.task.entry import TaskOptions
from tests.features.networks import write_clip
from tests.tasks.image_files import build, drawn, failures, flat, png, values, world

TRUTH = "overall,single object,objects+relation,colour,shape"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world(tmp_path_factory.mktemp("world") / "w", captioned=30, edits=2)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def mini(data: Path, clip: Path | None = None, **options: str) -> Task:
    return build(
        "mini-coco-t2i", data, **({"weights": f"clip={clip}"} if clip else {"metrics": TRUTH}), **options
    )


def best_of(folder: Path, data: Path, clip: Path, count: int, **protocol: Any) -> Task:
    """The miniature drawn `count` times per prompt, both the selected and the first image measured."""
    source = Path(evalsuite_tasks.__file__).parent / "image/mini-coco-t2i.yaml"
    made = yaml.safe_load(source.read_text())
    made["metrics"] += [{"name": "first miniCLIP-T"}, {"name": "CLIPScore"}, {"name": "torchmetrics"}]
    made["settings"]["columns"] |= {
        "first miniCLIP-T": {"measure": "similarity", "network": "clip", "images": "first"},
        "CLIPScore": {"measure": "similarity", "network": "clip", "formula": "clipscore"},
        "torchmetrics": {"measure": "similarity", "network": "clip", "formula": "torchmetrics"},
    }
    made["settings"]["select"] = "clip"
    made["settings"]["networks"]["clip"]["source"] = str(clip)
    made["protocols"]["mini"] |= {"decoding": {"width": 64, "height": 64, "count": count}, **protocol}
    folder.mkdir(exist_ok=True)
    (folder / "made.yaml").write_text(yaml.safe_dump(made))
    (entry,) = entries(folder)
    assert isinstance(entry, TaskEntry)
    return entry.build(TaskOptions(data=data))


def perfect(samples: Sequence[Sample]) -> list[Answered]:
    return [drawn(sample, sample.record.reference) for sample in samples]


def noise(seed: int) -> Image:
    return png(pil.fromarray(np.random.RandomState(seed).randint(0, 256, (64, 64, 3)).astype(np.uint8)))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# The list of prompts


def test_each_image_gives_one_of_its_captions_and_the_list_is_the_same_every_time(data: Path) -> None:
    first, second = (list(mini(data).samples()) for _ in range(2))
    assert [(s.id, s.record.text) for s in first] == [(s.id, s.record.text) for s in second]
    assert len({s.id for s in first}) == 30
    assert all(s.record.text in s.record.captions for s in first)
    # Not always the first caption: the list is drawn.
    assert len({s.record.captions.index(s.record.text) for s in first}) > 2


def test_the_lists_digest_is_part_of_the_fingerprint(data: Path, tmp_path: Path) -> None:
    source = Path(evalsuite_tasks.__file__).parent / "image/mini-coco-t2i.yaml"
    made = yaml.safe_load(source.read_text())
    found = []
    for seed in (0, 0, 1):
        made["settings"]["seed"] = seed
        (tmp_path / "made.yaml").write_text(yaml.safe_dump(made))
        (entry,) = entries(tmp_path)
        assert isinstance(entry, TaskEntry)
        found.append(entry.build(TaskOptions(data=data, options={"metrics": TRUTH})).fingerprint())
    assert found[0] == found[1] != found[2]


def test_the_drawn_images_of_a_longer_list_hold_those_of_a_shorter_one(data: Path) -> None:
    from evalsuite_tasks.image.prompt_list import draw_prompts

    from evalsuite.data.coco import read_captions

    images = list(read_captions(data / "annotations/captions_val2014.json", data / "val2014"))
    short, long = draw_prompts(images, 10, 0), draw_prompts(images, 20, 0)
    assert len(short) == 10
    assert {(p.image_id, p.text) for p in short} < {(p.image_id, p.text) for p in long}
    with pytest.raises(DataError, match="31 prompts are wanted, the caption file holds 30"):
        draw_prompts(images, 31, 0)


def listed(data: Path, tmp_path: Path, lines: list[dict[str, Any]]) -> Task:
    source = Path(evalsuite_tasks.__file__).parent / "image/mini-coco-t2i.yaml"
    made = yaml.safe_load(source.read_text())
    made["sources"][0]["files"]["prompt_list"] = "list.jsonl"
    folder = shutil.copytree(data, tmp_path / "listed")
    (folder / "list.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "made.yaml").write_text(yaml.safe_dump(made))
    (entry,) = entries(tmp_path)
    assert isinstance(entry, TaskEntry)
    return entry.build(TaskOptions(data=folder, options={"metrics": TRUTH}))


def test_a_published_list_is_used_in_its_own_order(data: Path, tmp_path: Path) -> None:
    samples = list(mini(data).samples())[:3][::-1]
    lines = [{"image_id": int(s.id), "caption": s.record.captions[0]} for s in samples]
    task = listed(data, tmp_path, lines)
    assert [(s.id, s.record.text) for s in task.samples()] == [(s.id, s.record.captions[0]) for s in samples]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"image_id": 1, "caption": "a"}, "line 1: image 1 is not in the caption file"),
        ({"image_id": 0, "caption": "a purple elephant"}, "'a purple elephant' is not a caption of image"),
    ],
)
def test_a_list_of_other_data_is_refused(data: Path, tmp_path: Path, line: dict[str, Any], said: str) -> None:
    sample = next(iter(mini(data).samples()))
    task = listed(data, tmp_path, [line | ({} if line["image_id"] else {"image_id": int(sample.id)})])
    with pytest.raises(DataError, match=said):
        list(task.samples())


def test_the_request_is_the_caption_as_it_stands_at_the_protocols_size(data: Path) -> None:
    task = mini(data)
    sample = next(iter(task.samples()))
    request = task.request(sample)
    assert request is not None
    assert request.messages[0].parts == (Text(sample.record.text),)
    assert request.output == GenerateImages(width=64, height=64)
    assert task.request(sample, [drawn(sample, flat()).response]) is None


def test_coco_30k_follows_dreamllms_protocol(data: Path, clip: Path) -> None:
    task = build("coco-30k", data, weights=f"clip={clip}", metrics="CLIPScore ViT-L/14")
    assert isinstance(task.plan.output(), GenerateImages)  # type: ignore[attr-defined]
    output = task.plan.output()  # type: ignore[attr-defined]
    assert (output.count, output.steps, output.scheduler, output.guidance_scale) == (8, 150, "ddpm", 2.0)
    with pytest.raises(DataError, match="30,000 prompts are wanted, the caption file holds 30 images"):
        list(task.samples())


@pytest.mark.parametrize(
    ("protocol", "drawing"),
    [("dreamllm-fast", (1, 25, "dpm++", 2.0)), ("dreamllm-ddim", (1, 50, "ddim", 2.0))],
)
def test_coco_30k_has_faster_protocols(data: Path, clip: Path, protocol: str, drawing: tuple) -> None:
    task = build("coco-30k", data, weights=f"clip={clip}", metrics="CLIPScore ViT-L/14", protocol=protocol)
    output = task.plan.output()  # type: ignore[attr-defined]
    assert (output.count, output.steps, output.scheduler, output.guidance_scale) == drawing


def test_dreamllms_script_draws_the_images_of_a_sample_for_other_captions(data: Path, clip: Path) -> None:
    task = build(
        "coco-30k",
        data,
        weights=f"clip={clip}",
        metrics="CLIPScore ViT-L/14",
        protocol="dreamllm-upstream-quirks",
    )
    task.settings = task.settings.model_copy(update={"prompts": 12})  # type: ignore[attr-defined]
    samples = list(task.samples())
    captions: list[list[str]] = []
    answered = []
    for sample in samples:
        responses: list[ImageResponse] = []
        while (request := task.request(sample, responses)) is not None:
            assert isinstance(request.output, GenerateImages)
            assert request.output.count == 1
            captions.append([sample.id, request.messages[0].text])
            responses.append(ImageResponse((flat(30 * len(responses)),)))
        assert len(responses) == 8
        answered.append(Answered(sample, tuple(responses)))
        annotated = task.reference_answer(sample)  # type: ignore[attr-defined]
        assert len(annotated.images) == 1  # one for each of the eight requests
    of_first_pictures = [caption for _, caption in captions[::8]]
    assert sorted(of_first_pictures) == sorted(sample.record.text for sample in samples)
    assert of_first_pictures != [sample.record.text for sample in samples]
    assert of_first_pictures != [caption for _, caption in captions[1::8]]
    assert not any(row.failure for row in task.score(answered).rows)


# What can be measured here


def test_a_headline_without_weights_stops_before_anything_is_drawn(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVALSUITE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UnavailableError) as error:
        build("coco-30k", data)
    for part in (
        "FID cannot be computed here",
        "pt_inception-2015-12-05-6726825d.pth",
        "91 MB",
        "weights fetch",
    ):
        assert part in str(error.value)


def test_other_columns_without_weights_are_left_out_with_their_reason(
    data: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    task = build("mini-coco-t2i", data, weights=f"clip={tmp_path / 'nowhere'}")
    assert "miniCLIP-T is left out" in caplog.text
    scores = task.score(perfect(list(task.samples())))
    assert set(scores.missing) == {"miniCLIP-T", "Frechet-miniCLIP"}
    assert "nowhere" in scores.missing["Frechet-miniCLIP"]
    assert {s.metric.name for s in scores.statistics} == set(TRUTH.split(","))


def test_options_that_name_nothing_are_refused(data: Path) -> None:
    with pytest.raises(SpecError, match="no metric 'FID'"):
        build("mini-coco-t2i", data, metrics="FID")
    with pytest.raises(SpecError, match="KEY=FOLDER"):
        build("mini-coco-t2i", data, weights="vit=/models")


# The truth


def test_the_reference_images_are_right_everywhere(data: Path) -> None:
    task = mini(data)
    samples = list(task.samples())
    found = values(task.score(perfect(samples)))
    assert {name: found[name] for name in TRUTH.split(",")} == dict.fromkeys(TRUTH.split(","), 1.0)
    assert found["overall held_out=yes"] == found["overall held_out=no"] == 1


def test_another_prompts_image_and_an_empty_one_are_wrong(data: Path) -> None:
    task = mini(data)
    samples = list(task.samples())
    scores = task.score([drawn(s, flat(245)) for s in samples])
    found = values(scores)
    assert all(found[name] == 0 for name in TRUTH.split(","))
    assert scores.rows[0].parsed == "nothing"
    mixed = values(
        task.score(
            [drawn(s, o.record.reference) for s, o in zip(samples, samples[1:] + samples[:1], strict=True)]
        )
    )
    assert mixed["overall"] < 0.3


def test_single_objects_and_pairs_are_counted_where_they_are_asked_for(data: Path) -> None:
    task = mini(data)
    samples = list(task.samples())
    scores = task.score(perfect(samples))
    for sample, row in zip(samples, scores.rows, strict=True):
        assert ("single object" in row.values) == (sample.labels["num_objects"] == "1")
        assert ("objects+relation" in row.values) == (sample.labels["num_objects"] == "2")


def test_an_image_of_another_size_is_brought_to_the_worlds(data: Path) -> None:
    task = mini(data)
    samples = list(task.samples())
    large = [png(decode(s.record.reference).resize((512, 512), pil.Resampling.BICUBIC)) for s in samples]
    assert values(task.score([drawn(s, i) for s, i in zip(samples, large, strict=True)]))["overall"] > 0.9


# Networks


def test_similarity_and_distance_are_those_of_the_network(data: Path, clip: Path) -> None:
    task = mini(data, clip)
    samples = list(task.samples())
    images = [noise(i) for i in range(len(samples))]
    scores = task.score([drawn(s, i) for s, i in zip(samples, images, strict=True)])
    network: Any = load_network(NetworkSpec("clip", str(clip)), "cpu")
    drawn_features = network.images([decode(i) for i in images]).astype(float)
    real = network.images([decode(s.record.reference) for s in samples]).astype(float)
    texts = network.texts([s.record.text for s in samples]).astype(float)
    expected = (unit(drawn_features) * unit(texts)).sum(axis=1)
    np.testing.assert_allclose([row.values["miniCLIP-T"] for row in scores.rows], expected, atol=1e-6)
    moments = [Gaussian(f.mean(axis=0), np.cov(f, rowvar=False)) for f in (drawn_features, real)]
    assert values(scores)["Frechet-miniCLIP"] == pytest.approx(frechet_distance(*moments), rel=1e-6)
    assert scores.details["clip"]["sha256"] == network.fingerprint
    assert scores.details["clip"]["preprocess"] == "openai"


def test_the_reference_images_have_no_distance_and_intervals_are_told_by_half_samples(
    data: Path, clip: Path
) -> None:
    task = mini(data, clip)
    samples = list(task.samples())
    (found,) = [
        e for e in estimate(task.score(perfect(samples)), resamples=50) if e.metric.name == "Frechet-miniCLIP"
    ]
    assert found.value == pytest.approx(0, abs=1e-8)
    assert "half-samples" in found.method
    assert np.isfinite([found.low, found.high]).all()


def test_distance_to_a_statistics_file_or_a_folder(data: Path, clip: Path, tmp_path: Path) -> None:
    task = mini(data, clip)
    samples = list(task.samples())
    answers = [drawn(s, noise(i)) for i, s in enumerate(samples)]
    plain = values(task.score(answers))["Frechet-miniCLIP"]
    folder = tmp_path / "reference"
    folder.mkdir()
    for s in samples:
        shutil.copy(s.record.reference.path, folder)
    by_folder = mini(data, clip, reference=str(folder))
    assert values(by_folder.score(answers))["Frechet-miniCLIP"] == pytest.approx(plain)
    network = load_network(NetworkSpec("clip", str(clip)), "cpu")
    real = network.images([decode(s.record.reference) for s in samples]).astype(float)
    Gaussian(real.mean(axis=0), np.cov(real, rowvar=False)).save(tmp_path / "stats.npz")
    by_file = mini(data, clip, reference=str(tmp_path / "stats.npz"))
    assert values(by_file.score(answers))["Frechet-miniCLIP"] == pytest.approx(plain, rel=1e-6)
    assert by_file.fingerprint() != task.fingerprint()
    np.savez(tmp_path / "other.npz", mu=np.zeros(3), sigma=np.eye(3))
    with pytest.raises(DataError, match="3 dimensions, miniCLIP has 8"):
        mini(data, clip, reference=str(tmp_path / "other.npz")).score(answers)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no images"):
        mini(data, clip, reference=str(tmp_path / "empty")).score(answers)


def test_reference_statistics_are_computed_once_and_a_changed_image_is_noticed(
    data: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    copy = shutil.copytree(data, tmp_path / "copy")
    task = mini(copy, clip)
    samples = list(task.samples())
    answers = [drawn(s, noise(i)) for i, s in enumerate(samples)]
    first = values(task.score(answers))["Frechet-miniCLIP"]
    (kept,) = (tmp_path / "cache/statistics").iterdir()
    written = kept.stat().st_mtime_ns
    assert values(task.score(answers))["Frechet-miniCLIP"] == pytest.approx(first)
    assert kept.stat().st_mtime_ns == written
    target = samples[0].record.reference.path
    target.write_bytes(noise(99).read())
    assert values(task.score(answers))["Frechet-miniCLIP"] != pytest.approx(first)
    target.unlink()
    with pytest.raises(DataError, match="reference set must be complete"):
        task.score(answers)


def test_too_few_images_are_said_to_be_too_few(
    data: Path, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = mini(data, clip)
    samples = list(task.samples())
    assert "too few" in task.score(perfect(samples[:2])).missing["Frechet-miniCLIP"]
    with caplog.at_level(logging.WARNING):
        task.score(perfect(samples[:6]))
    assert "6 images for 8 dimensions" in caplog.text


# Best of k


def test_the_likest_of_several_is_selected_and_the_first_is_reported_beside_it(
    data: Path, clip: Path, tmp_path: Path
) -> None:
    task = best_of(tmp_path / "b", data, clip, 3)
    samples = list(task.samples())[:8]
    images = [[noise(10 * i + k) for k in range(3)] for i in range(len(samples))]
    scores = task.score([drawn(s, *i) for s, i in zip(samples, images, strict=True)])
    network: Any = load_network(NetworkSpec("clip", str(clip)), "cpu")
    for sample, group, row in zip(samples, images, scores.rows, strict=True):
        text = unit(network.texts([sample.record.text]))[0]
        likeness = unit(network.images([decode(i) for i in group])) @ text
        assert row.values["miniCLIP-T"] == pytest.approx(likeness.max(), abs=1e-5)
        assert row.values["first miniCLIP-T"] == pytest.approx(likeness[0], abs=1e-5)
        assert row.parsed.startswith(f"image {likeness.argmax() + 1} of 3")
        prefixed = unit(network.texts([f"A photo depicts {sample.record.text}"]))[0]
        chosen = unit(network.images([decode(group[int(likeness.argmax())])]))[0]
        assert row.values["CLIPScore"] == pytest.approx(2.5 * max(chosen @ prefixed, 0), abs=1e-5)
        assert row.values["torchmetrics"] == pytest.approx(100 * likeness.max(), abs=1e-3)


def test_selection_by_any_caption_looks_at_all_captions_of_the_image(
    data: Path, clip: Path, tmp_path: Path
) -> None:
    task = best_of(tmp_path / "b", data, clip, 4, settings={"select_by": "any-caption"})
    samples = list(task.samples())[:8]
    images = [[noise(10 * i + k) for k in range(4)] for i in range(len(samples))]
    scores = task.score([drawn(s, *i) for s, i in zip(samples, images, strict=True)])
    network: Any = load_network(NetworkSpec("clip", str(clip)), "cpu")
    for sample, group, row in zip(samples, images, scores.rows, strict=True):
        logits = (
            unit(network.images([decode(i) for i in group])) @ unit(network.texts(sample.record.captions)).T
        )
        assert row.parsed.startswith(f"image {logits.max(axis=1).argmax() + 1} of 4")


def test_a_wrong_number_of_images_is_a_failure(data: Path, clip: Path, tmp_path: Path) -> None:
    task = best_of(tmp_path / "b", data, clip, 2)
    samples = list(task.samples())[:6]
    answers = [drawn(s, noise(1), noise(2)) for s in samples]
    answers[2] = drawn(samples[2], noise(1))
    assert failures(task.score(answers)) == {samples[2].id: "expected 2 images, got 1"}


def test_several_images_without_a_selecting_network_are_refused(
    data: Path, clip: Path, tmp_path: Path
) -> None:
    source = Path(evalsuite_tasks.__file__).parent / "image/mini-coco-t2i.yaml"
    made = yaml.safe_load(source.read_text())
    made["protocols"]["mini"]["decoding"]["count"] = 2
    (tmp_path / "made.yaml").write_text(yaml.safe_dump(made))
    (entry,) = entries(tmp_path)
    assert isinstance(entry, TaskEntry)
    with pytest.raises(SpecError, match="names no network"):
        entry.build(TaskOptions(data=data))


# Bad images


def test_broken_and_foreign_answers_are_failures_with_their_reason_and_the_rest_is_scored(
    data: Path, clip: Path
) -> None:
    task = mini(data, clip)
    samples = list(task.samples())
    answers = perfect(samples)
    whole = samples[0].record.reference.read()
    huge = b"\x89PNG\r\n\x1a\n" + _ihdr(20_000, 20_000)
    bad = {0: Image(whole[: len(whole) // 2], name="cut"), 1: Image(b"no picture", name="text"),
           2: Image(huge, name="bomb"), 3: Image(b"", name="empty")}  # fmt: skip
    for i, image in bad.items():
        answers[i] = drawn(samples[i], image)
    answers[4] = Answered(samples[4], (TextResponse("an image"),))
    answers[5] = drawn(samples[5])
    scores = task.score(answers)
    said = failures(scores)
    assert list(said) == [s.id for s in samples[:6]]
    for sample, part in zip(
        samples,
        ("truncated", "not an image", "too large", "empty", "TextResponse", "got 0"),
        strict=False,
    ):
        assert part in said[sample.id]
    assert values(scores)["overall"] == 1
    assert all(s.rows and min(s.rows) >= 6 for s in scores.statistics)


def test_an_image_that_a_network_does_not_take_lacks_that_networks_columns_alone(
    data: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalsuite.features._torch import PretrainedNetwork

    task = mini(data, clip)
    answers = perfect(list(task.samples()))
    odd = decode(answers[1].sample.record.reference).resize((64, 63))
    answers[1] = drawn(answers[1].sample, png(odd))
    original = PretrainedNetwork.prepare

    def prepare(self: Any, image: pil.Image) -> np.ndarray:
        if image.size == odd.size:
            raise DataError("63 pixels are too few.")
        return original(self, image)

    monkeypatch.setattr(PretrainedNetwork, "prepare", prepare)
    scores = task.score(answers)
    assert not failures(scores)
    row, other = scores.rows[1], scores.rows[2]
    assert "overall" in row.values
    assert "miniCLIP-T" in other.values
    assert "miniCLIP-T" not in row.values
    assert "no miniCLIP-T: 63 pixels are too few." in row.parsed
    assert "63 pixels" not in other.parsed
    (distance,) = (one for one in scores.statistics if one.metric.name == "Frechet-miniCLIP")
    assert list(distance.rows) == [0, *range(2, len(answers))]
    assert set(scores.notes) == {"miniCLIP-T", "Frechet-miniCLIP"}
    assert "without 1 of 30" in scores.notes["Frechet-miniCLIP"]


def _ihdr(width: int, height: int) -> bytes:
    import struct
    import zlib

    def chunk(body: bytes) -> bytes:
        return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))

    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return chunk(header) + chunk(b"IDAT" + zlib.compress(b""))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_images_of_every_mode_are_scored(data: Path, clip: Path, mode: str) -> None:
    task = mini(data, clip)
    samples = list(task.samples())[:5]
    kind = "TIFF" if mode == "CMYK" else "PNG"
    answers = [drawn(s, png(decode(s.record.reference).convert(mode), kind)) for s in samples]
    scores = task.score([*answers, drawn(list(task.samples())[5], png(pil.new("RGB", (1, 1))))])
    assert not failures(scores)


def test_torchmetrics_cuts_off_the_mean_of_a_set_but_each_pair_that_it_is_called_with() -> None:
    cosines = np.array([0.3, -0.1])
    np.testing.assert_allclose(FORMULAS["torchmetrics"].value(cosines), [30, -10])
    np.testing.assert_allclose(FORMULAS["torchmetrics-each"].value(cosines), [30, 0])
