"""The miniature world's exact truth: what a generated or edited image must show, checked on its pixels.

Official files say nothing of the kind, so the miniature has it in files of its own (`scenes.jsonl`,
`prompts.jsonl`), and benchmarks ask for it by `settings.truth: mini-world`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Self

from evalsuite.content import Document, Image, Text
from evalsuite.data.documents import InterleavedDocument
from evalsuite.data.images import decode
from evalsuite.data.jsonfile import read_lines
from evalsuite.errors import DataError, SampleError
from evalsuite.mini import asked
from evalsuite.mini.detect import Detection, Match, matches
from evalsuite.mini.detect import detect as detect
from evalsuite.mini.formats.truth import read_prompts, read_scenes, read_subjects
from evalsuite.mini.language import caption as caption
from evalsuite.mini.language import questions as questions
from evalsuite.mini.reading import follows, read_sentence
from evalsuite.mini.render import render as render
from evalsuite.mini.subjects import Wanted, match_subject
from evalsuite.mini.world import CANVAS as CANVAS
from evalsuite.mini.world import HELD_OUT, Scene
from evalsuite.mini.world import sample_scene as sample_scene
from evalsuite.task.sources import Located

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage


def holds(image: Image, question: str) -> bool:
    """Whether an image shows what a question asks for, as its pixels have it; see `evalsuite.mini.asked`.

    Raises SampleError for a question of another form, DataError for a file that is no image.
    """
    try:
        return asked.holds(question, _seen(decode(image)))
    except ValueError as error:
        raise SampleError(str(error)) from error


@dataclass(frozen=True)
class Seen:
    """What a check found: scores by column, and in words what the image shows."""

    values: Mapping[str, float]
    words: str


class SceneTruth:
    """Scenes by the name of the image that shows them. Raises DataError where the file is malformed."""

    def __init__(self, scenes: Mapping[str, Scene], kinds: Mapping[str, str] | None = None) -> None:
        self._scenes = scenes
        self._kinds = kinds or {}

    @classmethod
    def read(cls, source: Located) -> Self:
        path = source.path("truth")
        rows = (row for _, row in read_lines(path) if isinstance(row.get("kind"), str))
        return cls(_by_name(path), {_name(str(row["file"])): row["kind"] for row in rows})

    def scene(self, name: str) -> Scene:
        """The scene of an image. Raises DataError for one that is not in the truth."""
        if _name(name) not in self._scenes:
            raise DataError(f"The truth file says nothing about {name}.", "Write the miniature world again.")
        return self._scenes[_name(name)]

    def labels(self, name: str) -> dict[str, str]:
        """For breakdowns: number of things, and whether a combination is one that training never showed."""
        scene = self.scene(name)
        return {"num_objects": str(len(scene.things)), "held_out": "yes" if scene.held_out else "no"}

    def edit_labels(self, name: str) -> dict[str, str]:
        """For breakdowns of edits by their result: also the kind of the edit."""
        kind = self._kinds.get(name)
        return self.labels(name) | ({"kind": kind} if kind else {})

    def edited(self, name: str, image: PilImage) -> Seen:
        """Whether an edited image shows the target's scene: every thing with colour, shape, size and place,
        no more.

        `edit_success` is 1 when all is right; `objects` when every colour–shape pair is there and nothing
        else.
        """
        match, found = _look(self.scene(name), image)
        return Seen({"edit_success": float(match.all), "objects": float(match.bound)}, describe(found))


class PromptTruth(SceneTruth):
    """Scenes, and the attributes that each caption of them states."""

    def __init__(
        self, scenes: Mapping[str, Scene], states: Mapping[tuple[str, str], tuple[str, ...]]
    ) -> None:
        super().__init__(scenes)
        self._states = states

    @classmethod
    def read(cls, source: Located) -> Self:
        prompts = read_prompts(source.path("prompts")).values()
        return cls(
            _by_name(source.path("truth")),
            {(str(prompt.image_id), prompt.text): prompt.states for prompt in prompts},
        )

    def drawn(self, image_id: str, name: str, text: str, image: PilImage) -> Seen:
        """Whether an image shows what its prompt states; what the prompt leaves open may be anything.

        Columns: `overall` (all that is stated), `colour`, `shape` (of every thing), `single object` (one
        thing: colour and shape right), `objects+relation` (two or three things: all bound to their colours
        and shapes, the first two in the relation); the last two only for prompts of that kind. Another
        number of things is wrong everywhere but in `objects found`: the share of things that are there in
        their colour and shape, of as many as are asked for or, where those are more, seen.

        Raises DataError for a prompt that is not in the truth.
        """
        states = self._states.get((image_id, text))
        if states is None:
            raise DataError(
                f"The truth file does not know the prompt {text!r} of image {image_id}.",
                "The list of prompts is of another world: write the world again.",
            )
        scene = self.scene(name)
        match, found = _look(scene, image)
        values = {"overall": float(match.satisfies(states)), "objects found": _found(scene, found)}
        for attribute in ("colour", "shape"):
            if attribute in states:
                values[attribute] = float(match.satisfies([attribute]))
        if len(scene.things) == 1:
            values["single object"] = float(match.bound)
        elif "relation" in states:
            values["objects+relation"] = float(match.satisfies(["colour", "shape", "relation"]))
        return Seen(values, describe(found))

    def colours(self, image: PilImage) -> dict[str, str]:
        """Shape -> colour of every shape that an image shows exactly once."""
        found = _seen(image)
        shapes = [one.shape for one in found]
        return {one.shape: one.colour for one in found if shapes.count(one.shape) == 1}


class SubjectTruth:
    """What images generated for subjects must show. Raises DataError where the file is malformed."""

    def __init__(self, wanted: Mapping[tuple[str, str], Wanted]) -> None:
        self._wanted = wanted

    @classmethod
    def read(cls, source: Located) -> SubjectTruth:
        return cls(read_subjects(source.path("truth")))

    def labels(self, subject: str, prompt: str) -> dict[str, str]:
        """For breakdowns: what the prompt asks for, and whether training never showed such a subject."""
        wanted = self._of(subject, prompt)
        held_out = (wanted.subject[1], wanted.subject[0]) in HELD_OUT
        return {"asks": "place" if wanted.place else "relation", "held_out": "yes" if held_out else "no"}

    def drawn(self, subject: str, prompt: str, image: PilImage) -> Seen:
        """Whether an image shows the subject and what its prompt asks for.

        Columns: `subject_success` (both), `subject kept` (its shape, colour and size are there),
        `prompt followed` (a thing of its class stands where the prompt says, and nothing else is there).

        Raises DataError for a prompt that is not in the truth.
        """
        found = _seen(image)
        match = match_subject(self._of(subject, prompt), found)
        values = {
            "subject_success": match.right,
            "subject kept": match.kept,
            "prompt followed": match.followed,
        }
        return Seen({name: float(value) for name, value in values.items()}, describe(found))

    def _of(self, subject: str, prompt: str) -> Wanted:
        if (subject, prompt) not in self._wanted:
            raise DataError(
                f"The truth file does not know the prompt {prompt!r} of subject {subject}.",
                "Write the miniature world again.",
            )
        return self._wanted[subject, prompt]


class StoryTruth(SceneTruth):
    """What the images of stories must show."""

    def document(self, story: InterleavedDocument, parts: Document) -> Seen:
        """Whether the images of a document show what its sentences say.

        Columns: `correct_images` (share of images that show what the text before says and, besides, what
        the image before really shows), `correct_document` (all do, and there is one), `sentences` (share of
        texts that stories could say), `ground_truth_images` (share of images that show the true document's
        scene at their place).

        Raises DataError for a broken image.
        """
        right: list[bool] = []
        true: list[bool] = []
        said: list[bool] = []
        words: list[str] = []
        before: list[Detection] = []
        text = ""
        wanted = [self.scene(image.label) for image in story.images]
        for part in parts:
            if isinstance(part, Text):
                text = part.text
                said.append(read_sentence(text) is not None)
                continue
            found = _seen(decode(part))
            right.append(follows(text, before, found))
            place = len(true)
            true.append(place < len(wanted) and matches(wanted[place], found).all)
            words.append(f"[{place + 1}] {describe(found)}{'' if right[-1] else ' (does not follow)'}")
            before, text = found, ""
        values = {"correct_document": float(bool(right) and all(right))}
        for name, checks in (("correct_images", right), ("ground_truth_images", true), ("sentences", said)):
            if checks:
                values[name] = sum(checks) / len(checks)
        return Seen(values, "; ".join(words))


def describe(found: list[Detection]) -> str:
    """What was seen, in words.

    >>> describe([Detection("circle", "red", "small", 10.0, 12.5, 200)])
    'small red circle at (10, 12)'
    """
    return ", ".join(f"{d.size} {d.colour} {d.shape} at ({d.x:.0f}, {d.y:.0f})" for d in found) or "nothing"


def _found(scene: Scene, found: Sequence[Detection]) -> float:
    """Share of things found, of those asked for or those seen, whichever are more.

    >>> _found(Scene((), (250, 250, 250)), [])
    0.0
    """
    seen = {(one.colour, one.shape) for one in found}
    right = sum(thing.combination in seen for thing in scene.things)
    return right / max(len(scene.things), len(found), 1)


def _look(scene: Scene, image: PilImage) -> tuple[Match, list[Detection]]:
    found = _seen(image)
    return matches(scene, found), found


def _seen(image: PilImage) -> list[Detection]:
    """What an image shows, brought to the world's size."""
    import numpy as np
    from PIL import Image

    if image.size != (CANVAS, CANVAS):
        image = image.resize((CANVAS, CANVAS), Image.Resampling.BICUBIC)
    return detect(np.asarray(image.convert("RGB")))


def _by_name(path: Path) -> dict[str, Scene]:
    return {_name(file): scene for file, scene in read_scenes(path).items()}


def _name(file: str) -> str:
    return PurePosixPath(file).name
