"""Interleaved documents: written from an instruction, or images generated for the true text of a document.

Which of the two is the benchmark's capability: `interleaved` asks for a whole document, `edit` for one
image after the other (an image of text and images).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from evalsuite.content import Document, Image, Text
from evalsuite.errors import SampleError, SpecError
from evalsuite.request import (
    GenerateDocument,
    GenerateImages,
    ImageResponse,
    Request,
    Response,
    describe_document,
)
from evalsuite.task import (
    Answered,
    FamilyTask,
    Plan,
    Sample,
    Scores,
    TaskInfo,
    Value,
    fields_of,
    networks,
    require_columns,
)
from evalsuite.task.miniature import StoryTruth
from evalsuite.task.networks import Columns, choose_columns
from evalsuite.task.readers import InterleavedDocument

from .form import joined
from .readers import READERS
from .scoring import Scorer
from .settings import ProtocolSettings, Settings

OPTIONS = networks.OPTIONS


_NOT_FOR = {"interleaved": ("image_similarity",), "edit": ("CIDEr", "ROUGE-L", "form", "num_images")}
"""Measures that make no sense by capability."""


def build(plan: Plan) -> FamilyTask:
    """The task of a benchmark of documents.

    Raises SpecError for a malformed file, UnavailableError when the headline's network is not here.
    """
    settings = plan.settings(Settings)
    benchmark = plan.benchmark
    needs = require_columns(plan, settings.columns)
    for name, column in settings.columns.items():
        if column.measure in _NOT_FOR.get(benchmark.capability, ()):
            raise SpecError(
                f"{benchmark.name}: {name!r} cannot be computed of the capability {benchmark.capability}.",
                "Correct the benchmark's file.",
            )
    output = plan.output()
    if isinstance(output, GenerateImages) and output.count != 1:
        raise SpecError(f"{benchmark.name}: one image per place.", "Correct the protocol's decoding.")
    columns = choose_columns(plan, settings.networks, needs)
    plan.source.paths("documents")
    if isinstance(output, GenerateDocument):
        return DocumentTask(plan, settings, columns, output.max_images)
    if isinstance(output, GenerateImages):
        return ImageTask(plan, settings, columns)
    raise SpecError(
        f"{benchmark.name}: documents are of capability interleaved or edit, not {benchmark.capability}.",
        "Correct the benchmark's file.",
    )


class _Documents(FamilyTask):
    """What both tasks share."""

    max_images_per_document = 0

    def __init__(self, plan: Plan, settings: Settings, columns: Columns) -> None:
        super().__init__(plan)
        self.settings = settings
        self.columns = columns
        self.protocol = plan.settings(ProtocolSettings, protocol=True)
        self._read = plan.reader(READERS)

    @property
    def info(self) -> TaskInfo:
        return self.columns.info

    @cached_property
    def _truth(self) -> StoryTruth | None:
        return StoryTruth.read(self.plan.source) if self.settings.truth else None

    def _samples(self) -> Iterator[Sample]:
        for one in self._read(self.plan.source):
            labels = {"num_images": str(len(one.images)), **one.labels}
            yield Sample(one.id, one, labels=labels)

    def target(self, sample: Sample) -> Any:
        return {"document": describe_document(sample.record.parts)}

    def reference(self, sample: Sample) -> Document:
        """The true document, for studies."""
        parts: Document = sample.record.parts
        return parts

    @abstractmethod
    def written(self, one: Answered) -> tuple[Document, bool]:
        """The document that was made, and whether a limit ended it. Raises SampleError."""

    def score(self, answered: Iterable[Answered]) -> Scores:
        how = {name: self.settings.columns[name] for name in self.columns.computed}
        scorer = Scorer(
            self.columns,
            how,
            self.settings.limits,
            self.max_images_per_document,
            self._truth,
            self.plan.benchmark.by,
            self.protocol.opening == "prefill",
            self.written,
        )
        return self.with_aggregates(scorer.score(answered))


class DocumentTask(_Documents):
    """Documents from an instruction; template field: `instruction`."""

    def __init__(
        self, plan: Plan, settings: Settings, columns: Columns, max_images_per_document: int
    ) -> None:
        super().__init__(plan, settings, columns)
        self.max_images_per_document = max_images_per_document

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        """The instruction. Raises SampleError where the document has none, or no opening to begin with."""
        if earlier:
            return None
        document: InterleavedDocument = sample.record
        if "instruction" in fields_of(self.plan.protocol.template) and not document.instruction.strip():
            raise SampleError(
                f"Document {sample.id} has no instruction.", "Correct the data, or leave it out."
            )
        request = self.plan.request({"instruction": document.instruction})
        opening = self._opening(document)
        return replace(request, prefill=opening) if opening else request

    def _opening(self, document: InterleavedDocument) -> str:
        if self.protocol.opening == "none":
            return ""
        first = document.parts[0]
        if not isinstance(first, Text):
            raise SampleError(f"Document {document.id} begins with an image: there is no opening to give.")
        return first.text

    def written(self, one: Answered) -> tuple[Document, bool]:
        from evalsuite.request import DocumentResponse

        response = one.response
        if not isinstance(response, DocumentResponse):
            raise SampleError(f"the answer is a {type(response).__name__}, not a document")
        opening = self._opening(one.sample.record)
        return joined((*((Text(opening),) if opening else ()), *response.parts)), response.truncated


class ImageTask(_Documents):
    """Images for the true text, one after the other; template fields: `document`, `instruction`."""

    def _samples(self) -> Iterator[Sample]:
        return (sample for sample in super()._samples() if sample.record.images)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        """The document up to the next image. Raises SampleError when an earlier image is missing."""
        document: InterleavedDocument = sample.record
        steps = document.steps()
        if len(earlier) >= len(steps):
            return None
        values: Mapping[str, Value] = {
            "document": self._so_far(document, earlier),
            "instruction": document.instruction,
        }
        return self.plan.request(values)

    def _so_far(self, document: InterleavedDocument, earlier: Sequence[Response]) -> Document:
        steps, place = document.steps(), len(earlier)
        if self.protocol.context == "last-text":
            return (Text(steps[place][0]),) if steps[place][0] else ()
        own = [_generated(document, k, response) for k, response in enumerate(earlier)]
        parts: list[Text | Image] = []
        for k, (text, image) in enumerate(steps[: place + 1]):
            parts += [Text(text)] if text else []
            if k < place and self.protocol.context != "text":
                parts.append(own[k] if self.protocol.context == "own" else image)
        return joined(tuple(parts)) if self.protocol.context == "text" else tuple(parts)

    def written(self, one: Answered) -> tuple[Document, bool]:
        document: InterleavedDocument = one.sample.record
        steps = document.steps()
        if len(one.responses) != len(steps):
            raise SampleError(f"{len(one.responses)} of {len(steps)} images were generated")
        parts: list[Text | Image] = []
        for k, ((text, _), response) in enumerate(zip(steps, one.responses, strict=True)):
            parts += [*([Text(text)] if text else []), _generated(document, k, response)]
        return tuple(parts), False


def _generated(document: InterleavedDocument, place: int, response: Response) -> Image:
    if not isinstance(response, ImageResponse) or len(response.images) != 1:
        raise SampleError(f"Document {document.id}: image {place + 1} is missing.")
    return response.images[0]
