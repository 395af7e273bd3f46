"""In-context examples: which are shown, how they stand in the request, and what is recorded of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import evalsuite_tasks
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.content import Image, Text
from evalsuite.errors import DataError, SpecError
from evalsuite.task import Sample, Task, TaskEntry
from evalsuite.task.benchmark import entries
from evalsuite.task.entry import TaskOptions
from evalsuite.task.few_shot import Shots, same_image
from tests.data.image_files import encoded
from tests.tasks.asking import build, wording
from tests.tasks.test_benchmark import DECLARED
from tests.tasks.test_choice import packed, written
from tests.tasks.test_choice import rows as choice_rows

_TASKS = Path(evalsuite_tasks.__file__).parent

SOURCE = {
    **DECLARED["sources"][0],
    "examples": {
        "split": "train",
        "files": {"questions": "tq.json", "annotations": "ta.json", "images": "train/{image_id:04d}.jpg"},
    },
}
INLINE = {
    "template": "{image}Q: {question} A:",
    "shots": {"form": "inline", "answer": " {answer}", "separator": "\n"},
}
PROTOCOLS = {**DECLARED["protocols"], "inline": INLINE}


def data(folder: Path, train_images: tuple[int, ...] = (11, 12, 13, 14)) -> Path:
    for split, ids in (("", (1, 2)), ("t", train_images)):
        images = folder / ("train" if split else "img")
        images.mkdir(parents=True, exist_ok=True)
        questions, annotations = [], []
        for image_id in ids:
            (images / f"{image_id:04d}.jpg").write_bytes(encoded("JPEG", seed=image_id))
            question_id = image_id + (100 if split else 0)
            questions.append(
                {"question_id": question_id, "image_id": image_id, "question": f"what {image_id}?"}
            )
            texts = [f"said {image_id}"] * 6 + ["other"] * 4
            answers = [{"answer": text, "answer_id": n} for n, text in enumerate(texts)]
            annotations.append({"question_id": question_id, "image_id": image_id, "answers": answers})
        (folder / f"{split}q.json").write_text(json.dumps({"questions": questions}))
        (folder / f"{split}a.json").write_text(json.dumps({"annotations": annotations}))
    return folder


def made(tmp_path: Path, protocol: str = "plain", shots: str = "2", **changes: Any) -> Task:
    declared = {**DECLARED, "sources": [SOURCE], "protocols": PROTOCOLS, **changes}
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
    (entry,) = entries(tmp_path)
    assert isinstance(entry, TaskEntry)
    folder = tmp_path / "data"
    options = {"shots": shots} if shots else {}
    return entry.build(TaskOptions(data=folder, protocol=protocol, options=options))


def test_examples_are_earlier_turns_with_their_images_and_the_most_frequent_answer(tmp_path: Path) -> None:
    data(tmp_path / "data")
    task = made(tmp_path)
    for sample in task.samples():
        request = task.request(sample)
        assert request is not None
        assert [message.role for message in request.messages] == ["user", "assistant"] * 2 + ["user"]
        assert len(request.images) == 3
        for asked, said in zip(request.messages[:4:2], request.messages[1:4:2], strict=True):
            number = asked.text.removeprefix("what ").removesuffix("?")
            assert asked.images[0].label == f"00{number}.jpg"
            assert said.text == f"said {number}"
        assert request.messages[-1].text == f"what {sample.id}?"


def test_inline_examples_stand_in_one_turn_before_the_question(tmp_path: Path) -> None:
    data(tmp_path / "data")
    task = made(tmp_path, "inline", "1")
    request = task.request(next(task.samples()))
    assert request is not None
    (message,) = request.messages
    first, shown, second, asked = message.parts
    assert isinstance(first, Image)
    assert isinstance(second, Image)
    assert isinstance(shown, Text)
    number = shown.text.removeprefix("Q: what ")[:2]
    assert shown == Text(f"Q: what {number}? A: said {number}\n")
    assert asked == Text("Q: what 1? A:")


def test_a_prefill_begins_the_examples_answers_too_and_the_system_prompt_stands_first(tmp_path: Path) -> None:
    data(tmp_path / "data")
    task = made(tmp_path, "paper", "1")
    request = task.request(next(task.samples()))
    assert request is not None
    assert [message.role for message in request.messages] == ["system", "user", "assistant", "user"]
    assert request.messages[2].text.startswith("It is said 1")
    assert request.prefill == "It is"


def test_count_split_and_seed_are_part_of_the_protocols_name_and_of_the_fingerprint(tmp_path: Path) -> None:
    data(tmp_path / "data")
    plain, two, other = made(tmp_path, shots=""), made(tmp_path), made(tmp_path, shots="2@7")
    assert plain.info.protocol == made(tmp_path, shots="0").info.protocol == "plain"
    assert two.info.protocol == "plain, 2-shot from train, seed 0"
    assert other.info.protocol == "plain, 2-shot from train, seed 7"
    assert len({plain.fingerprint(), two.fingerprint(), other.fingerprint()}) == 3
    assert plain.fingerprint() == made(tmp_path, shots="0").fingerprint()
    before = two.fingerprint()
    path = tmp_path / "data" / "tq.json"
    path.write_text(path.read_text().replace("what 11?", "who 11?"))
    assert made(tmp_path).fingerprint() != before


def test_a_questions_own_image_is_never_its_example(tmp_path: Path) -> None:
    data(tmp_path / "data", train_images=(1, 2, 3))
    task = made(tmp_path)
    for sample in task.samples():
        request = task.request(sample)
        assert request is not None
        shown = [message.text for message in request.messages[:-1:2]]
        assert len(set(shown)) == 2
        assert f"what {sample.id}?" not in shown


def test_too_few_examples_are_refused(tmp_path: Path) -> None:
    data(tmp_path / "data", train_images=(1, 3))
    task = made(tmp_path)
    first, second = task.samples()
    with pytest.raises(DataError, match="Question 1: only 1 examples show another image"):
        task.request(first)
    assert task.request(second) is not None
    with pytest.raises(DataError, match="2 of the 3 that are to be shown"):
        made(tmp_path, shots="3").request(first)


@pytest.mark.parametrize(
    ("shots", "changes", "message"),
    [
        ("two", {}, "shots='two' is not a number"),
        ("2@x", {}, "not a number of examples"),
        ("²", {}, "not a number of examples"),
        ("2", {"sources": DECLARED["sources"]}, "names no split for examples"),
        ("2", {"family": "locate", "rules": {"official": "first-box"}}, "has no option 'shots'"),
        (
            "2",
            {
                "protocols": {
                    "plain": {
                        "template": "{image}{question}",
                        "settings": {"gate": {"template": "{image}?", "contains": "no", "answer": "x"}},
                    }
                }
            },
            "protocol 'plain' asks twice",
        ),
    ],
)
def test_impossible_shots_are_refused(
    tmp_path: Path, shots: str, changes: dict[str, Any], message: str
) -> None:
    data(tmp_path / "data")
    with pytest.raises(SpecError, match=message):
        made(tmp_path, shots=shots, **changes)


SAMPLES = [Sample(str(n), None, cluster=str(n // 2)) for n in range(40)]


@given(count=st.integers(1, 20), seed=st.integers(0, 5), order=st.randoms())
def test_the_draw_depends_on_seed_and_question_alone(count: int, seed: int, order: Any) -> None:
    shots = Shots(count, seed)
    shuffled = SAMPLES[:]
    order.shuffle(shuffled)
    for sample in SAMPLES[:3]:
        drawn = shots.draw(sample, shots.pool(SAMPLES))
        assert drawn == shots.draw(sample, shots.pool(shuffled))
        assert len({one.id for one in drawn}) == count
        assert not any(same_image(sample, one) for one in drawn)


@pytest.mark.slow
def test_other_families_show_their_own_answers(tmp_path: Path) -> None:
    """Easy-VQA's training split; captions from a training file; yes or no from another file."""
    task = build("easy-vqa", None, options={"shots": "2"})  # type: ignore[arg-type]
    request = task.request(next(task.samples()))
    assert request is not None
    assert task.info.protocol == "mini, 2-shot from train, seed 0"
    assert all("train" in str(image.path) for image in request.images[:2])
    for split, numbers in (("val", (1,)), ("train", (5, 6, 7))):
        (tmp_path / f"{split}2014").mkdir()
        images = [{"id": n, "file_name": f"{n}.jpg"} for n in numbers]
        captions = [{"id": n, "image_id": n, "caption": f"A cat {n}.\n"} for n in numbers]
        (tmp_path / "annotations").mkdir(exist_ok=True)
        (tmp_path / f"annotations/captions_{split}2014.json").write_text(
            json.dumps({"images": images, "annotations": captions})
        )
    task = build(
        "coco-caption-2014-val", tmp_path, protocol="llava-1.5", options={"shots": "3", "metrics": "CIDEr"}
    )
    request = task.request(next(task.samples()))
    assert request is not None
    assert sorted(message.text for message in request.messages[1::2]) == ["A cat 5.", "A cat 6.", "A cat 7."]
    assert wording(request).endswith("Provide a one-sentence caption for the provided image.")


