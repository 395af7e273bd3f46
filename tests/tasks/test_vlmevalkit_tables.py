"""Benchmarks on VLMEvalKit's TSVs: `index`, a base64 `image` (or a list, or the index of another row),
options in columns `A` … `J`, metadata in columns of their own."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError, SampleError, SpecError
from tests.tasks.asking import ENTRIES, answer, asked, build, shown_images, values, wording
from tests.tasks.tables import PHOTOS, base64_of, delimited


def table(folder: Path, name: str, *rows: dict[str, Any]) -> Path:
    """A TSV in which every row has an index and an image unless it says otherwise."""
    full = [{"index": k, "image": base64_of(k % 4), **row} for k, row in enumerate(rows)]
    delimited(folder / f"{name}.tsv", full)
    return folder


def said(task: Any, sample: Any, *answers: str) -> list[float]:
    return [row["accuracy"] for row in values(task, *(answer(sample, text) for text in answers))]


def test_mathvista_takes_the_decimals_from_the_hint(tmp_path: Path) -> None:
    hint = "Hint: Please answer the question requiring a floating-point number with one decimal place and …"
    shared = {"task": "geometry", "skills": "['geometry reasoning', 'arithmetic']", "source": "GEOS"}
    table(
        tmp_path, "MathVista_MINI",
        {"question": "Which?\nChoices:\n(A) 3\n(B) 4", "choices": "['3', '4']", "answer": "4",
         "question_type": "multi_choice", "answer_type": "text", "answer_option": "B", **shared},
        {"question": f"{hint}\nQuestion: How much?", "choices": "", "answer": "1.2",
         "question_type": "free_form", "answer_type": "float", "answer_option": "", **shared},
    )  # fmt: skip
    task = build("mathvista-testmini", tmp_path)
    choice, free = task.samples()
    assert task.target(choice) == ["B"]
    assert free.labels["precision"] == "1.0"
    assert free.labels["skills"] == "geometry reasoning+arithmetic"
    assert "language" not in free.labels  # a column that this copy need not have
    assert said(task, free, "1.23", "1.3") == [1, 0]
    assert shown_images(asked(task, free)) == [PHOTOS[1]]


def test_blink_is_asked_with_its_options_apart(tmp_path: Path) -> None:
    both = f"['{base64_of(0)}', '{base64_of(1)}']"
    row = {"question": "Which is closer?", "A": "left", "B": "right", "C": "", "D": "", "answer": "B",
           "category": "Relative_Depth", "image": both}  # fmt: skip
    table(tmp_path, "BLINK", row)
    task = build("blink-val", tmp_path, protocol="vlmevalkit", rules="vlmevalkit")
    (sample,) = task.samples()
    assert sample.labels == {"sub_task": "Relative_Depth"}
    assert shown_images(asked(task, sample)) == PHOTOS[:2]
    assert wording(asked(task, sample)) == (
        "<image><image>Question: Which is closer?\nOptions:\nA. left\nB. right\n"
        "Please select the correct answer from the options above. \n"
    )
    assert said(task, sample, "B", "A") == [1, 0]
    with pytest.raises(
        SpecError, match=r"protocol 'official' cannot ask the questions of BLINK\.tsv"
    ) as error:
        build("blink-val", tmp_path)
    assert "--protocol vlmevalkit" in error.value.remedy


def test_a_row_of_realworldqa_that_lost_its_right_option_fails_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table(
        tmp_path, "RealWorldQA",
        {"question": "Which lane?", "A": "left", "B": "right", "C": "", "answer": "B"},
        {"question": "Which sign?", "A": "stop", "B": "yield", "C": "", "answer": "C"},
        {"question": "How many cars?", "A": "", "B": "", "C": "", "answer": "3"},
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        task = build("realworldqa", tmp_path, protocol="vlmevalkit", rules="vlmevalkit")
    assert "takes the options out of the questions" in caplog.text
    lettered, lost, counted = task.samples()
    assert said(task, lettered, "B", "right", "A") == [1, 1, 0]
    assert said(task, counted, "3", "4") == [1, 0]
    assert wording(asked(task, counted)) == "<image>Question: How many cars?\n"
    with pytest.raises(SampleError, match=r"index 1 \(id 1\): the answer 'C' is none of the options A, B"):
        asked(task, lost)


def test_mmmu_reads_the_validation_split_with_images_where_their_marks_stand(tmp_path: Path) -> None:
    both = f"['{base64_of(2)}', '{base64_of(3)}']"
    shared = {"category": "Art_Theory", "l2-category": "Art & Design", "E": ""}
    table(
        tmp_path, "MMMU_DEV_VAL",
        {"question": "<image 1> of dev?", "A": "x", "B": "y", "C": "", "D": "", "answer": "A",
         "split": "dev", **shared},
        {"question": "Is <image 2> like <image 1>?", "A": "yes", "B": "<image 2>", "C": "", "D": "",
         "answer": "A", "split": "validation", **shared, "image": both},
        {"question": "How many in <image 1>?", "A": "", "B": "", "C": "", "D": "",
         "answer": "['3', 'three']", "split": "validation", **shared},
    )  # fmt: skip
    task = build("mmmu-val", tmp_path)
    marked, free = task.samples()
    assert (marked.id, free.id) == ("1", "2")
    assert marked.labels == {"subject": "Art_Theory", "discipline": "Art and Design"}
    assert wording(asked(task, marked)) == (
        "Is <image> like <image>?\n(A) yes\n(B) <image>\n\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert shown_images(asked(task, marked)) == [PHOTOS[3], PHOTOS[2], PHOTOS[3]]
    assert shown_images(asked(task, free)) == [PHOTOS[2]]
    assert said(task, free, "three") == [1]


def test_mmmu_pro_has_ten_options_and_one_that_shows_all_in_its_image(tmp_path: Path) -> None:
    options = {letter: f"option {letter}" for letter in "ABCDEFGHIJ"}
    row = {"question": "What is in <image 1>?", **options, "answer": "J", "category": "Music"}
    table(tmp_path, "MMMU_Pro_10c", row)
    table(tmp_path, "MMMU_Pro_V", row)
    standard, vision = (build(f"mmmu-pro-{name}", tmp_path) for name in ("standard", "vision"))
    for task in (standard, vision):
        (sample,) = task.samples()
        assert (task.target(sample), sample.labels["subject"]) == (["J"], "Music")
        assert shown_images(asked(task, sample)) == [PHOTOS[0]]
        assert said(task, sample, "J", "I") == [1, 0]
    (sample,) = standard.samples()
    assert wording(asked(standard, sample)).startswith("What is in <image>?\nA. option A\nB.")
    (sample,) = vision.samples()
    assert "What is in" not in wording(asked(vision, sample))


def test_mmvp_pairs_neighbouring_rows(tmp_path: Path) -> None:
    row = {"question": "Open or closed?", "A": "open", "B": "closed"}
    table(tmp_path, "MMVP", *({**row, "answer": letter} for letter in "ABBA"))
    samples = [*build("mmvp", tmp_path).samples()]
    assert [sample.labels["pair"] for sample in samples] == ["0", "0", "1", "1"]


def test_scienceqa_and_seed_bench_have_their_options_in_columns(tmp_path: Path) -> None:
    table(
        tmp_path, "ScienceQA_TEST",
        {"question": "Which is colder?", "hint": "Look.", "A": "ice", "B": "steam", "C": "", "D": "", "E": "",
         "answer": "A", "category": "physics", "l2-category": "natural science"},
    )  # fmt: skip
    task = build("scienceqa-img", tmp_path)
    (sample,) = task.samples()
    assert wording(asked(task, sample)).startswith(
        "<image>Context: Look.\nWhich is colder?\nA. ice\nB. steam"
    )
    assert sample.labels == {"subject": "natural science", "topic": "physics"}
    row = {"question": "Where?", "A": "a", "B": "b", "C": "c", "D": "d", "answer": "D"}
    table(tmp_path, "SEEDBench_IMG", {**row, "category": "Instance Location", "index": 101669})
    (sample,) = build("seed-bench-image", tmp_path).samples()
    assert (sample.id, sample.labels) == ("101669", {"question_type": "Instance Location"})


def test_open_questions_of_six_benchmarks(tmp_path: Path) -> None:
    ten = "['40'" + ", 'forty'" * 9 + "]"
    tables: dict[str, tuple[str, dict[str, str]]] = {
        "chartqa": ("ChartQA_TEST", {"answer": "40", "split": "test_human"}),
        "ocrbench": ("OCRBench", {"answer": "['40']", "category": "Key Information Extraction"}),
        "textvqa": ("TextVQA_VAL", {"answer": ten}),
        "docvqa-val": ("DocVQA_VAL", {"answer": "['40', '40.0']"}),
        "infographicvqa-val": ("InfoVQA_VAL", {"answer": "['40']"}),
        "vizwiz-val": ("VizWiz", {"answers": ten}),
        "gqa": ("GQA_TestDev_Balanced", {"answer": "40"}),
    }
    for name, (file, row) in tables.items():
        table(tmp_path, file, {"question": "How many?", **row})
        task = build(name, tmp_path)
        (sample,) = task.samples()
        assert sample.id == "0"
        assert "How many?" in wording(asked(task, sample))
        assert shown_images(asked(task, sample)) == [PHOTOS[0]]
        wanted = 0.3 if "answers" in row or row["answer"] == ten else 1
        (scored,) = values(task, answer(sample, "40"))
        assert next(iter(scored.values())) >= wanted, name
    (sample,) = build("chartqa", tmp_path).samples()
    assert sample.labels == {"origin": "human"}


def test_formulas_of_ocrbench_are_known_by_their_kind(tmp_path: Path) -> None:
    kind = "Handwritten Mathematical Expression Recognition"
    table(tmp_path, "OCRBench", {"question": "formula?", "answer": "['a = B']", "category": kind})
    for rules in ("official", "lmms-eval", "vlmevalkit"):
        task = build("ocrbench", tmp_path, rules=rules)
        (sample,) = task.samples()
        assert sample.labels == {"dataset": "HME100k", "question_type": kind}
        assert said(task, sample, "a=B", "A=b") == [1, 0]


def test_mme_pairs_by_category_and_image_path(tmp_path: Path) -> None:
    rows = [
        {"question": f"Is {k}? Please answer yes or no.", "answer": "No" if k % 2 else "Yes",
         "category": "count", "image_path": f"{k // 2}.jpg", **({"image": str(k - 1)} if k % 2 else {})}
        for k in range(4)
    ]  # fmt: skip
    table(tmp_path, "MME", *rows)
    task = build("mme", tmp_path)
    samples = [*task.samples()]
    assert [sample.cluster for sample in samples] == ["count/0.jpg"] * 2 + ["count/1.jpg"] * 2
    assert shown_images(asked(task, samples[1])) == [PHOTOS[0]]  # the image of the row before


def test_hallusionbench_has_the_authors_ids(tmp_path: Path) -> None:
    table(
        tmp_path, "HallusionBench",
        {"index": "VD_figure_1_0_1_2", "question": "Longer?", "answer": "Yes", "category": "VD",
         "l2-category": "figure"},
        {"index": "VS_map_0_3_0_1", "question": "Larger?", "answer": "No", "category": "VS",
         "l2-category": "map", "image": ""},
    )  # fmt: skip
    task = build("hallusionbench-image", tmp_path)
    (sample,) = task.samples()
    assert sample.id == "VD_figure_0_1_2"
    assert sample.cluster == "VD/figure/0"
    assert (sample.labels["figure"], sample.labels["question"]) == ("1", "2")
    assert said(task, sample, "Yes.", "No") == [1, 0]


def test_pope_keeps_the_questions_of_its_set(tmp_path: Path) -> None:
    row = {"question": "Is there a cat in the image?", "answer": "Yes"}
    sets = ["adversarial,popular,random", "adversarial", "random"]
    table(tmp_path, "POPE", *({**row, "category": name} for name in sets))
    for kind, wanted in (("adversarial", ["0", "1"]), ("popular", ["0"]), ("random", ["0", "2"])):
        assert [sample.id for sample in build(f"pope-{kind}", tmp_path).samples()] == wanted


def test_mm_vet_and_llava_bench_carry_what_the_judge_sees(tmp_path: Path) -> None:
    table(tmp_path, "MMVet", {"question": "x?", "answer": "-1<AND>-5", "category": "ocr,math"})
    (sample,) = build("mm-vet", tmp_path).samples()
    assert (sample.record.answer, sample.record.capabilities) == ("-1<AND>-5", ("math", "ocr"))
    table(
        tmp_path, "LLaVABench",
        {"question": "Describe it.", "caption": "A bowl.", "gpt4_ans": "It is a bowl.", "category": "detail"},
    )  # fmt: skip
    (sample,) = build("llava-bench-in-the-wild", tmp_path).samples()
    assert (sample.record.context, sample.record.reference) == ("A bowl.", "It is a bowl.")


def test_a_table_without_a_column_that_it_needs_is_refused(tmp_path: Path) -> None:
    table(tmp_path, "MME", {"question": "Is it?", "answer": "Yes", "category": "count"})
    with pytest.raises(DataError, match="has no column 'image_path'"):
        [*build("mme", tmp_path).samples()]


@pytest.mark.parametrize("name", ["blink-val", "pope-random"])
def test_data_check_says_how_the_copy_differs(tmp_path: Path, name: str) -> None:
    file = "BLINK" if name.startswith("blink") else "POPE"
    row = {"question": "Which?", "A": "a", "B": "b", "C": "", "D": "", "answer": "B", "category": "x"}
    pope = {"question": "Is there a cat?", "answer": "Yes", "category": "random"}
    table(tmp_path, file, row if file == "BLINK" else pope)
    inspect = ENTRIES[name].inspect
    assert inspect is not None
    report = inspect(tmp_path, False)
    assert report.used is not None
    assert "VLMEvalKit's copy" in report.used.note
