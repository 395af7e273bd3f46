"""Text-to-image: an image for each caption, measured against real images, the text and, where there is
one, the truth."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import DataError, SpecError
from evalsuite.request import GenerateImages, ImageResponse, Request, Response, fingerprint
from evalsuite.task import (
    FORMULAS,
    Answered,
    FamilyTask,
    Option,
    Plan,
    Sample,
    Scores,
    TaskInfo,
    networks,
    require_columns,
)
from evalsuite.task.miniature import PromptTruth
from evalsuite.task.networks import Columns, choose_columns
from evalsuite.task.readers import Captioned, images_in, sha256_of

from .prompt_list import Prompt, all_prompts, draw_prompts, list_digest, listed_prompts, shuffled
from .readers import CAPTIONED, READERS, TABLES
from .scoring import Scorer
from .settings import ColumnSettings, ProtocolSettings, Settings

_log = logging.getLogger(__name__)

OPTIONS = (
    *networks.OPTIONS,
    Option(
        "reference", "statistics (.npz) or folder to measure the distance to; by default its images", Path
    ),
)


KID_RULES = ("clean-fid", "torch-fidelity")


def _formulas(column: ColumnSettings) -> Collection[str]:
    return KID_RULES if column.measure == "kid" else FORMULAS


def build(plan: Plan) -> ImageTask:
    """The task of a text-to-image benchmark.

    Raises SpecError for a malformed file, UnavailableError when the headline's network is not here.
    """
    settings = plan.settings(Settings)
    name = plan.benchmark.name
    needs = require_columns(plan, settings.columns, _formulas)
    output = plan.output()
    assert isinstance(output, GenerateImages)
    if output.count > 1 and not settings.select:
        raise SpecError(
            f"{name}: {output.count} images per prompt, but settings.select names no network.",
            "Correct the benchmark's file.",
        )
    for metric_name, column in settings.columns.items():
        if output.count > 1 and column.images == "selected":
            # Without the selecting network there is no best of several images.
            needs[metric_name] += (settings.select,)
    optional = {name for name, column in settings.columns.items() if column.optional}
    columns = choose_columns(plan, settings.networks, needs, optional=optional, required=not settings.gallery)
    for role in plan.source.files if plan.source.reader in TABLES else ("captions",):
        plan.source.path(role)
    return ImageTask(plan, settings, columns, output.count)


class ImageTask(FamilyTask):
    """A text-to-image benchmark in one protocol; template field: `prompt`."""

    def __init__(self, plan: Plan, settings: Settings, columns: Columns, count: int) -> None:
        super().__init__(plan)
        self.settings = settings
        self.columns = columns
        self.count = count
        plan.reader(READERS)
        self._orders: dict[int, dict[str, str]] = {}

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
        source = self.plan.source
        if source.reader in TABLES:
            return TABLES[source.reader](source)
        images = self._captioned()
        if source.has("prompt_list"):
            return listed_prompts(source.path("prompt_list"), images)
        if self.settings.every_caption:
            return all_prompts(images)
        return draw_prompts(images, self.settings.prompts, self.settings.seed)

    def _captioned(self) -> Iterator[Captioned]:
        return CAPTIONED[self.plan.source.reader](self.plan.source)

    @cached_property
    def _truth(self) -> PromptTruth | None:
        return PromptTruth.read(self.plan.source) if self.settings.truth else None

    def _samples(self) -> Iterator[Sample]:
        for prompt in self.prompts:
            labels = dict(prompt.labels)
            if self._truth is not None and prompt.reference is not None:
                labels |= self._truth.labels(prompt.reference.label)
            cluster = prompt.image_id if prompt.number else ""
            yield Sample(id=prompt.id, record=prompt, cluster=cluster, labels=labels)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        if self._protocol.pairing == "prompt":
            return None if earlier else self.plan.request({"prompt": sample.record.text})
        if len(earlier) >= self.count:
            return None
        caption = self._captions_of(len(earlier))[sample.id]
        request = self.plan.request({"prompt": caption})
        assert isinstance(request.output, GenerateImages)
        return replace(request, output=replace(request.output, count=1))

    @property
    def _protocol(self) -> ProtocolSettings:
        return self.plan.settings(ProtocolSettings, protocol=True)

    def _captions_of(self, number: int) -> dict[str, str]:
        """Sample id -> caption that its image `number` is generated for, where images are shuffled."""
        if number not in self._orders:
            others = shuffled(self.prompts, number)
            self._orders[number] = {
                prompt.id: other.text for prompt, other in zip(self.prompts, others, strict=True)
            }
        return self._orders[number]

    def reference_answer(self, sample: Sample, earlier: Sequence[Response] = ()) -> Response | None:
        """The image that the caption was written about; None where there is none."""
        image = sample.record.reference
        count = self.count if self._protocol.pairing == "prompt" else 1
        return None if image is None else ImageResponse((image,) * count)

    def target(self, sample: Sample) -> Any:
        return {"prompt": sample.record.text, "captions": list(sample.record.captions)}

    def score(self, answered: Iterable[Answered]) -> Scores:
        protocol = self._protocol
        if protocol.pairing == "shuffled":
            answered = map(_together, answered)
        scorer = Scorer(
            columns=self.columns,
            how={name: self.settings.columns[name] for name in self.columns.computed},
            count=self.count,
            select=self.settings.select if self.count > 1 else "",
            any_caption=protocol.select_by == "any-caption",
            truth=self._truth,
            reference=self.reference(),
            parts=self._reference_parts(),
            by=self.plan.benchmark.by,
            deviation=self.settings.deviation,
        )
        return self.with_aggregates(scorer.score(answered))

    def reference(self) -> Path | Sequence[Image]:
        """What distances are measured to: a statistics file, or images."""
        chosen = self._reference_option
        if chosen is not None and chosen.is_file():
            return chosen
        if chosen is not None:
            return images_in(chosen, "reference")
        if self.settings.reference == "listed":
            return list({p.image_id: p.reference for p in self.prompts if p.reference is not None}.values())
        return [] if self.plan.source.reader in TABLES else [one.image for one in self._captioned()]

    def _reference_parts(self) -> dict[str, list[Image]]:
        """`LABEL=VALUE` -> the images of the reference that belong to it; none where distances are to all."""
        label, found = self.settings.distances_by, dict[str, list[Image]]()
        if label and self._reference_option is None:
            for prompt in self.prompts:
                if label in prompt.labels and prompt.reference is not None:
                    found.setdefault(f"{label}={prompt.labels[label]}", []).append(prompt.reference)
        return dict(sorted(found.items()))

    @property
    def _reference_option(self) -> Path | None:
        given = self.plan.options.get("reference")
        if given is None:
            return None
        path = Path(given).expanduser()
        if not path.exists():
            raise DataError(f"The reference {path} does not exist.", "Check the path after reference=.")
        return path


def _together(one: Answered) -> Answered:
    """The images of several answers as one answer."""
    several = [response.images for response in one.responses if isinstance(response, ImageResponse)]
    together = [image for images in several for image in images]
    return replace(one, responses=(ImageResponse(tuple(together)),))
