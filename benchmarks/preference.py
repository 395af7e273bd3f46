"""What columns of preference models cost together: CPU seconds of one pass, against the slowest network's.

    python benchmarks/preference.py [--images N] [--side PIXELS] [--limit RATIO] [--json FILE]

All networks are real ones with tiny weights, so that what is shared counts: reading, decoding, and what
several of them see of an image. Each number is the least of `--repeats`; nothing is kept between them. The
exit status is 1 where all columns together take more than `--limit` times the slowest network's own time.

Beside them stand the parts of the pass: decoding, the networks' inputs, the networks' own forward passes in
sum. No sharing can lower the last, nor the inputs that only one network sees: HPSv2 resizes floats, with and
without antialiasing, HPSv3 cuts an image of its own size into patches, CLIPs and BLIPs resize 8-bit ones to
their own sides. Columns that see an image alike get one input, those that resize it alike one resized image,
those that resize floats one array; two preprocessings of one network read the texts once. Scores are the same
to the bit as those of a column by itself.

On two shared cores, busy with other work, 48 images of 512 pixels took 2.25 s in one pass before inputs were
shared and 1.34 s since: decoding 24 %, inputs 27 %, forward passes 48 %. On an
idle machine all columns take 1.34 s, 1.37 times HPSv3's own 0.98 s (each by itself, added up: 6.29 s);
without the inputs that only one network sees it were 1.01 times. The ratio moves with what else the machine
does: compare seconds, or use an idle one.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from PIL import Image as pil

from evalsuite.content import Image
from evalsuite.data.images import decode
from evalsuite.features import NetworkSpec, load_scorer
from evalsuite.features.blocks import BLOCK, inputs_of
from evalsuite.features.extraction import image_features
from evalsuite.features.sharing import shared
from evalsuite.task.preference import PREFERENCES
from tests.features.scorers import write_all


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=1.2)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = [drawn(number, options.side) for number in range(options.images)]
    texts = [f"a cat and {number} dogs" for number in range(options.images)]
    with tempfile.TemporaryDirectory() as folder:
        networks = {
            column: load_scorer(
                NetworkSpec(PREFERENCES[column].kind, source, PREFERENCES[column].preprocess, column), "cpu"
            )
            for column, source in write_all(Path(folder)).items()
        }
        alone = {
            column: least(options.repeats, {column: network}, images, texts)
            for column, network in networks.items()
        }
        together = least(options.repeats, networks, images, texts)
        parts = parts_of(options.repeats, networks, images, texts)
    slowest = max(alone, key=lambda column: alone[column])
    for column, seconds in sorted(alone.items(), key=lambda one: -one[1]):
        print(f"{column:28} {seconds:7.2f} s")
    ratio = together / alone[slowest]
    print(f"{'each by itself, added up':28} {sum(alone.values()):7.2f} s")
    print(f"{'all in one pass':28} {together:7.2f} s, {ratio:.2f} times {slowest} alone")
    for part, seconds in parts.items():
        print(f"  {part:26} {seconds:7.2f} s, {seconds / together:.0%} of the pass")
    rest = together - sum(parts.values())
    print(f"  {'bookkeeping, threads':26} {rest:7.2f} s, {rest / together:.0%}")
    floor = (parts["decoding"] + parts["forward passes"]) / alone[slowest]
    print(f"With inputs for nothing it were {floor:.2f} times {slowest} alone.")
    if options.json:
        found = {"parts": parts, "alone": alone, "together": together, "ratio": ratio, "slowest": slowest}
        options.json.write_text(json.dumps(found, indent=2))
    sys.exit(ratio > options.limit)


def drawn(number: int, side: int) -> Image:
    """An image that costs what one costs: smooth, with noise on it, as PNG."""
    rng = np.random.default_rng(number)
    smooth = pil.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((side, side))
    pixels = np.asarray(smooth, dtype=np.int16) + rng.integers(-4, 5, (side, side, 3), dtype=np.int16)
    stream = io.BytesIO()
    pil.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, "PNG")
    return Image(stream.getvalue())


def parts_of(
    repeats: int, networks: Mapping[str, Any], images: list[Image], texts: list[str]
) -> dict[str, float]:
    """CPU seconds of the parts of a pass, one after the other in this thread: the least of each."""
    found: dict[str, list[float]] = {"decoding": [], "network inputs": [], "forward passes": []}

    def timed(part: str, make: Callable[[], Any]) -> Any:
        start = time.process_time()
        made = make()
        found[part].append(time.process_time() - start)
        return made

    for _ in range(repeats):
        decoded = timed("decoding", lambda: [decode(image) for image in images])
        inputs = timed("network inputs", lambda: [inputs_of(image, networks)[0] for image in decoded])  # noqa: B023
        timed("forward passes", lambda: passes(networks, inputs, texts))  # noqa: B023
    return {part: min(seconds) for part, seconds in found.items()}


def passes(networks: Mapping[str, Any], inputs: list[dict[str, Any]], texts: list[str]) -> None:
    """All networks over the images, in the blocks of a real pass."""
    for start in range(0, len(inputs), BLOCK):
        with shared():
            for key, network in networks.items():
                network.scores(
                    [one[key] for one in inputs[start : start + BLOCK]], texts[start : start + BLOCK]
                )


def least(repeats: int, networks: Mapping[str, Any], images: list[Image], texts: list[str]) -> float:
    """CPU seconds of the quickest pass."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        image_features(networks, images, texts)
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