def test_choice_examples_answer_with_their_letter_and_keep_their_original_order(tmp_path: Path) -> None:
    written(tmp_path, choice_rows())
    table = (tmp_path / "MMBench_DEV_EN.tsv").read_text().splitlines()
    header = table[0].split("\t")
    cells = ["9", "Which?", "", "a", "b", "", "", "", "l3", packed(9), "s", "l2", "test"]
    (tmp_path / "MMBench_TEST_EN.tsv").write_text("\t".join(header) + "\n" + "\t".join(cells) + "\n")
    task = build("mmbench-test-en", tmp_path, protocol="llava-1.5", options={"shots": "2"})
    request = task.request(next(task.samples()))
    assert request is not None
    assert sorted(message.text for message in request.messages[1::2]) == ["A", "B"]
    assert request.messages[-1].text.startswith("\nWhich?\nA. a\nB. b\n")
    assert task.info.protocol == "llava-1.5, 2-shot from dev, seed 0"


def test_yes_or_no_examples_come_from_the_split_that_the_source_names(tmp_path: Path) -> None:
    declared = yaml.safe_load((_TASKS / "yesno" / "pope-random.yaml").read_text())
    examples = {"split": "popular", "files": {"questions": "coco_pope_popular.json"}}
    declared["sources"] = [{**declared["sources"][0], "examples": examples}]
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
    (tmp_path / "val2014").mkdir()
    for split, numbers in (("random", (1,)), ("popular", (1, 2, 3))):
        rows = [
            {"question_id": n, "image": f"{n}.jpg", "text": f"Is there a {n}?", "label": ["no", "yes"][n % 2]}
            for n in numbers
        ]
        (tmp_path / f"coco_pope_{split}.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (entry,) = entries(tmp_path)
    assert isinstance(entry, TaskEntry)
    task = entry.build(TaskOptions(data=tmp_path, options={"shots": "2"}))
    request = task.request(next(task.samples()))
    assert request is not None
    texts = [message.text for message in request.messages]
    said = dict(zip(texts[:-1:2], texts[1::2], strict=True))
    assert said == {"Is there a 2?": "no", "Is there a 3?": "yes"}
