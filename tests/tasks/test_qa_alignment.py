"""Question-answering alignment: readers, what a judge is asked, files of answers, pooled columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pil

from evalsuite.content import Image, Text
from evalsuite.endpoint import Chat
from evalsuite.errors import DataError, SampleError, SpecError
from evalsuite.judging import Judged
from evalsuite.request import ImageResponse
from evalsuite.stats import estimate
from evalsuite.task import Answered, Judgement, Sample, Scores
from tests.tasks.asking import asked, build, wording, write_json

HEADER = (
    "item_id,text,keywords,proposition_id,dependency,category_broad,category_detailed,tuple,"
    "question_natural_language"
)


def square(color: str = "red") -> Image:
    stream = io.BytesIO()
    pil.new("RGB", (16, 16), color).save(stream, "PNG")
    return Image(stream.getvalue())


def drawn(sample: Sample, count: int, *runs: Sequence[str], images: Sequence[Image] = ()) -> Answered:
    said = tuple(tuple(map(Judgement, run)) for run in runs)
    return Answered(sample, (ImageResponse(tuple(images) or (square(),) * count),), said)


def judged(name: str, folder: Path, **options: Any) -> Judged:
    task = build(name, folder, **options)
    assert isinstance(task, Judged)
    return task


def numbers(scores: Scores) -> dict[str, float]:
    found = estimate(scores, resamples=20)
    return {f"{one.metric.name} {one.group}".strip(): round(one.value, 6) for one in found}


def words(chat: Chat | None) -> str:
    assert chat is not None
    return "".join(p.text if isinstance(p, Text) else "<image>" for p in chat.messages[-1].parts)


def dpg(folder: Path) -> Path:
    rows = [
        ("a1", "a cat", "1", "0", "entity - whole (cat)", "Is there a cat?"),
        ("a1", "a cat", "2", "1", "attribute - color (cat, red)", "Is it red?"),
        ("b2", "a dog", "1", "0", "entity - whole (dog)", "Is there a dog?"),
        ("b2", "a dog", "2", "1", "attribute - color (dog, blue)", "Is it blue?"),
        ("b2", "a dog", "3", "2", "attribute - color (dog, dark)", "Is the blue dark?"),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "dpg_bench.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(HEADER.split(","))
        for item, text, number, parents, told, question in rows:
            table.writerow((item, text, "", number, parents, "", "", told, question))
    return folder


def answers(path: Path, rows: Sequence[tuple[str, int, str | None, object]]) -> Path:
    lines = ({"id": a, "image": b, "question": c, "answer": d} for a, b, c, d in rows)
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def dpg_answers(path: Path) -> Path:
    """Of b2: the dog is missing in image 1; image 2 lacks the blue; images 3 and 4 are right."""
    no = {(0, "1"), (1, "2")}
    rows = [
        (item, image, str(number), "no" if item == "b2" and (image, str(number)) in no else "yes")
        for item, count in (("a1", 2), ("b2", 3))
        for image in range(4)
        for number in range(1, count + 1)
    ]
    return answers(path, rows)


# DPG-Bench: both rules over one file of answers


def test_the_official_rule_drops_a_prompt_and_pools_the_last_image(tmp_path: Path) -> None:
    options = {"answers": str(dpg_answers(tmp_path / "said.jsonl")), "judge": "mplug"}
    task = judged("dpg-bench", dpg(tmp_path / "data"), options=options)
    assert task.info.judge == "mplug"
    scores = task.score([drawn(sample, 4) for sample in task.samples()])
    first, second = scores.rows
    assert "depends on question 1, which is not there" in first.failure
    # Image 1: the cascade takes all three; image 2: two of three.
    assert second.values["score"] == pytest.approx((0 + 1 / 3 + 1 + 1) / 4)
    assert second.parsed.startswith("image 1: 2 of 3; not 1 | image 2: 2 of 3; not 2")
    found = numbers(scores)
    assert found["questions"] == 1.0
    assert found["score"] == pytest.approx(7 / 12, abs=1e-6)


def test_the_corrected_rule_counts_every_prompt_and_image(tmp_path: Path) -> None:
    options = {"answers": str(dpg_answers(tmp_path / "said.jsonl")), "judge": "mplug"}
    task = judged("dpg-bench", dpg(tmp_path / "data"), rules="corrected", options=options)
    found = numbers(task.score([drawn(sample, 4) for sample in task.samples()]))
    assert found["score"] == pytest.approx((1 + 7 / 12) / 2, abs=1e-6)
    assert found["ungated"] == pytest.approx((1 + 10 / 12) / 2, abs=1e-6)
    assert found["questions broad=entity"] == pytest.approx(7 / 8)
    assert found["questions"] == pytest.approx((8 + 7) / 20)
    assert found["score source=a"] == 1.0


def test_a_judge_is_asked_each_question_about_each_image(tmp_path: Path) -> None:
    task = judged("dpg-bench", dpg(tmp_path))
    sample = list(task.samples())[1]
    assert wording(asked(task, sample)) == "a dog"
    said: list[str] = []
    questions = []
    while (chat := task.question(drawn(sample, 4), tuple(map(Judgement, said)))) is not None:
        questions.append(words(chat))
        said.append("yes")
    assert questions == ["<image>Is there a dog?", "<image>Is it blue?", "<image>Is the blue dark?"] * 4
    scores = task.score([drawn(sample, 4, said, ["no"] * 12)])
    assert scores.rows[0].values["score"] == 0.5
    assert scores.details["runs of the judge"] == 2


def test_without_answers_no_prompt_has_failed(tmp_path: Path) -> None:
    task = judged("dpg-bench", dpg(tmp_path))
    scores = task.score([drawn(sample, 4) for sample in task.samples()])
    assert not any(row.failure for row in scores.rows)
    assert "evalsuite judge" in scores.missing["score"]


@pytest.mark.parametrize(
    ("images", "said", "reason"),
    [
        (3, ["yes"] * 12, "expected 4 images, got 3"),
        (4, ["yes"] * 5, "answered 5 of 12 questions"),
    ],
)
def test_an_answer_that_is_short_is_a_failure(
    tmp_path: Path, images: int, said: list[str], reason: str
) -> None:
    task = judged("dpg-bench", dpg(tmp_path), rules="corrected")
    sample = list(task.samples())[1]
    (row,) = task.score([drawn(sample, images, said)]).rows
    assert reason in row.failure


def test_a_judge_that_gives_nothing_is_a_failure(tmp_path: Path) -> None:
    task = judged("dpg-bench", dpg(tmp_path), rules="corrected")
    one = drawn(list(task.samples())[1], 4)
    one = Answered(one.sample, one.responses, ((Judgement(failure="no quota"),),))
    assert "the judge gave nothing: no quota" in task.score([one]).rows[0].failure


def test_answers_beside_the_data_are_read_and_say_who_gave_them(tmp_path: Path) -> None:
    folder = dpg(tmp_path)
    said = dpg_answers(folder / "answers.jsonl")
    with pytest.raises(DataError, match="which model gave the answers"):
        _ = build("dpg-bench", folder, rules="corrected").info
    rows = [json.loads(line) | {"model": "mplug"} for line in said.read_text().splitlines()]
    said.write_text("\n".join(map(json.dumps, rows)))
    task = judged("dpg-bench", folder, rules="corrected")
    assert task.info.judge == "mplug"
    found = numbers(task.score([drawn(sample, 4) for sample in task.samples()]))
    assert found["score"] == pytest.approx((1 + 7 / 12) / 2, abs=1e-6)


def test_answers_and_judge_belong_together(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="belong together"):
        build("dpg-bench", dpg(tmp_path), options={"judge": "x"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no answers"),
        ('{"id": "a", "image": 0, "question": "1"}', "no field 'answer'"),
        ('{"id": "a", "image": 0, "answer": "y"}\n{"id": "a", "image": 0, "answer": "y"}', "occurs twice"),
    ],
)
def test_a_malformed_file_of_answers_is_one_error(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text(text)
    task = judged("dpg-bench", dpg(tmp_path / "d"), options={"answers": str(path), "judge": "x"})
    with pytest.raises(DataError, match=reason):
        task.score([drawn(sample, 4) for sample in task.samples()])


def test_a_missing_answer_costs_its_prompt_only(tmp_path: Path) -> None:
    said = answers(tmp_path / "said.jsonl", [("a1", i, str(q), "yes") for i in range(4) for q in (1, 2)])
    options = {"answers": str(said), "judge": "x"}
    task = judged("dpg-bench", dpg(tmp_path / "d"), rules="corrected", options=options)
    first, second = task.score([drawn(sample, 4) for sample in task.samples()]).rows
    assert first.values["score"] == 1
    assert "has none to question 1 about image 1" in second.failure


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)))
    return path.parent


@pytest.mark.parametrize(
    ("questions", "reason"),
    [
        ([], "has no questions"),
        (
            [{"id": 1, "text": "?", "parents": [2]}, {"id": 2, "text": "?", "parents": [1]}],
            "depend on each other",
        ),
        ([{"id": 1, "text": "?", "parents": [1]}], "questions 1 and 1 depend"),
        ([{"id": 1, "text": "?"}, {"id": 1, "text": "?"}], "occurs twice"),
        ([{"id": 1}], "no field 'text'"),
    ],
)
def test_a_malformed_question_graph_is_one_error(
    tmp_path: Path, questions: list[dict[str, Any]], reason: str
) -> None:
    folder = lines(tmp_path / "color_questions.jsonl", {"id": 1, "prompt": "p", "questions": questions})
    with pytest.raises(DataError, match=reason):
        list(build("t2i-compbench-color", folder).samples())


def test_probabilities_from_a_file_are_multiplied(tmp_path: Path) -> None:
    questions = [{"id": 1, "text": "a red dog?"}, {"id": 2, "text": "a cat?"}]
    folder = lines(tmp_path / "d" / "color_questions.jsonl", {"id": 1, "prompt": "p", "questions": questions})
    rows = [("1", image, str(q), 0.55555) for image in range(10) for q in (1, 2)]
    options = {"answers": str(answers(tmp_path / "said.jsonl", rows)), "judge": "blip"}
    task = judged("t2i-compbench-color", folder, options=options)
    (row,) = task.score([drawn(sample, 10) for sample in task.samples()]).rows
    assert row.values["score"] == pytest.approx(0.3086)
    rows = [("1", image, str(q), 1.5) for image in range(10) for q in (1, 2)]
    options = {"answers": str(answers(tmp_path / "wrong.jsonl", rows)), "judge": "blip"}
    task = judged("t2i-compbench-color", folder, options=options)
    assert "is no probability" in task.score([drawn(s, 10) for s in task.samples()]).rows[0].failure


def test_the_miniature_asks_for_every_colour_behind_its_shape() -> None:
    import evalsuite_tasks

    task = judged("mini-qa-alignment", Path(evalsuite_tasks.__file__).parent / "qa_alignment/mini")
    samples = list(task.samples())
    assert len(samples) == 120
    questions = {one.id: one.text for one in samples[0].record.questions}
    assert samples[0].record.prompt == "there is a blue circle at the top right"
    assert questions == {"1": "is there a circle?", "2": "is there a blue circle?"}
    (row,) = task.score([drawn(samples[0], 2, ["no", "yes", "Yes.", "yes"])]).rows
    assert row.values == {"score": 0.5, "ungated": 0.75, "truth": 0.0, "agreement": 0.25}


# GenEval++: a verdict per image, asked again


def test_an_unreadable_verdict_is_asked_again_and_then_wrong(tmp_path: Path) -> None:
    rows = [
        {"tag": tag, "include": [{"class": "bus", "count": 2, "color": "red"}], "prompt": "two buses"}
        for tag in ("counting", "color", "color")
    ]
    task = judged("geneval-plus-plus", lines(tmp_path / "Geneval++.jsonl", *rows))
    samples = list(task.samples())
    chat = task.question(drawn(samples[0], 1), ())
    assert words(chat).startswith("Instruction:\ntwo buses\n\nExpectation checklist:\nThis image should")
    assert chat is not None
    assert (chat.messages[0].role, chat.max_tokens, chat.temperature) == ("system", 200, 0.0)
    image = task.prepared(drawn(samples[0], 1), chat).messages[-1].parts[-1]
    assert isinstance(image, Image)
    assert pil.open(io.BytesIO(image.read())).format == "JPEG"
    yes = '{"correct": 1}'
    assert task.question(drawn(samples[0], 1), (Judgement("eh"), Judgement("eh"))) is not None
    assert task.question(drawn(samples[0], 1), (Judgement("eh"),) * 3) is None
    assert task.question(drawn(samples[0], 1), (Judgement("eh"), Judgement(yes))) is None
    given = [["eh", yes], [yes], ["eh"] * 3]
    scores = task.score([drawn(s, 1, said) for s, said in zip(samples, given, strict=True)])
    assert not any(row.failure for row in scores.rows)
    assert numbers(scores)["overall"] == 0.75
    assert numbers(scores)["score"] == pytest.approx(2 / 3, abs=1e-6)


# OneIG: black tiles, dependencies as JSON text


def oneig(folder: Path) -> Path:
    (folder / "scripts/alignment/Q_D").mkdir(parents=True)
    head = "category,id,prompt_en\n"
    sets = {"anime": "Anime_Stylization", "human": "Portrait", "object": "General_Object"}
    (folder / "OneIG-Bench.csv").write_text(
        head + "".join(f"{one},000,a {name}\n" for name, one in sets.items())
    )
    row = {"question": '{"1": "Is it?", "2": "Is it red?"}', "dependency": '{"1": [0], "2": [1, 7]}'}
    for name in sets:
        (folder / f"scripts/alignment/Q_D/{name}.json").write_text(json.dumps({"000": row}))
    return folder


def test_a_black_image_is_none(tmp_path: Path) -> None:
    task = judged("oneig-alignment", oneig(tmp_path))
    sample = next(iter(task.samples()))
    images = [square(), square("black"), square(), square("black")]
    one = drawn(sample, 4, ["Yes", "Yes", "No", "Yes"], images=images)
    assert words(task.question(drawn(sample, 4, images=images), ())).endswith(
        "Is it?. Please answer 'Yes' or 'No' only."
    )
    assert task.question(one, one.judgements[0]) is None
    (row,) = task.score([one]).rows
    assert row.values == {"score": 0.5, "ungated": 0.75}
    black = drawn(sample, 4, ["Yes"], images=[square("black")] * 4)
    with pytest.raises(SampleError, match="wholly black"):
        task.question(black, ())
    assert "wholly black" in task.score([black]).rows[0].failure


def measured(folder: Path) -> Path:
    """OneIG's table with a style and an answer."""
    rows = [
        "category,id,prompt_en,class",
        "Anime_Stylization,000,ink,",
        "Anime_Stylization,049,orange hair,LEGO",
    ]
    (folder / "OneIG-Bench.csv").write_text("\n".join([*rows, "Knowledge_Reasoning,007,five peaks,", ""]))
    write_json(folder / "scripts/reasoning/gt_answer.json", {"007": "Everest, K2"})
    return folder


