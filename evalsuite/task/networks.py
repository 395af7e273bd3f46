"""Columns that need feature networks: which of them can be computed here, and the features themselves.

A benchmark's file names its networks (`settings.networks`) and which column uses which. Whether their weights
are here is found out when the task is built, before anything is generated: a run whose headline could not
be computed afterwards is refused at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from evalsuite.errors import SpecError, UnavailableError, suggest
from evalsuite.features import (
    FeatureNetwork,
    ImageScorer,
    NetworkSpec,
    PairNetwork,
    TextFeatureNetwork,
    load_any_network,
    load_network,
    load_pair_network,
    load_scorer,
    require_weights,
)
from evalsuite.features.base import AnyNetwork
from evalsuite.features.extraction import image_features, text_features
from evalsuite.options import Option
from evalsuite.task import Metric, TaskInfo
from evalsuite.task.benchmark import Plan

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "OPTIONS",
    "Columns",
    "NetworkSettings",
    "choose_columns",
    "cosines",
    "image_features",
    "refusals_note",
    "text_features",
]

_log = logging.getLogger(__name__)

OPTIONS = (
    Option("metrics", "computes these columns only: NAME,NAME"),
    Option("weights", "folders of networks' weights: KEY=FOLDER,KEY=FOLDER"),
    Option("device", "torch device that networks run on", default="auto"),
)
"""Options of every family that measures with networks."""


class NetworkSettings(BaseModel):
    """A network in a benchmark's file; see `evalsuite.features.NetworkSpec`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    """`clip`, `dino`, `inception`, `lpips`, `sentence`, `structure`, or one that a plugin adds."""
    source: str
    preprocess: str = "openai"
    label: str
    revision: str | None = None

    def spec(self) -> NetworkSpec:
        return NetworkSpec(self.kind, self.source, self.preprocess, self.label, self.revision)


