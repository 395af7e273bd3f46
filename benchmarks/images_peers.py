"""The peers' side of benchmarks/images.py: runs in an environment that has them, knows nothing of evalsuite.

Prints one JSON object: per tool and part CPU seconds, a result to compare, or why it was skipped.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

SIDE = 299
TOOLS = ("pytorch-fid", "clean-fid", "torch-fidelity", "torchmetrics")


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    result = run()
    return result, time.process_time() - start


def allow_torchvision() -> None:
    """A torchvision built for CUDA beside a torch without it lacks two operators that nobody here calls."""
    if torch.version.cuda is not None:
        return
    open_library: Any = torch.library.Library  # without types
    library = open_library("torchvision", "DEF")
    globals()["_kept"] = library  # collected, it would take the operators away again
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def arrays(folder: Path) -> Any:
    return (np.array(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.png")))


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1).copy())[None]


# Images to the network's input, one sum over all pixels to compare


def resize_pytorch_fid(folder: Path) -> float:
    from torchvision.transforms import ToTensor

    total, convert = 0.0, ToTensor()
    for path in sorted(folder.glob("*.png")):
        x = convert(Image.open(path).convert("RGB"))[None]
        x = torch.nn.functional.interpolate(x, (SIDE, SIDE), mode="bilinear", align_corners=False)
        total += float((2 * x - 1).double().abs().sum())
    return total


def resize_clean_fid(folder: Path) -> float:
    from cleanfid.resize import build_resizer

    resize, total = build_resizer("clean"), 0.0
    for image in arrays(folder):
        x = (torch.from_numpy(resize(image).transpose(2, 0, 1).copy()) - 128) / 128
        total += float(x.double().abs().sum())
    return total


def resize_torch_fidelity(folder: Path) -> float:
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    total = 0.0
    for image in arrays(folder):
        x = interpolate_bilinear_2d_like_tensorflow1x(
            tensor(image).float(), size=(SIDE, SIDE), align_corners=False
        )
        total += float(((x - 128) / 128).double().abs().sum())
    return total


def resize_torchmetrics(folder: Path) -> float:
    total = 0.0
    for image in arrays(folder):
        x = torch.nn.functional.interpolate(
            tensor(image).float(), (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True
        )
        total += float(((x - 128) / 128).double().abs().sum())
    return total


# Features to statistics to a distance


def statistics_numpy(dtype: str) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    def statistics(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kept = features.astype(dtype)
        return np.mean(kept, axis=0), np.cov(kept, rowvar=False)

    return statistics


def statistics_torchmetrics(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count, dimensions = features.shape
    sums = torch.zeros(dimensions, dtype=torch.double)
    products = torch.zeros(dimensions, dimensions, dtype=torch.double)
    for start in range(0, count, 64):
        batch = torch.from_numpy(features[start : start + 64]).double()
        sums += batch.sum(dim=0)
        products += batch.t().mm(batch)
    mean = (sums / count)[None]
    return mean[0].numpy(), ((products - count * mean.t().mm(mean)) / (count - 1)).numpy()


def distance_pytorch_fid(first: Any, second: Any) -> float:
    from pytorch_fid.fid_score import calculate_frechet_distance

    return float(calculate_frechet_distance(*first, *second))


def distance_clean_fid(first: Any, second: Any) -> float:
    from cleanfid.fid import frechet_distance

    return float(frechet_distance(*first, *second))


def distance_torch_fidelity(first: Any, second: Any) -> float:
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    sides = [{"mu": mu, "sigma": sigma} for mu, sigma in (first, second)]
    return float(fid_statistics_to_metric(*sides, False)["frechet_inception_distance"])


def distance_torchmetrics(first: Any, second: Any) -> float:
    from torchmetrics.image.fid import _compute_fid

    values = [torch.from_numpy(np.asarray(value, dtype=np.float64)) for value in (*first, *second)]
    return float(_compute_fid(*values))


# The network


def network_torch_fidelity(weights: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    network = FeatureExtractorInceptionV3("made-up", ["2048"], feature_extractor_weights_path=str(weights))
    return lambda pixels: network(pixels)[0]


def network_pytorch_fid(weights: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    from pytorch_fid import inception

    inception.load_state_dict_from_url = lambda *_, **__: torch.load(weights, weights_only=True)
    network = inception.InceptionV3([3]).eval()
    return lambda pixels: network(pixels.float() / 255)[0][:, :, 0, 0]


def throughput(make: Callable[[Path], Callable[[torch.Tensor], torch.Tensor]], folder: Path) -> Any:
    run = make(folder / "weights.pth")
    pixels = torch.from_numpy(np.load(folder / "pixels.npy"))
    found = []
    with torch.no_grad():
        run(pixels[:2])
        start = time.process_time()
        for batch in torch.split(pixels, 16):
            found.append(run(batch))
        seconds = time.process_time() - start
    return {"s": seconds, "result": torch.cat(found).double().mean().item()}


PARTS: dict[str, dict[str, Any]] = {
    "pytorch-fid": {
        "resize": resize_pytorch_fid,
        "statistics": statistics_numpy("float64"),
        "distance": distance_pytorch_fid,
        "network": network_pytorch_fid,
    },
    "clean-fid": {
        "resize": resize_clean_fid,
        "statistics": statistics_numpy("float32"),
        "distance": distance_clean_fid,
    },
    "torch-fidelity": {
        "resize": resize_torch_fidelity,
        "statistics": statistics_numpy("float32"),
        "distance": distance_torch_fidelity,
        "network": network_torch_fidelity,
    },
    "torchmetrics": {
        "resize": resize_torchmetrics,
        "statistics": statistics_torchmetrics,
        "distance": distance_torchmetrics,
    },
}


def measure(tool: str, folder: Path) -> dict[str, Any]:
    parts = PARTS[tool]
    total, seconds = timed(lambda: parts["resize"](folder / "pictures"))
    found: dict[str, Any] = {"resize": {"s": seconds, "result": total}}
    sides = []
    for name in ("first", "second"):
        features = np.load(folder / f"{name}.npy")
        statistics, seconds = timed(partial(parts["statistics"], features))
        sides.append(statistics)
    found["statistics"] = {"s": seconds, "result": float(np.trace(sides[-1][1]))}
    value, seconds = timed(lambda: parts["distance"](*sides))
    found["distance"] = {"s": seconds, "result": value}
    if "network" in parts:
        found["network"] = throughput(parts["network"], folder)
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    allow_torchvision()
    found: dict[str, Any] = {}
    for tool in TOOLS:
        try:
            found[tool] = measure(tool, folder)
        except Exception as error:  # whatever a peer lacks or refuses, the others are measured
            found[tool] = {"skipped": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
