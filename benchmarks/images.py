"""Distribution metrics against pytorch-fid, clean-fid, torch-fidelity and torchmetrics, in CPU seconds.

    python benchmarks/images.py [--peers PYTHON] [--images N] [--network-images N] [--json FILE]

All on the same data in the same run: images (256 × 256 PNG) to the network's input in each tool's way;
statistics of N features of 2,048 dimensions; the distance of two such statistics; the Inception network with
made-up weights. Both sides must agree before a ratio is printed. Then ours alone: peak memory of the
statistics of N images against those of a fifth of them, and shards merged in random order against one pass.

`--peers` is the Python of an environment that has the tools. They must not be installed beside evalsuite:
some of them replace torch. Install with `pip install --no-deps`: pytorch-fid, clean-fid, torch-fidelity,
torchmetrics, torchvision, lightning-utilities; and torch, scipy, requests. A tool that is absent is skipped,
with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

DIMENSIONS = 2048
MODES = {
    "pytorch-fid": "pytorch-fid",
    "clean-fid": "clean",
    "torch-fidelity": "torch-fidelity",
    "torchmetrics": "torchmetrics",
}
"""Tool -> our mode."""


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    result = run()
    return result, time.process_time() - start


def features(seed: int, count: int) -> np.ndarray:
    """(count, 2048) float32, positive and correlated as pool3's are."""
    source = np.random.RandomState(seed)
    mixed = source.standard_normal((count, 256)).astype(np.float32) @ source.standard_normal(
        (256, DIMENSIONS)
    ).astype(np.float32)
    own = source.standard_normal((count, DIMENSIONS)).astype(np.float32)
    return np.maximum(mixed / 32 + own / 4 + 0.2, 0).astype(np.float32)


def write_pictures(folder: Path, count: int) -> None:
    """Smooth images with some noise, so that they compress like photographs."""
    from PIL import Image

    folder.mkdir()
    source = np.random.RandomState(5)
    for index in range(count):
        small = Image.fromarray(source.randint(0, 256, (12, 12, 3)).astype(np.uint8))
        smooth = np.asarray(small.resize((256, 256), Image.Resampling.BICUBIC)).astype(np.int16)
        noisy = smooth + source.randint(-6, 7, smooth.shape)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(
            folder / f"{index:05}.png", compress_level=1
        )


def write_weights(path: Path) -> None:
    import torch

    from evalsuite.metrics.inception import state_dict_shapes

    torch.manual_seed(0)
    made = {}
    for key, shape in state_dict_shapes().items():
        if key.endswith("num_batches_tracked"):
            made[key] = torch.zeros(shape, dtype=torch.long)
        elif key.endswith(("running_var", "bn.weight")):
            made[key] = torch.ones(shape)
        elif key.endswith(("running_mean", "bias")):
            made[key] = torch.zeros(shape)
        else:
            made[key] = torch.randn(shape) * (2 / np.prod(shape[1:])) ** 0.5
    torch.save(made, path)


# Ours


def resized(folder: Path, mode: str) -> float:
    from evalsuite.data.images import decode, images_in
    from evalsuite.metrics.inception import network_input

    total = 0.0
    for image in images_in(folder):
        total += float(network_input([np.array(decode(image))], mode).double().abs().sum())
    return total


def accumulated(rows: np.ndarray, means: Any) -> Any:
    from evalsuite.metrics.frechet import GaussianStatistics

    statistics = GaussianStatistics(means)
    for start in range(0, len(rows), 64):
        statistics.update(rows[start : start + 64])
    return statistics.finalize()


def ours(folder: Path) -> dict[str, dict[str, Any]]:
    import torch

    from evalsuite.features.inception import MODES as KINDS
    from evalsuite.metrics.frechet import frechet_distance
    from evalsuite.metrics.inception import Inception, load_inception, network_input

    torch.set_num_threads(1)
    found: dict[str, dict[str, Any]] = {}
    network = load_inception(folder / "weights.pth")
    assert isinstance(network, Inception)
    pixels = np.load(folder / "pixels.npy").transpose(0, 2, 3, 1)
    for tool, mode in MODES.items():
        total, seconds = timed(partial(resized, folder / "pictures", mode))
        parts: dict[str, Any] = {"resize": {"s": seconds, "result": total}}
        means = KINDS[mode].means
        sides = [np.load(folder / f"{name}.npy") for name in ("first", "second")]
        first = accumulated(sides[0], means)
        second, seconds = timed(partial(accumulated, sides[1], means))
        parts["statistics"] = {"s": seconds, "result": float(np.trace(second.sigma))}
        value, seconds = timed(partial(frechet_distance, first, second))
        parts["distance"] = {"s": seconds, "result": value}
        if tool in ("pytorch-fid", "torch-fidelity"):
            network.extract(list(pixels[:2]), mode)
            start, rows = time.process_time(), []
            for at in range(0, len(pixels), 16):
                batch = network_input(list(pixels[at : at + 16]), mode)
                rows.append(network.forward(batch)["2048"].double())
            parts["network"] = {
                "s": time.process_time() - start,
                "result": torch.cat(rows).mean().item(),
            }
        found[tool] = parts
    return found


