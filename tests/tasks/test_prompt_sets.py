"""Published lists of prompts: DrawBench, PartiPrompts, Localized Narratives, COCO at two sizes; columns on
request."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import evalsuite_tasks
import numpy as np
import pytest
import yaml
from PIL import Image as pil

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.data.prompts import read_narratives, read_prompt_table
from evalsuite.errors import DataError, UnavailableError
from evalsuite.features import NetworkSpec, load_network
from evalsuite.metrics.coverage import precision_recall
from evalsuite.metrics.feature_sets import cmmd, kernel_distance
from evalsuite.metrics.frechet import Gaussian, frechet_distance, gaussian_of
from evalsuite.request import GenerateImages
from evalsuite.stats import estimate
from evalsuite.task import Task, TaskEntry
from evalsuite.task.benchmark import entries
from evalsuite.task.entry import TaskOptions
from tests.features.networks import write_clip
from tests.tasks.asking import wording
from tests.tasks.image_files import build, drawn, png, values


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(autouse=True)
def _no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EVALSUITE_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def noise(seed: int) -> Image:
    return png(pil.fromarray(np.random.RandomState(seed).randint(0, 256, (32, 40, 3)).astype(np.uint8)))


# Tables


def parti(folder: Path) -> Path:
    (folder / "PartiPrompts.tsv").write_text(
        "Prompt\tCategory\tChallenge\tNote\n"
        "a lotus made of water. \tProduce & Plants\tStyle & Format\t\n"
        '"a sign that says ""Hello, world"""\tArtifacts\tWriting & Symbols\tDALL-E\n'
        "a panda\tAnimals\tBasic\t\n",
        encoding="utf-8",
    )
    return folder


def test_partiprompts_are_read_with_their_categories(tmp_path: Path, clip: Path) -> None:
    task: Any = build("parti-prompts", parti(tmp_path), weights=f"clip={clip}")
    samples = list(task.samples())
    assert [s.id for s in samples] == ["00001", "00002", "00003"]
    assert [wording(task.request(s)) for s in samples] == [
        "a lotus made of water.",
        'a sign that says "Hello, world"',
        "a panda",
    ]
    assert samples[1].labels == {"category": "Artifacts", "challenge": "Writing & Symbols"}
    assert task.reference_answer(samples[0]) is None  # the prompts are about no image
    scores = task.score([drawn(s, noise(i)) for i, s in enumerate(samples)])
    network: Any = load_network(NetworkSpec("clip", str(clip)), "cpu")
    image, text = network.images([decode(noise(0))])[0], network.texts(["a lotus made of water."])[0]
    cosine = image @ text / np.linalg.norm(image) / np.linalg.norm(text)
    found = values(scores)
    assert scores.rows[0].values["CLIPScore ViT-L/14"] == pytest.approx(100 * cosine, abs=1e-3)
    assert "CLIPScore ViT-L/14 category=Animals" in found


