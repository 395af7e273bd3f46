"""Two folders of images under official implementations of FID and its relatives; pairs under torchmetrics."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image
from evalsuite.data.folders import images_in
from evalsuite.data.images import decode
from evalsuite.errors import DataError, SpecError, suggest
from evalsuite.parity.environments import Environments
from evalsuite.parity.lines import Line, Ours, Parity, Tolerance, compare
from evalsuite.parity.packages import PACKAGES

if TYPE_CHECKING:
    import numpy as np

    from evalsuite.metrics.coverage import PrecisionRecall
    from evalsuite.metrics.feature_sets import MeanAndDeviation
    from evalsuite.metrics.frechet import Means

IMAGE_PACKAGES = ("clean-fid", "torch-fidelity", "pytorch-fid", "torchmetrics")
DIMENSIONS = ("64", "192", "768", "2048")
_FRECHET = Tolerance(relative=1e-3, absolute=1e-4)
"""Float32 networks differ by 1e-6 of a feature; where a covariance is singular, scipy's sqrtm adds more."""
_KERNEL = Tolerance(relative=1e-3, absolute=1e-6)
_SHARE = Tolerance(absolute=1e-6)
_SCORE = Tolerance(relative=1e-4)
_STATE_DICTS = (
    "pt_inception-2015-12-05-6726825d.pth",
    "weights-inception-2015-12-05-6726825d.pth",
)
"""Names under which packages look for the state dict in torch hub's cache."""
_SCRIPT = "inception-2015-12-05.pt"


def compare_images(
    generated: Path,
    reference: Path,
    environments: Environments,
    *,
    packages: Sequence[str] = IMAGE_PACKAGES,
    weights: str | None = None,
    dims: str = "2048",
    device: str = "auto",
    subsets: int = 100,
    subset_size: int = 1000,
) -> Parity:
    """FID, KID, precision and recall, and the Inception Score, by each package's own code and by ours.

    Every package gets the very images that evalsuite reads, in the same order, and the same weights.

    Args:
        generated, reference: folders of images.
        packages: of `IMAGE_PACKAGES`.
        weights: file of the Inception weights (state dict, or NVIDIA's TorchScript for clean-fid alone);
            None looks for the published one.
        dims: feature layer, of `DIMENSIONS`; clean-fid has 2048 only. Fewer dimensions need fewer images.
        device: torch device of both sides.
        subsets, subset_size: of KID; cut to the smaller folder.

    Raises:
        DataError: a folder or an image cannot be read.
        SpecError: unknown package or layer.
        UnavailableError: the weights are not here.
    """
    for name in packages:
        if name not in IMAGE_PACKAGES:
            raise SpecError(f"{name!r} does not compare folders of images.", suggest(name, IMAGE_PACKAGES))
    if dims not in DIMENSIONS:
        raise SpecError(f"There is no feature layer {dims!r}.", f"Choose from {', '.join(DIMENSIONS)}.")
    sides = (images_in(generated, "generated"), images_in(reference, "reference"))
    ours = _Features(sides, weights, dims, device)
    smaller = min(map(len, sides))
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="evalsuite-parity-") as name:
        folder = Path(name)
        job: dict[str, Any] = {
            "generated": str(_linked(sides[0], folder / "generated")),
            "reference": str(_linked(sides[1], folder / "reference")),
            "weights": str(ours.weights), "scripted": ours.scripted, "scripts": str(folder / "script"),
            "dims": dims, "device": ours.device, "subsets": subsets, "subset_size": min(subset_size, smaller),
            "splits": 10 if len(sides[0]) >= 10 else 0, "count": smaller,
            "equal_counts": len(sides[0]) == len(sides[1]),
        }  # fmt: skip
        variables = {"TORCH_HOME": str(_hub(ours, folder))}
        for name in packages:
            refused = _refusal(name, ours.scripted, dims)
            if refused:
                lines.append(Line(name, "", "", verdict="absent", note=refused))
                continue
            wanted = _WANTED[name](ours, job)
            lines += compare(PACKAGES[name], {**job, "kind": name}, wanted, environments, variables)
    about = {
        "generated": str(generated), "reference": str(reference), "images": [len(side) for side in sides],
        "weights": str(ours.weights), "weights_sha256": ours.sha256, "dims": dims, "device": ours.device,
    }  # fmt: skip
    return Parity(tuple(lines), about)


