"""Features of a run's images: what a second scoring costs, how decoding spreads over cores, memory.

    python benchmarks/features.py [--images N] [--side PIXELS] [--json FILE]
                                  [--part second|decoding|distances|memory]

All in one run, on made-up images (256 × 256 PNG, or as `--side` says):

- `second / first`: wall time of reading kept features of N images against computing them (Inception's resize,
  a tiny network behind it, 2,048 dimensions);
- `spread`: CPU time over wall time of decoding and resizing alone, by as many threads as there are cores;
- `memory`: peak of 4 × N images against that of N, in MiB, without the result itself;
- `distances`: CPU time of 20 half-samples of N features of 2,048 dimensions, first and second time.

Bounds are ratios within the run; a loaded machine lowers `spread`, since other work takes its cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource  # noqa: F401 - for the process that `peak` starts
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PIL import Image as pil

from evalsuite.content import Image
from evalsuite.features.extraction import image_features
from evalsuite.features.keeping import keeping
from evalsuite.metrics.frechet import gaussian_of
from evalsuite.metrics.resize import resize
from evalsuite.store.features import FeatureFolder
from evalsuite.task import Metric, frechet_statistic

DIMENSIONS = 2048


class Tiny:
    """Inception's way to its input, and a projection in place of its 94 convolutions."""

    name, preprocess, dim = "tiny", "clean", DIMENSIONS
    fingerprint = hashlib.sha256(b"tiny").hexdigest()

    def __init__(self) -> None:
        self._matrix = np.random.RandomState(0).standard_normal((12, DIMENSIONS)).astype(np.float32)

    def prepare(self, image: pil.Image) -> np.ndarray:
        return resize(np.array(image), "clean")

    def features(self, prepared: list[np.ndarray]) -> np.ndarray:
        means = np.stack([image[:296].reshape(4, -1, 3).mean(axis=1).reshape(12) for image in prepared])
        found: np.ndarray = np.maximum(means @ self._matrix, 0)
        return found


class Preparing(Tiny):
    """Only decoding and resizing."""

    dim, name = 1, "preparing"

    def features(self, prepared: list[np.ndarray]) -> np.ndarray:
        return np.zeros((len(prepared), 1), np.float32)


def write_images(folder: Path, count: int, side: int = 256) -> list[Image]:
    """Noise that compresses as photographs do."""
    folder.mkdir()
    found = []
    for number in range(count):
        coarse = 3 * side // 16
        small = np.random.RandomState(number).randint(0, 256, (coarse, coarse, 3)).astype(np.uint8)
        path = folder / f"{number}.png"
        pil.fromarray(small).resize((side, side), pil.Resampling.BICUBIC).save(path)
        found.append(Image(path=path))
    return found


def clocked(run: Any) -> tuple[Any, float, float]:
    """Result, wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def second_score(images: list[Image], root: Path) -> dict[str, float]:
    networks = {"tiny": Tiny()}

    def score() -> np.ndarray:
        with keeping(FeatureFolder(root, writable=True)):
            return image_features(networks, images)[0]["tiny"]

    (first, wall, cpu), (second, again, cpu_again) = clocked(score), clocked(score)
    assert (first == second).all()
    return {"first_wall": wall, "first_cpu": cpu, "second_wall": again, "second_cpu": cpu_again,
            "second / first": again / wall}  # fmt: skip


def spread(images: list[Image]) -> dict[str, float]:
    _, wall, cpu = clocked(lambda: image_features({"preparing": Preparing()}, images))
    return {"wall": wall, "cpu": cpu, "spread": cpu / wall, "cores": float(len(os.sched_getaffinity(0)))}


def distances(count: int, root: Path) -> dict[str, float]:
    source = np.random.RandomState(0)
    drawn = np.maximum(source.standard_normal((count, DIMENSIONS)), 0).astype(np.float32)
    reference = gaussian_of(np.maximum(source.standard_normal((count, DIMENSIONS)), 0).astype(np.float32))
    halves = [np.sort(source.permutation(count)[: count // 2]) for _ in range(20)]
    metric = Metric("FID", higher_is_better=False)

    def interval() -> list[float]:
        with keeping(FeatureFolder(root, writable=True)):
            of = frechet_statistic(
                metric, range(count), lambda at: drawn[at], drawn.shape, reference, "float64"
            )
            assert of.function is not None
            return [of.function(half) for half in halves]

    (first, _, cpu), (second, _, again) = clocked(interval), clocked(interval)
    assert first == second
    return {"first_cpu": cpu, "second_cpu": again, "second / first": again / cpu}


def peak(folder: Path, repeats: int) -> float:
    """MiB that features of all images of a folder take at most, in a process of its own."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import features as f; from pathlib import Path; "
        "images = [f.Image(path=p) for p in sorted(Path(sys.argv[2]).iterdir())] * int(sys.argv[3]); "
        "f.image_features({'p': f.Preparing()}, images); "
        "print(f.resource.getrusage(f.resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, here, str(folder), str(repeats)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--part", choices=("second", "decoding", "distances", "memory"))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        images = write_images(root / "images", asked.images, asked.side)
        (root / "run").mkdir()
        if asked.part in (None, "second"):
            found["second score"] = second_score(images, root / "run")
        if asked.part in (None, "decoding"):
            found["decoding"] = spread(images)
        if asked.part in (None, "distances"):
            found["distances"] = distances(max(asked.images, 3 * DIMENSIONS), root / "run")
        if asked.part in (None, "memory"):
            memory = [peak(root / "images", repeats) for repeats in (1, 4)]
            found["memory"] = {"MiB of N": memory[0], "MiB of 4 N": memory[1], "more": memory[1] - memory[0]}
    for what, numbers in found.items():
        print(f"{what:14}" + "  ".join(f"{name} {value:.3f}" for name, value in numbers.items()))
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
