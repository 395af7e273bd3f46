"""Scores of generated images: selection among several, similarity to the text, distance to the reference, the
truth."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evalsuite.content import Image
from evalsuite.errors import DataError, SampleError
from evalsuite.task import (
    FORMULAS,
    Answered,
    Breakdown,
    Metric,
    SampleScore,
    Scores,
    Statistic,
    generated_images,
    mean_statistics,
)
from evalsuite.task.features import InceptionLogits
from evalsuite.task.miniature import PromptTruth
from evalsuite.task.networks import Columns, cosines, image_features, refusals_note, text_features
from evalsuite.task.readers import decode, lossy

from . import distributions
from .distributions import Distributions
from .prompt_list import Prompt
from .settings import ColumnSettings, Deviation

if TYPE_CHECKING:
    import numpy as np

_log = logging.getLogger(__name__)
Which = Literal["selected", "first"]
_LOGITS = "logits of "
_Seen = tuple[str, Which]
"""A network's key (or that of its class scores) and the images that it saw."""


@dataclass(frozen=True)
class Scorer:
    """Scores answers under the columns that can be computed here.

    Args:
        how: of each column in `columns.names`.
        count: images per prompt.
        select: key of the network that selects among them; "" takes the first.
        any_caption: selection looks at all captions of the reference image, not only at the prompt.
        reference: statistics file or images that distances are measured to.
        parts: `LABEL=VALUE` -> the part of the reference that belongs to samples of that label.
    """

    columns: Columns
    how: Mapping[str, ColumnSettings]
    count: int
    select: str
    any_caption: bool
    truth: PromptTruth | None
    reference: Path | Sequence[Image]
    by: Sequence[Breakdown]
    parts: Mapping[str, Sequence[Image]] = field(default_factory=dict)
    deviation: Deviation | None = None

    def score(self, answers: Iterable[Answered]) -> Scores:
        """Rows in the order of `answers`; a prompt with a broken image or too few of them, or with one that
        the selecting network does not take, is a failure. An image that another network does not take lacks
        that network's columns."""
        # Images are files, so that all answers together are small.
        answered = list(answers)
        failures = {i: reason for i, one in enumerate(answered) if (reason := self._unusable(one))}
        usable = [i for i in range(len(answered)) if i not in failures]
        prompts: list[Prompt] = [answered[i].sample.record for i in usable]
        generated = [answered[i].response.images for i in usable]
        selected, broken, seen = self._selected(prompts, generated)
        chosen: dict[Which, list[Image]] = {
            "first": [images[0] for images in generated],
            "selected": [images[k] for images, k in zip(generated, selected, strict=True)],
        }
        features, refused = self._features(prompts, chosen, broken)
        if seen is not None:
            features[self.select, "selected"] = seen
        values, words = self._values(prompts, chosen, features, broken, refused)
        failures |= {usable[at]: reason for at, reason in broken.items()}
        rows = []
        place = {i: at for at, i in enumerate(usable)}
        for i, one in enumerate(answered):
            sample = one.sample
            if i in failures:
                rows.append(
                    SampleScore(sample.id, cluster=sample.cluster, labels=sample.labels, failure=failures[i])
                )
                continue
            at = place[i]
            said = f"image {selected[at] + 1} of {self.count}" if self.count > 1 else ""
            parsed = "; ".join(filter(None, (said, words[at])))
            rows.append(SampleScore(sample.id, values[at], sample.cluster, sample.labels, parsed))
        return self._told(rows, place, features, chosen, refused)

    def _features(
        self, prompts: Sequence[Prompt], chosen: Mapping[Which, list[Image]], broken: dict[int, str]
    ) -> tuple[dict[_Seen, np.ndarray], dict[_Seen, dict[int, str]]]:
        """By network and which images: features, class scores, or scores (n, 1); and the prompts whose image
        the network does not take, with the reason. Each image is decoded once for all networks. What the
        selecting network saw of the selected images is not among them."""
        # One image per prompt is both the first and the selected one.
        passes: list[tuple[Which, ...]] = (
            [("selected", "first")] if self.count == 1 else [("selected",), ("first",)]
        )
        features: dict[_Seen, np.ndarray] = {}
        refused: dict[_Seen, dict[int, str]] = {}
        for which in passes:
            keys = {feature_key(how) for how in self.how.values() if how.network and how.images in which}
            if self.select and "selected" in which:
                keys.discard(self.select)
            if not keys:
                continue
            networks = {key: self._network(key) for key in sorted(keys)}
            found, state = image_features(networks, chosen[which[0]], [prompt.text for prompt in prompts])
            broken |= state.failures
            features |= {(key, one): found[key] for key in keys for one in which}
            refused |= {(key, one): places for key, places in state.refused.items() for one in which}
        return features, refused

    def _network(self, key: str) -> Any:
        name = key.removeprefix(_LOGITS)
        network = self.columns.any_network(name)
        return network if name == key else InceptionLogits(network)

    def _unusable(self, one: Answered) -> str:
        try:
            generated_images(one.response, self.count)
        except SampleError as error:
            return str(error)
        return ""

    def _selected(
        self, prompts: Sequence[Prompt], generated: Sequence[Sequence[Image]]
    ) -> tuple[list[int], dict[int, str], np.ndarray | None]:
        """The image chosen for each prompt, the prompts with broken images, and the selecting network's
        features of the chosen images."""
        if not self.select:
            return [0] * len(prompts), {}, None
        import numpy as np

        network = self.columns.text_network(self.select)
        found, state = image_features(
            {self.select: network}, [image for images in generated for image in images]
        )
        broken = {at // self.count: reason for at, reason in state.without(self.select).items()}
        texts = [prompt.captions if self.any_caption else (prompt.text,) for prompt in prompts]
        unique = sorted({text for group in texts for text in group})
        embedded = dict(zip(unique, _unit(text_features(network, unique)), strict=True))
        drawn = _unit(np.nan_to_num(found[self.select])).reshape(len(prompts), self.count, -1)
        best = [
            int((drawn[at] @ np.stack([embedded[text] for text in texts[at]]).T).max(axis=1).argmax())
            for at in range(len(prompts))
        ]
        at_best = [at * self.count + best[at] for at in range(len(prompts))]
        return best, broken, found[self.select][at_best]

    def _values(
        self,
        prompts: Sequence[Prompt],
        chosen: Mapping[Which, Sequence[Image]],
        features: Mapping[_Seen, np.ndarray],
        broken: dict[int, str],
        refused: Mapping[_Seen, Mapping[int, str]],
    ) -> tuple[list[dict[str, float]], list[str]]:
        """The columns that each prompt has by itself; in words what the truth says, and what is lacking."""
        values: list[dict[str, float]] = [{} for _ in prompts]
        words = [""] * len(prompts)
        lacking: list[list[str]] = [[] for _ in prompts]
        for name, how in self.how.items():
            without = refused.get((feature_key(how), how.images), {})
            for at, reason in without.items():
                lacking[at].append(f"no {name}: {reason}")
            taken = [at for at in range(len(prompts)) if at not in without]
            if how.measure == "similarity":
                formula = FORMULAS[how.formula]
                network = self.columns.text_network(how.network)
                texts = text_features(network, [formula.prefix + p.text for p in prompts])
                scores = formula.of(cosines(features[how.network, how.images], texts), network)
                for at in taken:
                    values[at][name] = float(scores[at])
            elif how.measure == "score":
                for at in taken:
                    values[at][name] = float(features[how.network, how.images][at, 0])
        for which in ("selected", "first"):
            wanted = [
                name for name, how in self.how.items() if how.measure == "truth" and how.images == which
            ]
            if not wanted or self.truth is None:
                continue
            for at, prompt in enumerate(prompts):
                if at in broken:
                    continue
                assert prompt.reference is not None
                try:
                    seen = self.truth.drawn(
                        prompt.image_id, prompt.reference.label, prompt.text, decode(chosen[which][at])
                    )
                except DataError as error:
                    broken[at] = str(error)
                    continue
                values[at] |= {name: seen.values[name] for name in wanted if name in seen.values}
                words[at] = words[at] or seen.words
        return values, [
            "; ".join(filter(None, parts)) for parts in zip(words, map("; ".join, lacking), strict=True)
        ]

    def _told(
        self,
        rows: Sequence[SampleScore],
        place: Mapping[int, int],
        features: Mapping[_Seen, np.ndarray],
        chosen: Mapping[Which, Sequence[Image]],
        refused: Mapping[_Seen, Mapping[int, str]],
    ) -> Scores:
        metrics = {metric.name: metric for metric in self.columns.info.metrics}
        whole = [i for i, row in enumerate(rows) if not row.failure]
        notes: dict[str, str] = {}
        statistics: list[Statistic] = []
        missing = dict(self.columns.missing)
        distances = Distributions(self.reference, self.columns.network)
        lost: dict[Which, str] = {}
        for name, how in self.how.items():
            metric: Metric = metrics[name]
            without = refused.get((feature_key(how), how.images), {})
            scored = [i for i in whole if place[i] not in without]
            if len(scored) < len(whole):
                reasons = [without[place[i]] for i in whole if place[i] in without]
                notes[name] = refusals_note(reasons, len(whole))
            if how.measure not in distributions.NAMES:
                statistics += mean_statistics(metric, rows, by=self.by)
                continue
            drawn = features[feature_key(how), how.images][[place[i] for i in scored]]
            if how.images not in lost:  # every file is opened for it
                files = (chosen[how.images][place[i]] for i in whole)
                lost[how.images] = next(filter(None, map(lossy, files)), "")
            if lost[how.images]:
                missing[name] = (
                    f"a generated image is a {lost[how.images]}, whose losses would be measured too"
                )
                continue
            try:
                statistics.append(distances.statistic(metric, how, scored, drawn))
                if how.measure == "frechet":
                    statistics += self._by_parts(metric, how, rows, scored, drawn)
            except SampleError as error:
                missing[name] = str(error)
        details = self.columns.details() | distances.record | self._deviations(rows)
        return Scores(rows, statistics, missing, details, notes)

    def _by_parts(
        self,
        metric: Metric,
        how: ColumnSettings,
        rows: Sequence[SampleScore],
        scored: Sequence[int],
        drawn: np.ndarray,
    ) -> list[Statistic]:
        """Distances of the images of each label's value to their part of the reference, without intervals: at
        2,048 dimensions each takes seconds, and an interval twenty of them."""
        found: list[Statistic] = []
        for group, images in self.parts.items():
            label, _, value = group.partition("=")
            at = [place for place, i in enumerate(scored) if rows[i].labels.get(label) == value]
            if len(at) >= distributions.FEWEST:
                part = Distributions(images, self.columns.network)
                one = part.statistic(metric, how, [scored[place] for place in at], drawn[at])
                found.append(replace(one, group=group, resampling="none", most_resamples=None))
        return found

    def _deviations(self, rows: Sequence[SampleScore]) -> dict[str, dict[str, dict[str, float]]]:
        """By `COLUMN by LABEL` and the label's value: mean and deviation of the groups' means."""
        if self.deviation is None:
            return {}
        label, found = self.deviation.by, {}
        for name in (name for name, how in self.how.items() if how.measure == "score"):
            values: dict[str, list[float]] = {}
            for row in rows:
                if name in row.values and label in row.labels:
                    values.setdefault(row.labels[label], []).append(row.values[name])
            found[f"{name} by {label}"] = {
                value: dict(zip(("mean", "std"), grouped(scores, self.deviation.group), strict=True))
                for value, scores in values.items()
            }
        return found


def grouped(values: Sequence[float], size: int) -> tuple[float, float]:
    """Mean and standard deviation (population) of the means of groups of `size` neighbouring values.

    As HPSv2's script has it: a last, smaller group weighs as much as a full one.
    """
    import numpy as np

    means = [np.mean(values[start : start + size]) for start in range(0, len(values), size)]
    return float(np.mean(means)), float(np.std(means))


def feature_key(how: ColumnSettings) -> str:
    """Under which key a column's features are kept: its network, or that network's class scores."""
    return _LOGITS + how.network if how.measure == "inception-score" else how.network


def _unit(vectors: np.ndarray) -> np.ndarray:
    import numpy as np

    unit: np.ndarray = vectors / np.maximum(
        np.linalg.norm(vectors, axis=-1, keepdims=True), np.finfo(np.float32).tiny
    )
    return unit
