"""Captioning, scored as COCO's evaluation does; METEOR and SPICE where Java and their programs are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from evalsuite.errors import DataError, SampleError, SpecError, suggest
from evalsuite.request import Request, Response, TextResponse, require_length
from evalsuite.task import (
    Answered,
    FamilyTask,
    Located,
    Plan,
    Sample,
    SampleScore,
    Scores,
    Shot,
    Statistic,
    TaskInfo,
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
from evalsuite.task.miniature import SceneTruth
from evalsuite.task.networks import Columns, choose_columns
from evalsuite.task.readers import Captioned, field, image_cell, read_coco, read_karpathy_split, read_table

from . import meteor
from .readers import READERS

if TYPE_CHECKING:
    import numpy as np

BLEU = {f"BLEU-{n}": n - 1 for n in range(1, 5)}
COLUMNS = ("CIDEr", *BLEU, "ROUGE-L", "METEOR", "SPICE")
MEANS = frozenset({"CIDEr", "ROUGE-L", "SPICE"})
"""The columns whose corpus score is the mean over images; BLEU and METEOR add up counts first."""
OFFICIAL, UNTOKENIZED = "official", "vlmevalkit"
RULES = (OFFICIAL, UNTOKENIZED)
"""`official`: COCO's evaluation (also lmms-eval's). `vlmevalkit`: captions as they are, neither lower-cased
nor freed of punctuation, and neither METEOR nor SPICE (vlmeval/dataset/image_caption.py)."""
SHOTS = True
OPTIONS = ("metrics",)
"""`metrics=NAME,NAME` computes only these columns."""


class Settings(BaseModel):
    """What a captioning benchmark's file may say under `settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    truth: Literal["", "mini-world"] = ""
    """Labels for breakdowns from the miniature's sidecar file."""


def read_columns(source: Located) -> Iterator[Captioned]:
    """A table with the columns id, image, captions (a list of strings)."""
    for where, row in read_table(source.paths("table"), source.columns):
        captions = field(row, "captions", list, where)
        if not captions or not all(isinstance(caption, str) for caption in captions):
            raise DataError(f"{where} has no captions ({captions!r:.80}).", "Name the right column.")
        name = str(row["id"])
        yield Captioned(name, image_cell(row["image"], f"{where} (image {name})"), tuple(captions))


READERS = MappingProxyType(
    {
        "coco-captions-json": read_coco,
        "karpathy-json": read_karpathy_split,
        "captions-table": read_columns,
        **READERS,
    }
)


def build(plan: Plan) -> CaptionTask:
    """The task of a captioning benchmark. Raises SpecError for an unknown rule, or a column that is not a
    caption score."""
    if plan.rule not in RULES:
        raise SpecError(
            f"{plan.benchmark.name}: there is no caption rule {plan.rule!r}.", suggest(plan.rule, RULES)
        )
    for metric in plan.benchmark.metrics:
        if metric.name not in COLUMNS:
            raise SpecError(
                f"{plan.benchmark.name}: {metric.name!r} is no caption score.", suggest(metric.name, COLUMNS)
            )
    columns = choose_columns(plan, {}, {}, partial(_obstacle, plan.rule))
    task = CaptionTask(plan, plan.settings(Settings), columns)
    plan.source.paths(next(iter(plan.source.files)))
    return task


def _obstacle(rule: str, column: str) -> str:
    """Why a column cannot be computed under a rule; "" where it can."""
    obstacles = {"METEOR": meteor_obstacle, "SPICE": spice_obstacle}
    if column not in obstacles:
        return ""
    return f"The rules {rule!r} have no {column}." if rule == UNTOKENIZED else obstacles[column]()


class CaptionTask(FamilyTask):
    """A captioning benchmark in one protocol; template field: `image`."""

    def __init__(self, plan: Plan, settings: Settings, columns: Columns) -> None:
        super().__init__(plan)
        self.settings = settings
        self.columns = columns
        self._read: Callable[[Located], Iterator[Captioned]] = plan.reader(READERS)

    @property
    def info(self) -> TaskInfo:
        return self.columns.info

    @cached_property
    def _truth(self) -> SceneTruth | None:
        return SceneTruth.read(self.plan.source) if self.settings.truth else None

    def _samples(self) -> Iterator[Sample]:
        return self._of(self.plan.source)

    def _examples(self) -> Iterator[Sample]:
        return self._of(self.plan.source.of_examples())

    def _shot(self, example: Sample) -> Shot:
        return Shot({"image": example.record.image}, example.record.captions[0].strip())

    def _of(self, source: Located) -> Iterator[Sample]:
        for image in self._read(source):
            labels = dict(image.labels)
            if self._truth:
                labels |= self._truth.labels(image.image.label)
            yield Sample(id=image.id, record=image, labels=labels)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        return None if earlier else self.plan.request({"image": sample.record.image}, self.shots(sample))

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        """The first person's caption. Scoring then leaves it out of the references: a person is compared with
        the others, not with himself."""
        captions = sample.record.captions
        return TextResponse(captions[0], details={HELD_OUT: 0}) if len(captions) > 1 else None

    def target(self, sample: Sample) -> Any:
        return list(sample.record.captions)

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
        for i, values in zip(scored, found.rows(self.columns.names), strict=True):
            rows[i] = replace(rows[i], values=values)
        place = np.full(len(rows), -1)
        place[scored] = np.arange(len(scored))
        statistics: list[Statistic] = []
        for metric in self.columns.metrics:
            for plain in mean_statistics(metric, rows, by=self.plan.benchmark.by):
                if metric.name in MEANS or not plain.rows:
                    statistics.append(plain)
                else:
                    corpus = found.corpus(metric.name, place[list(plain.rows)])
                    statistics.append(replace(plain, function=corpus))
        return Scores(rows, statistics, self.columns.missing)

    def _measure(self, captions: Sequence[str], references: Sequence[Sequence[str]]) -> _Measured:
        if not captions:
            return _Measured()
        if self.plan.rule != UNTOKENIZED:
            # Across captions and in the official order: the tokenizer looks at the line after.
            flat = iter(tokenize_captions(reference for image in references for reference in image))
            references = [[next(flat) for _ in image] for image in references]
            captions = tokenize_captions(captions)
        names = self.columns.names
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
