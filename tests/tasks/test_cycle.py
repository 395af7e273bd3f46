"""Cycles: steps declared in a file, what they ask, and what their answers come to."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalsuite.content import Image
from evalsuite.errors import DataError, SampleError, SpecError
from evalsuite.request import GenerateImages, GenerateText, ImageResponse, Response, TextResponse
from evalsuite.running import run
from evalsuite.spec import ModelSpec, RunSpec, TaskSpec
from evalsuite.store import RunReader
from evalsuite.task import Answered, Sample, Task
from evalsuite.task.benchmark import build as build_from
from evalsuite.task.benchmark import load
from evalsuite.task.entry import TaskOptions
from tests.tasks.asking import build, write_json
from tests.tasks.tables import PHOTOS

OWN = ImageResponse((Image(data=PHOTOS[0]),))


def unibench(folder: Path, **changes: Any) -> Path:
    questions = [
        {"QA_id": k, "question": f"Which {k}?\n(A) a, (B) b, (C) c, (D) d, (E) N/A or Unknown\nAnswer:",
         "answer": "AB"[k], "tag": f"Visual, UI, {'Web' if k else 'App'}", **changes}
        for k in range(2)
    ]  # fmt: skip
    write_json(folder / "uni_bench.json", [{"prompt_id": 7, "prompt": "A page.", "QAs": questions}])
    return folder


def walk(task: Task, sample: Sample, replies: Sequence[Response]) -> list[Any]:
    """The outputs of all requests that a sample makes where it gets these replies."""
    found: list[Any] = []
    while (request := task.request(sample, tuple(replies[: len(found)]))) is not None:
        found.append(request)
    return found


def test_unieval_asks_every_question_about_every_own_image(tmp_path: Path) -> None:
    task = build("unieval", unibench(tmp_path))
    (sample,) = task.samples()
    four = ImageResponse(tuple(Image(data=photo) for photo in PHOTOS))
    replies: list[Response] = [
        four,
        *(TextResponse(text) for text in ("(A)", "(B)", "(A)", "(C)", "B", "b", "(A)", "(B)")),
    ]
    requests = walk(task, sample, replies)
    assert isinstance(requests[0].output, GenerateImages)
    assert requests[0].output.count == 4
    assert [len(one.images) for one in requests] == [0] + [1] * 8
    assert [one.images[0].read() for one in requests[1:]] == [photo for photo in PHOTOS for _ in range(2)]
    assert all(isinstance(one.output, GenerateText) for one in requests[1:])
    scores = task.score([Answered(sample, tuple(replies))])
    (row,) = scores.rows
    # App: A, A, B, A of A; Web: B, C, b (option "b"), B of B.
    assert row.values["accuracy"] == pytest.approx(6 / 8)
    assert row.values["UniScore"] == 0.75
    assert row.values["all-correct"] == 0
    import numpy as np

    values = {one.metric.name: one for one in scores.statistics if not one.group}
    assert values["UniScore"].function is not None
    assert values["UniScore"].function(np.array([0, 0])) == 0.75


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"question": "Which?"}, "0 options instead of 5"),
        ({"answer": "F"}, "none of A to E"),
        ({"tag": "Visual"}, "has not three parts"),
    ],
)
def test_a_damaged_question_is_refused(tmp_path: Path, changes: dict[str, str], fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        [*build("unieval", unibench(tmp_path, **changes)).samples()]


def test_a_refused_image_names_its_step(tmp_path: Path) -> None:
    task = build("unieval", unibench(tmp_path))
    (sample,) = task.samples()
    with pytest.raises(SampleError, match=r"step 1 \(generate own\): expected 4 images, got 1"):
        task.request(sample, (OWN,))
    (row,) = task.score([Answered(sample, (OWN,))]).rows
    assert "step 2 (ask ask), image 1 of own, question 1 of 2 was not answered" in row.failure


def declared(folder: Path, steps: list[dict[str, Any]], **changes: Any) -> Task:
    import evalsuite_tasks

    text = (Path(evalsuite_tasks.__file__).parent / "cycle" / "unieval.yaml").read_text()
    made = yaml.safe_load(text)
    made["protocols"]["official"]["settings"]["steps"] = steps
    (folder / "x.yaml").write_text(yaml.safe_dump({**made, **changes}, sort_keys=False))
    return build_from(load(folder / "x.yaml"), TaskOptions(data=unibench(folder)))


DRIFT: list[dict[str, Any]] = [
    {"generate": "{prompt}", "name": "own"},
    {
        "repeat": 2,
        "steps": [
            {"caption": "{own}Describe.", "name": "seen"},
            {"edit": "{own}{seen}", "name": "own", "count": 2},
        ],
    },
    {"ask": "{own}{question}", "each": "question"},
]


def test_steps_repeat_and_take_the_latest_of_a_name(tmp_path: Path) -> None:
    decoding = {"official": {"template": "{question}", "settings": {"steps": DRIFT}}}
    task = declared(tmp_path, DRIFT, needs=["image", "edit", "text"], protocols=decoding)
    (sample,) = task.samples()
    two = ImageResponse((Image(data=PHOTOS[1]), Image(data=PHOTOS[2])))
    replies: list[Response] = [
        OWN,
        TextResponse("one"),
        two,
        TextResponse("two"),
        two,
        TextResponse("A"),
        TextResponse("B"),
    ]
    requests = walk(task, sample, replies)
    assert len(requests) == len(replies)
    assert [len(one.images) for one in requests] == [0, 1, 1, 2, 2, 2, 2]
    assert "two" in str(requests[4].messages)
    assert "one" not in str(requests[4].messages[-1].parts[-1])


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ([{"generate": "{prompt}"}], "no step asks anything"),
        ([{"ask": "{own}", "each": "own"}], "no earlier step is called 'own'"),
        ([{"ask": "{question}", "generate": "{prompt}"}], "a step has one of"),
        ([{"repeat": 2}], "repeat and steps belong together"),
        ([{"ask": "{question}", "count": 2}], "count is of images"),
        ([{"ask": "{question"}], "malformed"),
        ([{"edit": "{prompt}", "name": "own"}, {"ask": "{own}{question}"}], "has no 'edit'"),
    ],
)
def test_malformed_steps_are_refused(tmp_path: Path, steps: list[dict[str, Any]], fault: str) -> None:
    with pytest.raises(SpecError, match=fault):
        declared(tmp_path, steps)


def test_the_miniatures_own_images_are_stored_step_by_step_and_read(tmp_path: Path) -> None:
    task = TaskSpec(name="mini-own-images", options={"subset": "6"})
    spec = RunSpec(model=ModelSpec(name="oracle"), tasks=(task,))
    outcome = run(spec, tmp_path / "oracle")
    assert outcome.failed == 0
    with RunReader(tmp_path / "oracle") as stored:
        (key,) = stored.task_keys
        (result,) = stored.metrics()
        steps = stored.steps(key, next(iter(stored.answered(key))))
    assert isinstance(steps[0].response, ImageResponse)
    assert all(isinstance(step.response, TextResponse) for step in steps[1:])
    found = {one.metric.name: one.value for one in result.numbers() if not one.group}
    # The oracle's images are the renderer's: what they show is what the prompt says.
    assert found == {"accuracy": 1, "generated": 1, "read": 1, "read if generated right": 1}

    other = TaskSpec(name="mini-own-images", options={"subset": "6", "images": str(tmp_path / "oracle")})
    borrowed = RunSpec(model=ModelSpec(name="oracle"), tasks=(other,))
    assert run(borrowed, tmp_path / "reader").failed == 0
    with RunReader(tmp_path / "reader") as stored:
        (key,) = stored.task_keys
        sample = next(iter(stored.answered(key)))
        assert all(isinstance(step.response, TextResponse) for step in stored.steps(key, sample))
        (result,) = stored.metrics()
    assert "images of oracle" in result.info.protocol
    assert {one.metric.name: one.value for one in result.numbers() if not one.group} == found


def test_the_control_asks_about_the_renderers_images(tmp_path: Path) -> None:
    task = TaskSpec(name="mini-true-images", options={"subset": "3"})
    run(RunSpec(model=ModelSpec(name="oracle"), tasks=(task,)), tmp_path / "run")
    with RunReader(tmp_path / "run") as stored:
        (result,) = stored.metrics()
    assert {one.metric.name: one.value for one in result.numbers() if not one.group} == {"accuracy": 1}


def test_a_run_without_such_images_is_refused(tmp_path: Path) -> None:
    run(RunSpec(model=ModelSpec(name="oracle"), tasks=(TaskSpec(name="mini-vqav2"),)), tmp_path / "run")
    with pytest.raises(SpecError, match="the run has 0 tasks 'unieval'"):
        build("unieval", unibench(tmp_path), options={"images": str(tmp_path / "run")})


def test_a_cycle_arrives_in_another_process(tmp_path: Path) -> None:
    task = build("unieval", unibench(tmp_path))
    again = pickle.loads(pickle.dumps(task))
    assert [one.id for one in again.samples()] == ["7"]
    assert again.fingerprint() == task.fingerprint()


def test_realunify_asks_at_once_or_about_its_edited_image(tmp_path: Path) -> None:
    from tests.tasks.tables import image_files

    row = {"task_type": "mental_tracking", "image": "GEU/1.png", "edit_prompt": "Turn it.", "answer": "B",
           "evaluation_prompt": "Which?\nA. a\nB. b\nC. c\nD. d"}  # fmt: skip
    write_json(tmp_path / "GEU_step.json", [row])
    image_files(tmp_path, "GEU/1.png")
    direct, stepwise = build("realunify-geu", tmp_path), build("realunify-geu", tmp_path, protocol="stepwise")
    (sample,) = direct.samples()
    assert sample.labels == {"task_type": "mental_tracking"}
    (asked,) = walk(direct, sample, [TextResponse("B")])
    assert [image.read() for image in asked.images] == [PHOTOS[0]]
    edit, question = walk(stepwise, sample, [OWN, TextResponse("B")])
    assert edit.output.capability == "image"
    assert "Turn it." in str(edit.messages)
    assert [image.read() for image in question.images] == [PHOTOS[0]]
    values = [stepwise.score([Answered(sample, (OWN, TextResponse(text)))]).rows[0] for text in ("B", "no")]
    assert [row.values["accuracy"] for row in values] == [1, 0]
    assert values[1].unread
