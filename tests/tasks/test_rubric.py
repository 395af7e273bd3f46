"""Rubric benchmarks: WISE in both versions, RISEBench, OmniContext; questions, retries, scores, bad input."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pil

from evalsuite.content import Image, Text
from evalsuite.endpoint import Chat
from evalsuite.errors import DataError
from evalsuite.judging import Judged
from evalsuite.request import ImageResponse
from evalsuite.stats import estimate
from evalsuite.task import Answered, Judgement, Sample, Scores
from tests.tasks.asking import asked, build, wording, write_json, write_table


def png(width: int = 24, height: int = 16, color: str = "red") -> bytes:
    stream = io.BytesIO()
    pil.new("RGB", (width, height), color).save(stream, "PNG")
    return stream.getvalue()


def made(sample: Sample, *runs: Sequence[str]) -> Answered:
    said = tuple(tuple(map(Judgement, run)) for run in runs)
    return Answered(sample, (ImageResponse((Image(png(40, 40)),)),), said)


def judged(name: str, folder: Path) -> Judged:
    task = build(name, folder)
    assert isinstance(task, Judged)
    return task


def shown(chat: Chat | None) -> str:
    assert chat is not None
    return "|".join(
        "".join(p.text if isinstance(p, Text) else "<image>" for p in message.parts)
        for message in chat.messages
    )


def conversation(task: Judged, sample: Sample, replies: Sequence[str]) -> list[str]:
    """What is asked while the judge replies like this; one question more than it replies to is a failure."""
    found: list[str] = []
    while (chat := task.question(made(sample), tuple(map(Judgement, replies[: len(found)])))) is not None:
        assert len(found) < len(replies), "another question is asked"
        found.append(shown(chat))
    return found


def numbers(scores: Scores) -> dict[str, float]:
    found = estimate(scores, resamples=20)
    return {f"{one.metric.name} {one.group}".strip(): round(one.value, 6) for one in found}


# WISE

SCRIPT = '''
def build_evaluation_messages(prompt_data, image_base64):
    return [{"text": "You are a strict judge of generated images, truly."},
            {"text": f"""Judge the image by this protocol, and by no other.
