"""COCO captions: `captions_val2014.json` and Karpathy's `dataset_coco.json`, with the prompts' truth."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..language import Caption, describe
from ..world import CANVAS, Scene
from .sink import Sink
from .truth import PROMPTS

FOLDER = "val2014"
CAPTIONS = "annotations/captions_val2014.json"
KARPATHY = "dataset_coco.json"


def file_name(image_id: int) -> str:
    """The official file name of an image, with the suffix of a lossless image."""
    return f"COCO_val2014_{image_id:012d}.png"


def write_captions(
    sink: Sink,
    scenes: Mapping[int, Scene],
    rng: np.random.Generator,
    say: Callable[[Scene, np.random.Generator, int], list[Caption]] = describe,
) -> None:
    """Write five captions by `say` of every scene (by image id) in both layouts, and `prompts.jsonl`.

    The caption file alone is also the file of text-to-image prompts, as it is for MS-COCO. The images are
    written by the caller.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    karpathy: list[dict[str, Any]] = []
    prompts: list[dict[str, Any]] = []
    for position, (image_id, scene) in enumerate(scenes.items()):
        name = file_name(image_id)
        captions = list(enumerate(say(scene, rng, 5), start=5 * position + 1))
        images.append({
            "license": 1, "file_name": name, "coco_url": "", "height": CANVAS, "width": CANVAS,
            "date_captured": "", "flickr_url": "", "id": image_id,
        })  # fmt: skip
        annotations += [{"image_id": image_id, "id": number, "caption": c.text} for number, c in captions]
        karpathy.append({
            "filepath": FOLDER,
            "sentids": [number for number, _ in captions],
            "filename": name,
            "imgid": position,
            "split": "test",
            "sentences": [
                {
                    "tokens": c.text.replace(" ,", "").split(),
                    "raw": c.text,
                    "imgid": position,
                    "sentid": number,
                }
                for number, c in captions
            ],
            "cocoid": image_id,
        })  # fmt: skip
        prompts += [
            {"caption_id": number, "image_id": image_id, "text": c.text, "states": sorted(c.states)}
            for number, c in captions
        ]
    info = {"description": "miniature world", "url": "", "version": "1", "year": 2026, "contributor": ""}
    licence = {"id": 1, "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}
    sink.json(CAPTIONS, {"info": info, "images": images, "licenses": [licence], "annotations": annotations})
    sink.json(KARPATHY, {"images": karpathy, "dataset": "coco"})
    sink.jsonl(PROMPTS, prompts)
