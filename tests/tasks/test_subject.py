"""Subject-driven generation: DreamBench's files, its three similarities, and the miniature's exact truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as pil

from evalsuite.content import Image, Text
from evalsuite.data.dreambooth import prompt, read_prompts_and_classes
from evalsuite.data.images import decode
from evalsuite.errors import DataError
from evalsuite.features import NetworkSpec, load_network
from evalsuite.mini.render import render
from evalsuite.mini.world import Scene, Thing
from evalsuite.request import TextResponse
from evalsuite.stats import estimate
from evalsuite.task import Answered
from tests.features.networks import write_clip, write_dino
from tests.tasks.image_files import build, drawn, failures, flat, png, values, world

OFFICIAL = """Classes

subject_name,class
backpack_dog,backpack
bear_plushie,stuffed animal
dog6,dog

Prompts

Object Prompts

prompt_list = [
'a {0} {1} in the jungle'.format(unique_token, class_token),
'a cube shaped {0} {1}'.format(unique_token, class_token)
]

Live Subject Prompts

prompt_list = [
'a {0} {1} wearing a red hat'.format(unique_token, class_token),
'a {0} {1} in a chef outfit'.format(unique_token, class_token)
]
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"))


def noise(seed: int) -> pil.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    return pil.fromarray(pixels)


def official(folder: Path) -> Path:
    """The official layout with two to four images per subject."""
    for i, name in enumerate(("backpack_dog", "bear_plushie", "dog6")):
        place = folder / "dataset" / name
        place.mkdir(parents=True)
        for k in range(2 + i):
            noise(10 * i + k).save(place / f"{k:02d}.jpg")
        (place / "readme.txt").write_text("not an image")
    (folder / "dataset/prompts_and_classes.txt").write_text(OFFICIAL)
    return folder


def bench(tmp_path: Path, clip: Path, protocol: str | None = None) -> Any:
    folder = tmp_path if (tmp_path / "dataset").exists() else official(tmp_path)
    dino = write_dino(tmp_path / "dino")
    return build("dreambench", folder, protocol, weights=f"clip={clip},dino={dino}")


def test_subjects_meet_the_prompts_of_their_kind(tmp_path: Path, clip: Path) -> None:
    samples = list(bench(tmp_path, clip).samples())
    assert [(s.id, s.record.prompt) for s in samples] == [
        ("backpack_dog-01", "a backpack in the jungle"),
        ("backpack_dog-02", "a cube shaped backpack"),
        ("bear_plushie-01", "a stuffed animal in the jungle"),
        ("bear_plushie-02", "a cube shaped stuffed animal"),
        ("dog6-01", "a dog wearing a red hat"),
        ("dog6-02", "a dog in a chef outfit"),
    ]
    assert {s.cluster for s in samples} == {"backpack_dog", "bear_plushie", "dog6"}
    assert samples[-1].labels == {"kind": "live", "class": "dog"}


@pytest.mark.parametrize(("protocol", "shown"), [("one-image", 1), ("all-images", 4)])
def test_reference_images_stand_before_the_prompt(
    tmp_path: Path, clip: Path, protocol: str, shown: int
) -> None:
    task = bench(tmp_path, clip, protocol)
    sample = list(task.samples())[-1]
    request = task.request(sample)
    *pictures, text = request.messages[0].parts
    assert text == Text("a dog in a chef outfit")
    assert [picture.name for picture in pictures] == [f"dog6/{k:02d}.jpg" for k in range(shown)]
    assert request.output.count == 4
    assert task.request(sample, [TextResponse("x")]) is None


def test_a_token_stands_before_the_class_and_closes_up_without() -> None:
    assert prompt("a {0} {1} in the snow", "dog", "sks") == "a sks dog in the snow"
    assert prompt("a {0} {1} in the snow", "dog") == "a dog in the snow"
    assert prompt("a red {0} {1}", "stuffed animal") == "a red stuffed animal"


def test_similarities_are_means_over_all_pairs_of_drawn_and_real_images(tmp_path: Path, clip: Path) -> None:
    task = bench(tmp_path, clip)
    sample = list(task.samples())[2]
    made = [noise(70 + k) for k in range(4)]
    row = task.score([drawn(sample, *map(png, made))]).rows[0]
    nets: dict[str, Any] = {
        "clip": load_network(NetworkSpec("clip", str(clip)), "cpu"),
        "dino": load_network(NetworkSpec("dino", str(tmp_path / "dino")), "cpu"),
    }

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    real = [decode(picture) for picture in sample.record.subject.images]
    assert len(real) == 3
    for name, key in (("DINO ViT-S/16", "dino"), ("CLIP-I ViT-B/32", "clip")):
        first, second = nets[key].images(made), nets[key].images(real)
        pairs = [cosine(a, b) for a in first for b in second]
        assert row.values[name] == pytest.approx(np.mean(pairs), abs=1e-5)
    (text,) = nets["clip"].texts(["a stuffed animal in the jungle"])
    expected = np.mean([cosine(a, text) for a in nets["clip"].images(made)])
    assert row.values["CLIP-T ViT-B/32"] == pytest.approx(expected, abs=1e-5)


def test_intervals_resample_subjects(tmp_path: Path, clip: Path) -> None:
    task = bench(tmp_path, clip)
    answers = [drawn(s, *(png(noise(i + k)) for k in range(4))) for i, s in enumerate(task.samples())]
    found = {(e.metric.name, e.group): e for e in estimate(task.score(answers), resamples=50)}
    assert "over 3 clusters" in found["DINO ViT-S/16", ""].method
    assert ("DINO ViT-S/16", "kind=live") in found