def test_numbers_that_a_network_measured_come_from_a_file(tmp_path: Path) -> None:
    folder = measured(tmp_path)
    rows = [("anime/049", image, "value", value) for image, value in enumerate((0.5, 0.25, 0.9, -0.05))]
    path = answers(tmp_path / "told.jsonl", rows)
    task = judged("oneig-style", folder, options={"answers": str(path), "judge": "CSD + SE"})
    (sample,) = task.samples()
    assert sample.labels == {"set": "anime", "style": "lego"}
    images = [square(), square(), square("black"), square()]
    scores = task.score([drawn(sample, 4, images=images)])
    # The third tile is black, and no image.
    assert scores.rows[0].values["score"] == pytest.approx((0.5 + 0.25 - 0.05) / 3)
    assert scores.rows[0].parsed == "image 1: 0.5 | image 2: 0.25 | image 3: -0.05"
    assert numbers(scores)["score style=lego"] == pytest.approx(0.7 / 3, abs=1e-6)
    (said,) = judged("oneig-reasoning", folder).samples()
    assert (said.id, said.record.questions[0].text) == ("reasoning/007", "Everest, K2")
    assert len(list(judged("oneig-diversity", folder).samples())) == 3


def test_no_judge_answers_what_a_network_measures(tmp_path: Path) -> None:
    task = judged("oneig-diversity", measured(tmp_path))
    sample = next(iter(task.samples()))
    with pytest.raises(SpecError, match="no judge answers this"):
        task.question(drawn(sample, 4), ())
    scores = task.score([drawn(sample, 4)])
    assert "DreamSim" in scores.missing["score"]
    assert "answers=FILE" in scores.missing["score"]
    path = answers(tmp_path / "told.jsonl", [(sample.id, 0, "value", "nan"), (sample.id, 1, "value", "near")])
    task = judged("oneig-diversity", tmp_path, options={"answers": str(path), "judge": "DreamSim"})
    assert "is no finite number" in task.score([drawn(sample, 4)]).rows[0].failure


