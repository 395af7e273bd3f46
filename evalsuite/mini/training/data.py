"""Caches that training reads: images as one uint8 array, texts as JSON lines. Nothing is rendered while
training."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..language import EASY_VQA_COLOURS, EASY_VQA_SHAPES, caption, describe, questions
from ..render import render
from ..world import Scene, Thing, sample_scene
from .recipe import DataRecipe


@dataclass(frozen=True)
class Entry:
    """One cached image: what can be said about it. `things` is 0 for easy-VQA, whose scenes are not of
    the world."""

    things: int
    caption: str
    captions: tuple[str, ...]
    questions: tuple[tuple[str, str, str], ...]
    """(question, answer, topic); the topic is "easy" for easy-VQA."""
    scene: dict[str, Any] | None = None


@dataclass(frozen=True)
class ImageSet:
    """Images (N, 64, 64, 3) uint8 in memory-mapped form, with one entry each."""

    pixels: np.ndarray
    entries: list[Entry]

    def of_size(self, things: int) -> np.ndarray:
        """Indices of the scenes of so many things."""
        return np.array([i for i, e in enumerate(self.entries) if e.things == things], dtype=np.int64)


def scene_to_json(scene: Scene) -> dict[str, Any]:
    """A scene as plain data."""
    return asdict(scene)


def scene_from_json(data: dict[str, Any]) -> Scene:
    """Inverse of `scene_to_json`."""
    return Scene(tuple(Thing(**thing) for thing in data["things"]), tuple(data["background"]))


def save_images(folder: Path, name: str, pixels: np.ndarray, entries: list[Entry]) -> None:
    """Write a cache; the texts are renamed into place last, so that a cut-off cache is made again."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.npy", pixels)
    part = folder / f"{name}.jsonl.part"
    part.write_text("".join(json.dumps(asdict(entry)) + "\n" for entry in entries))
    part.rename(folder / f"{name}.jsonl")


def load_images(folder: Path, name: str) -> ImageSet:
    """Read a cache written by `save_images`."""
    lines = (folder / f"{name}.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    entries = [
        Entry(
            row["things"],
            row["caption"],
            tuple(row["captions"]),
            tuple((q, a, t) for q, a, t in row["questions"]),
            row["scene"],
        )
        for row in rows
    ]
    return ImageSet(np.load(folder / f"{name}.npy", mmap_mode="r"), entries)


def entry_of(scene: Scene, rng: np.random.Generator) -> Entry:
    """Everything that can be said about a world scene."""
    said = tuple(dict.fromkeys(c.text for c in describe(scene, rng, 7)))
    asked = tuple((q.text, q.answer, q.topic) for q in questions(scene, rng))
    return Entry(len(scene.things), caption(scene), said, asked, scene_to_json(scene))


def make_world(recipe: DataRecipe, folder: Path) -> None:
    """The training images ("train") and the validation images ("valid", split "test" with an own
    seed)."""
    for name, split, counts in (
        ("train", "train", (recipe.ones, recipe.twos, recipe.threes)),
        ("valid", "test", (recipe.validation, recipe.validation, recipe.validation // 4)),
    ):
        if (folder / f"{name}.jsonl").exists():
            continue
        rng = np.random.default_rng([recipe.seed, len(name), sum(counts)])
        scenes = [
            sample_scene(rng, split=split, things=things)  # type: ignore[arg-type]
            for things, count in enumerate(counts, start=1)
            for _ in range(count)
        ]
        save_images(folder, name, np.stack([render(s) for s in scenes]), [entry_of(s, rng) for s in scenes])


def make_easy_vqa(folder: Path) -> None:
    """easy-VQA's training images and questions (never its test split), with captions derived from its
    answers."""
    if (folder / "easy.jsonl").exists():
        return
    import easy_vqa
    from PIL import Image

    asked: dict[int, list[tuple[str, str]]] = {}
    for question, answer, index in zip(*easy_vqa.get_train_questions(), strict=True):
        asked.setdefault(int(index), []).append((question, answer))
    paths = easy_vqa.get_train_image_paths()
    pixels, entries = [], []
    for index in sorted(asked):
        with Image.open(paths[index]) as image:
            pixels.append(np.asarray(image.convert("RGB")))
        colour, shape = _easy_truth(asked[index])
        noun = f"a {colour} {shape or 'shape'}" if colour else f"a {shape or 'shape'}"
        said = (noun, f"there is {noun}", f"a picture of {noun}", f"the image shows {noun}")
        entries.append(Entry(0, noun, said, tuple((q, a, "easy") for q, a in asked[index])))
    save_images(folder, "easy", np.stack(pixels), entries)


def _easy_truth(asked: list[tuple[str, str]]) -> tuple[str | None, str | None]:
    """Colour and shape of an easy-VQA image as far as its questions give them away."""
    colour = shape = None
    for question, answer in asked:
        words = re.findall(r"[a-z]+", question)
        named_colour = next((w for w in words if w in EASY_VQA_COLOURS), None)
        named_shape = next((w for w in words if w in EASY_VQA_SHAPES), None)
        if answer in EASY_VQA_COLOURS:
            colour = answer
        elif answer in EASY_VQA_SHAPES:
            shape = answer
        present = (answer == "yes") != bool({"no", "not"} & set(words))
        if answer not in ("yes", "no") or present:
            colour = named_colour or colour
            shape = named_shape or shape
    return colour, shape


def make_data(recipe: DataRecipe, folder: Path) -> None:
    """Make the image caches that are not there yet."""
    make_world(recipe, folder)
    if recipe.easy_vqa:
        make_easy_vqa(folder)


def training_images(recipe: DataRecipe, folder: Path) -> Iterator[ImageSet]:
    """The world's images and, if the recipe asks for it, easy-VQA's."""
    yield load_images(folder, "train")
    if recipe.easy_vqa:
        yield load_images(folder, "easy")