def _refusal(package: str, scripted: bool, dims: str) -> str:
    if package == "clean-fid" and dims != "2048":
        return "not compared: clean-fid measures 2,048 dimensions only"
    if package != "clean-fid" and scripted:
        return f"not compared: {package} reads the state dict ({_STATE_DICTS[0]}), not TorchScript"
    return ""


def _linked(images: Sequence[Image], folder: Path) -> Path:
    """A folder with the images under names that keep their order in every package."""
    folder.mkdir()
    for i, image in enumerate(images):
        assert image.path is not None
        suffix = image.path.suffix.lower()
        target = folder / f"{i:08d}{suffix}"
        if suffix in (".png", ".jpg", ".jpeg"):
            target.symlink_to(image.path.absolute())
        else:  # a kind of file that some packages pass over
            decode(image).save(target.with_suffix(".png"))
    return folder


def _hub(ours: _Features, folder: Path) -> Path:
    """A torch home in which packages find the weights where they look for what they would download."""
    hub = folder / "torch" / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    (folder / "script").mkdir()
    target = ours.weights.absolute()
    if ours.scripted:
        (folder / "script" / _SCRIPT).symlink_to(target)
    else:
        for name in _STATE_DICTS:
            (hub / name).symlink_to(target)
    return folder / "torch"


@dataclass
class _Features:
    """Our features of both sides, by the way to the network's input, computed when they are first needed."""

    sides: tuple[Sequence[Image], Sequence[Image]]
    source: str | None
    dims: str
    wanted_device: str
    _kept: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from evalsuite.features._torch import device_of
        from evalsuite.features.catalogue import GROUPS
        from evalsuite.features.weights import find_file
        from evalsuite.metrics.inception import ScriptedInception, load_inception

        self.weights = find_file(self.source or GROUPS["inception"][0])
        self.device = str(device_of(self.wanted_device))
        self.network = load_inception(self.weights, self.device)
        self.scripted = isinstance(self.network, ScriptedInception)
        self.sha256 = self.network.sha256

    def of(self, mode: str, layer: str = "") -> tuple[np.ndarray, np.ndarray]:
        """(N, D) of the generated and (M, D) of the reference images."""
        key = mode, layer or self.dims
        if key not in self._kept:
            first, second = (self._side(side, *key) for side in self.sides)
            self._kept[key] = first, second
        return self._kept[key]

    def _side(self, images: Sequence[Image], mode: str, layer: str) -> np.ndarray:
        import numpy as np

        found = []
        for start in range(0, len(images), 16):
            batch = [np.array(decode(image).convert("RGB")) for image in images[start : start + 16]]
            found.append(self.network.extract(batch, mode, layer))
        return np.concatenate(found)

    def frechet(self, mode: str, means: Means) -> float:
        from evalsuite.metrics.frechet import frechet_distance, gaussian_of

        first, second = self.of(mode)
        return frechet_distance(gaussian_of(first, means), gaussian_of(second, means))

    def kernel(self, mode: str, rule: str, subsets: int, size: int) -> MeanAndDeviation:
        from evalsuite.metrics.feature_sets import kernel_distance

        return kernel_distance(*self.of(mode), subsets=subsets, subset_size=size, rule=rule)

    def coverage(self, mode: str) -> PrecisionRecall:
        from evalsuite.metrics.coverage import precision_recall

        return precision_recall(*self.of(mode))

    def score(self, mode: str) -> MeanAndDeviation:
        from evalsuite.metrics.inception_score import inception_score

        return inception_score(self.of(mode, "logits_unbiased")[0])


_Wanted = dict[tuple[str, str], Ours]


def _clean_fid(ours: _Features, job: Mapping[str, Any]) -> _Wanted:
    modes = {"clean": "clean", "legacy_pytorch": "pytorch-fid", "legacy_tensorflow": "torch-fidelity"}
    found: _Wanted = {}
    for theirs, mode in modes.items():
        found["FID", theirs] = Ours(lambda mode=mode: ours.frechet(mode, "float32"), _FRECHET)  # type: ignore[misc]
        found["KID", theirs] = Ours(
            lambda mode=mode: ours.kernel(mode, "clean-fid", job["subsets"], job["subset_size"]).mean,  # type: ignore[misc]
            _KERNEL,
        )
    return found