def test_a_prompt_without_its_right_answer_is_one_error(tmp_path: Path) -> None:
    write_json(measured(tmp_path) / "scripts/reasoning/gt_answer.json", {"008": "x"})
    with pytest.raises(DataError, match="has nothing for 007"):
        list(judged("oneig-reasoning", tmp_path).samples())


# TIIF and UniGenBench: wording from the user's copy, pooled dimensions


def tiif(folder: Path) -> Path:
    for kind in ("style", "text"):
        prompt = {"type": kind, "short_description": f"{kind} s", "long_description": f"{kind} l"}
        questions = {"type": kind, "yn_question_list": ["A? ", "B?"], "yn_answer_list": ["yes", "No "]}
        lines(folder / f"data/testmini_prompts/{kind}_prompts.jsonl", prompt, prompt)
        lines(folder / f"data/testmini_eval_prompts/{kind}_eval_prompts.jsonl", questions, questions)
    (folder / "eval").mkdir()
    ask = "raw_prompt = '''Look at the image and answer these questions:\\n##YNQuestions##\\nOne a line.'''\n"
    (folder / "eval/eval_with_vlm.py").write_text(ask)
    return folder


def test_tiif_asks_in_the_scripts_wording_and_averages_dimensions(tmp_path: Path) -> None:
    task = judged("tiif-bench", tiif(tmp_path))
    samples = list(task.samples())
    assert [s.record.prompt for s in samples[:2]] == ["style s", "style l"]
    assert words(task.question(drawn(samples[0], 1), ())) == (
        "Look at the image and answer these questions:\nA?\nB?\nOne a line.<image>"
    )
    right, half = "Yes.\nno, none", "yes\nyes"
    said = [right if s.labels["type"] == "style" else half for s in samples]
    found = numbers(task.score([drawn(s, 1, [text]) for s, text in zip(samples, said, strict=True)]))
    assert found["overall short"] == 0.75
    assert found["overall short dimension=Style Control"] == 1.0
    assert found["questions type=text"] == 0.5
    five = (Judgement("maybe"),) * 5
    assert task.question(drawn(samples[0], 1), five) is None
    assert "cannot be read" in task.score([drawn(samples[0], 1, ["maybe"] * 5)]).rows[0].failure


