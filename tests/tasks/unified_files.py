"""Small files of the cycle family's benchmarks in the layout of their authors or of the hub, and answers."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from evalsuite.content import Image, Text
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
from tests.golden.puzzle_images import maze_board, tile_board
from tests.tasks.asking import write_json
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


def samples_of(task: Task) -> Sample:
    return next(iter(task.samples()))


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
