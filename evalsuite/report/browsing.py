"""From the samples of a page to what its sample browser needs of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalsuite.report.describing import Describer, brief, first_image, first_reference, words_of
from evalsuite.report.encoding import plain
from evalsuite.report.files import ABSENT, ANSWERED, FAILED, SampleFiles
from evalsuite.report.gathering import Page
from evalsuite.report.images import ImageWriter
from evalsuite.report.judged import judgements, with_questions
from evalsuite.report.output import Output
from evalsuite.report.privacy import without_folders
from evalsuite.report.scores import Score, ScoreTable, tables
from evalsuite.report.walking import Step, Visit, asked, choose, walk

_WORDS = 300
"""Characters of prompt, reference and each answer in a row: what lists show and free text finds."""


class SampleWriter:
    """Turns the samples of one page of the report into files.

    Args:
        page: the task.
        most: maximum samples; all when None.
    """

    def __init__(self, output: Output, page: Page, images: ImageWriter, most: int | None) -> None:
        self._page = page
        self._describer = Describer(images)
        self._images = images
        self._most = most
        self.tables: list[list[ScoreTable]] = [tables(answers) for answers in page.answers]
        self._judged = [judgements(answers) for answers in page.answers]
        found = dict.fromkeys((t.rules, n) for column in self.tables for t in column for n in t.names)
        rules = {name: i for i, name in enumerate(page.rules)}
        order = {name: i for i, name in enumerate(page.metrics)}
        headline = page.info.headline.name
        self.keys = sorted(
            found,
            key=lambda k: (rules.get(k[0], len(rules)), k[1] != headline, order.get(k[1], len(order))),
        )
        self._places = {key: i for i, key in enumerate(self.keys)}
        labels = [answers.label for answers in page.answers]
        self.files = SampleFiles(output, page.slug, labels, self.keys)
        self.total = 0
        self._pictured: set[str] = set()

    def write(self) -> None:
        """Writes all files of the page's samples."""
        ids = asked(self._page)
        self.total = len(ids)
        for visit in walk(self._page, choose(ids, self._most, self._page.info.name)):
            self._add(visit)
        page = self._page
        about = {
            "title": page.title,
            "capability": page.info.capability,
            "total": self.total,
            "missing": page.unavailable,
            "colours": [answers.colour for answers in page.answers],
            "pictures": sorted(self._pictured),
        }
        self.files.finish(about, page.metrics)

    def _add(self, visit: Visit) -> None:
        scores = [[s for t in column if (s := t.get(visit.id)) is not None] for column in self.tables]
        labels = self._labels(visit, scores)
        prompts: list[dict[str, Any]] = []
        answers = [
            self._answer(steps, found, prompts, self._asked(visit, steps, column))
            for column, (steps, found) in enumerate(zip(visit.steps, scores, strict=True))
        ]
        target = self._describer.target(visit)
        sample: dict[str, Any] = {"id": visit.id, "l": labels, "p": prompts, "a": answers}
        if target is not None:
            sample["t"] = target
        cluster = visit.sample.cluster if visit.sample else next((s.cluster for f in scores for s in f), "")
        if cluster:
            sample["c"] = cluster
        values = {
            (self._places[score.rules, name], j): value
            for j, found in enumerate(scores)
            for score in found
            if not score.failure
            for name, value in score.values.items()
            if value is not None
        }
        pairs = list(zip(visit.steps, scores, strict=True))
        said = [_said(steps, found) for steps, found in pairs]
        states = [_state(steps, found) for steps, found in pairs]
        reference = _flat(visit.target)
        self.files.add(
            sample,
            self._row(visit, said, reference, first_reference(target)),
            labels=labels,
            scores=values,
            states=states,
            classes=_classes(said),
            reference=reference.replace(" · ", " "),  # as scorers join the answers of several turns
            answers=[text if state == ANSWERED else "" for text, state in zip(said, states, strict=True)],
        )

    def _asked(self, visit: Visit, steps: Sequence[Step], column: int) -> list[list[Any]]:
        """What one run's judges were asked and said about a sample."""
        said = self._judged[column].get(visit.id, [])
        if not said:
            return []
        return with_questions(said, self._page.built[0], visit.sample, [step.record for step in steps])

    def _labels(self, visit: Visit, scores: Sequence[Sequence[Score]]) -> dict[str, str]:
        if visit.sample is not None and visit.sample.labels:
            return dict(visit.sample.labels)
        return next((dict(score.labels) for found in scores for score in found if score.labels), {})

    def _answer(
        self,
        steps: Sequence[Step],
        scores: Sequence[Score],
        prompts: list[dict[str, Any]],
        judged: Sequence[Sequence[Any]],
    ) -> dict[str, Any] | None:
        """One run's part of a sample: `s`teps of prompt's place, answer and seconds; `v`erdicts per rules;
        `j`udges with words, questions and which images these show."""
        if not steps:
            return None
        written = []
        for step in steps:
            place = -1
            if step.request is not None:
                prompt = self._describer.prompt(step.request)
                if prompt not in prompts:
                    prompts.append(prompt)
                place = prompts.index(prompt)
            record = step.record
            answer = (
                {"k": "failed", "e": without_folders(record.error)}
                if record.response is None
                else self._describer.response(record.response)
            )
            written.append(
                [place, answer, round(record.seconds, 3), *([step.unknown] if step.unknown else [])]
            )
        verdicts = [
            {
                "r": score.rules,
                "p": score.parsed,
                "f": without_folders(score.failure),
                "s": {name: value for name, value in score.values.items() if value is not None},
            }
            for score in scores
        ]
        return {"s": written, "v": plain(verdicts), **({"j": judged} if judged else {})}

    def _row(
        self, visit: Visit, said: Sequence[str], reference: str, pictured: Mapping[str, Any] | None
    ) -> list[Any]:
        """What lists show: id, prompt, reference, answers; where there are images, source, answers and
        reference."""
        request = next((step.request for steps in visit.steps for step in steps[:1] if step.request), None)
        prompt = words_of(request)[:_WORDS] if request else ""
        row: list[Any] = [visit.id, prompt, reference[:_WORDS], [text[:_WORDS] for text in said]]
        asked_with = request.messages[-1].images[-1:] if request else ()
        shown = [first_image(steps[-1].record.response) if steps else None for steps in visit.steps]
        if asked_with or any(shown):
            row += [
                self._images.refer(asked_with[0]) if asked_with else 0,
                [self._images.refer(image) if image else 0 for image in shown],
            ]
            self._pictured |= {"source"} if asked_with else set()
            self._pictured |= {"answers"} if any(shown) else set()
            if pictured is not None and any(shown):
                row.append(dict(pictured))
                self._pictured.add("reference")
        return row


