"""OK-VQA, TextVQA, VizWiz, GQA: official files and hub columns ask the same; scores are official."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError, SampleError
from evalsuite.metrics.vqa import unanswerability, vqa_accuracy
from evalsuite.task import Task
from tests.data.image_files import encoded
from tests.tasks.asking import answer, asked, build, shown_images, values, wording, write_json, write_table

PHOTO = encoded("JPEG")


def cell(name: str) -> dict[str, Any]:
    return {"bytes": PHOTO, "path": name}


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PHOTO)


def ok_vqa(root: Path) -> Path:
    question = {"question_id": 2971475, "image_id": 297147, "question": "What sport can you use this for?"}
    answers = [
        {"answer_id": i // 2 + 1, "answer": text, "raw_answer": text + "ing", "answer_confidence": "yes"}
        for i, text in enumerate(["race"] * 4 + ["motocross"] * 4 + ["ride"] * 2)
    ]
    write_json(root / "OpenEnded_mscoco_val2014_questions.json", {"questions": [question]})
    write_json(
        root / "mscoco_val2014_annotations.json",
        {"annotations": [{**question, "answers": answers, "question_type": "five", "answer_type": "other"}]},
    )
    picture(root / "val2014" / "COCO_val2014_000000297147.jpg")
    return root


def ok_vqa_hub(root: Path) -> Path:
    write_table(
        root / "data" / "val2014-00000-of-00001.parquet",
        [
            {
                "question_id": "2971475",
                "image": cell("COCO_val2014_000000297147.jpg"),
                "question": "What sport can you use this for?",
                "answers": ["race"] * 4 + ["motocross"] * 4 + ["ride"] * 2,
            }
        ],
    )
    return root


def textvqa(root: Path, **changes: Any) -> Path:
    row = {
        "question_id": 34602,
        "question": "what is the brand of this camera?",
        "image_id": "003a8ae2ef43b901",
        "image_classes": ["Camera"],
        "image_width": 8,
        "image_height": 8,
        "set_name": "val",
        "answers": ["nous les gosses"] * 3 + ["dakota"] * 6 + ["clos culombu"],
        "question_tokens": [],
    }
    write_json(root / "TextVQA_0.5.1_val.json", {"dataset_type": "val", "data": [row | changes]})
    picture(root / "train_images" / "003a8ae2ef43b901.jpg")
    return root


def textvqa_hub(root: Path) -> Path:
    write_table(
        root / "data" / "validation-00000-of-00001.parquet",
        [
            {
                "question_id": 34602,
                "question": "what is the brand of this camera?",
                "image_id": "003a8ae2ef43b901",
                "image": cell("x.jpg"),
                "answers": ["nous les gosses"] * 3 + ["dakota"] * 6 + ["clos culombu"],
                "ocr_tokens": ["DAKOTA", "digital"],
            }
        ],
    )
    return root


VIZWIZ = [
    (
        "VizWiz_val_00000000.jpg",
        "Ok. There is another image I hope it is a better one.",
        ["unanswerable"] * 7 + ["Unanswerable"] * 3,
        0,
    ),
    ("VizWiz_val_00000001.jpg", "What color is it?", ["Blue"] * 2 + ["blue"] * 8, 1),
    ("VizWiz_val_00000002.jpg", "Is it on?", ["don't know"] * 5 + ["yes"] * 5, 1),
]


def vizwiz(root: Path, split: str = "val", **changes: Any) -> Path:
    rows = []
    for name, question, answers, answerable in VIZWIZ:
        row: dict[str, Any] = {"image": name, "question": question}
        if split != "test":
            row |= {
                "answers": [{"answer": text, "answer_confidence": "yes"} for text in answers],
                "answer_type": "other" if answerable else "unanswerable",
                "answerable": answerable,
            }
        rows.append(row | changes)
        picture(root / split / name)
    write_json(root / "Annotations" / f"{split}.json", rows)
    return root


def vizwiz_hub(root: Path) -> Path:
    write_table(
        root / "data" / "val-00000-of-00001.parquet",
        [
            {
                "question_id": name.removesuffix(".jpg"),
                "image": cell(name),
                "question": question,
                "answers": answers,
                "category": "other",
            }
            for name, question, answers, _ in VIZWIZ
        ],
    )
    return root


def of_a_test_split(table: str) -> Any:
    def make(root: Path) -> Path:
        row = {
            "question_id": "7",
            "image": cell("x.jpg"),
            "image_id": 3,
            "question": "What?",
            "answers": None,
        }
        write_table(root / "data" / f"{table}-00000-of-00001.parquet", [row])
        return root

    return make


def gqa(root: Path) -> Path:
    write_json(
        root / "testdev_balanced_questions.json",
        {
            "201307251": {
                "question": "Is it overcast?",
                "imageId": "n161313",
                "answer": "no",
                "fullAnswer": "No, it is clear.",
                "types": {"structural": "verify", "semantic": "global"},
            }
        },
    )
    picture(root / "images" / "n161313.jpg")
    return root


def gqa_hub(root: Path, image: str = "n161313") -> Path:
    write_table(
        root / "testdev_balanced_instructions" / "testdev-00000-of-00001.parquet",
        [
            {
                "id": "201307251",
                "imageId": "n161313",
                "question": "Is it overcast?",
                "answer": "no",
                "types": {"detailed": "weatherVerify", "semantic": "global", "structural": "verify"},
            }
        ],
    )
    write_table(
        root / "testdev_balanced_images" / "testdev-00000-of-00001.parquet",
        [{"id": image, "image": cell(f"{image}.jpg")}],
    )
    return root


@pytest.mark.parametrize(
    ("name", "official", "hub"),
    [
        ("ok-vqa", ok_vqa, ok_vqa_hub),
        ("textvqa", textvqa, textvqa_hub),
        ("vizwiz-val", vizwiz, vizwiz_hub),
        ("gqa", gqa, gqa_hub),
    ],
)
def test_official_files_and_hub_columns_ask_the_same(
    name: str, official: Any, hub: Any, tmp_path: Path
) -> None:
    one, other = build(name, official(tmp_path / "a")), build(name, hub(tmp_path / "b"))
    pairs = list(zip(one.samples(), other.samples(), strict=True))
    assert pairs
    for ours, theirs in pairs:
        assert ours.id == theirs.id
        assert one.target(ours) == other.target(theirs)
        first, second = asked(one, ours), asked(other, theirs)
        assert wording(first) == wording(second)
        assert shown_images(first) == shown_images(second) == [PHOTO]


@pytest.mark.parametrize(
    ("name", "table", "expected"),
    [("vqav2-test-dev", "testdev", "7"), ("vqav2-test", "test", "7"), ("vizwiz-test", "test", "7.jpg")],
)
def test_hub_columns_of_test_splits_need_no_answers(
    name: str, table: str, expected: str, tmp_path: Path
) -> None:
    task: Any = build(name, of_a_test_split(table)(tmp_path))
    (sample,) = task.samples()
    assert [sample.id] == list(task.sample_ids()) == [expected]
    assert shown_images(asked(task, sample)) == [PHOTO]
    (row,) = task.score([answer(sample, "x")]).rows
    assert row.failure == "the right answers of this split are not public"


@pytest.mark.parametrize(
    ("name", "official", "protocol", "expected", "prefill"),
    [
        (
            "ok-vqa",
            ok_vqa,
            "dreamllm",
            "<image>What sport can you use this for?"
            "Please provide an accurate and brief answer within one word.",
            "The short answer (one word) is:",
        ),
        (
            "textvqa",
            textvqa,
            "dreamllm",
            "Based on the image, please answer the question.<image>what is the brand of this camera?"
            "Please provide an accurate answer within one word.",
            "The answer is:",
        ),
        (
            "textvqa",
            textvqa_hub,
            "llava-1.5",
            "<image>\nwhat is the brand of this camera?\nReference OCR token: DAKOTA, digital\n"
            "Answer the question using a single word or phrase.",
            "",
        ),
        (
            "vizwiz-val",
            vizwiz,
            "llava-1.5",
            "<image>\nOk. There is another image I hope it is a better one.\n"
            "When the provided information is insufficient, respond with 'Unanswerable'.\n"
            "Answer the question using a single word or phrase.",
            "",
        ),
        (
            "gqa",
            gqa,
            "llava-1.5",
            "<image>\nIs it overcast?\nAnswer the question using a single word or phrase.",
            "",
        ),
    ],
)
def test_the_wording_is_exact(
    name: str, official: Any, protocol: str, expected: str, prefill: str, tmp_path: Path
) -> None:
    task = build(name, official(tmp_path), protocol=protocol)
    request = asked(task, next(task.samples()))
    assert wording(request) == expected
    assert request.prefill == prefill


def one_value(task: Task, text: str) -> float:
    return values(task, answer(next(task.samples()), text))[0]["accuracy"]


def test_ok_vqa_is_scored_on_the_stemmed_answers_by_the_official_rule(tmp_path: Path) -> None:
    task = build("ok-vqa", ok_vqa(tmp_path))
    assert one_value(task, "Race.") == 1.0
    assert one_value(task, "ride") == pytest.approx(0.6)
    assert one_value(task, "racing") == 0.0


def test_textvqa_is_scored_by_the_m4c_rule(tmp_path: Path) -> None:
    task = build("textvqa", textvqa(tmp_path, answers=["Dakota's"] * 10))
    # Ten equal answers: the VQAv2 rule would compare without any postprocessing and see two different
    # strings.
    assert one_value(task, "dakota's") == 1.0
    assert one_value(build("textvqa", tmp_path, rules="vqav2"), "dakota's") == 0.0


def test_textvqas_ocr_protocol_fails_by_sample_where_the_files_have_no_ocr(tmp_path: Path) -> None:
    task = build("textvqa", textvqa(tmp_path), protocol="llava-1.5")
    with pytest.raises(SampleError, match="Question 34602 has no OCR texts"):
        task.request(next(task.samples()))


def test_vizwiz_does_not_clean_the_human_answers(tmp_path: Path) -> None:
    task = build("vizwiz-val", vizwiz(tmp_path))
    _, blue, _ = task.samples()
    (row,) = values(task, answer(blue, "Blue"))
    assert row["accuracy"] == vqa_accuracy("Blue", ["Blue"] * 2 + ["blue"] * 8, "vizwiz") == 1.0
    lone = build("vizwiz-val", vizwiz(tmp_path, answers=[{"answer": "Blue"}] * 10))
    assert one_value(lone, "Blue") == 0.0


def test_vizwizs_second_task_is_read_off_the_answers(tmp_path: Path) -> None:
    task = build("vizwiz-val", vizwiz(tmp_path))
    samples = list(task.samples())
    scores = task.score(
        [answer(s, text) for s, text in zip(samples, ["Unanswerable.", "unanswerable", "yes"], strict=True)]
    )
    found = {s.metric.name: s.function(list(range(3))) for s in scores.statistics if s.function}
    ap, f1 = unanswerability([0, 1, 1], [0.0, 0.0, 1.0])
    assert found == {"unanswerable AP": ap, "unanswerable F1": f1}
    assert f1 == pytest.approx(2 / 3)


def test_vizwizs_second_task_is_missing_with_its_reason_where_nothing_is_known(tmp_path: Path) -> None:
    task = build("vizwiz-val", vizwiz_hub(tmp_path))
    scores = task.score([answer(sample, "yes") for sample in task.samples()])
    assert set(scores.missing) == {"unanswerable AP", "unanswerable F1"}
    assert "do not say" in scores.missing["unanswerable AP"]


def test_dreamllm_takes_the_word_no_for_unanswerable_and_its_script_any_no(tmp_path: Path) -> None:
    data = vizwiz(tmp_path)
    plain = build("vizwiz-val", data, protocol="dreamllm")
    script = build("vizwiz-val", data, protocol="dreamllm-upstream-quirks")
    sample = next(plain.samples())
    assert wording(asked(plain, sample)) == wording(asked(script, sample))
    for reply, closes in {"No.": (True, True), "It is known": (False, True), "Yes": (False, False)}.items():
        assert (
            tuple(task.request(sample, answer(sample, reply).responses) is None for task in (plain, script))
            == closes
        )


@pytest.mark.parametrize("protocol", ["dreamllm", "dreamllm-upstream-quirks"])
def test_the_annotations_close_the_gate_where_most_people_could_not_answer(
    protocol: str, tmp_path: Path
) -> None:
    task: Any = build("vizwiz-val", vizwiz(tmp_path), protocol=protocol)
    for sample in task.samples():
        said = task.reference_answer(sample)
        known = Counter(sample.record.answers).most_common(1)[0][0] != "unanswerable"
        assert (task.request(sample, (said,)) is not None) == known


def test_dreamllm_first_asks_vizwiz_whether_the_answer_can_be_known(tmp_path: Path) -> None:
    task = build("vizwiz-val", vizwiz(tmp_path), protocol="dreamllm-upstream-quirks")
    sample = next(task.samples())
    first = asked(task, sample)
    assert wording(first).endswith("a better one.Is the answer can be known?")
    assert first.prefill == ""
    assert task.request(sample, answer(sample, "I do not know").responses) is None
    second = asked(task, sample, "Yes, it is.")
    assert wording(second).startswith("Based on the image, please answer the question.<image>Ok.")
    assert second.prefill == "The answer is:"
    assert task.request(sample, answer(sample, "Yes", "x").responses) is None
    closed, open_ = values(task, answer(sample, "Known."), answer(sample, "Yes.", "Blue, I think"))
    assert (closed["accuracy"], open_["accuracy"]) == (1.0, 0.0)
    (row,) = task.score([answer(sample, "Yes.")]).rows
    assert row.failure == "1 of 2 questions are answered"


def test_gqa_is_broken_down_as_its_own_evaluation_does(tmp_path: Path) -> None:
    labels = {"question_type": "verify", "answer_type": "binary"}
    for task in (build("gqa", gqa(tmp_path / "a")), build("gqa", gqa_hub(tmp_path / "b"))):
        (sample,) = task.samples()
        assert sample.labels == labels
        groups = {s.group for s in task.score([answer(sample, "no")]).statistics}
        assert groups == {"", "answer_type=binary", "question_type=verify"}
    path = tmp_path / "a" / "testdev_balanced_questions.json"
    path.write_text(path.read_text().replace('"verify"', '"query"'))
    (sample,) = build("gqa", tmp_path / "a").samples()
    assert sample.labels["answer_type"] == "open"


def test_gqa_compares_answers_as_they_are(tmp_path: Path) -> None:
    assert one_value(build("gqa", gqa(tmp_path)), " no\n") == 1.0
    assert one_value(build("gqa", tmp_path), "No.") == 0.0
    assert one_value(build("gqa", tmp_path, rules="lenient"), "No.") == 1.0
    assert one_value(build("gqa", tmp_path, protocol="llava-1.5"), "No..") == 1.0


@pytest.mark.parametrize("name", ["vizwiz-test", "vqav2-test-dev", "vqav2-test"])
def test_test_splits_are_asked_and_not_scored(name: str, tmp_path: Path) -> None:
    if name == "vizwiz-test":
        vizwiz(tmp_path, "test")
    else:
        split = "test-dev2015" if name == "vqav2-test-dev" else "test2015"
        write_json(
            tmp_path / f"v2_OpenEnded_mscoco_{split}_questions.json",
            {"questions": [{"question_id": 1000, "image_id": 1, "question": "Why?"}]},
        )
        picture(tmp_path / "test2015" / "COCO_test2015_000000000001.jpg")
    task = build(name, tmp_path)
    sample = next(task.samples())
    assert shown_images(asked(task, sample)) == [PHOTO]
    (row,) = task.score([answer(sample, "because")]).rows
    assert row.failure == "the right answers of this split are not public"


@pytest.mark.parametrize(
    ("name", "file", "value", "message"),
    [
        ("textvqa", "TextVQA_0.5.1_val.json", [], "has no field 'data'"),
        (
            "textvqa",
            "TextVQA_0.5.1_val.json",
            {"data": [{"question_id": "1"}]},
            "'question_id' is str '1', not int",
        ),
        ("vizwiz-val", "Annotations/val.json", {}, "must be a list of questions"),
        (
            "vizwiz-val",
            "Annotations/val.json",
            [{"image": "a.jpg", "question": "?", "answerable": "yes"}],
            "answerable is 'yes'",
        ),
        (
            "vizwiz-val",
            "Annotations/val.json",
            [{"image": "../a.jpg", "question": "?"}],
            "would leave the data folder",
        ),
        (
            "vizwiz-val",
            "Annotations/val.json",
            [{"image": "a.jpg", "question": "?", "answers": ["x"]}],
            "1 answers instead of 10",
        ),
        ("gqa", "testdev_balanced_questions.json", [], "must be an object of questions"),
    ],
)
def test_malformed_files_are_refused_with_file_and_place(
    name: str, file: str, value: Any, message: str, tmp_path: Path
) -> None:
    path = write_json(tmp_path / file, value)
    with pytest.raises(DataError, match=message) as caught:
        list(build(name, tmp_path).samples())
    assert path.name in str(caught.value) or "leave" in message


def test_a_gqa_question_without_its_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'n161313', which is not in the table of images"):
        list(build("gqa", gqa_hub(tmp_path, image="n2")).samples())