def test_galleries_are_drawn_without_the_network_and_say_what_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "DrawBench.csv").write_text(
        'Prompts,Category\nA red colored car.,Colors\n"One cat, two dogs.",Counting\n', encoding="utf-8"
    )
    with caplog.at_level(logging.WARNING):
        task = build("drawbench", tmp_path)
    assert "CLIPScore ViT-L/14 is left out" in caplog.text
    samples = list(task.samples())
    assert [s.record.text for s in samples] == ["A red colored car.", "One cat, two dogs."]
    assert [s.labels["category"] for s in samples] == ["Colors", "Counting"]
    scores = task.score([drawn(s, noise(i)) for i, s in enumerate(samples)])
    assert "weights fetch openai/clip-vit-large-patch14" in scores.missing["CLIPScore ViT-L/14"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"Prompts\na cat\n", "no column 'Prompt' \\(it has Prompts\\)"),
        (b"", "no column 'Prompt' \\(it has none\\)"),
        (b"Prompt,Category\n", "holds no prompts"),
        (b"Prompt,Category\na cat\n", "line 2: too many or too few cells"),
        (b"Prompt,Category\na cat,Animals,more\n", "line 2: too many or too few cells"),
        (b"Prompt,Category\n ,Animals\n", "line 2: the prompt is empty"),
        (b"Prompt,Category\n\xff\xfe,Animals\n", "is not UTF-8"),
        (b'Prompt,Category\n"a cat"x,Animals\n', "is not a table"),
    ],
)
def test_malformed_tables_are_refused_by_line(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        list(read_prompt_table(path, {"category": "Category"} if b"Category" in content else {}))
    with pytest.raises(DataError, match="cannot be read"):
        list(read_prompt_table(tmp_path / "absent.csv", {}))


# Localized Narratives


def narratives(folder: Path) -> Path:
    more = {"dataset_id": "mscoco_val2017", "annotator_id": 93, "traces": [], "voice_recording": "x.ogg"}
    rows = [
        {"image_id": "137576", "caption": "In this image there are doughnuts.", **more},
        {"image_id": "137576", "caption": "A box of doughnuts kept on a table.", **more},
        {"image_id": 9, "caption": " A plate. "},
    ]
    (folder / "coco_val_localized_narratives.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (folder / "val2017").mkdir()
    for name in ("000000137576", "000000000009"):
        (folder / "val2017" / f"{name}.jpg").write_bytes(noise(3).read())
    return folder


def ln_coco(folder: Path, clip: Path, **options: str) -> Task:
    return build(
        "ln-coco",
        folder,
        metrics="CLIPScore ViT-L/14",
        weights=f"clip={clip}",
        **options,
    )


def test_every_narrative_is_a_prompt_and_those_of_one_image_belong_together(
    tmp_path: Path, clip: Path
) -> None:
    task = ln_coco(narratives(tmp_path), clip)
    samples = list(task.samples())
    assert [s.id for s in samples] == ["137576-1", "137576-2", "9"]
    assert [s.cluster for s in samples] == ["137576", "137576", ""]
    assert samples[2].record.text == "A plate."
    assert samples[0].record.reference.path.name == "000000137576.jpg"
    request = task.request(samples[0])
    assert request is not None
    assert isinstance(request.output, GenerateImages)
    assert (request.output.steps, request.output.guidance_scale, request.output.count) == (100, 3.0, 1)
    references = task.reference()  # type: ignore[attr-defined]
    assert [image.label for image in references] == ["000000137576.jpg", "000000000009.jpg"]


def test_malformed_narratives_are_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "n.jsonl"
    for text, said in (
        ('{"image_id": "1"}', "line 1"),
        ('{"image_id": "1", "caption": "  "}', "line 1: the narrative is empty"),
        ("\n", "holds no narratives"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=said):
            list(read_narratives(path, tmp_path))


# Columns on request


def coco(folder: Path, count: int = 24) -> Path:
    """The official layout of val2014's captions with made-up images."""
    (folder / "annotations").mkdir(parents=True)
    (folder / "val2014").mkdir()
    images, notes = [], []
    for i in range(1, count + 1):
        name = f"COCO_val2014_{i:012}.jpg"
        (folder / "val2014" / name).write_bytes(noise(1000 + i).read())
        images.append({"id": i, "file_name": name, "width": 40, "height": 32})
        notes.append({"id": i, "image_id": i, "caption": f"an image of number {i}"})
    (folder / "annotations/captions_val2014.json").write_text(
        json.dumps({"images": images, "annotations": notes})
    )
    return folder


def short_list(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """COCO in small, with a list of all its images."""
    import evalsuite_tasks.image.family as family

    whole = family.draw_prompts
    monkeypatch.setattr(family, "draw_prompts", lambda images, count, seed: whole(images, None, seed))
    return coco(folder)


def test_columns_that_nobody_asked_for_are_not_computed(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = short_list(tmp_path / "coco", monkeypatch)
    with pytest.raises(UnavailableError, match="FID cannot be computed here"):
        build("coco-30k", data, weights=f"clip={clip}")
    task = build("coco-30k", data, "single", metrics="CLIPScore ViT-L/14", weights=f"clip={clip}")
    assert [metric.name for metric in task.info.metrics] == ["CLIPScore ViT-L/14"]


def test_kid_cmmd_precision_and_recall_are_those_of_the_features(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = short_list(tmp_path / "coco", monkeypatch)
    names = "KID,CMMD,precision,recall"
    task = build("coco-30k", data, "single", metrics=names, weights=_everywhere(clip, data, monkeypatch))
    samples = list(task.samples())
    images = [noise(i) for i in range(len(samples))]
    scores = task.score([drawn(s, i) for s, i in zip(samples, images, strict=True)])
    plain: Any = load_network(NetworkSpec("clip", str(clip)), "cpu")
    square: Any = load_network(NetworkSpec("clip", str(clip), "cmmd"), "cpu")
    references = [decode(s.record.reference) for s in samples]
    made, real = plain.images([decode(i) for i in images]), plain.images(references)
    kid = kernel_distance(made, real, rule="clean-fid")
    coverage = precision_recall(made, real)
    sides = [square.images([decode(i) for i in images]), square.images(references)]
    embedded = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides]
    found = values(scores)
    assert found["KID"] == pytest.approx(kid.mean, abs=1e-6)
    others = [drawn(s, noise(100 + i)) for i, s in enumerate(samples)]
    assert task.score(others).details == scores.details  # else two models would not be compared
    assert (found["precision"], found["recall"]) == (coverage.precision, coverage.recall)
    assert found["CMMD"] == pytest.approx(cmmd(*embedded), abs=1e-6)
    told = {one.metric.name: one for one in estimate(scores, resamples=200)}
    for name in ("KID", "CMMD"):
        assert told[name].low < told[name].value < told[name].high, name
    assert scores.details["CMMD"]["interval"].startswith("influence")
    kept = sorted(path.suffix for path in (tmp_path / "cache/statistics").iterdir())
    assert kept == [".npy", ".npy"]
    assert values(task.score([drawn(s, i) for s, i in zip(samples, images, strict=True)])) == found


def test_a_statistics_file_is_not_enough_for_columns_that_need_images(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = short_list(tmp_path / "coco", monkeypatch)
    Gaussian(np.zeros(8), np.eye(8), 30).save(tmp_path / "ref.npz")
    task = build(
        "coco-30k", data, "single", metrics="FID,KID,FID-infinity", reference=str(tmp_path / "ref.npz"),
        weights=_everywhere(clip, data, monkeypatch),
    )  # fmt: skip
    samples = list(task.samples())
    scores = task.score([drawn(s, noise(i)) for i, s in enumerate(samples)])
    assert "needs the reference images" in scores.missing["KID"]
    assert "more than 5,000 features" in scores.missing["FID-infinity"]
    assert scores.details["reference"]["inception"]["mode"].startswith("unknown")
    assert np.isfinite(values(scores)["FID"])


def test_lossy_images_have_no_distance_but_a_similarity(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = short_list(tmp_path / "coco", monkeypatch)
    task = build(
        "coco-30k", data, "single", metrics="FID,CLIPScore ViT-L/14",
        weights=_everywhere(clip, data, monkeypatch),
    )  # fmt: skip
    samples = list(task.samples())
    answers = [drawn(s, noise(i)) for i, s in enumerate(samples)]
    answers[5] = drawn(samples[5], png(decode(noise(5)), "JPEG"))
    scores = task.score(answers)
    assert "a JPEG, whose losses would be measured" in scores.missing["FID"]
    assert set(values(scores)) == {"CLIPScore ViT-L/14"}


def _everywhere(clip: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The small CLIP in the place of every network, Inception's too."""
    import evalsuite.task.networks as networks

    whole = networks.NetworkSettings.spec

    def spec(self: Any) -> NetworkSpec:
        made = whole(self)
        how = made.preprocess if made.kind == "clip" else "openai"
        return NetworkSpec("clip", str(clip), how, made.label)

    monkeypatch.setattr(networks.NetworkSettings, "spec", spec)
    return f"clip={clip}"


def test_the_columns_of_coco_say_their_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import evalsuite_tasks
    from evalsuite_tasks.image.settings import Settings

    from evalsuite.task.benchmark import load

    folder = Path(evalsuite_tasks.__file__).parent / "image"
    modes = {
        name: Settings.model_validate(load(folder / f"{name}.yaml").settings).networks["inception"].preprocess
        for name in ("coco-30k", "coco-30k-512", "ln-coco")
    }
    assert modes == {"coco-30k": "dreamllm", "coco-30k-512": "pytorch-fid-512", "ln-coco": "dreamllm"}


# HPSv2's benchmark


def hpsv2(folder: Path, count: int = 2) -> Path:
    (folder / "benchmark").mkdir()
    for style in ("anime", "concept-art", "paintings", "photo"):
        (folder / f"benchmark/{style}.json").write_text(json.dumps([f"{style} {n}" for n in range(count)]))
    return folder


def test_hpsv2s_prompts_are_scored_by_style(tmp_path: Path, clip: Path) -> None:
    task: Any = build("hpsv2", hpsv2(tmp_path), weights=f"hps21={clip}")
    samples = list(task.samples())
    assert [s.id for s in samples[:3]] == ["anime/00000", "anime/00001", "concept-art/00000"]
    assert wording(task.request(samples[3])) == "concept-art 1"
    scores = task.score([drawn(s, noise(i)) for i, s in enumerate(samples)])
    found, rows = values(scores), [row.values["HPSv2.1"] for row in scores.rows]
    assert found["HPSv2.1"] == pytest.approx(np.mean(rows))
    assert found["HPSv2.1 style=photo"] == pytest.approx(np.mean(rows[6:]))
    # Two prompts of a style are less than a group: its mean is theirs, without a deviation.
    told = scores.details["HPSv2.1 by style"]["photo"]
    assert told == {"mean": pytest.approx(np.mean(rows[6:])), "std": 0.0}


def test_hpsv2s_images_are_generated_without_its_network(tmp_path: Path) -> None:
    task: Any = build("hpsv2", hpsv2(tmp_path))
    scores = task.score([drawn(s, noise(0)) for s in task.samples()])
    assert "weights" in scores.missing["HPSv2.1"]
    assert not scores.statistics


@pytest.mark.parametrize(
    ("texts", "said"),
    [(["a", " "], "prompt 1 is empty"), ({"a": 1}, "must be a list of prompts"), ([], "must be a list")],
)
def test_prompts_of_hpsv2_that_are_wrong_are_one_error(tmp_path: Path, texts: Any, said: str) -> None:
    (hpsv2(tmp_path) / "benchmark/paintings.json").write_text(json.dumps(texts))
    with pytest.raises(DataError, match=said):
        list(build("hpsv2", tmp_path).samples())


# MJHQ-30K: distances by category


def mjhq(folder: Path, each: int = 5) -> Path:
    rows = {
        f"{category}{n}": {"category": category, "prompt": f"{category} {n}"}
        for category in ("animals", "food")
        for n in range(each)
    }
    (folder / "meta_data.json").write_text(json.dumps(rows))
    for seed, (key, row) in enumerate(rows.items()):
        path = folder / f"mjhq30k_imgs/{row['category']}/{key}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise(100 + seed).read())
    return folder


def test_mjhqs_distance_is_told_by_category(tmp_path: Path, clip: Path) -> None:
    """Over a small network instead of Inception."""
    made = yaml.safe_load((Path(evalsuite_tasks.__file__).parent / "image/mjhq-30k.yaml").read_text())
    made["settings"]["networks"]["inception-clean"] |= {"kind": "clip", "source": str(clip)}
    made["settings"]["networks"]["inception-clean"]["preprocess"] = "openai"
    (tmp_path / "made.yaml").write_text(yaml.safe_dump(made))
    (entry,) = entries(tmp_path)
    assert isinstance(entry, TaskEntry)
    options = {"metrics": "FID clean"}
    task: Any = entry.build(TaskOptions(protocol="any-size", data=mjhq(tmp_path), options=options))
    samples = list(task.samples())
    assert [s.labels["category"] for s in samples[4:6]] == ["animals", "food"]
    drawn_images = [noise(i) for i in range(len(samples))]
    scores = task.score([drawn(s, image) for s, image in zip(samples, drawn_images, strict=True)])
    network: Any = load_network(NetworkSpec("clip", str(clip)), "cpu")
    own = network.images([decode(image) for image in drawn_images])
    real = network.images([decode(s.record.reference) for s in samples])
    found = values(scores)
    for group, at in (("", slice(None)), (" category=animals", slice(5)), (" category=food", slice(5, None))):
        wanted = frechet_distance(gaussian_of(own[at]), gaussian_of(real[at]))
        assert found[f"FID clean{group}"] == pytest.approx(wanted, rel=1e-3)
