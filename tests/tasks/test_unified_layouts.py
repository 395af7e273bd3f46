"""Every file of the cycle family runs on a small table in the layout of its authors or of the hub."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.content import Image, Text
from evalsuite.errors import DataError, EvalsuiteError
from evalsuite.request import (
    DocumentResponse,
    ImageResponse,
    Response,
    TextResponse,
)
from evalsuite.task import Answered, Judgement
from tests.features.networks import write_clip, write_dino, write_mpnet
from tests.tasks.asking import ENTRIES, build, write_json
from tests.tasks.tables import PHOTOS
from tests.tasks.unified_files import (
    LAYOUTS,
    MAZE,
    RIGHT_TWICE,
    TILES,
    gone_through,
    hub,
    judged,
    nd400,
    puzzle_frame,
    samples_of,
    ueg,
    ueval,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("weights")
    made = {"clip": write_clip, "dino": write_dino, "mpnet": write_mpnet}
    return ",".join(f"{key}={write(folder / key)}" for key, write in made.items())


def options_of(name: str, weights: str) -> dict[str, str]:
    used = ENTRIES[name].benchmark
    assert used is not None
    keys = used.settings.get("networks", {})
    wanted = [one for one in weights.split(",") if one.partition("=")[0] in keys]
    return {"weights": ",".join(wanted)} if wanted else {}


CASES = [(name, protocol) for name in LAYOUTS for protocol in ENTRIES[name].protocols]


@pytest.mark.parametrize(("name", "protocol"), CASES, ids=str)
def test_every_protocol_runs_on_the_authors_layout(
    name: str, protocol: str, tmp_path: Path, weights: str
) -> None:
    write, said, expected = LAYOUTS[name]
    write(tmp_path)
    task = build(name, tmp_path, protocol=protocol, options=options_of(name, weights))
    answered = gone_through(task, said)
    assert answered
    scores = task.score(answered)
    assert not [row.failure for row in scores.rows if row.failure and not hasattr(task, "question")]
    if expected == expected:
        assert scores.rows[0].values["accuracy"] == expected


def test_every_file_of_the_family_is_among_the_layouts() -> None:
    own = {name for name, entry in ENTRIES.items() if entry.family == "cycle"}
    assert own - set(LAYOUTS) == {"mini-own-images", "mini-true-images", "mini-generate-first", "mini-drift"}


def test_a_move_that_occurs_twice_is_two_moves(tmp_path: Path) -> None:
    hub("uni_mmmu/uni_mmmu_maze100.parquet", "initial_image", steps='["up", "up", "left", "up"]')(tmp_path)
    task = build("uni-mmmu-maze", tmp_path)
    answered = gone_through(task, '<ANSWER_JSON>["up","up","left","down"]</ANSWER_JSON>')
    assert task.score(answered).rows[0].values == {"accuracy": 0.75, "exact": 0}


@pytest.mark.parametrize(
    ("name", "write", "kind"),
    [("uni-mmmu-maze-images", MAZE, "maze"), ("uni-mmmu-sliding-images", TILES, "tiles")],
)
def test_images_of_moves_are_scored_frame_by_frame(
    name: str, write: Callable[[Path], None], kind: str, tmp_path: Path
) -> None:
    write(tmp_path)
    task = build(name, tmp_path)
    (sample,) = task.samples()
    assert sample.id in ("00020", "00007"), "the example is no sample"
    request = task.request(sample)
    assert request is not None
    assert '<ANSWER_JSON>["right", "right"]</ANSWER_JSON>' in request.messages[-1].text
    first, second = (Image(puzzle_frame(kind, step)) for step in (1, 2))

    def values(*parts: Text | Image) -> dict[str, float]:
        (row,) = task.score([Answered(sample, (DocumentResponse(parts),))]).rows
        return dict(row.values)

    right = Text(RIGHT_TWICE)
    both = values(first, second, right)
    assert {both[column] for column in ("images", "images-exact", "accuracy", "exact")} == {1}
    half = values(first, first, Text('<ANSWER_JSON>["right", "up"]</ANSWER_JSON>'))
    assert [half[column] for column in ("images", "images-exact", "accuracy", "exact")] == [0.5, 0, 0.5, 0]
    assert values(first, right)["images"] == 0.5
    assert values(right)["images"] == 0
    assert values(first, second, first, right)["images-exact"] == 0
    if kind == "maze":
        assert (both["readable"], both["all-readable"]) == (1, 1)
        odd = values(first, Image(puzzle_frame("tiles", 0)), right)
        assert (odd["readable"], odd["all-readable"]) == (0.5, 0)


MET, NOT, UNSURE = (json.dumps({"criteria_met": value}) for value in (True, False, "not sure"))


def test_ueval_asks_one_rubric_after_the_other_about_text_and_images(tmp_path: Path) -> None:
    ueval(tmp_path)
    task = build("ueval", tmp_path)
    (answered,) = gone_through(task, "")
    scores, asked = judged(task, answered, MET, UNSURE, "no JSON", MET)
    assert [text.count("<image>") for text in asked] == [0, 0, 1, 1]
    assert "Text Answer: Two words and more." in asked[0]
    assert asked[1].endswith("# Rubric Item\nb")
    (row,) = scores.rows
    assert row.values == {"text": 0.5, "image": 1.0, "overall": row.values.get("overall", 0)} or (
        row.values["text"], row.values["image"]
    ) == (0.5, 1.0)  # fmt: skip


def test_closed_tasks_are_judged_by_their_image_alone(tmp_path: Path) -> None:
    ueval(tmp_path, task="space", text_rubrics=[])
    task = build("ueval", tmp_path)
    (answered,) = gone_through(task, "")
    scores, (asked,) = judged(task, answered, NOT)
    assert "Text Answer" not in asked
    assert scores.rows[0].values["image"] == 0
    assert "text" not in scores.rows[0].values


def test_a_judge_is_never_asked_about_nothing(tmp_path: Path) -> None:
    ueval(tmp_path, text_rubrics=[], image_rubrics=[])
    task = build("ueval", tmp_path)
    (answered,) = gone_through(task, "")
    scores, asked = judged(task, answered)
    assert asked == []
    assert "nothing to ask the judge" in scores.rows[0].failure


def test_a_judge_that_was_not_asked_to_the_end_is_a_failure_and_no_score(tmp_path: Path) -> None:
    ueval(tmp_path)
    task = build("ueval", tmp_path)
    (answered,) = gone_through(task, "")
    half = Answered(answered.sample, answered.responses, judgements=((Judgement(MET),),))
    assert "not graded this sample to the end" in task.score([half]).rows[0].failure
    none = task.score([answered])
    assert set(none.missing) == {"overall", "text", "image"}
    assert not none.rows[0].failure


def test_realunify_asks_no_more_after_a_wrong_reply(tmp_path: Path) -> None:
    ueg(tmp_path)
    task = build("realunify-ueg", tmp_path)
    (answered,) = gone_through(task, "")
    scores, asked = judged(task, answered, "No.")
    assert len(asked) == 1
    assert "Question: Is it red?" in asked[0]
    assert scores.rows[0].values["image"] == 0
    scores, asked = judged(task, answered, "Yes", "no, it is not")
    assert (len(asked), scores.rows[0].values["image"]) == (2, 1)


def test_stepwise_generates_from_what_the_model_wrote(tmp_path: Path) -> None:
    ueg(tmp_path)
    task = build("realunify-ueg", tmp_path, protocol="stepwise")
    (sample,) = task.samples()
    request = task.request(sample, (TextResponse("A red cat."),))
    assert request is not None
    assert request.messages[-1].text == "A red cat."


@pytest.mark.parametrize(
    ("write", "name", "fault"),
    [
        (
            lambda folder: write_json(folder / "maze_6x6_steps_00020.json", {"steps_long": ["right"]}),
            "uni-mmmu-maze-images",
            "lacks the moves of puzzle 00015",
        ),
        (
            lambda folder: write_json(folder / "maze_6x6_steps_00015.json", {"steps_long": ["jump"]}),
            "uni-mmmu-maze-images",
            "'jump' is no move",
        ),
        (lambda folder: ueg(folder, task_type="other"), "realunify-ueg", "is another question than that of"),
        (lambda folder: ueval(folder, text_rubrics=[{"criterion": "x"}]), "ueval", ""),
        (
            lambda folder: write_json(
                folder / "Common_Sense_Question/Common_Sense_Question.json",
                [{"question": "?", "choice": ["A: a", "A: b"], "answer": "A", "data": {}}],
            ),
            "mme-unify-commonsense",
            "has no letter of its own",
        ),
        (
            lambda folder: write_json(
                folder / "Common_Sense_Question/Common_Sense_Question.json",
                [{"question": "?", "choice": ["A: a", "B: b"], "answer": "C", "data": {}}],
            ),
            "mme-unify-commonsense",
            "the answer 'C' is none of A, B",
        ),
        (
            lambda folder: write_json(folder / "metadata.json", {"items": [{"id": "x", "label": 2}]}),
            "uni-mmmu-jigsaw",
            "the label is 2, neither 0 nor 1",
        ),
        (
            hub("uni_mmmu/uni_mmmu_maze100.parquet", "initial_image", steps="[up"),
            "uni-mmmu-maze",
            "is not the text of a list",
        ),
        (
            hub("uni_mmmu/uni_mmmu_maze100.parquet", "initial_image", steps=""),
            "uni-mmmu-maze",
            "has no answer",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_place(
    write: Callable[[Path], Any], name: str, fault: str, tmp_path: Path, weights: str
) -> None:
    write(tmp_path)
    task = build(name, tmp_path, options=options_of(name, weights))
    if not fault:
        assert [*task.samples()]
        return
    with pytest.raises(DataError, match=fault):
        [*task.samples()]


def test_a_refused_image_is_the_samples_failure_with_its_step(tmp_path: Path, weights: str) -> None:
    nd400(tmp_path)
    name = "telephone-text-first"
    task = build(name, tmp_path, options=options_of(name, weights))
    sample = samples_of(task)
    replies: list[Response] = [ImageResponse((Image(data=PHOTOS[0]),)), TextResponse("seen")]
    with pytest.raises(EvalsuiteError, match=r"step 3 \(generate own\): expected 1 images, got 0"):
        task.request(sample, (*replies, ImageResponse(())))
    (row,) = task.score([Answered(sample, (*replies, ImageResponse(())))]).rows
    assert "step 4 (caption seen) of 20 was not answered" in row.failure


def test_drift_is_the_mean_over_generations_and_its_decay(tmp_path: Path, weights: str) -> None:
    nd400(tmp_path)
    name = "telephone-image-first"
    task = build(name, tmp_path, options=options_of(name, weights))
    scores = task.score(gone_through(task, "a red bowl"))

    values = {
        one.metric.name: one.function(np.arange(len(one.rows)))
        for one in scores.statistics
        if not one.group and one.function
    }
    # the image that comes back is the first one: nothing is lost
    assert values["MCD image-image"] == pytest.approx(1, abs=1e-6)
    assert values["MCD"] == pytest.approx((values["MCD image-image"] + values["MCD image-text"]) / 2)
    assert {"SDR-a", "SDR-b", "SDR-c"} <= values.keys() | scores.missing.keys()
