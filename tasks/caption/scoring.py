"""Captions' scores as COCO's evaluation computes them: per image, and over a set of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from evalsuite.errors import SampleError
from evalsuite.request import require_length
from evalsuite.task import (
    Answered,
    Breakdown,
    SampleScore,
    Scores,
    Statistic,
    mean_statistics,
    row_of,
)
from evalsuite.task.metrics import (
    CaptionScores,
    meteor_obstacle,
    score_captions,
    spice,
    spice_obstacle,
    tokenize_captions,
)
from evalsuite.task.networks import Columns

from . import meteor

if TYPE_CHECKING:
    import numpy as np

BLEU = {f"BLEU-{n}": n - 1 for n in range(1, 5)}
COLUMNS = ("CIDEr", *BLEU, "ROUGE-L", "METEOR", "SPICE")
MEANS = frozenset({"CIDEr", "ROUGE-L", "SPICE"})
"""The columns whose corpus score is the mean over images; BLEU and METEOR add up counts first."""


@dataclass(frozen=True, slots=True)
class CaptionRule:
    """How an evaluation scores captions.

    Args:
        tokenized: texts are lower-cased and freed of punctuation by the PTB tokenizer first.
        lacks: columns that it does not have.
    """

    tokenized: bool = True
    lacks: tuple[str, ...] = ()


RULES: Mapping[str, CaptionRule] = MappingProxyType(
    {"official": CaptionRule(), "vlmevalkit": CaptionRule(tokenized=False, lacks=("METEOR", "SPICE"))}
)
"""`official`: COCO's evaluation (also lmms-eval's). `vlmevalkit`: captions as they are, and neither METEOR
nor SPICE (vlmeval/dataset/image_caption.py)."""


def obstacle(rule: str, column: str) -> str:
    """Why a column cannot be computed under a rule; "" where it can."""
    if column in RULES[rule].lacks:
        return f"The rules {rule!r} have no {column}."
    check = {"METEOR": meteor_obstacle, "SPICE": spice_obstacle}.get(column)
    return check() if check else ""


@dataclass(frozen=True)
class Scorer:
    """Scores captions under the columns that can be computed here.

    Args:
        by: labels of breakdowns.
        answer: gives the postprocessed answer; raises SampleError where it is not text.
    """

    columns: Columns
    rule: CaptionRule
    by: Sequence[Breakdown]
    answer: Callable[[Answered], str]

    def score(self, answered: Iterable[Answered]) -> Scores:
        """Rows with the official per-image scores, and the corpus scores.

        The set is what was answered: images that failed are left out on both sides. CIDEr's document
        frequencies come from the references of this set, and stay so in breakdowns and in every bootstrap
        resample.
        """
        import numpy as np

        rows: list[SampleScore] = []
        scored: list[int] = []
        captions: list[str] = []
        references: list[Sequence[str]] = []
        # Once through: answers are read from disk, and samples may hold whole images.
        for one in answered:
            try:
                said = self.answer(one)
                require_length(said, "The caption")
                for reference in _references(one):
                    require_length(reference, "A reference caption")
            except SampleError as error:
                rows.append(row_of(one)(failure=str(error)))
                continue
            scored.append(len(rows))
            rows.append(row_of(one)(parsed=said))
            captions.append(said)
            references.append(_references(one))
        found = self._measure(captions, references)
        for i, values in zip(scored, found.rows(self.columns.computed), strict=True):
            rows[i] = replace(rows[i], values=values)
        place = np.full(len(rows), -1)
        place[scored] = np.arange(len(scored))
        statistics: list[Statistic] = []
        for metric in self.columns.metrics:
            for plain in mean_statistics(metric, rows, by=self.by):
                if metric.name in MEANS or not plain.rows:
                    statistics.append(plain)
                else:
                    corpus = found.corpus(metric.name, place[list(plain.rows)])
                    statistics.append(replace(plain, function=corpus))
        return Scores(rows, statistics, self.columns.missing)

    def _measure(self, captions: Sequence[str], references: Sequence[Sequence[str]]) -> _Measured:
        if not captions:
            return _Measured()
        if self.rule.tokenized:
            # Across captions and in the official order: the tokenizer looks at the line after.
            flat = iter(tokenize_captions(reference for image in references for reference in image))
            references = [[next(flat) for _ in image] for image in references]
            captions = tokenize_captions(captions)
        names = self.columns.computed
        return _Measured(
            score_captions(captions, references, tokenize=False),
            meteor.measure(captions, references) if "METEOR" in names else None,
            spice(captions, references) if "SPICE" in names else None,
        )


HELD_OUT = "held_out_reference"
"""Detail of an upper bound's answer: the position of the reference that it is."""


def _references(one: Answered) -> Sequence[str]:
    captions: tuple[str, ...] = one.sample.record.captions
    left_out = one.response.details.get(HELD_OUT)
    return captions if left_out is None else (*captions[:left_out], *captions[left_out + 1 :])


@dataclass(frozen=True)
class _Measured:
    """Official scores of the captions that could be scored, by position among them."""

    scores: CaptionScores | None = None
    meteor: meteor.Measured | None = None
    spice: np.ndarray | None = None

    def rows(self, names: Sequence[str]) -> list[dict[str, float]]:
        """The official per-image scores."""
        if self.scores is None:
            return []
        bleu = self.scores.bleu.per_image()
        columns = {"CIDEr": self.scores.cider, "ROUGE-L": self.scores.rouge}
        columns |= {name: bleu[:, n] for name, n in BLEU.items()}
        if self.meteor is not None:
            columns["METEOR"] = self.meteor.segments
        if self.spice is not None:
            columns["SPICE"] = self.spice
        kept = {name: columns[name] for name in names if name in columns}
        return [{name: float(column[at]) for name, column in kept.items()} for at in range(len(bleu))]

    def corpus(self, name: str, at: np.ndarray) -> Callable[[Any], float]:
        """The corpus score as a function of positions within `at`."""
        scores, aggregated = self.scores, self.meteor
        if name in BLEU:
            assert scores is not None
            return lambda chosen: scores.bleu.scores(at[chosen])[BLEU[name]]
        assert aggregated is not None
        return lambda chosen: aggregated.corpus(at[chosen])
