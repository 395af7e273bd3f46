"""Every file of the cycle family runs on a small table in the layout of its authors or of the hub."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from evalsuite.content import Image, Text
from evalsuite.errors import DataError, EvalsuiteError
from evalsuite.request import (
    DocumentResponse,
    GenerateDocument,
    GenerateImages,
    ImageResponse,
    Request,
    Response,
    TextResponse,
)
from evalsuite.task import Answered, Judgement, Sample, Scores, Task
from tests.features.networks import write_clip, write_dino, write_mpnet
from tests.golden.puzzle_images import maze_board, tile_board
from tests.tasks.asking import ENTRIES, build, write_json
from tests.tasks.tables import PHOTOS, base64_of, by_datasets, delimited, parquet
from tests.tasks.test_cycle import unibench

RUBRICS = {"id": "1", "prompt": "Explain.", "task": "art", "text_rubrics": ["a", "b"], "image_rubrics": ["c"]}


def ueval(folder: Path, **changes: Any) -> None:
    by_datasets(folder / "data" / "test-0.parquet", [{**RUBRICS, **changes}], ())


def ueg(folder: Path, **changes: Any) -> None:
    asked = [{"question": "Is it red?", "answer": "yes"}, {"question": "Is it a cat?", "answer": "no"}]
    row = {"task_type": "code_to_image", "prompt": "Draw it.", "question_list": asked}
    write_json(folder / "UEG_direct.json", [row])
    step = {"task_type": "code_to_image", "new_prompt": "Rewrite it.", "question_list": asked}
    write_json(folder / "UEG_step.json", [{**step, **changes}])


def geu(folder: Path) -> None:
    write_photo(folder / "0.png")
    row = {"evaluation_prompt": "Which?\n(A) a (B) b", "answer": "B", "image": "0.png"}
    row |= {"edit_prompt": "Edit.", "task_type": "mental_tracking"}
    write_json(folder / "GEU_step.json", [row])


def write_photo(path: Path, n: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PHOTOS[n])


def jigsaw(folder: Path) -> None:
    for n, name in enumerate(("ref.png", "c0.png", "c1.png")):
        write_photo(folder / name, n)
    item = {"id": "j1", "label": 1, "ref_panel": {"ref_image_path": "ref.png"}}
    write_json(folder / "metadata.json", {"items": [{**item, "candidate_paths": ["c0.png", "c1.png"]}]})


def mme_unify(file: str, keys: dict[str, str]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for n, name in enumerate(keys.values()):
            write_photo(folder / name, n % len(PHOTOS))
        row = {"question": "Which?", "choice": ["B: Mars", "A: Earth"], "answer": "B", "data": keys}
        write_json(folder / file, [row])

    return write


def fakes(right: str, wrong: str, **more: str) -> dict[str, str]:
    return {right: "right.png", **{f"{wrong}{k}": f"wrong{k}.png" for k in (1, 2, 3)}, **more}


def puzzle(kind: str, frames: str, moves: str, **said: Any) -> Callable[[Path], None]:
    """Two solved puzzles, the first of them the example, with an image of every frame."""

    def write(folder: Path) -> None:
        for name in said["names"]:
            write_json(folder / moves.format(name), {said["key"]: ["right", "Right"]})
            for step in range(3):
                path = folder / frames.format(name, step)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(puzzle_frame(kind, step))
        items = [{"steps_dir": f"data/sliding/demo_3x3_{name}_steps"} for name in said["names"][1:]]
        write_json(folder / "summary_steps_le_8.json", {"items": items})

    return write


def puzzle_frame(kind: str, step: int) -> bytes:
    """The puzzle after some steps to the right, as a PNG."""
    stream = io.BytesIO()
    board = maze_board(step) if kind == "maze" else tile_board(step)
    Pillow.fromarray(np.pad(board, ((9, 9), (9, 9), (0, 0)), constant_values=255)).save(stream, "PNG")
    return stream.getvalue()


MAZE = puzzle(
    "maze", "maze_6x6_{}_steps/maze_step_{:04}.png", "maze_6x6_steps_{}.json",
    names=("00015", "00020"), key="steps_long",
)  # fmt: skip
TILES = puzzle(
    "tiles", "demo_3x3_{}_steps/demo_step_{:04}.png", "demo_3x3_steps_words_{}.json",
    names=("00001", "00007"), key="steps_words",
)  # fmt: skip
RIGHT_TWICE = '<ANSWER_JSON>["right","right"]</ANSWER_JSON>'


def hub(file: str, *images: str, **row: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        cells = {name: {"bytes": PHOTOS[n], "path": f"{n}.png"} for n, name in enumerate(images)}
        by_datasets(folder / file, [{**row, **cells}], images)

    return write


def nd400(folder: Path) -> None:
    delimited(folder / "text-first" / "gen-0.csv", [{"filename": "a.png", "caption": "a red bowl"}], ",")
    write_photo(folder / "image-first" / "gen-0" / "a.png")


def illusion(subset: str) -> Callable[[Path], Any]:
    name = "Face_Emoji-3-Medieval_Village-Easy-1.5-90.png"
    return hub(f"illusionbench/illusion_{subset}_test100.parquet", "image", image_name=name)


def mmsi(part: str) -> Callable[[Path], Any]:
    """Two images a question, in one column."""

    def write(folder: Path) -> None:
        images = [{"bytes": photo, "path": None} for photo in PHOTOS[:2]]
        row = {"id": 7, "question": " Which?\nOptions: A: a, B: b ", "answer": "B", "question_type": part}
        parquet(folder / f"mmsi_bench/{part}.parquet", [{**row, "images": images}])

    return write


def baby(kind: str, **changes: Any) -> Callable[[Path], Any]:
    """BabyVision's table: a row of this type, and one of another."""

    def write(folder: Path) -> None:
        row = {"taskId": 1, "type": kind, "subtype": "s", "question": " Which? ", "ansType": "choice",
               "options": ["x", "y"], "choiceAns": 1, "blankAns": None, **changes}  # fmt: skip
        image = {"image": {"bytes": PHOTOS[0], "path": "0.png"}}
        rows = [{**row, "type": one, **image} for one in (kind, "Another")]
        by_datasets(folder / "babyvision/babyvision_first2types_all.parquet", rows)

    return write