class Thumbnails:
    """A cheap network of 2,048 dimensions, so that memory is that of the statistics."""

    name, preprocess, fingerprint, dtype, weights_sha256, means = (
        "thumbnails",
        "8x8",
        "",
        "float32",
        "",
        "float64",
    )
    dim = DIMENSIONS

    def __init__(self) -> None:
        self._mix = np.random.RandomState(0).standard_normal((192, DIMENSIONS)).astype(np.float32)

    def images(self, images: Sequence[Any]) -> np.ndarray:
        small = np.stack([np.asarray(image.resize((8, 8)), dtype=np.float32).ravel() for image in images])
        return small / 255 @ self._mix


def peak(folder: Path, count: int) -> float:
    """MiB that a process of its own has at most while it computes the statistics of `count` images."""
    script = [sys.executable, __file__, "--memory-of", str(folder), "--images", str(count)]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    return float(done.stdout)


def print_peak(folder: Path, count: int) -> None:
    from evalsuite.data.images import images_in
    from evalsuite.features.statistics import statistics_of

    statistics_of(images_in(folder)[:count], Thumbnails())  # type: ignore[arg-type]
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def merged_difference(rows: np.ndarray) -> float:
    """Largest relative difference of mean and covariance between 8 merged shards and one pass."""
    from evalsuite.metrics.frechet import GaussianStatistics

    shards = []
    for part in np.array_split(rows, 8):
        shards.append(GaussianStatistics())
        shards[-1].update(part)
    merged = GaussianStatistics()
    for index in np.random.RandomState(1).permutation(8):
        merged.merge(shards[index])
    one, all_ = accumulated(rows, "float64"), merged.finalize()
    return max(
        float(np.abs(one.mu - all_.mu).max() / np.abs(one.mu).max()),
        float(np.abs(one.sigma - all_.sigma).max() / np.abs(one.sigma).max()),
    )


def compare(mine: dict[str, Any], theirs: dict[str, Any]) -> list[tuple[str, str, float, float | None, str]]:
    """Rows: part, tool, our seconds, theirs, a remark."""
    rows: list[tuple[str, str, float, float | None, str]] = []
    for part in ("resize", "statistics", "distance", "network"):
        for tool, parts in mine.items():
            if part not in parts:
                continue
            own = parts[part]
            peer = theirs.get(tool, {"skipped": "no --peers"})
            if "skipped" in peer:
                rows.append((part, tool, own["s"], None, f"skipped: {peer['skipped']}"))
                continue
            other = peer[part]
            difference = abs(own["result"] - other["result"]) / max(abs(other["result"]), 1e-12)
            if difference > 1e-4:
                raise SystemExit(f"{part} of {tool} differs: {own['result']} and {other['result']}.")
            rows.append((part, tool, own["s"], other["s"], f"differs by {difference:.1e}"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", type=Path, help="Python of an environment with the tools")
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--network-images", type=int, default=64)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        print_peak(options.memory_of, options.images)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder / "pictures", options.images)
        for seed, side in enumerate(("first", "second")):
            np.save(folder / f"{side}.npy", features(seed, options.images))
        pixels = np.random.RandomState(9).randint(0, 256, (options.network_images, 3, 299, 299))
        np.save(folder / "pixels.npy", pixels.astype(np.uint8))
        write_weights(folder / "weights.pth")
        theirs: dict[str, Any] = {}
        if options.peers:
            script = Path(__file__).with_name("images_peers.py")
            done = subprocess.run(
                [str(options.peers), str(script), str(folder)], capture_output=True, text=True
            )
            if done.returncode:
                raise SystemExit(f"The peers ended with {done.returncode}: {done.stderr[-2000:]}")
            theirs = json.loads(done.stdout.splitlines()[-1])
        rows = compare(ours(folder), theirs)
        fifth = peak(folder / "pictures", max(100, options.images // 5))
        whole = peak(folder / "pictures", options.images)
        merged = merged_difference(np.load(folder / "first.npy"))
    print(f"{options.images} images and features, {options.network_images} through the network; CPU seconds")
    print(f"{'part':12}{'tool':16}{'ours':>8}{'theirs':>8}{'ratio':>7}  results")
    for part, tool, own, other, remark in rows:
        told = f"{other:8.2f}{other / own:7.2f}" if other is not None else f"{'-':>8}{'-':>7}"
        print(f"{part:12}{tool:16}{own:8.2f}{told}  {remark}")
    print(f"peak memory: {fifth:.0f} MiB for a fifth of the images, {whole:.0f} MiB for all")
    print(f"8 shards merged in random order differ from one pass by {merged:.1e}")
    if options.json:
        figures = {
            "images": options.images,
            "rows": [
                dict(zip(("part", "tool", "ours_s", "peer_s", "remark"), row, strict=True)) for row in rows
            ],
            "peak_mib": {"fifth": fifth, "all": whole},
            "merged_difference": merged,
        }
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