def test_a_script_without_the_wording_is_one_error(tmp_path: Path) -> None:
    task = judged("tiif-bench", tiif(tmp_path))
    (tmp_path / "eval/eval_with_vlm.py").write_text("other = 1\n")
    with pytest.raises(DataError, match="no text number 0 in raw_prompt"):
        task.question(drawn(next(iter(task.samples())), 1), ())


def test_tiif_lists_of_unequal_length_are_one_error(tmp_path: Path) -> None:
    folder = tiif(tmp_path)
    lines(folder / "data/testmini_eval_prompts/text_eval_prompts.jsonl", {"type": "text"})
    with pytest.raises(DataError, match="2 prompts"):
        list(build("tiif-bench", folder).samples())


def test_unigenbench_pools_test_points_by_dimension(tmp_path: Path) -> None:
    points = {"Testpoints": ["Style", "Action - Animal"], "Testpoint Description": ["ink", "(a cat) runs"]}
    (tmp_path / "data").mkdir()
    with (tmp_path / "data/test_prompts_en.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [("index", "prompt_en", "sub_dims_en"), (0, "an ink cat runs", json.dumps(points))]
        )
    (tmp_path / "eval/src").mkdir(parents=True)
    script = (
        "EXPLANATION_DICT_EN = {'Style': 'styles', 'Action - Animal': 'what animals do'}\n"
        "SYSTEM_PROMPT_EN_TEMPLATE = "
        "'Prompt {prompt}; check {testpoint}; {explanation}; {test_explanation}'\n"
        "LANG_CONFIGS = {'en': {'dict': EXPLANATION_DICT_EN, 'checkpoint_header': 'Means',"
        " 'checkpoint_desc_header': 'Here'}}\n"
    )
    (tmp_path / "eval/src/eval_common.py").write_text(script)
    task = judged("unigenbench-en", tmp_path)
    (sample,) = task.samples()
    assert words(task.question(drawn(sample, 4), ())) == (
        "Prompt an ink cat runs; check ['Style', 'Action - Animal']; "
        "Means:「\nStyle: styles\nAction - Animal: what animals do\n」; "
        "Here:「\nStyle: ink\nAction - Animal: (a cat) runs\n」<image>"
    )

    def reply(*scores: int) -> str:
        return f"<analysis>['a', 'b']</analysis><score>{list(scores)}</score>"

    wrong = "<analysis>['a']</analysis><score>[1]</score>"
    said = [reply(1, 0), wrong, reply(1, 1), reply(1, 0), reply(1, 0)]
    found = numbers(task.score([drawn(sample, 4, said)]))
    assert found["overall"] == pytest.approx((1 + 0.25) / 2)
    assert found["questions dimension=Action"] == 0.25