def phyx(part: str, **changes: Any) -> Callable[[Path], Any]:
    """PhyX's table: the image is a text."""

    def write(folder: Path) -> None:
        row = {"index": 5, "question": "Which? A: 1, B: 2", "answer": "B", "category": part}
        parquet(folder / f"phyx/phyx_{part}100.parquet", [{**row, "image": base64_of(0), **changes}])

    return write


def geometry(folder: Path) -> None:
    images = [{"bytes": photo, "path": None} for photo in PHOTOS[:2]]
    row = {"problem": "<image>Find x.", "answer": "3", "images": images}
    parquet(folder / "geometry3k/geometry3k_train_first100.parquet", [row])


SOLID = {"question": "Find x.", "answer": "3", "auxiliary_line_description": "Connect A and B."}
SUMS = {"gt_north_south": 2, "gt_east_west": -1}
COLLISION = {"car_dir": "up", "car_speed": 2.0, "person_dir": "left", "person_speed": 0.5,
             "gt_car": 2.0, "gt_person": 3.0}  # fmt: skip
QUESTION = {"evaluation_prompt": "Which?\n(A) a (B) b", "question": "Which?", "answer": "B"}
MOVES = '<ANSWER_JSON>["up","left"]</ANSWER_JSON>'
CHOICE = '<FINAL_ANSWER_JSON>{"choice": 1}</FINAL_ANSWER_JSON>'
LAYOUTS: dict[str, tuple[Callable[[Path], Any], str, float]] = {
    "unieval": (unibench, "(A)", 0.5),
    "realunify-geu": (geu, "B", 1),
    "unig2u-realunify-mental-tracking": (
        hub("realunify/realunify_mental_tracking.parquet", "image", **QUESTION), "B", 1,
    ),
    "unig2u-realunify-mental-reconstruction": (
        hub("realunify/realunify_mental_reconstruction.parquet", "image", **QUESTION), "b", 1,
    ),
    "unig2u-realunify-attentional-focusing": (
        hub("realunify/realunify_attentional_focusing.parquet", "image", **QUESTION), "A", 0,
    ),
    "unig2u-chartqa100": (
        hub("chartqa100/chartqa100.parquet", "image", question="How many?", answer="40", type="human_test"),
        "41", 1,
    ),
    "unig2u-illusionbench-icon-shape": (illusion("icon"), "A face emoji.", 1),
    "unig2u-illusionbench-icon-scene": (illusion("icon"), "medieval village", 1),
    "unig2u-illusionbench-logo-shape": (illusion("logo"), "Medieval_Village", 0),
    "unig2u-illusionbench-logo-scene": (illusion("logo"), "Medieval_Village", 1),
    "unig2u-illusionbench-in-shape": (illusion("in"), "FACE_EMOJI", 1),
    "unig2u-illusionbench-in-scene": (illusion("in"), "City", 0),
    **{
        f"unig2u-mmsi-{name}": (mmsi(name.replace("-", "_")), "I say ``B``.", 1)
        for name in ("attribute-appr", "attribute-meas", "motion-cam", "motion-obj", "msr")
    },
    **{
        f"unig2u-visualpuzzles-{name}": (
            hub(f"visualpuzzles/{name}.parquet", "image", question="Which?", options=[*"wxyz"], answer="C"),
            "y", 1,
        )
        for name in ("algorithmic", "analogical", "deductive", "inductive", "spatial")
    },
    "unig2u-vsp-google-map": (
        hub("vsp/vsp_google_map_50.parquet", "example_image", "test_image", **SUMS),
        "<Output>\n1. North: 2\n2. West: 1", 1,
    ),
    "unig2u-vsp-collision": (
        hub("vsp/vsp_collision_50.parquet", "icon_image", "example_image", "test_image", **COLLISION),
        "Car: 3\nPerson: 5", 0.5,
    ),
    "unig2u-babyvision-fine-grained": (baby("Fine-grained Discrimination"), r"\boxed{B}", math.nan),
    "unig2u-babyvision-visual-tracking": (baby("Visual Tracking"), r"\boxed{B}", math.nan),
    "unig2u-phyx-optics": (phyx("optics"), "B", math.nan),
    "unig2u-phyx-mechanics": (phyx("mechanics"), "B", math.nan),
    "unig2u-geometry3k": (geometry, "It is 3.", math.nan),
    "unig2u-auxsolidmath": (
        hub("auxsolidmath/auxsolidmath_test_easy_first100.parquet", "original_image", **SOLID), "3", math.nan,
    ),
    "uni-mmmu-jigsaw": (jigsaw, CHOICE, 1),
    "uni-mmmu-maze": (
        hub("uni_mmmu/uni_mmmu_maze100.parquet", "initial_image", steps='["up", "down"]'), MOVES, 0.5,
    ),
    "uni-mmmu-sliding": (
        hub("uni_mmmu/uni_mmmu_sliding54.parquet", "initial_image", steps_words='["down", "RIGHT"]'),
        MOVES, 1,
    ),
    "uni-mmmu-maze-images": (MAZE, "", math.nan),
    "uni-mmmu-sliding-images": (TILES, "", math.nan),
    "mme-unify-commonsense": (
        mme_unify("Common_Sense_Question/Common_Sense_Question.json", fakes("image", "fake_image")),
        "Answer: B", 1,
    ),
    "mme-unify-auxiliary-lines": (
        mme_unify(
            "Auxiliary_Lines/Auxiliary_Lines..json",
            fakes("image_Auxiliary_lines", "image_Auxiliary_lines_negative", image="figure.png"),
        ), "Answer: A", 0,
    ),
    "mme-unify-spot-diff": (
        mme_unify(
            "SpotDiff/Spot_Diff.json",
            fakes("img_diff_a", "img_diff_a_negative", img_a="a.png", img_b="b.png"),
        ), "B", 1,
    ),
    "mme-unify-edit-explain": (
        mme_unify(
            "Image_Editing_and_Explaning/Unified_Explanation.json",
            {"image": "source.png"} | fakes("edited_image", "fake_image"),
        ), "B: Mars", math.nan,
    ),
    "telephone-text-first": (nd400, "a bowl", float("nan")),
    "telephone-image-first": (nd400, "a bowl", float("nan")),
    "ueval": (ueval, "", float("nan")),
    "ueval-two-requests": (ueval, "A text.", float("nan")),
    "realunify-ueg": (ueg, "A better prompt.", float("nan")),
}  # fmt: skip
"""Benchmark -> what writes its files, what a model says, and the accuracy that comes to."""


