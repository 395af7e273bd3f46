"""The written world has the official layouts, and what it says is true."""

import base64
import contextlib
import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evalsuite.data.vqav2 import read_questions
from evalsuite.errors import DataError
from evalsuite.metrics.choice import rotations_of
from evalsuite.metrics.vqa import vqa_accuracy
from evalsuite.mini.detect import detect, matches
from evalsuite.mini.formats import truth
from evalsuite.mini.language import VOCABULARY, words
from evalsuite.mini.render import render
from evalsuite.mini.world import Scene
from evalsuite.mini.write import MANIFEST, Sizes, read_manifest, write_world

from . import oracle

SIZES = Sizes(vqa_images=30, choices=24, captioned=20, edits=15, stories=6)
TINY = Sizes(vqa_images=4, choices=6, captioned=3, edits=8, stories=2)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "w"
    write_world(folder, 1, SIZES)
    return folder


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_seed_gives_the_same_world_byte_for_byte(tmp_path: Path) -> None:
    first, second = (write_world(tmp_path / name, 3, TINY) for name in "ab")
    assert first == second
    for name in [*first.files, MANIFEST]:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    other = write_world(tmp_path / "c", 4, TINY)
    assert other.content != first.content


def test_the_tiny_world_is_the_one_it_always_was(tmp_path: Path) -> None:
    """If this fails on purpose, raise `write.VERSION` and renew `data.CONTENT` with it."""
    content = write_world(tmp_path / "w", 3, TINY).content
    assert content == "82a60e5afb0249597d87d6799ef8d33ab6c325f119d1446efa22d78f35dcad0f"


def test_the_manifest_lists_every_file(world: Path) -> None:
    manifest = read_manifest(world)
    there = {path.relative_to(world).as_posix() for path in world.rglob("*") if path.is_file()}
    assert there == set(manifest.files) | {MANIFEST}
    assert manifest.sizes == SIZES
    assert manifest.seed == 1


def test_every_image_shows_its_scene(world: Path) -> None:
    count = 0
    for file, folder in (
        ("scenes.jsonl", "."),
        ("magicbrush/scenes.jsonl", "magicbrush/test"),
        ("stories/scenes.jsonl", "stories"),
    ):
        for name, scene in truth.read_scenes(world / file).items():
            assert (pixels(world / folder / name) == render(scene)).all()
            count += 1
    assert count > 30 + 20 + 30 + 12


def test_vqa_files_have_the_official_keys(world: Path) -> None:
    questions = load(world / "vqav2/v2_OpenEnded_mscoco_val2014_questions.json")
    annotations = load(world / "vqav2/v2_mscoco_val2014_annotations.json")
    assert questions.keys() == {"info", "task_type", "data_type", "license", "data_subtype", "questions"}
    assert annotations.keys() == {"info", "license", "data_type", "data_subtype", "annotations"}
    assert (questions["task_type"], questions["data_subtype"]) == ("Open-Ended", "val2014")
    assert len(questions["questions"]) == len(annotations["annotations"]) == 120
    for question, annotation in zip(questions["questions"], annotations["annotations"], strict=True):
        assert question.keys() == {"image_id", "question", "question_id"}
        assert annotation.keys() == {
            "question_id", "image_id", "question_type", "answer_type", "multiple_choice_answer", "answers",
        }  # fmt: skip
        assert question["question_id"] == annotation["question_id"]
        assert question["question_id"] // 1000 == question["image_id"] == annotation["image_id"]
        assert [a["answer_id"] for a in annotation["answers"]] == list(range(1, 11))
        assert all(a["answer_confidence"] in ("yes", "maybe", "no") for a in annotation["answers"])
        assert question["question"].startswith(annotation["question_type"])


def test_vqa_answers_are_true_and_score_full_marks(world: Path) -> None:
    read = read_questions(
        world / "vqav2/v2_OpenEnded_mscoco_val2014_questions.json",
        world / "vqav2/v2_mscoco_val2014_annotations.json",
        lambda image_id: world / f"val2014/COCO_val2014_{image_id:012d}.png",  # type: ignore[arg-type,return-value]
    )
    disagreeing = 0
    for question in read:
        answer = oracle.answer(question.question, detect(pixels(Path(str(question.image)))))
        assert question.answers.count(answer) >= 7
        assert vqa_accuracy(answer, question.answers) == 1.0
        assert {word for text in question.answers for word in words(text)} <= {*VOCABULARY, "zero"}
        disagreeing += len(set(question.answers)) > 1
    assert 0 < disagreeing < 40


