"""`generate-first` and `edit-first`: an image before every question, of any benchmark of questions."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.content import Image, Text
from evalsuite.errors import SpecError
from evalsuite.registry import load_registry
from evalsuite.request import GenerateImages, GenerateText, ImageResponse, TextResponse
from evalsuite.running import run
from evalsuite.running.resolving import resolve
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader
from evalsuite.task import Answered
from evalsuite.task.generate_first import ASKS, SHOWS
from tests.tasks.asking import build
from tests.tasks.tables import PHOTOS
from tests.tasks.test_hub_layouts import ai2d_hub

OWN = ImageResponse((Image(data=PHOTOS[3]),))
QUESTION = "Which eats b?\nA. a\nB. b\nC. c\nD. none\n" + (
    "Answer with the option's letter from the given choices directly."
)


@pytest.mark.parametrize(("option", "given"), [("generate-first", []), ("edit-first", [PHOTOS[0]])])
def test_the_question_is_shown_with_the_generated_image(
    tmp_path: Path, option: str, given: list[bytes]
) -> None:
    task = build("ai2d", ai2d_hub(tmp_path), options={option: "yes"})
    (sample,) = task.samples()
    first = task.request(sample)
    assert first is not None
    assert isinstance(first.output, GenerateImages)
    assert [image.read() for image in first.images] == given
    assert first.messages[-1].text == ASKS + QUESTION
    second = task.request(sample, (OWN,))
    assert second is not None
    assert isinstance(second.output, GenerateText)
    assert [image.read() for image in second.images] == [PHOTOS[0], PHOTOS[3]]
    assert second.messages[-1].parts[-1] == Text(SHOWS + QUESTION)
    assert task.request(sample, (OWN, TextResponse("C"))) is None
    (row,) = task.score([Answered(sample, (OWN, TextResponse("C")))]).rows
    assert row.values == {"accuracy": 1}


def test_samples_and_data_stay_the_same_and_the_protocol_says_it(tmp_path: Path) -> None:
    plain = build("ai2d", ai2d_hub(tmp_path))
    first = build("ai2d", tmp_path, options={"generate-first": "yes"})
    assert first.fingerprint() == plain.fingerprint()
    assert [one.id for one in first.samples()] == [one.id for one in plain.samples()]
    assert first.info.protocol == "lmms-eval, generate-first"
    assert set(first.info.needs) == {"image", "text"}
    assert build("ai2d", tmp_path, options={"generate-first": "no"}).info == plain.info


def test_a_model_that_generates_no_images_is_refused() -> None:
    task = TaskSpec(name="mini-vqav2", options={"generate-first": "yes"})
    with pytest.raises(SpecError, match=r"mini-vqav2 \(image\)"):
        resolve(RunSpec(model=ModelSpec(name="question-prior"), tasks=(task,)), load_registry())
    plain = TaskSpec(name="mini-vqav2", options={"generate-first": "no"})
    resolve(RunSpec(model=ModelSpec(name="question-prior"), tasks=(plain,)), load_registry())


def test_both_at_once_and_judged_tasks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="exclude each other"):
        build("ai2d", ai2d_hub(tmp_path), options={"generate-first": "yes", "edit-first": "yes"})
    from tests.tasks.test_judge_reading import mathvista

    with pytest.raises(SpecError, match="is graded by a judge"):
        build(
            "mathvista-testmini", mathvista(tmp_path), rules="official+judge", options={"edit-first": "yes"}
        )


def test_a_run_stores_both_steps(tmp_path: Path) -> None:
    task = TaskSpec(name="mini-vqav2", options={"generate-first": "yes", "subset": "3"})
    outcome = run(RunSpec(model=ModelSpec(name="oracle"), tasks=(task,)), tmp_path / "run")
    assert outcome.failed == 0
    with RunReader(tmp_path / "run") as stored:
        (key,) = stored.task_keys
        steps = stored.steps(key, next(iter(stored.answered(key))))
        (result,) = stored.metrics()
    assert [type(step.response) for step in steps] == [ImageResponse, TextResponse]
    assert result.numbers()[0].value == 1
