"""Distances between two sets of images without a benchmark: folders, or statistics saved before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evalsuite.content import Image
from evalsuite.data.folders import ImageFolder, images_in
from evalsuite.data.images import lossy
from evalsuite.deprecation import Moved, warn
from evalsuite.durable import writing
from evalsuite.errors import DataError, SpecError, suggest
from evalsuite.features import FeatureNetwork, NetworkSpec
from evalsuite.features.catalogue import GROUPS
from evalsuite.features.decoding import Decoded
from evalsuite.features.extraction import feature_batches
from evalsuite.features.statistics import protocol_of, require_complete, statistics_of
from evalsuite.metrics.coverage import precision_recall
from evalsuite.metrics.feature_sets import FeatureSet, kernel_distance
from evalsuite.metrics.frechet import Gaussian, GaussianStatistics, frechet_distance
from evalsuite.store.features import FeatureFolder
from evalsuite.store.layout import MANIFEST

if TYPE_CHECKING:
    import numpy as np


def network_spec(name: str, mode: str) -> NetworkSpec:
    """The network of `KIND` or `KIND:SOURCE`, with a named preprocessing.

    Raises SpecError for an unknown kind, and for one that needs a source.

    Examples:
        >>> network_spec("inception", "clean").source
        'pt_inception-2015-12-05-6726825d.pth'
    """
    kind, _, source = name.partition(":")
    if kind == "inception":
        return NetworkSpec("inception", source or GROUPS["inception"][0], mode, "Inception")
    if kind not in ("clip", "dino"):
        raise SpecError(
            f"There is no kind of feature network {kind!r}.", suggest(kind, ("inception", "clip", "dino"))
        )
    if not source:
        raise SpecError(f"Which {kind} network?", f"Write {kind}:FOLDER or {kind}:OWNER/NAME.")
    return NetworkSpec(kind, source, mode)


def save_statistics(images: Sequence[Image], network: FeatureNetwork, out: Path) -> Gaussian:
    """Computes mean and covariance of images and writes them with their protocol.

    Raises DataError for broken images, StoreError when the file cannot be written.
    """
    found = statistics_of(images, network)
    if isinstance(images, ImageFolder):
        found = replace(found, images=images.record())
    with writing(out) as temporary:
        found.save(temporary)
    return found


@dataclass
class Measured:
    """Distances by name, under which network and mode, of which images, and what a reader should know.

    Args:
        sides: `generated` and `reference`: how many images were read of which folder and what was skipped, or
            what the file of statistics says of itself. JSON-able.
        summaries: the same in a line for each side.
    """

    network: str
    mode: str
    features: dict[str, Any] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    sides: dict[str, dict[str, Any]] = field(default_factory=dict)
    summaries: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def told(self) -> list[str]:
        """Deprecated name of `summaries`."""
        warn("Measured.told", Moved("Measured.summaries"))
        return self.summaries

    def record(self) -> dict[str, Any]:
        """All of it, with how the features were made; JSON-able."""
        return {
            "distances": self.values,
            "sides": self.sides,
            "features": self.features,
            "notes": self.notes,
        }


SIDES = ("generated", "reference")
"""The two sides, in the order in which they are given."""


def check(generated: Path, reference: Path, also: Sequence[str] = ()) -> None:
    """What `measure` can refuse without a network.

    Raises SpecError for an unknown name, DataError for a side that is not there.
    """
    for name in also:
        if name not in MORE:
            raise SpecError(f"There is no distance {name!r}.", suggest(name, MORE))
    for what, side in zip(SIDES, (generated, reference), strict=True):
        if not side.exists():
            raise DataError(
                f"There is no {side} (the {what} side).", "Give a folder of images, or an .npz of statistics."
            )


def measure(generated: Path, reference: Path, network: FeatureNetwork, also: Sequence[str] = ()) -> Measured:
    """Fréchet distance of two folders or statistics files, and more of two folders.

    Args:
        also: names in `MORE`.

    Raises DataError for what cannot be read and for statistics of another kind, SpecError for unknown names.
    """
    check(generated, reference, also)
    found = Measured(network.name, protocol_of(network).mode, asdict(protocol_of(network)))
    pairs = zip(SIDES, (generated, reference), strict=True)
    sides = [_side(what, path, network, bool(also), found) for what, path in pairs]
    found.values["frechet"] = frechet_distance(sides[0].gaussian, sides[1].gaussian)
    for name in also:
        features = [side.features for side in sides]
        if features[0] is None or features[1] is None:
            found.notes.append(f"{name} needs the images of both sides, not statistics: left out")
            continue
        found.values |= MORE[name](features[0], features[1])
    return found


@dataclass(frozen=True)
class _Side:
    gaussian: Gaussian
    features: np.ndarray | None


def _side(what: str, path: Path, network: FeatureNetwork, keep: bool, found: Measured) -> _Side:
    if path.is_dir():
        images = images_in(path, what)
        found.sides[what] = images.record()
        found.summaries.append(f"{what}: {images.summary()}")
        if what == SIDES[0] and (note := _losses(images)):
            found.notes.append(note)
        return _computed(images, network, keep, what, _run_of(path))
    gaussian = Gaussian.load(path)
    made_of = dict(gaussian.images or {})
    found.sides[what] = {"statistics": str(path), "images": gaussian.count, "made_of": made_of}
    count = "an unknown number of" if gaussian.count is None else str(gaussian.count)
    found.summaries.append(f"{what}: {path}: statistics of {count} images")
    if gaussian.protocol is None:
        found.notes.append(f"{path} does not say how it was made: mode unknown")
    elif difference := gaussian.protocol.difference(protocol_of(network)):
        raise DataError(
            f"{path} is of another kind than asked for: {difference}.",
            "Ask for its mode, or make it again with `evalsuite statistics`.",
        )
    return _Side(gaussian, None)


def _losses(images: Sequence[Image]) -> str:
    """A warning where generated images have been compressed with losses, which a distance measures too."""
    kinds = [kind for kind in map(lossy, images) if kind]
    if not kinds:
        return ""
    return (
        f"{len(kinds)} of {len(images)} generated images are {kinds[0]}, whose losses are measured too: save "
        "generated images without losses (PNG)"
    )


def _run_of(folder: Path) -> FeatureFolder | None:
    """The kept features of the run that a folder of images belongs to; None where it belongs to none."""
    for parent in (folder.absolute(), *folder.absolute().parents[:3]):
        if (parent / MANIFEST).is_file():
            return FeatureFolder(parent)
    return None


def _computed(
    images: Sequence[Image], network: FeatureNetwork, keep: bool, what: str, folder: FeatureFolder | None
) -> _Side:
    state, sums, kept = Decoded(), GaussianStatistics(network.means), FeatureSet()
    for features in feature_batches(images, network, state, folder):
        sums.update(features)
        if keep:
            kept.update(features)
    require_complete(state, len(images), what)
    return _Side(sums.finalize(protocol_of(network)), kept.finalize() if keep else None)


def _kid(rule: str) -> Callable[[Any, Any], dict[str, float]]:
    def distances(generated: Any, reference: Any) -> dict[str, float]:
        found = kernel_distance(generated, reference, rule=rule)
        return {f"KID ({rule})": found.mean, f"KID ({rule}) deviation": found.deviation}

    return distances


def _coverage(generated: Any, reference: Any) -> dict[str, float]:
    found = precision_recall(generated, reference)
    return {"precision": found.precision, "recall": found.recall}


MORE: Mapping[str, Callable[[Any, Any], dict[str, float]]] = MappingProxyType(
    {"kid": _kid("clean-fid"), "kid-torch-fidelity": _kid("torch-fidelity"), "precision-recall": _coverage}
)
"""Distances beside Fréchet's, by name."""