def table(world: Path) -> list[dict[str, str]]:
    csv.field_size_limit(10**9)
    with (world / "mmbench/MMBench_DEV_EN.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_mmbench_rows_come_with_all_their_rotations(world: Path) -> None:
    rows = {int(row["index"]): row for row in table(world)}
    header = (world / "mmbench/MMBench_DEV_EN.tsv").read_text().split("\n", 1)[0]
    assert header.replace("\t", " ") == (
        "index question hint A B C D answer category image source l2-category comment split"
    )
    groups = rotations_of(list(rows))
    assert len(groups) == 24
    for base, row in rows.items():
        if base >= 1_000_000:
            continue
        options = [row[letter] for letter in "ABCD" if row[letter]]
        right = row[row["answer"]]
        assert 2 <= len(options) == len(set(options)) <= 4
        for k in range(1, len(options)):
            copy = rows[base + 1_000_000 * k]
            assert copy["image"] == str(base), "copies refer to the image of the original"
            assert [copy[letter] for letter in "ABCD" if copy[letter]] == options[k:] + options[:k]
            assert copy[copy["answer"]] == right
            same = ("question", "category", "l2-category", "split")
            assert all(copy[name] == row[name] for name in same)
        assert base + 1_000_000 * len(options) not in rows


def test_mmbench_answers_are_true_and_the_only_true_ones(world: Path) -> None:
    for row in table(world):
        if int(row["index"]) >= 1_000_000:
            continue
        with Image.open(io.BytesIO(base64.b64decode(row["image"]))) as image:
            seen = detect(np.asarray(image))
        true = [letter for letter in "ABCD" if row[letter] and fits(row["question"], row[letter], seen)]
        assert true == [row["answer"]], row["question"]
        assert {w for k in ("question", "A", "B", "C", "D") for w in words(row[k])} <= set(VOCABULARY)


def fits(question: str, option: str, seen: list) -> bool:
    """Whether an option is a true answer, by the second reader."""
    if question == "what does the image show?":
        parts = option.removeprefix("a ").split()
        if len(parts) == 2:
            return bool(oracle.pick(" ".join(parts), seen))
        first, relation, second = " ".join(parts[:2]), " ".join(parts[2:-2]), " ".join(parts[-2:])
        return oracle.holds(oracle.only(first, seen), relation, oracle.only(second, seen))
    if question.startswith("which object is"):
        size = "large" if "larger" in question else "small"
        return oracle.only(option.removeprefix("the "), seen).size == size
    return oracle.answer(question, seen) == option


def test_mmbench_claims_only_abilities_that_the_world_has(world: Path) -> None:
    abilities = {row["l2-category"] for row in table(world)}
    assert abilities == {
        "coarse_perception",
        "finegrained_perception (instance-level)",
        "finegrained_perception (cross-instance)",
    }


def test_caption_file_loads_with_the_official_api(world: Path) -> None:
    pycocotools = pytest.importorskip("pycocotools.coco")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = pycocotools.COCO(str(world / "annotations/captions_val2014.json"))
    scenes = truth.read_scenes(world / "scenes.jsonl")
    assert len(coco.getImgIds()) == 20
    for image_id in coco.getImgIds():
        (image,) = coco.loadImgs([image_id])
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[image_id]))
        assert len({a["caption"] for a in annotations}) == 5
        assert len({a["id"] for a in annotations}) == 5
        name = f"val2014/{image['file_name']}"
        assert (world / name).is_file()
        assert name in scenes
        assert (image["width"], image["height"]) == (64, 64)
        seen = detect(pixels(world / name))
        assert all(oracle.caption_holds(a["caption"], seen) for a in annotations)


