"""Text-to-image: a picture for each caption, measured against real pictures, the text and, where there is
one, the truth."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from evalsuite.content import Image
from evalsuite.data.checksum import sha256_of
from evalsuite.data.coco import Captioned, read_captions, read_karpathy
from evalsuite.errors import DataError, SpecError
from evalsuite.registry import suggest
from evalsuite.request import GenerateImages, ImageResponse, Request, Response, fingerprint
from evalsuite.task import Answered, Sample, Scores, TaskInfo

from .. import networks
from ..benchmark import Plan
from ..family import FamilyTask
from ..miniature import PromptTruth
from ..networks import Columns, choose_columns
from ..sources import Located
from .prompt_list import Prompt, draw_prompts, list_digest, listed_prompts
from .scoring import FORMULAS, Scorer
from .settings import ProtocolSettings, Settings

_log = logging.getLogger(__name__)

OPTIONS = (*networks.OPTIONS, "reference")
"""`reference=FILE.npz` or `reference=FOLDER`: what the distance is measured to, in place of the benchmark's
pictures."""


def read_coco(source: Located) -> Iterator[Captioned]:
    """`captions` (COCO's annotation JSON), pictures in the folder `images`."""
    return read_captions(source.path("captions"), source.folder_of("images"))


def read_karpathy_split(source: Located) -> Iterator[Captioned]:
    """`captions` (`dataset_coco.json`) and `images`; `settings.split` (test)."""
    return read_karpathy(
        source.path("captions"), source.folder_of("images"), source.settings.get("split", "test")
    )


READERS = MappingProxyType({"coco-captions-json": read_coco, "karpathy-json": read_karpathy_split})


def build(plan: Plan) -> ImageTask:
    """The task of a text-to-image benchmark.

    Raises SpecError for a malformed file, UnavailableError when the headline's network is not here.
    """
    settings = plan.settings(Settings)
    name = plan.benchmark.name
    for metric in plan.benchmark.metrics:
        column = settings.columns.get(metric.name)
        if column is None:
            raise SpecError(
                f"{name}: settings.columns does not say how {metric.name!r} is computed.",
                "Correct the benchmark's file.",
            )
        if column.formula not in FORMULAS:
            raise SpecError(
                f"{name}: there is no formula {column.formula!r}.", suggest(column.formula, FORMULAS)
            )
    output = plan.output()
    assert isinstance(output, GenerateImages)
    if output.count > 1 and not settings.select:
        raise SpecError(
            f"{name}: {output.count} pictures per prompt, but settings.select names no network.",
            "Correct the benchmark's file.",
        )
    needs = {}
    for metric_name, column in settings.columns.items():
        # Without the selecting network there is no best of several pictures.
        selected = output.count > 1 and column.images == "selected"
        needs[metric_name] = tuple(filter(None, (column.network, settings.select if selected else "")))
    columns = choose_columns(plan, settings.networks, needs)
    plan.source.path("captions")
    return ImageTask(plan, settings, columns, output.count)


class ImageTask(FamilyTask):
    """A text-to-image benchmark in one protocol; template field: `prompt`."""

    def __init__(self, plan: Plan, settings: Settings, columns: Columns, count: int) -> None:
        super().__init__(plan)
        self.settings = settings
        self.columns = columns
        self.count = count
        self._read = plan.reader(READERS)

    @property
    def info(self) -> TaskInfo:
        return self.columns.info

    def fingerprint(self) -> str:
        found = {"plan": super().fingerprint(), "prompts": list_digest(self.prompts)}
        reference = self._reference_option
        if reference is not None and reference.is_file():
            found["reference"] = sha256_of(reference)
        return fingerprint(found)

    @cached_property
    def prompts(self) -> list[Prompt]:
        """The whole list, in order."""
        images = self._read(self.plan.source)
        if self.plan.source.has("prompt_list"):
            return listed_prompts(self.plan.source.path("prompt_list"), images)
        return draw_prompts(images, self.settings.prompts, self.settings.seed)

    @cached_property
    def _truth(self) -> PromptTruth | None:
        return PromptTruth.read(self.plan.source) if self.settings.truth else None

    def _samples(self) -> Iterator[Sample]:
        for prompt in self.prompts:
            labels = self._truth.labels(prompt.reference.label) if self._truth else {}
            yield Sample(id=prompt.image_id, record=prompt, labels=labels)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        return None if earlier else self.plan.request({"prompt": sample.record.text})

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        """The picture that the caption was written about."""
        output = self.plan.output()
        assert isinstance(output, GenerateImages)
        return ImageResponse((sample.record.reference,) * output.count)

    def target(self, sample: Sample) -> Any:
        return {"prompt": sample.record.text, "captions": list(sample.record.captions)}

    def score(self, answered: Iterable[Answered]) -> Scores:
        select_by = self.plan.settings(ProtocolSettings, protocol=True).select_by
        scorer = Scorer(
            columns=self.columns,
            how={name: self.settings.columns[name] for name in self.columns.names},
            count=self.count,
            select=self.settings.select if self.count > 1 else "",
            any_caption=select_by == "any-caption",
            truth=self._truth,
            reference=self.reference(),
            by=self.plan.benchmark.by,
        )
        return scorer.score(answered)

    def reference(self) -> Path | list[Image]:
        """What distances are measured to: a statistics file, or pictures."""
        chosen = self._reference_option
        if chosen is not None and chosen.is_file():
            return chosen
        if chosen is not None:
            found = sorted(path for path in chosen.rglob("*") if path.suffix.lower() in _SUFFIXES)
            if not found:
                raise DataError(
                    f"The reference folder {chosen} holds no pictures.", "Check the path after reference=."
                )
            return [Image(path=path, name=path.name) for path in found]
        if self.settings.reference == "listed":
            return [prompt.reference for prompt in self.prompts]
        return [one.image for one in self._read(self.plan.source)]

    @property
    def _reference_option(self) -> Path | None:
        given = self.plan.options.get("reference")
        if given is None:
            return None
        path = Path(given).expanduser()
        if not path.exists():
            raise DataError(f"The reference {path} does not exist.", "Check the path after reference=.")
        return path


_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