def _torch_fidelity(ours: _Features, job: Mapping[str, Any]) -> _Wanted:
    mode = "torch-fidelity"

    def kernel() -> MeanAndDeviation:
        return ours.kernel(mode, "torch-fidelity", job["subsets"], job["subset_size"])

    return {
        ("FID", ""): Ours(lambda: ours.frechet(mode, "float32"), _FRECHET),
        ("KID", ""): Ours(lambda: kernel().mean, _KERNEL),
        ("KID deviation", ""): Ours(lambda: kernel().deviation, _KERNEL),
        ("precision", ""): Ours(lambda: ours.coverage(mode).precision, _SHARE),
        ("recall", ""): Ours(lambda: ours.coverage(mode).recall, _SHARE),
        ("Inception Score", ""): Ours(lambda: ours.score(mode).mean, _SCORE),
        ("Inception Score deviation", ""): Ours(lambda: ours.score(mode).deviation, _KERNEL),
    }


def _pytorch_fid(ours: _Features, job: Mapping[str, Any]) -> _Wanted:
    return {("FID", ""): Ours(lambda: ours.frechet("pytorch-fid", "float64"), _FRECHET)}


def _torchmetrics(ours: _Features, job: Mapping[str, Any]) -> _Wanted:
    def kernel() -> float:
        return ours.kernel("torchmetrics", "torch-fidelity", 1, job["count"]).mean

    return {
        ("FID", ""): Ours(lambda: ours.frechet("torchmetrics", "float64"), _FRECHET),
        ("KID", ""): Ours(kernel, _KERNEL),
    }


_WANTED: Mapping[str, Callable[[_Features, Mapping[str, Any]], _Wanted]] = {
    "clean-fid": _clean_fid,
    "torch-fidelity": _torch_fidelity,
    "pytorch-fid": _pytorch_fid,
    "torchmetrics": _torchmetrics,
}


def compare_pairs(first: Path, second: Path, environments: Environments) -> Parity:
    """PSNR, SSIM and MSE of images of the same names in two folders, by torchmetrics and by ours.

    Raises DataError where names or sizes do not match, or a file cannot be read.
    """
    sides = (images_in(first, "first"), images_in(second, "second"))
    names = [[image.label for image in side] for side in sides]
    if names[0] != names[1]:
        alone = sorted(set(names[0]) ^ set(names[1]))
        raise DataError(
            f"{first} and {second} do not hold images of the same names: {len(alone)} are on one side only, "
            f"for instance {alone[0] if alone else ''}.",
            "Pairs are images of one name.",
        )
    with _pairs(sides) as job:
        wanted = {
            (name, ""): Ours(lambda name=name: _quality(sides, name), tolerance)  # type: ignore[misc]
            for name, tolerance in (
                ("PSNR", Tolerance(relative=1e-5)),
                ("SSIM", Tolerance(absolute=1e-5)),
                ("MSE", Tolerance(relative=1e-5, absolute=1e-9)),
            )
        }
        lines = compare(PACKAGES["torchmetrics"], job, wanted, environments)
    return Parity(tuple(lines), {"first": str(first), "second": str(second), "pairs": len(sides[0])})


@contextmanager
def _pairs(sides: tuple[Sequence[Image], Sequence[Image]]) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="evalsuite-parity-") as name:
        yield {
            "kind": "torchmetrics pairs",
            "generated": str(_linked(sides[0], Path(name) / "first")),
            "reference": str(_linked(sides[1], Path(name) / "second")),
        }


def _quality(sides: tuple[Sequence[Image], Sequence[Image]], name: str) -> list[float]:
    import numpy as np

    from evalsuite.metrics import images

    metric = {"PSNR": images.psnr, "SSIM": images.ssim, "MSE": images.mse}[name]
    pairs = zip(*sides, strict=True)
    return [metric(*(np.array(decode(image).convert("RGB")) for image in pair)) for pair in pairs]
