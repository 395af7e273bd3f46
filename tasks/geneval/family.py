"""GenEval (Ghosh et al. 2023): composition of generated images, judged from detected objects by exact
rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from evalsuite.content import Image
from evalsuite.errors import DataError, SampleError
from evalsuite.request import GenerateImages, Request, Response
from evalsuite.task import (
    Answered,
    FamilyTask,
    Option,
    Plan,
    Sample,
    SampleScore,
    Scores,
    TaskInfo,
    generated_images,
    networks,
    row_of,
)
from evalsuite.task.metrics import Detection, keep_detections, verdict
from evalsuite.task.networks import Columns, choose_columns
from evalsuite.task.readers import decode

from .colors import ColorClassifier
from .detectors import Detector, FileDetections, load_detector, with_color
from .prompts import COUNTING, ComposedPrompt
from .readers import READERS
from .scoring import COLUMNS, IMAGES, PROMPTS, declared
from .settings import Settings

OPTIONS = (
    *networks.OPTIONS,
    Option("detector", "what detects objects in generated images, see `detectors`"),
    Option("detections", "detections made elsewhere; by default detections.jsonl in the data folder", Path),
)

_FILE = "detections.jsonl"


def build(plan: Plan) -> GenEvalTask:
    """The task of a GenEval benchmark.

    Images are generated without detections too, and can be scored when they are there: detectors live in
    environments of their own.

    Raises SpecError for an unknown detector, DataError for a malformed file of detections.
    """
    settings = plan.settings(Settings)
    detector = _detector(plan, settings)
    names = [metric.name for metric in plan.benchmark.metrics]
    classified = detector is not None and not detector.tells_colors
    needs = dict.fromkeys(names, (settings.color,) if classified else ())
    missing = (
        ""
        if detector is not None
        else f"No detector was named. The images are generated; put {_FILE} beside the prompts and run "
        "`evalsuite score`, or name one with --task-option detector=."
    )
    columns = choose_columns(plan, settings.networks, needs, unavailable=lambda _: missing, required=False)
    return GenEvalTask(plan, settings, columns, detector)


def _detector(plan: Plan, settings: Settings) -> Detector | None:
    given = plan.options.get("detections")
    beside = plan.source.folder / _FILE
    if given is not None or ("detector" not in plan.options and beside.is_file()):
        path = Path(given).expanduser() if given is not None else beside
        if not path.is_file():
            raise DataError(f"There is no file of detections {path}.", "Check the path after detections=.")
        return FileDetections(path)
    name = plan.options.get("detector") or settings.detector
    return load_detector(name) if name else None


class GenEvalTask(FamilyTask):
    """GenEval in one protocol; template field: `prompt`."""

    def __init__(self, plan: Plan, settings: Settings, columns: Columns, detector: Detector | None) -> None:
        super().__init__(plan)
        self.settings = settings
        self.columns = columns
        self.detector = detector
        self._read = plan.reader(READERS)
        self._metrics = declared(plan.benchmark.metrics)
        plan.check_metrics(COLUMNS, self._metrics)
        output = plan.output()
        assert isinstance(output, GenerateImages)
        self.count = output.count

    @property
    def info(self) -> TaskInfo:
        return self.columns.info

    def _samples(self) -> Iterator[Sample]:
        for prompt in self._read(self.plan.source):
            yield Sample(id=f"{prompt.number:05}", record=prompt, labels={"tag": prompt.tag})

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        return None if earlier else self.plan.request({"prompt": sample.record.prompt})

    def target(self, sample: Sample) -> Any:
        return dict(sample.record.metadata)

    def score(self, answered: Iterable[Answered]) -> Scores:
        """A row per prompt: the share of its images that are right, and whether any is."""
        rows = [self._row(one) for one in answered]
        details = self.columns.details()
        if self.detector is not None:
            details["detector"] = self.detector.name
        known = self.columns.names
        metrics = [spec for spec in self._metrics if spec.name in known]
        return self.scores(rows, metrics, missing=self.columns.missing, details=details)

    def _row(self, one: Answered) -> SampleScore:
        row, prompt = row_of(one), one.sample.record
        try:
            images = generated_images(one.response, self.count)
            if self.detector is None:
                return row(parsed="not judged: no detections")
            verdicts = [verdict(self._objects(prompt, image), prompt.metadata) for image in images]
        except (SampleError, DataError) as error:
            return row(failure=str(error))
        right = [found.correct for found in verdicts]
        share = sum(right) / len(right)
        said = [
            f"image {number}: {', '.join(found.reasons)}"
            for number, found in enumerate(verdicts, start=1)
            if not found.correct
        ]
        values = {IMAGES: share, PROMPTS: float(any(right))}
        return row(values=values, parsed="; ".join([f"{sum(right)} of {len(right)} right", *said]))

    def _objects(self, prompt: ComposedPrompt, image: Image) -> dict[str, list[Detection]]:
        """The detections that count, with colours where the prompt asks for them."""
        assert self.detector is not None
        decoded = decode(image)
        found = self.detector.detect(image, decoded)
        seen = {id(one.detection): one for objects in found.values() for one in objects}
        plain = {name: [one.detection for one in objects] for name, objects in found.items()}
        kept = keep_detections(plain, counting=prompt.tag == COUNTING)
        for wanted in prompt.metadata["include"]:
            if "color" not in wanted:
                continue
            name = wanted["class"]
            first = [seen[id(one)] for one in kept.get(name, ())[: wanted["count"]]]
            bare = [one for one in first if one.detection.color is None]
            if bare:
                colors = dict(zip(map(id, bare), self._colors.classify(decoded, name, bare), strict=True))
                told = [with_color(one, colors[id(one)]) if id(one) in colors else one for one in first]
                kept[name][: len(told)] = [one.detection for one in told]
                seen |= {id(one.detection): one for one in told}
        return kept

    @cached_property
    def _colors(self) -> ColorClassifier:
        return ColorClassifier(self.columns.text_network(self.settings.color))