def test_karpathys_file_says_the_same_as_the_caption_file(world: Path) -> None:
    official = load(world / "annotations/captions_val2014.json")["annotations"]
    karpathy = load(world / "dataset_coco.json")
    assert karpathy["dataset"] == "coco"
    said = [
        (s["sentid"], image["cocoid"], s["raw"]) for image in karpathy["images"] for s in image["sentences"]
    ]
    assert said == [(a["id"], a["image_id"], a["caption"]) for a in official]
    for image in karpathy["images"]:
        assert image["split"] == "test"
        assert image["sentids"] == [s["sentid"] for s in image["sentences"]]
        assert (world / image["filepath"] / image["filename"]).is_file()


def test_prompts_ask_for_what_their_image_shows(world: Path) -> None:
    prompts = truth.read_prompts(world / "prompts.jsonl")
    scenes = truth.read_scenes(world / "scenes.jsonl")
    captions = {a["id"]: a for a in load(world / "annotations/captions_val2014.json")["annotations"]}
    assert prompts.keys() == captions.keys()
    for number, prompt in prompts.items():
        assert (prompt.text, prompt.image_id) == (captions[number]["caption"], captions[number]["image_id"])
        name = f"val2014/COCO_val2014_{prompt.image_id:012d}.png"
        assert matches(scenes[name], detect(pixels(world / name))).satisfies(prompt.states)


def test_magicbrush_folder_has_the_official_layout(world: Path) -> None:
    folder = world / "magicbrush/test"
    sessions, turns = load(folder / "edit_sessions.json"), load(folder / "edit_turns.json")
    everything, local = load(folder / "global_descriptions.json"), load(folder / "local_descriptions.json")
    assert turns == [turn for session in sessions.values() for turn in session]
    assert len(turns) == 15
    assert sessions.keys() == everything.keys() == local.keys()
    assert {len(session) for session in sessions.values()} == {1, 2}
    scenes = truth.read_scenes(world / "magicbrush/scenes.jsonl")
    for key, session in sessions.items():
        names = [f"{key}-input.png", *(f"{key}-output{k}.png" for k in range(1, len(session) + 1))]
        assert list(everything[key]) == names
        assert list(local[key]) == names[1:]
        for k, turn in enumerate(session, start=1):
            assert turn.keys() == {"input", "mask", "output", "instruction"}
            assert (turn["input"], turn["output"]) == (names[k - 1], names[k])
            assert turn["mask"] == f"{key}-mask{k}.png"
            before, after, mask = (
                pixels(folder / "images" / key / turn[n]) for n in ("input", "output", "mask")
            )
            changed = (before != after).any(axis=-1)
            assert changed.any()
            assert (mask[..., 3][changed] == 0).all()
            assert (mask[..., 3] == 255).any()
            assert (mask[..., :3] == before).all()
            assert oracle.caption_holds(everything[key][turn["output"]], detect(after))
            assert isinstance(scenes[f"images/{key}/{turn['output']}"], Scene)


def test_stories_name_their_images(world: Path) -> None:
    rows = [json.loads(line) for line in (world / "stories/stories.jsonl").read_text().splitlines()]
    assert len({row["id"] for row in rows}) == len(rows) == 6
    for row in rows:
        assert [list(part) for part in row["parts"]] == [["text"], ["image"]] * (len(row["parts"]) // 2)
        assert all((world / "stories" / part["image"]).is_file() for part in row["parts"][1::2])


def test_one_part_does_not_depend_on_the_size_of_another(tmp_path: Path) -> None:
    small, large = Sizes(4, 6, 3, 8, 2), Sizes(9, 6, 3, 8, 2)
    first, second = write_world(tmp_path / "a", 3, small), write_world(tmp_path / "b", 3, large)
    for name in (
        "mmbench/MMBench_DEV_EN.tsv",
        "annotations/captions_val2014.json",
        "magicbrush/scenes.jsonl",
    ):
        assert first.files[name] == second.files[name]


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty"):
        write_world(tmp_path, 1, TINY)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_world(tmp_path / "file" / "world", 1, TINY)


@pytest.mark.parametrize(
    "line", ["{", '{"file": "a.png"}', '{"file": "a.png", "scene": {"things": [], "background": [1]}}']
)
def test_a_damaged_truth_file_names_the_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "scenes.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(DataError, match="line 1"):
        truth.read_scenes(path)
