"""The miniature's twins of question-answering alignment and of rubrics: exact truth beside the judge."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as pil

from evalsuite.content import Image
from evalsuite.errors import SampleError
from evalsuite.judging import Judged
from evalsuite.mini.world import COLOURS, Scene, Thing
from evalsuite.request import ImageResponse
from evalsuite.task import Answered, Judgement, Sample
from evalsuite.task.entry import TaskOptions
from evalsuite.task.miniature import holds, render
from tests.tasks.asking import ENTRIES
from tests.tasks.test_qa_alignment import numbers, words


def drawing(*things: tuple[str, str]) -> Image:
    """Circles and so on beside each other, as the world draws them."""
    placed = [Thing(s, c, "small", 14.0 + 18 * i, 32.0, 7.0) for i, (c, s) in enumerate(things)]
    stream = io.BytesIO()
    pixels: np.ndarray = render(Scene(tuple(placed), (245, 245, 245)))
    pil.fromarray(pixels).save(stream, "PNG")
    return Image(stream.getvalue())


def answered(sample: Sample, images: tuple[Image, ...], said: list[str]) -> Answered:
    return Answered(sample, (ImageResponse(images),), (tuple(map(Judgement, said)),))


def test_a_question_is_answered_from_the_pixels() -> None:
    image = drawing(("red", "circle"), ("blue", "square"))
    assert holds(image, "is there a circle?")
    assert holds(image, "Is there a blue square ?")
    assert not holds(image, "is there a blue circle?")
    assert not holds(image, "is there a triangle?")
    with pytest.raises(SampleError, match="does not ask"):
        holds(image, "how many circles are there?")
    assert set(COLOURS) >= {"red", "blue"}


def test_the_twin_of_questions_says_what_is_true_and_how_often_the_judge_is_right() -> None:
    task = ENTRIES["mini-qa-alignment"].build(TaskOptions())
    sample = next(iter(task.samples()))
    assert [q.text for q in sample.record.questions] == ["is there a circle?", "is there a blue circle?"]
    images = (drawing(("blue", "circle")), drawing(("red", "circle")))
    scores = task.score([answered(sample, images, ["yes", "yes", "no", "yes"])])
    found = numbers(scores)
    # Image 2: a circle that is not blue; the judge denies the circle, and the gate takes its colour, too.
    assert (found["score"], found["truth"], found["agreement"]) == (0.5, 0.75, 0.5)


def test_the_soft_rule_reads_likelihoods() -> None:
    task = ENTRIES["mini-qa-alignment"].build(TaskOptions(rules="soft"))
    assert isinstance(task, Judged)
    sample = next(iter(task.samples()))
    images = (drawing(("blue", "circle")),) * 2
    chat = task.question(answered(sample, images, []), ())
    assert chat is not None
    assert chat.choices == ("yes", " yes", "no", " no")
    said = ['{"yes": -0.6931471805599453, "no": -0.6931471805599453}'] * 4
    assert numbers(task.score([answered(sample, images, said)]))["score"] == pytest.approx(0.5)


def test_the_twin_of_rubrics_compares_the_judge_with_the_truth() -> None:
    task = ENTRIES["mini-rubric"].build(TaskOptions())
    assert isinstance(task, Judged)
    sample = next(s for s in task.samples() if s.labels["kind"] == "recolour")
    names = [one.name for one in sample.record.questions]
    assert names[:2] == ["gone 1", "there 1"]
    source = answered(sample, sample.record.sources, [])
    first = task.question(source, ())
    assert words(first) == f"<image>is there {sample.record.fields['gone 1']}?"
    rest = ["yes"] * (len(names) - 2)
    unchanged = answered(sample, sample.record.sources, ["yes", "no", *rest])
    flattered = answered(sample, sample.record.sources, ["no", "yes", *rest])
    mumbled = answered(sample, sample.record.sources, ["perhaps", "yes", *rest])
    rows = task.score([unchanged, flattered, mumbled]).rows
    assert [rows[0].values[name] for name in ("success", "edited", "truth", "agreement")] == [0, 0, 0, 1]
    assert [rows[1].values[name] for name in ("success", "edited", "truth", "agreement")] == [1, 1, 0, 0]
    assert "neither yes nor no" in rows[2].failure