@dataclass(frozen=True)
class Columns:
    """The columns that a task computes here.

    Args:
        names: wanted and possible, in display order.
        missing: wanted but impossible here, with the reason.
        networks: by their key in the benchmark's file, those that the columns need.
        device: where they run.
    """

    info: TaskInfo
    names: tuple[str, ...]
    missing: Mapping[str, str]
    networks: Mapping[str, NetworkSpec]
    device: str
    aggregates: tuple[str, ...] = ()
    """Of `names`, those that are aggregated from other columns."""

    @property
    def computed(self) -> tuple[str, ...]:
        """Of `names`, those that the family computes itself."""
        return tuple(name for name in self.names if name not in self.aggregates)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The columns that the family computes itself, as the leaderboard has them."""
        return tuple(metric for metric in self.info.metrics if metric.name in self.computed)

    def network(self, key: str) -> FeatureNetwork:
        """The network of that key, loaded on first use."""
        return load_network(self.networks[key], self.device)

    def text_network(self, key: str) -> TextFeatureNetwork:
        """The network of that key. Raises SpecError where it has no text side."""
        network = self.network(key)
        if not isinstance(network, TextFeatureNetwork):
            raise SpecError(f"The network {network.name} has no text side.", "Name a network of kind clip.")
        return network

    def pair_network(self, key: str) -> PairNetwork:
        """The network of that key, which compares pairs. Raises SpecError for one of another kind."""
        return load_pair_network(self.networks[key], self.device)

    def scorer(self, key: str) -> ImageScorer:
        """The network of that key, which scores images with texts. Raises SpecError for one of another
        kind."""
        return load_scorer(self.networks[key], self.device)

    def any_network(self, key: str) -> AnyNetwork:
        """The network of that key, of whatever kind."""
        return load_any_network(self.networks[key], self.device)

    def details(self) -> dict[str, Any]:
        """What scoring puts on record about the networks: weights and preprocessing (JSON-able)."""
        return {key: self._details(spec) for key, spec in self.networks.items()}

    def _details(self, spec: NetworkSpec) -> dict[str, str]:
        network = load_any_network(spec, self.device)
        return {
            "name": spec.name,
            "source": spec.source,
            "preprocess": spec.preprocess,
            "dtype": network.dtype,
            "sha256": network.fingerprint,
        }


def choose_columns(
    plan: Plan,
    networks: Mapping[str, NetworkSettings],
    needs: Mapping[str, Sequence[str]],
    unavailable: Callable[[str], str] = lambda _: "",
    optional: Collection[str] = (),
    required: bool = True,
) -> Columns:
    """Which columns are wanted and can be computed here.

    Args:
        networks: the benchmark's networks by key.
        needs: column -> keys of the networks it needs.
        unavailable: reason why a column cannot be computed for another cause, "" where it can.
        optional: columns that are computed only when `metrics=` asks for them.
        required: without the headline there is nothing to run for.

    Raises:
        SpecError: an unknown column or network key.
        UnavailableError: the headline's network is not on this machine and the headline is not left out.
    """
    name = plan.benchmark.name
    declared = [metric.name for metric in plan.benchmark.metrics]
    headline = next(metric.name for metric in plan.benchmark.metrics if metric.headline)
    wanted = _listed(plan.options.get("metrics", "")) or [c for c in declared if c not in optional]
    for column in wanted:
        if column not in declared:
            raise SpecError(f"{name} has no metric {column!r}.", suggest(column, declared))
    specs = _placed(name, networks, plan.options.get("weights", ""))
    missing: dict[str, str] = {}
    for column in wanted:
        reason, remedy = unavailable(column), ""
        for key in needs.get(column, ()):
            if key not in specs:
                raise SpecError(f"{name}: column {column!r} needs a network {key!r}.", suggest(key, specs))
            try:
                require_weights(specs[key])
            except UnavailableError as error:
                reason, remedy = reason or error.what, remedy or error.remedy
        if not reason:
            continue
        if column == headline and required:
            rest = ",".join(c for c in declared if c != column and not needs.get(c))
            raise UnavailableError(
                f"{name}: {column} cannot be computed here. {reason}",
                " ".join(filter(None, (remedy, f"To do without it: metrics={rest}." if rest else ""))),
            )
        missing[column] = f"{reason} {remedy}".strip()
        _log.warning("%s: %s is left out. %s", name, column, missing[column])
    possible = tuple(column for column in declared if column in wanted and column not in missing)
    used = {key for column in possible for key in needs.get(column, ())}
    info = replace(plan.info, metrics=tuple(m for m in plan.info.metrics if m.name in wanted))
    return Columns(
        info,
        possible,
        missing,
        {key: specs[key] for key in sorted(used)},
        plan.options.get("device", "auto"),
        tuple(spec.name for spec in plan.benchmark.metrics if not spec.plain),
    )


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine of each row of (n, d) with the same row of (n, d), float64 (n,)."""
    import numpy as np

    a, b = first.astype(np.float64), second.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines: np.ndarray = np.einsum("nd,nd->n", a, b) / np.maximum(lengths, np.finfo(np.float64).tiny)
    return cosines


def _placed(name: str, networks: Mapping[str, NetworkSettings], option: str) -> dict[str, NetworkSpec]:
    specs = {key: settings.spec() for key, settings in networks.items()}
    for item in _listed(option):
        key, equals, source = item.partition("=")
        if key not in specs or not equals or not source:
            raise SpecError(
                f"{name}: option weights={item!r} is not KEY=FOLDER with a key of this benchmark.",
                f"Keys: {', '.join(specs) or 'none'}.",
            )
        specs[key] = replace(specs[key], source=source, revision=None)
    return specs


def _listed(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def refusals_note(reasons: Collection[str], count: int) -> str:
    """The note on a number that lacks images which its network does not take.

    Args:
        reasons: of the images that are lacking, one each; at least one.
        count: images or samples that it would have been computed on.

    >>> refusals_note(["The image is 1×300."], 5)
    'without 1 of 5, whose image the network does not take: The image is 1×300.'
    """
    first = next(iter(reasons))
    several = "" if len(reasons) == 1 else "the first: "
    images = "image" if len(reasons) == 1 else "images"
    return f"without {len(reasons)} of {count}, whose {images} the network does not take: {several}{first}"
