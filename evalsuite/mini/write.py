"""Write a miniature world into a folder, in the official formats of the real benchmarks.

    val2014/COCO_val2014_%012d.png              the images (lossless; the real ones are .jpg)
    scenes.jsonl                                which scene each of them shows
    vqav2/v2_OpenEnded_mscoco_val2014_questions.json, vqav2/v2_mscoco_val2014_annotations.json
    annotations/captions_val2014.json, dataset_coco.json      captions; also the text-to-image prompts
    prompts.jsonl                               which attributes each caption states
    mmbench/MMBench_DEV_EN.tsv
    magicbrush/test/...                         MagicBrush's test folder; magicbrush/scenes.jsonl
    stories/stories.jsonl, stories/images/...   interleaved documents; stories/scenes.jsonl
    dreambooth/dataset/...                      DreamBench's data set; dreambooth/subjects.jsonl
    manifest.json                               seed, sizes, fingerprint, checksum of every file

Every scene is of the split "test". The questions and the captions are about different images. The harder
world (`hard.py`) has images, questions and captions only.
"""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evalsuite.errors import DataError

from .edits import sample_edit, sample_session
from .formats.coco import FOLDER, file_name, write_captions
from .formats.dreambooth import write_dreambooth
from .formats.interleaved import write_stories
from .formats.magicbrush import write_magicbrush
from .formats.mmbench import write_mmbench
from .formats.sink import Sink
from .formats.truth import SCENES, scene_row
from .formats.vqa import write_vqa
from .hard import describe_hard, hard_questions, hard_scenes
from .render import render
from .stories import sample_story
from .subjects import sample_subjects
from .world import Scene, sample_scene

VERSION = 2
"""Raised whenever the same seed and sizes give another world."""
MANIFEST = "manifest.json"
FIRST_CAPTIONED = 500_001
"""Image id of the first captioned image; those with questions count from 1."""


@dataclass(frozen=True)
class Sizes:
    """How much of everything.

    Args:
        vqa_images: images with four questions each.
        choices: multiple-choice questions, not counting their rotations.
        captioned: images with five captions each.
        edits: editing turns, about a quarter of them in sessions of two.
        stories: interleaved documents.
        subjects: of subject-driven generation, with nine prompts each.
    """

    vqa_images: int = 250
    choices: int = 120
    captioned: int = 200
    edits: int = 150
    stories: int = 40
    subjects: int = 16


HARD_SIZES = Sizes(vqa_images=200, choices=0, captioned=200, edits=0, stories=0, subjects=0)
"""Of the harder world."""


@dataclass(frozen=True)
class Manifest:
    """What a written world is.

    Args:
        version, seed, sizes: what it was made from.
        content: sha256 of texts and pixels, the same on every machine.
        files: sha256 of every file on this disk, by name relative to the folder.
        hard: whether its scenes are those of `hard.py`.
    """

    version: int
    seed: int
    sizes: Sizes
    content: str
    files: dict[str, str]
    hard: bool = False


def write_world(folder: Path, seed: int, sizes: Sizes | None = None, *, hard: bool = False) -> Manifest:
    """Write a world into a folder that is empty or does not exist yet.

    Each part has its own random stream, so that another size of one part leaves the others as they are.

    Args:
        hard: the harder world, which has images with questions and captioned images only.

    Raises:
        DataError: the folder holds something, or cannot be written.
    """
    sizes = sizes or (HARD_SIZES if hard else Sizes())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise DataError(f"{folder} is not empty.", "Name a folder that does not exist yet.")
        if sizes.vqa_images >= FIRST_CAPTIONED:
            raise DataError(f"At most {FIRST_CAPTIONED - 1} images can have questions.", "Ask for fewer.")
        sink = Sink(folder)
        (_write_hard if hard else _write)(sink, seed, sizes)
        manifest = Manifest(VERSION, seed, sizes, sink.content, dict(sorted(sink.files.items())), hard)
        (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"The miniature world cannot be written to {folder} ({error.strerror}).",
            "Free some space (about 10 MB) or name another folder.",
        ) from error
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a written world.

    Raises:
        DataError: there is none, or it is malformed.
    """
    path = folder / MANIFEST
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Manifest(
            int(data["version"]), int(data["seed"]), Sizes(**data["sizes"]), str(data["content"]),
            {str(name): str(digest) for name, digest in data["files"].items()}, bool(data.get("hard", False)),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} is not the manifest of a miniature world ({error}).", "Write the world again."
        ) from error


def _write(sink: Sink, seed: int, sizes: Sizes) -> None:
    stream = partial(_stream, seed)
    images = sample_scenes(stream(0), sizes.vqa_images)
    captioned = sample_scenes(stream(1), sizes.captioned)
    by_id, captioned_by_id = _write_images(sink, images, captioned)
    write_vqa(sink, by_id, stream(2))
    write_captions(sink, captioned_by_id, stream(3))
    write_mmbench(sink, _alternating(stream(4), sizes.choices), stream(5))
    edits = stream(6)
    doubles = round(sizes.edits * 2 / 15)
    sessions = [(sample_edit(edits, "test"),) for _ in range(sizes.edits - 2 * doubles)]
    write_magicbrush(sink, [*sessions, *(sample_session(edits, "test") for _ in range(doubles))])
    stories = stream(7)
    write_stories(sink, [sample_story(stories, "test") for _ in range(sizes.stories)])
    write_dreambooth(sink, sample_subjects(stream(8), sizes.subjects))


def _write_hard(sink: Sink, seed: int, sizes: Sizes) -> None:
    stream = partial(_stream, seed)
    images = hard_scenes(stream(100), sizes.vqa_images)
    captioned = hard_scenes(stream(101), sizes.captioned)
    by_id, captioned_by_id = _write_images(sink, images, captioned)
    write_vqa(sink, by_id, stream(102), ask=hard_questions)
    write_captions(sink, captioned_by_id, stream(103), say=describe_hard)


def _stream(seed: int, part: int) -> np.random.Generator:
    """Chance of one part of a world, independent of the other parts."""
    return np.random.default_rng([seed, part])


def _write_images(
    sink: Sink, images: list[Scene], captioned: list[Scene]
) -> tuple[dict[int, Scene], dict[int, Scene]]:
    """Writes the images and their scenes; returns both kinds by image id."""
    by_id = dict(enumerate(images, start=1))
    captioned_by_id = dict(enumerate(captioned, start=FIRST_CAPTIONED))
    rows = []
    for image_id, scene in (by_id | captioned_by_id).items():
        name = f"{FOLDER}/{file_name(image_id)}"
        sink.image(name, render(scene))
        rows.append(scene_row(name, scene, image_id=image_id))
    sink.jsonl(SCENES, rows)
    return by_id, captioned_by_id


def sample_scenes(rng: np.random.Generator, count: int) -> list[Scene]:
    """`count` test scenes, no two of them alike."""
    found: dict[str, Scene] = {}
    while len(found) < count:
        scene = sample_scene(rng, split="test")
        found.setdefault(scene.key(), scene)
    return list(found.values())


def _alternating(rng: np.random.Generator, count: int) -> list[Scene]:
    """Scenes of one thing and of two or three in turn, as the multiple-choice questions need them."""
    more = [2, 2, 2, 2, 3]
    return [
        sample_scene(rng, split="test", things=1 if i % 2 == 0 else more[i // 2 % len(more)])
        for i in range(count)
    ]