def _state(steps: Sequence[Step], scores: Sequence[Score]) -> int:
    if not steps:
        return ABSENT
    failed = any(step.record.response is None for step in steps) or any(score.failure for score in scores)
    return FAILED if failed else ANSWERED


def _said(steps: Sequence[Step], scores: Sequence[Score]) -> str:
    """What a run said, on one line: what the scorer understood, else the answer, else why there is none."""
    if not steps:
        return ""
    last = steps[-1].record
    if last.response is None:
        return without_folders(last.error)
    parsed = next((score.parsed for score in scores if score.parsed), "")
    if parsed:
        return " ".join(parsed.split())
    image = first_image(last.response)
    return brief(last.response) or (image.label if image else "")


def _classes(said: Sequence[str]) -> list[int]:
    """Per run, the place of the first run that said the same; at most 255 runs are distinguished."""
    return [min(said.index(text), 255) for text in said]


def _flat(target: Any) -> str:
    """A reference on one line, its distinct texts joined."""
    found: dict[str, None] = {}

    def collect(value: Any) -> None:
        if isinstance(value, str):
            found[" ".join(value.split())] = None
        elif isinstance(value, Mapping):
            for key, item in value.items():
                if key != "sha256":
                    collect(item)
        elif isinstance(value, list | tuple):
            for item in value:
                collect(item)
        elif value is not None:
            found[str(value)] = None

    collect(target)
    return " · ".join(found)