def test_geneval_2_reads_probabilities_or_words(tmp_path: Path) -> None:
    row = {
        "prompt": "two cats", "atom_count": 3, "skills": ["count", "object"],
        "vqa_list": [["How many cats are in the image?", "two"], ["Are there cats?", "Yes"]],
    }  # fmt: skip
    folder = lines(tmp_path / "d" / "geneval2_data.jsonl", row)
    said = answers(tmp_path / "said.jsonl", [("0000", 0, "1", 0.25), ("0000", 0, "2", 1.0)])
    options = {"answers": str(said), "judge": "qwen3-vl-8b"}
    task = judged("geneval2", folder, options=options)
    found = numbers(task.score([drawn(s, 1) for s in task.samples()]))
    assert (found["score"], found["ungated"], found["questions skill=count"]) == (0.5, 0.625, 0.25)
    words_task = judged("geneval2", folder, rules="tifa")
    (sample,) = words_task.samples()
    assert words_task.score([drawn(sample, 1, ["2", "no"])]).rows[0].values["score"] == 0.5


def test_tifa_shows_the_choices(tmp_path: Path) -> None:
    rows = [
        {"id": "coco_1", "caption": "a cat", "question": "what animal?", "choices": ["cat", "dog"],
         "answer": "cat", "element_type": "animal"},
    ]  # fmt: skip
    (tmp_path / "tifa_v1.0_question_answers.json").write_text(json.dumps(rows))
    task = judged("tifa-v1", tmp_path)
    (sample,) = task.samples()
    assert (
        words(task.question(drawn(sample, 1), ()))
        == "Question: what animal? Choices: cat, dog. Answer:<image>"
    )
    assert task.score([drawn(sample, 1, ["Cat."])]).rows[0].values["score"] == 1.0
