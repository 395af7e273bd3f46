"""Training images with what was said about them, for baselines that look up the nearest one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image
from evalsuite.errors import DataError
from evalsuite.request import fingerprint
from evalsuite.task.readers import decode, inside

if TYPE_CHECKING:
    import numpy as np

    from evalsuite.task.features import TextFeatureNetwork

MINI_SCENES = 1000
"""Training scenes of the miniature that are looked up by default."""

MINI_CLIP = "package:evalsuite_baselines/mini/checkpoints/clip"


@dataclass(frozen=True)
class Known:
    """One training image.

    Args:
        captions: what it shows; the first is the one that is given as an answer.
        answers: question in lower case -> answer, where questions were asked about it.
    """

    image: Image
    captions: tuple[str, ...]
    answers: Mapping[str, str] = field(default_factory=dict)


class Album:
    """Training images that can be looked up by image and by text, in the space of a CLIP.

    Args:
        known: the images; not empty.
        network: whose features decide what is near, by cosine.
        source: where the images come from, for the record.
    """

    def __init__(self, known: Sequence[Known], network: TextFeatureNetwork, source: str) -> None:
        self.known = known
        self.network = network
        self.source = source
        self._images = _unit(network.images([decode(one.image) for one in known]))
        self._texts = _unit(network.texts([one.captions[0] for one in known]))

    def near_images(self, images: Sequence[Image]) -> np.ndarray:
        """(n, known) positions, the nearest image first; equal ones in their order."""
        return _ranked(_unit(self.network.images([decode(image) for image in images])) @ self._images.T)

    def near_captions(self, texts: Sequence[str]) -> np.ndarray:
        """(n, known) positions, the one with the nearest caption first; equal ones in their order."""
        return _ranked(_unit(self.network.texts(list(texts))) @ self._texts.T)

    def fingerprint(self, name: str) -> str:
        """sha256 over images, texts and network, and the row that answers from them."""
        rows = [[one.image.sha256(), one.captions, dict(one.answers)] for one in self.known]
        return fingerprint([name, rows, self.network.fingerprint])


def load(options: Mapping[str, str]) -> Album:
    """Reads `images`, or renders the miniature's training split when it is not given.

    The file holds JSON lines `{"image": path, "caption": text}`, with `"answers": {question: answer}` where
    there are some; paths are relative to it and do not leave its folder. `network` is a folder or hub id of a
    CLIP, by default the miniature's.

    Raises DataError for a missing or malformed file, UnavailableError where the network's weights are not
    here.
    """
    from evalsuite.task.features import NetworkSpec, TextFeatureNetwork, load_network

    path = options.get("images", "") or options.get("pictures", "")  # the deprecated name
    known = _read(Path(path)) if path else _miniature()
    network = load_network(NetworkSpec("clip", options.get("network", MINI_CLIP)))
    assert isinstance(network, TextFeatureNetwork)
    return Album(known, network, path or "training split of the miniature")


def _read(path: Path) -> list[Known]:
    if not path.is_file():
        raise DataError(
            f"Training images {path} do not exist.", 'Give JSON lines {"image": …, "caption": …}.'
        )
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            try:
                found.append(_known(path.parent, json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise DataError(
                    f"{path}, line {number} is not a training image ({error}).",
                    'Each line is {"image": path, "caption": text}.',
                ) from error
    if not found:
        raise DataError(f"Training images {path} are empty.", "The file needs at least one line.")
    return found


def _known(folder: Path, row: Mapping[str, Any]) -> Known:
    answers = {str(q).lower(): str(a).lower() for q, a in row.get("answers", {}).items()}
    return Known(Image(path=inside(folder, str(row["image"]))), (str(row["caption"]),), answers)


def _miniature() -> list[Known]:
    import numpy as np
    from PIL import Image as pil

    from evalsuite.task.miniature import caption, questions, render, sample_scene

    from ..images import encoded

    rng = np.random.default_rng(0)
    found = []
    for number in range(MINI_SCENES):
        scene = sample_scene(rng, split="train")
        image = encoded(pil.fromarray(render(scene)), f"training-{number}.png")
        answers = {question.text: question.answer for question in questions(scene, rng)}
        found.append(Known(image, (caption(scene),), answers))
    return found


def _unit(features: np.ndarray) -> np.ndarray:
    import numpy as np

    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit: np.ndarray = features / np.maximum(length, 1e-12)
    return unit


def _ranked(similarity: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.argsort(-similarity, axis=1, kind="stable")