PROMPT: "{prompt_data['Prompt']}" EXPLANATION: "{prompt_data['Explanation']}" """}]
'''
IDS = {"culture": 1, "time": 401, "space": 568, "biology": 701, "physics": 801, "chemistry": 901}


def wise(folder: Path, ids: Sequence[int] = tuple(IDS.values())) -> Path:
    rows = [
        {"Prompt": f"p{i} {{Explanation}}", "Explanation": f"e{i}", "Subcategory": "s", "prompt_id": i}
        for i in ids
    ]
    names = ("cultural_common_sense", "spatio-temporal_reasoning", "natural_science")
    for name, part in zip(names, (rows[:1], rows[1:3], rows[3:]), strict=True):
        write_json(folder / f"data/{name}.json", part)
    (folder / "gpt_eval.py").write_text(SCRIPT)
    return folder


def grades(c: int, r: int, a: int) -> str:
    return f"Consistency: {c}\nRealism: {r}\nAesthetic Quality: {a}"


def test_wise_asks_in_the_scripts_wording(tmp_path: Path) -> None:
    task = judged("wise", wise(tmp_path))
    sample = next(iter(task.samples()))
    assert wording(asked(task, sample)) == "p1 {Explanation}"
    (question,) = conversation(task, sample, [grades(2, 1, 0)])
    # A field's name inside the prompt is no field.
    assert question == (
        "You are a strict judge of generated images, truly.|"
        "Judge the image by this protocol, and by no other.\n"
        'PROMPT: "p1 {Explanation}" EXPLANATION: "e1" <image>'
    )


def test_wise_asks_three_times_and_then_leaves_the_image_out(tmp_path: Path) -> None:
    task = judged("wise", wise(tmp_path))
    sample = next(iter(task.samples()))
    assert len(conversation(task, sample, ["no", "Realism: 1", grades(1, 1, 1)])) == 3
    assert len(conversation(task, sample, ["no", "no", "no"])) == 3
    (row,) = task.score([made(sample, ["no", "no", "Realism: 1"])]).rows
    assert "lacks consistency, aesthetic_quality" in row.failure


def test_wise_weighs_its_categories(tmp_path: Path) -> None:
    task = judged("wise", wise(tmp_path))
    samples = list(task.samples())
    assert [sample.labels["category"] for sample in samples] == list(IDS)
    said = [
        grades(2, 2, 2) if sample.labels["category"] == "culture" else grades(1, 0, 0) for sample in samples
    ]
    scores = task.score([made(sample, [text]) for sample, text in zip(samples, said, strict=True)])
    assert numbers(scores)["WiScore"] == pytest.approx(0.4 + 0.6 * 0.35)
    assert numbers(scores)["wiscore category=time"] == 0.35


def test_wise_has_no_overall_without_a_category(tmp_path: Path) -> None:
    task = judged("wise", wise(tmp_path))
    samples = list(task.samples())[:-1]
    scores = task.score([made(sample, [grades(1, 1, 1)]) for sample in samples])
    assert "chemistry" in scores.missing["WiScore"]
    assert "WiScore" not in numbers(scores)


def test_an_id_of_no_category_is_one_error(tmp_path: Path) -> None:
    task = judged("wise", wise(tmp_path, [1, 401, 568, 701, 801, 1001]))
    with pytest.raises(DataError, match="1001 belongs to no category"):
        list(task.samples())


def test_wise_verified_cuts_thoughts_off(tmp_path: Path) -> None:
    folder = wise(tmp_path / "w")
    names = ("cultural_common_sense", "spatio-temporal_reasoning", "natural_science")
    for name in names:
        target = folder / f"data_verified/{name}_verified.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text((folder / f"data/{name}.json").read_text())
    (folder / "vllm_eval.py").write_text(SCRIPT)
    task = judged("wise-verified", folder)
    sample = next(iter(task.samples()))
    said = ["<think>Score: 0 maybe</think>\nScore: 1"]
    assert len(conversation(task, sample, said)) == 1
    assert task.score([made(sample, said)]).rows[0].values == {"wiscore": 1.0}


def test_the_mean_over_a_judges_runs_counts(tmp_path: Path) -> None:
    task = judged("wise", wise(tmp_path))
    sample = next(iter(task.samples()))
    scores = task.score([made(sample, [grades(2, 2, 2)], [grades(0, 0, 0)])])
    assert scores.rows[0].values["wiscore"] == pytest.approx(0.5)
    assert scores.details == {"runs of the judge": 2}
    unjudged = task.score([made(sample)])
    assert not unjudged.rows[0].failure
    assert "evalsuite judge" in unjudged.missing["WiScore"]


# RISEBench

PROMPTS = (
    "prompt_consist", "prompt_reasoning", "prompt_reasoning_w_input", "prompt_generation",
    "prompt_spatial_cons", "prompt_spatial_ref", "prompt_spatial_ref_w_input", "prompt_spatial_ref_img",
    "prompt_spatial_qual",
    "prompt_logical_cons", "prompt_logical_cons_ans", "prompt_logical_txt", "prompt_logical_img",
)  # fmt: skip


def rise(folder: Path, *items: dict[str, Any]) -> Path:
    (folder / "data").mkdir(parents=True)
    for name in ("a.png", "ref.png"):
        (folder / "data" / name).write_bytes(png(900, 300))
    rows = [{"index": f"i{n}", "instruction": "do", "image": "a.png", **item} for n, item in enumerate(items)]
    write_json(folder / "data_total.json", rows)
    pad = "x" * 40
    (folder / "utils.py").write_text(
        "\n".join(f"{name} = '{name} {{instruct}} {{reference}} {pad}'" for name in PROMPTS)
    )
    return folder


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {"category": "causal_reasoning", "reference": "R"},
            ["prompt_consist do R 2", "prompt_reasoning do R 1", "prompt_generation do R 1"],
        ),
        (
            {"category": "temporal_reasoning", "reference": "R", "reasoning_img": 1, "consistency_free": 1},
            ["prompt_reasoning_w_input do R 2", "prompt_generation do R 1"],
        ),
        (
            {"category": "spatial_reasoning", "reference_img": "ref.png"},
            ["prompt_spatial_cons do  2", "prompt_spatial_ref_img do  2", "prompt_spatial_qual do  1"],
        ),
        (
            {"category": "logical_reasoning", "reference_txt": "T"},
            ["prompt_logical_cons_ans do T 2", "prompt_logical_txt do T 1"],
        ),
        (
            {"category": "logical_reasoning", "reference_img": "ref.png"},
            ["prompt_logical_cons do  2", "prompt_logical_img do  2"],
        ),
    ],
)
def test_rise_asks_by_category(tmp_path: Path, item: dict[str, Any], expected: list[str]) -> None:
    task = judged("risebench", rise(tmp_path, item))
    (sample,) = task.samples()
    assert wording(asked(task, sample)) == "<image>do"
    found = conversation(task, sample, ["Final Score: 5"] * len(expected))
    told = [f"{text.split(' xxx')[0].rstrip('x')} {text.count('<image>')}" for text in found]
    assert told == expected


def test_rise_shows_small_jpegs(tmp_path: Path) -> None:
    task = judged("risebench", rise(tmp_path, {"category": "causal_reasoning", "reference": "R"}))
    one = made(next(iter(task.samples())))
    chat = task.question(one, ())
    assert chat is not None
    images = [p for p in task.prepared(one, chat).messages[-1].parts if isinstance(p, Image)]
    opened = [pil.open(io.BytesIO(image.read())) for image in images]
    assert [(image.format, image.size) for image in opened] == [("JPEG", (768, 256)), ("JPEG", (40, 40))]


def test_an_unread_grade_makes_the_image_inaccurate_and_leaves_the_scores_alone(tmp_path: Path) -> None:
    items = [{"category": "causal_reasoning", "reference": "R"}] * 3
    task = judged("risebench", rise(tmp_path, *items))
    said = [["Final Score: 5"] * 3, ["Final Score: 4", "Final Score: 5", "no"], ["Final Score: 5, 4"] * 3]
    scores = task.score([made(s, r) for s, r in zip(task.samples(), said, strict=True)])
    assert [row.unread for row in scores.rows] == [False, True, False]
    assert "the judge gave 6 grades to 3 questions" in scores.rows[2].failure
    assert (numbers(scores)["accuracy"], numbers(scores)["score"]) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"category": "other"}, "no category 'other'"),
        ({"category": "logical_reasoning"}, "logic needs reference_txt"),
        ({"category": "causal_reasoning"}, "no field 'reference'"),
    ],
)
def test_a_malformed_rise_item_is_one_error(tmp_path: Path, item: dict[str, Any], reason: str) -> None:
    task = judged("risebench", rise(tmp_path, item))
    with pytest.raises(DataError, match=reason):
        list(task.samples())


# OmniContext


def omnicontext(folder: Path, *languages: str) -> Path:
    cells = [{"bytes": png(1500, 1200), "path": None}, {"bytes": png(50, 40), "path": None}]
    rows = [
        {"key": f"k{n}", "task_type": "scene_object" if n else "single_object", "instruction": "put <it>",
         "instruction_language": language, "input_images": cells}
        for n, language in enumerate(languages)
    ]  # fmt: skip
    write_table(folder / "data" / "a.parquet", rows)
    names = ("PF_Single_and_Multiple", "PF_Scene", "SC_Single_and_Multiple", "SC_Scene")
    start = "_prompts_0shot_in_context_generation_rule_"
    texts = [f"{start}{name} = '{name} {'y' * 40} <instruction>'" for name in names]
    (folder / "prompt_generator.py").write_text("\n".join([f"_context_no_delimit = '{'c' * 40} '", *texts]))
    return folder


def test_omnicontext_asks_six_questions_and_the_last_readable_pair_counts(tmp_path: Path) -> None:
    task = judged("omnicontext", omnicontext(tmp_path, "en", "en", "zh"))
    first, second = task.samples()
    replies = ['{"score": 9}', '{"score": 4}', '{"score": 4}', '{"score": 9}', "sorry", '{"score": 1}']
    asked_ = conversation(task, first, replies)
    assert [text.split()[1] for text in asked_] == ["PF_Single_and_Multiple", "SC_Single_and_Multiple"] * 3
    assert asked_[0].endswith("put <it><image><image><image>")
    assert conversation(task, second, replies)[0].split()[1] == "PF_Scene"
    (row,) = task.score([made(first, replies)]).rows
    assert row.values == {"PF": 4.0, "SC": 9.0, "overall": 6.0}
    (lost,) = task.score([made(first, ["sorry"] * 6)]).rows
    assert "none of the judge's replies" in lost.failure
    assert "to the end" in task.score([made(first, replies[:5])]).rows[0].failure


def test_omnicontext_scales_given_images(tmp_path: Path) -> None:
    task = judged("omnicontext", omnicontext(tmp_path, "en"))
    one = made(next(iter(task.samples())))
    chat = task.question(one, ())
    assert chat is not None
    images = [p for p in task.prepared(one, chat).messages[-1].parts if isinstance(p, Image)]
    sizes = [pil.open(io.BytesIO(image.read())).size for image in images]
    assert sizes == [(1136, 912), (48, 32), (40, 40)]


def test_a_table_without_the_language_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no instruction in the language 'en'"):
        list(judged("omnicontext", omnicontext(tmp_path, "zh")).samples())


def test_a_weight_that_is_missing_is_refused() -> None:
    from evalsuite_tasks.rubric.settings import Settings

    given = {"judge": "j", "rubric": "wise", "wording": {"quality": "q"}}
    weighted = {"W": {"of": "wiscore", "by": "category", "weights": {"a": 0.5, "b": 0.4}}}
    with pytest.raises(ValueError, match=r"sum to 0\.9"):
        Settings.model_validate(given | {"weighted": weighted})
