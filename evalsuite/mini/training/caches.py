"""What the frozen parts say about every image, computed once: patch features to read, latents to draw."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import CLIPVisionModel

from ..edits import KINDS, edit_scene, sample_edit
from ..render import render
from ..stories import sample_story
from ..world import Scene, Split
from .data import ImageSet, load_images
from .ordering import caption_of
from .precision import inference
from .recipe import Recipe
from .vae import encode_all, to_pixels


@dataclass(frozen=True)
class EditEntry:
    """A source image (row of "edit-sources") and edits of it: (instruction, target caption, row, kind)."""

    source: int
    turns: tuple[tuple[str, str, int, str], ...]


@dataclass(frozen=True)
class StoryEntry:
    """Text and image in turn: (text, canonical caption, row of "stories")."""

    parts: tuple[tuple[str, str, int], ...]


def _save_rows(path: Path, rows: list[object]) -> None:
    part = path.with_suffix(".part")
    part.write_text("".join(json.dumps(row) + "\n" for row in rows))
    part.rename(path)


def _edits(
    rng: np.random.Generator, count: int, split: Split
) -> Iterator[tuple[Scene, list[tuple[Scene, str, str, str]]]]:
    """Sources with up to three edits each, every kind equally often first."""
    for index in range(count):
        first = sample_edit(rng, split, KINDS[index % len(KINDS)])
        found = [first]
        for kind in rng.permutation(len(KINDS))[:3]:
            more = (
                edit_scene(rng, first.source, split, KINDS[kind], tries=4)
                if KINDS[kind] != first.kind
                else None
            )
            if more is not None and len(found) < 3:
                found.append(more)
        yield first.source, [(e.target, e.instruction, caption_of(e.target), e.kind) for e in found]


def make_documents(recipe: Recipe, folder: Path) -> None:
    """Edits and stories of the training split, and edits of the test split to check with (own seed)."""
    for name, split, count in (
        ("edit", "train", recipe.data.edits),
        ("valid-edit", "test", recipe.data.validation),
    ):
        if not (folder / f"{name}s.jsonl").exists():
            rng = np.random.default_rng([recipe.data.seed, 7, count, len(name)])
            sources: list[np.ndarray] = []
            targets: list[np.ndarray] = []
            rows: list[object] = []
            for scene, turns in _edits(rng, count, split):  # type: ignore[arg-type]
                entry = []
                for target, instruction, text, kind in turns:
                    entry.append((instruction, text, len(targets), kind))
                    targets.append(render(target))
                rows.append({"source": len(sources), "turns": entry})
                sources.append(render(scene))
            np.save(folder / f"{name}-sources.npy", np.stack(sources))
            np.save(folder / f"{name}-targets.npy", np.stack(targets))
            _save_rows(folder / f"{name}s.jsonl", rows)
    if not (folder / "stories.jsonl").exists():
        from ..language import caption

        rng = np.random.default_rng([recipe.data.seed, 8, recipe.data.stories])
        images: list[np.ndarray] = []
        stories: list[object] = []
        for _ in range(recipe.data.stories):
            parts = []
            story = sample_story(rng, "train")
            for words, shown in zip(story[::2], story[1::2], strict=True):
                assert isinstance(words, str)
                assert isinstance(shown, Scene)
                parts.append((words, caption(shown), len(images)))
                images.append(render(shown))
            stories.append({"parts": parts})
        np.save(folder / "stories.npy", np.stack(images))
        _save_rows(folder / "stories.jsonl", stories)


def load_edits(path: Path) -> list[EditEntry]:
    """Read what `make_documents` wrote."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [EditEntry(row["source"], tuple((i, t, r, k) for i, t, r, k in row["turns"])) for row in rows]


def load_stories(path: Path) -> list[StoryEntry]:
    """Read what `make_documents` wrote."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [StoryEntry(tuple((t, c, r) for t, c, r in row["parts"])) for row in rows]


@torch.no_grad()
def features_of(vision: CLIPVisionModel, images: np.ndarray, batch: int = 128) -> np.ndarray:
    """Patch features of the penultimate layer without CLS: (N, P, D) float16."""
    found = []
    for start in range(0, len(images), batch):
        seen = vision(pixel_values=to_pixels(images[start : start + batch]), output_hidden_states=True)
        found.append(seen.hidden_states[-2][:, 1:].numpy().astype(np.float16))
    return np.concatenate(found)


def used_rows(recipe: Recipe, images: ImageSet) -> np.ndarray:
    """The images of the world whose latents and features are cached."""
    pools = [images.of_size(n)[:count] for n, count in zip((1, 2, 3), recipe.diffusion.latents, strict=True)]
    return np.concatenate(pools)


def make_features(recipe: Recipe, vision: CLIPVisionModel, folder: Path) -> None:
    """Features of every image that is read in training; NaN for the world's images that are not used."""
    jobs: list[tuple[str, np.ndarray | None]] = [("train", used_rows(recipe, load_images(folder, "train")))]
    jobs += [(name, None) for name in ("valid", "edit-sources", "valid-edit-sources", "stories")]
    if recipe.data.easy_vqa:
        jobs.append(("easy", None))
    for name, rows in jobs:
        path = folder / f"features-{name}.npy"
        if path.exists():
            continue
        pixels = np.load(folder / f"{name}.npy", mmap_mode="r")
        found = features_of(vision, pixels if rows is None else pixels[rows])
        if rows is not None:
            full = np.full((len(pixels), *found.shape[1:]), np.nan, dtype=np.float16)
            full[rows] = found
            found = full
        np.save(path.with_suffix(".part.npy"), found)
        path.with_suffix(".part.npy").rename(path)


def make_latents(vae: Any, folder: Path) -> None:
    """Latents of the edits' targets and of the stories (those of "train" are made for the diffusion
    model)."""
    for name in ("edit-targets", "stories"):
        path = folder / f"{name}-latents.npy"
        if not path.exists():
            with inference():
                means, _ = encode_all(vae, np.load(folder / f"{name}.npy", mmap_mode="r"))
            np.save(path.with_suffix(".part.npy"), means)
            path.with_suffix(".part.npy").rename(path)