def replied(request: Request, said: str) -> Response:
    """What a model replies: the first photo wherever an image is wanted."""
    image = Image(data=PHOTOS[0], name="own")
    if isinstance(request.output, GenerateImages):
        return ImageResponse((image,) * request.output.count)
    if isinstance(request.output, GenerateDocument):
        return DocumentResponse((Text("Two words"), image, Text(" and more.")))
    return TextResponse(said)


def gone_through(task: Task, said: str) -> list[Answered]:
    found = []
    for sample in task.samples():
        replies: tuple[Response, ...] = ()
        while (request := task.request(sample, replies)) is not None:
            replies = (*replies, replied(request, said))
        found.append(Answered(sample, replies))
    return found


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


def judged(task: Task, answered: Answered, *replies: str) -> tuple[Scores, list[str]]:
    """Scores where a judge says this, and what it was asked."""
    said: list[Judgement] = []
    asked = []
    judge: Any = task
    while (chat := judge.question(answered, tuple(said))) is not None:
        asked.append("".join(p.text if isinstance(p, Text) else "<image>" for p in chat.messages[-1].parts))
        said.append(Judgement(replies[len(said)]))
    one = Answered(answered.sample, answered.responses, judgements=(tuple(said),))
    return task.score([one]), asked


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


def samples_of(task: Task) -> Sample:
    return next(iter(task.samples()))


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
    import numpy as np

    values = {
        one.metric.name: one.function(np.arange(len(one.rows)))
        for one in scores.statistics
        if not one.group and one.function
    }
    # the image that comes back is the first one: nothing is lost
    assert values["MCD image-image"] == pytest.approx(1, abs=1e-6)
    assert values["MCD"] == pytest.approx((values["MCD image-image"] + values["MCD image-text"]) / 2)
    assert {"SDR-a", "SDR-b", "SDR-c"} <= values.keys() | scores.missing.keys()