def test_missing_and_broken_images_are_failures(tmp_path: Path, clip: Path) -> None:
    task = bench(tmp_path, clip)
    samples = list(task.samples())
    pictures = [flat()] * 4
    broken = [*pictures[:3], Image(flat().read()[:50], name="cut")]
    samples[4].record.subject.images[0].path.write_bytes(b"nothing")
    answers = [
        drawn(samples[0], *pictures[:2]),
        Answered(samples[1], (TextResponse("no"),)),
        drawn(samples[2], *broken),
        drawn(samples[3], *pictures),
        drawn(samples[4], *pictures),
    ]
    said = failures(task.score(answers))
    assert list(said) == [samples[i].id for i in (0, 1, 2, 4)]
    for reason, part in zip(said.values(), ("got 2", "TextResponse", "truncated", "not an"), strict=True):
        assert part in reason


def test_a_prompt_with_an_image_that_a_network_does_not_take_lacks_its_columns_alone(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalsuite.features._torch import PretrainedNetwork

    task = bench(tmp_path, clip)
    samples = list(task.samples())[:2]
    original = PretrainedNetwork.prepare

    def prepare(self: Any, image: pil.Image) -> np.ndarray:
        if image.size == (64, 63) and "dino" in type(self).__name__.lower():
            raise DataError("63 pixels are too few.")
        return original(self, image)

    monkeypatch.setattr(PretrainedNetwork, "prepare", prepare)
    odd = drawn(samples[0], *[flat()] * 3, flat(9, (64, 63)))
    scores = task.score([odd, drawn(samples[1], *[flat()] * 4)])
    assert not failures(scores)
    lacking = scores.rows[1].values.keys() - scores.rows[0].values.keys()
    assert lacking
    assert all("DINO" in name for name in lacking)
    assert scores.rows[0].values
    assert "63 pixels are too few." in scores.rows[0].parsed
    assert scores.notes.keys() == lacking


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("dog6,dog", "__import__('os')"), "line 6 is neither"),
        (lambda text: text.replace(".format(unique_token, class_token)", ".format(exec())"), "is neither"),
        (lambda text: text.replace("{1}", "thing"), "is neither"),
        (lambda text: text.split("Live")[0], "both lists of prompts"),
        (lambda text: text[text.index("Prompts") :], "no classes"),
    ],
)
def test_the_prompt_file_is_read_as_data_and_nothing_in_it_runs(
    tmp_path: Path, change: Any, said: str
) -> None:
    path = tmp_path / "prompts_and_classes.txt"
    path.write_text(change(OFFICIAL))
    with pytest.raises(DataError, match=said):
        read_prompts_and_classes(path)


def test_missing_subjects_and_wandering_names_are_refused(tmp_path: Path, clip: Path) -> None:
    import shutil

    folder = official(tmp_path)
    shutil.rmtree(folder / "dataset/dog6")
    with pytest.raises(DataError, match="images of subject dog6"):
        list(bench(tmp_path, clip).samples())
    (folder / "dataset/dog6").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        list(bench(tmp_path, clip).samples())
    file = folder / "dataset/prompts_and_classes.txt"
    file.write_text(OFFICIAL.replace("dog6,", "../../dog6,"))
    with pytest.raises(DataError, match="would leave the data folder"):
        list(bench(tmp_path, clip).samples())


# The miniature


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Any:
    data = world(tmp_path_factory.mktemp("world") / "w", captioned=2, edits=2)
    return build("mini-subjects", data, weights=f"clip={clip}")


def right(sample: Any) -> Image:
    """What the prompt asks for, rendered."""
    name, prompt = sample.record.subject.name, sample.record.prompt
    size, colour, shape = name.split("_")
    x, y = 32.0, 32.0
    things = []
    if sample.labels["asks"] == "place":
        x = 17.0 if "left" in prompt else 47.0 if "right" in prompt else 32.0
        y = 17.0 if "top" in prompt else 47.0 if "bottom" in prompt else 32.0
    else:
        dx = -15.0 if "left of" in prompt else 15.0 if "right of" in prompt else 0.0
        dy = -15.0 if "above" in prompt else 15.0 if "below" in prompt else 0.0
        other_size, other_colour, other_shape = prompt.split()[-3:]
        radius = 13.0 if other_size == "large" else 8.0
        things = [Thing(other_shape, other_colour, other_size, x - dx, y - dy, radius)]
        x, y = x + dx, y + dy
    subject = Thing(shape, colour, size, x, y, 13.0 if size == "large" else 8.0)
    return png(pil.fromarray(render(Scene((subject, *things), (244, 245, 243)))))


def test_the_right_image_of_every_prompt_is_right(mini: Any) -> None:
    samples = list(mini.samples())
    assert len(samples) == 4 * 9
    scores = mini.score([drawn(s, right(s)) for s in samples])
    found = values(scores)
    assert (found["subject_success"], found["subject kept"], found["prompt followed"]) == (1, 1, 1)
    assert {"subject_success asks=place", "subject_success asks=relation"} <= set(found)
    assert all(row.parsed for row in scores.rows)


def test_a_copy_of_the_reference_keeps_the_subject_and_is_never_right(mini: Any) -> None:
    samples = list(mini.samples())
    found = values(mini.score([drawn(s, s.record.subject.images[0]) for s in samples]))
    assert (found["subject_success"], found["subject kept"], found["prompt followed"]) == (0, 1, 0)
