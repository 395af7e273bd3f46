"""KRIS-Bench, Complex-Edit and DreamBench++: what the judge is shown and asked, scores, bad input."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image as pil
from transformers import BitImageProcessor, CLIPImageProcessorPil, CLIPModel, Dinov2Model

from evalsuite.content import Image, Text
from evalsuite.data.images import decode
from evalsuite.errors import DataError
from evalsuite.request import ImageResponse
from evalsuite.task import Answered, Judgement
from tests.features.networks import write_clip, write_dino, write_dinov2
from tests.tasks.asking import asked, build, wording, write_json, write_table
from tests.tasks.test_rubric import conversation, judged, made, numbers, png, shown

# KRIS-Bench

KRIS_NAMES = (
    "prompt_consist", "prompt_instruction_following", "prompt_dual_evaluation",
    "prompt_view_instruction_following", "prompt_consist_temporal", "prompt_instruction_temporal",
    "prompt_consist_multi", "prompt_instruction_multi",
)  # fmt: skip


def kris(folder: Path, **annotations: dict[str, Any]) -> Path:
    lines = [
        f'{name} = """{name} of the instruction {{instruct}}, explained {{explanation}}, frame {{N}}: '
        '{{"score": 1}}"""'
        for name in KRIS_NAMES
    ]
    lines.append('prompt_quality = """The quality of the image, as it is, in {{doubled}} braces."""')
    (folder / "prompts.py").write_text("\n".join(lines))
    for category, rows in annotations.items():
        write_json(folder / f"KRIS_Bench/{category.replace('_or_', '-')}/annotation.json", rows)
    return folder


def item(instruction: str = "do it", image: Any = "a.jpg", **more: Any) -> dict[str, Any]:
    return {"ori_img": image, "instruction": instruction, **more}


def images(folder: Path, *names: str) -> None:
    for name in names:
        (folder / "KRIS_Bench" / name).write_bytes(png())


def test_kris_asks_by_category(tmp_path: Path) -> None:
    folder = kris(
        tmp_path,
        color_change={"1": item("make it {N} red", explain="unused")},
        physics={"1": item("let it fall", explain="gravity")},
        viewpoint_change={"1": item(gt_img="t.jpg")},
    )
    images(folder, "color_change/a.jpg", "physics/a.jpg", "viewpoint_change/a.jpg", "viewpoint_change/t.jpg")
    task = judged("kris-bench", folder)
    by_kind = {sample.labels["category"]: sample for sample in task.samples()}
    first, following, quality = conversation(task, by_kind["color_change"], ["5/5"] * 3)
    assert first == (
        'prompt_consist of the instruction make it {N} red, explained unused, frame 1: {"score": 1}'
        "This is the original image:<image>This is the edited image:<image>"
    )
    assert following.startswith("prompt_instruction_following of")
    # Officially the wording about quality does not go through format().
    assert quality == (
        "The quality of the image, as it is, in {{doubled}} braces.This is the edited image:<image>"
    )
    _, dual, _ = conversation(task, by_kind["physics"], ["4/5"] * 3)
    assert dual.startswith("prompt_dual_evaluation of the instruction let it fall, explained gravity")
    _, view, _ = conversation(task, by_kind["viewpoint_change"], ["4/5"] * 3)
    assert view.endswith("<image>This is the ground truth image:<image>")
    assert wording(asked(task, by_kind["physics"])) == "<image>let it fall"


def test_kris_shows_frames_in_their_order_and_the_parts_of_a_composition(tmp_path: Path) -> None:
    frames = ["7-1.jpg", "7-4.jpg", "7-2.jpg"]
    folder = kris(
        tmp_path,
        temporal_prediction={"7": item(image=frames)},
        multi_or_element_composition={"1": item(image=["a.jpg", "b.jpg"])},
    )
    task = judged("kris-bench", folder)
    by_kind = {sample.labels["category"]: sample for sample in task.samples()}
    first, _, quality = conversation(task, by_kind["temporal_prediction"], ["1"] * 3)
    assert first.split(": {")[0].endswith("frame 3")
    order = [f"Frame {n} ({'Generated' if n == 3 else 'Reference'}):<image>" for n in (1, 2, 3, 4)]
    assert first.endswith("".join(order))
    chat = task.question(made(by_kind["temporal_prediction"]), ())
    assert chat is not None
    named = [part.label for part in chat.messages[-1].parts if not isinstance(part, Text)]
    assert named[:2] == ["7-1.jpg", "7-2.jpg"]
    assert named[3] == "7-4.jpg"
    assert quality.endswith("This is the image to evaluate:<image>")
    composed, *_ = conversation(task, by_kind["multi-element_composition"], ["1"] * 3)
    assert composed.endswith("Reference Image 1:<image>Reference Image 2:<image>Predicted Image:<image>")


def test_kris_pools_all_grades(tmp_path: Path) -> None:
    folder = kris(
        tmp_path, color_change={"1": item(), "2": item()}, biology={"1": item()}, humanities={"1": item()}
    )
    task = judged("kris-bench", folder)
    said = {
        "color_change/1": ["5", "3", "nothing"],
        "color_change/2": ["1", "1", "1"],
        "biology/1": ["2", '{"instruction_score": 5, "knowledge_score": 3}', '{"quality_score": 9}'],
        "humanities/1": ["hm", "[]", ""],
    }
    answered = [made(sample, said[sample.id]) for sample in task.samples()]
    scores = task.score(answered)
    rows = {row.id: row for row in scores.rows}
    assert rows["color_change/1"].unread
    assert not rows["color_change/2"].unread
    assert rows["biology/1"].values == {"consistency": 0.25, "instruction": 1.0, "knowledge": 0.5}
    assert "none of the judge's replies" in rows["humanities/1"].failure
    found = numbers(scores)
    assert found["average"] == pytest.approx((1 + 0.5 + 0 + 0 + 0 + 0.25 + 1 + 0.5) / 8)
    assert found["average type=Attribute Perception"] == pytest.approx(1.5 / 5)
    assert found["average knowledge=Conceptual Knowledge"] == pytest.approx(1.75 / 3, abs=1e-6)


@pytest.mark.parametrize(
    ("category", "row", "message"),
    [
        ("colour_change", item(), "no category 'colour_change'"),
        ("color_change", item(image=[]), "must name the images"),
        ("viewpoint_change", item(), "needs gt_img"),
        ("temporal_prediction", item(image=["x.jpg"]), "must end in -NUMBER"),
        ("color_change", {"ori_img": "a.jpg"}, "instruction"),
    ],
)
def test_kris_data_of_another_form_are_one_error(
    tmp_path: Path, category: str, row: dict[str, Any], message: str
) -> None:
    task = judged("kris-bench", kris(tmp_path, **{category: {"1": row}}))
    with pytest.raises(DataError, match=message):
        list(task.samples())


# Complex-Edit


def complex_edit(folder: Path, levels: int = 8) -> Path:
    compound = [{"compound_instruction": f"change {level} things"} for level in range(1, levels + 1)]
    rows = [{"image": {"bytes": png(), "path": "a.png"}, "edit": {"compound": compound}}] * 2
    write_table(folder / "data/test_real-00000-of-00001.parquet", rows)
    system = {
        "prompt_alignment": (
            "ALIGNMENT_PROMPT_W_RUBRIC",
            "Judge how images are aligned, with this rubric.",
        ),
        "prompt_quality": (
            "PERCEPTUAL_QUALITY_PROMPT_W_RUBRIC_WO_INST",
            "Judge how good the image looks, with a rubric.",
        ),
    }
    question = "The first image was changed. The instruction: {instruction}"
    for name, (constant, text) in system.items():
        path = folder / f"complex_edit/eval/{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{constant} = """{text}"""\nPROMPT_TEMPLATE = """{question}"""\n')
    return folder


ALIGNED = '{"reasoning": "r", "instruction_following": "8", "identity_preservation": "10"}'


def test_complex_edit_asks_twice_and_averages_three_scores(tmp_path: Path) -> None:
    task = judged("complex-edit-real", complex_edit(tmp_path))
    samples = list(task.samples())
    assert [sample.id for sample in samples] == ["0000/c8", "0001/c8"]
    first, second = conversation(task, samples[0], [ALIGNED, '{"perceptual_quality": "3"}'])
    assert first == (
        "Judge how images are aligned, with this rubric.\nExplain your reasoning before answering the "
        "questions.|<image><image>The first image was changed. The instruction: change 8 things"
    )
    assert second == "Judge how good the image looks, with a rubric.|<image>"
    chat = task.question(made(samples[0]), ())
    assert chat is not None
    form = chat.extra["response_format"]["json_schema"]["schema"]
    assert form["required"] == ["reasoning", "instruction_following", "identity_preservation"]
    passes = [[ALIGNED, '{"perceptual_quality": "3"}'], [ALIGNED, '{"perceptual_quality": "6"}']]
    found = numbers(task.score([made(samples[0], *passes)]))
    assert found["overall"] == pytest.approx((8 + 10 + 4.5) / 3)
    assert found["perceptual_quality"] == 4.5


@pytest.mark.parametrize(
    "reply", ['{"perceptual_quality": "11"}', '{"perceptual_quality": true}', "[3]", "{"]
)
def test_a_score_off_complex_edits_scale_fails_after_five_tries(tmp_path: Path, reply: str) -> None:
    task = judged("complex-edit-real", complex_edit(tmp_path))
    sample = next(iter(task.samples()))
    assert len(conversation(task, sample, [ALIGNED, *[reply] * 5])) == 6
    (row,) = task.score([made(sample, [ALIGNED, *[reply] * 5])]).rows
    assert "no perceptual_quality" in row.failure


def test_complex_edit_without_all_levels_is_one_error(tmp_path: Path) -> None:
    task = judged("complex-edit-real", complex_edit(tmp_path, levels=7))
    with pytest.raises(DataError, match="7 compound instructions, not 8"):
        list(task.samples())


# DreamBench++


def dreambench(folder: Path, prompts: int = 9) -> Path:
    for name in ("live_subject/animal/00", "style/03"):
        caption = folder / f"data/captions/{name}.txt"
        caption.parent.mkdir(parents=True, exist_ok=True)
        caption.write_text("\n".join(["a cat", *(f"prompt {i}" for i in range(prompts))]))
        image = folder / f"data/images/{name}.jpg"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(png(30, 20))
    for who in ("user", "gpt"):
        for kind in ("subject", "style", "text"):
            path = folder / f"dreambench_plus/prompts/{who}_prompt_{kind}_full.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"\n{who} says this about {kind}\n")
    return folder


def test_dreambench_plus_plus_asks_in_the_scripts_turns(tmp_path: Path) -> None:
    task = judged("dreambench-plus-plus", dreambench(tmp_path))
    samples = {sample.id: sample for sample in task.samples()}
    assert len(samples) == 18
    labels = [samples[f"animal_00-{place}"].labels["kind"] for place in (0, 4, 8)]
    assert labels == ["photorealistic", "style_transfer", "imaginative"]
    sample = samples["style_03-5"]
    assert wording(asked(task, sample)) == "<image>prompt 5"
    kept, followed = conversation(task, sample, ["Score: 3", "Score: 1"])
    assert kept == "user says this about style|gpt says this about style|<image><image>"
    assert followed == "user says this about text|gpt says this about text|prompt 5<image>"
    assert shown(task.question(made(samples["animal_00-0"]), ())).startswith("user says this about subject")
    chat = task.question(made(sample), ())
    assert chat is not None
    answered = made(sample)
    sent = task.prepared(answered, task.question(answered, ()))  # type: ignore[arg-type]
    sizes = [decode(part).size for part in sent.messages[-1].parts if not isinstance(part, Text)]
    assert sizes == [(512, 512), (512, 512)]


def test_dreambench_plus_plus_multiplies_the_means(tmp_path: Path) -> None:
    task = judged("dreambench-plus-plus", dreambench(tmp_path))
    samples = list(task.samples())[:3]
    said = [["Score: 4", "Score: 4"], ["Score: 0", "hm", "Score: 1 Score: 2", "Score: 2"], ["Score: 5"] * 2]
    scores = task.score([made(sample, replies) for sample, replies in zip(samples, said, strict=True)])
    assert "from 0 to 4: 'Score: 5'" in scores.rows[2].failure
    found = numbers(scores)
    assert (found["CP"], found["PF"]) == (0.5, 0.75)
    assert found["CP * PF"] == 0.375


def test_a_caption_file_without_nine_prompts_is_one_error(tmp_path: Path) -> None:
    task = judged("dreambench-plus-plus", dreambench(tmp_path, prompts=8))
    with pytest.raises(DataError, match="8 prompts, not 9"):
        list(task.samples())


def encoded(image: pil.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def said(*runs: Sequence[str]) -> tuple[tuple[Judgement, ...], ...]:
    return tuple(tuple(map(Judgement, run)) for run in runs)


def official_features(folder: Path, name: str, image: pil.Image) -> torch.Tensor:
    """Unit features as eval_clip_and_dino.py makes them, with transformers' own processors."""
    if name == "clip":
        clip: Any = CLIPModel.from_pretrained(folder / name)
        pixels = CLIPImageProcessorPil.from_pretrained(folder / name)(image, return_tensors="pt")
        found = clip.visual_projection(clip.vision_model(pixels["pixel_values"])[1])
    else:
        dino: Any = Dinov2Model.from_pretrained(folder / name)
        pixels = BitImageProcessor.from_pretrained(folder / name)(image, return_tensors="pt")
        found = dino(pixels["pixel_values"]).last_hidden_state[:, 0]
    unit: torch.Tensor = torch.nn.functional.normalize(found)[0]
    return unit


def test_dreambench_plus_plus_has_similarities_beside_the_grades(tmp_path: Path) -> None:
    folders = [
        write_clip(tmp_path / "clip"),
        write_dino(tmp_path / "dino"),
        write_dinov2(tmp_path / "dinov2"),
    ]
    weights = ",".join(f"{folder.name}={folder}" for folder in folders)
    task: Any = build("dreambench-plus-plus", dreambench(tmp_path), options={"weights": weights})
    noise = pil.effect_noise((40, 29), 90).convert("RGB")
    source = tmp_path / "data/images/live_subject/animal/00.jpg"
    pil.effect_noise((23, 31), 60).convert("RGB").save(source)
    samples = list(task.samples())[:3]
    broken = Answered(samples[2], (ImageResponse((Image(b"no image"),)),))
    answered = [Answered(one, (ImageResponse((Image(encoded(noise)),)),)) for one in samples[:2]]
    scores = task.score([*answered, broken])
    with torch.inference_mode(), pil.open(source) as real:
        for name, column in (("clip", "CLIP-I ViT-B/32"), ("dinov2", "DINOv2 ViT-S/14")):
            mine, theirs = (official_features(tmp_path, name, image) for image in (noise, real))
            assert scores.rows[0].values[column] == pytest.approx(float(mine @ theirs), abs=1e-5)
    assert scores.rows[0].values["CLIP-T ViT-B/32"] != scores.rows[1].values["CLIP-T ViT-B/32"]
    assert scores.rows[0].values["DINO ViT-S/8"] == scores.rows[1].values["DINO ViT-S/8"]
    assert scores.rows[2].values == {}
    # Without a judge the similarities are there all the same, with it the grades are beside them.
    assert set(scores.missing) == {"CP * PF", "CP", "PF"}
    assert set(numbers(scores)) >= {"DINO ViT-S/8", "CLIP-T ViT-B/32 kind=photorealistic"}
    graded = task.score([replace(one, judgements=said(["Score: 4", "Score: 2"])) for one in answered])
    assert graded.rows[0].values == {"CP": 1.0, "PF": 0.5, **scores.rows[0].values}
    assert numbers(graded)["CP * PF"] == 0.5


def test_dreambench_plus_plus_is_judged_without_weights_too(tmp_path: Path) -> None:
    task: Any = build("dreambench-plus-plus", dreambench(tmp_path), options={"metrics": "PF,CLIP-T ViT-B/32"})
    scores = task.score([made(next(iter(task.samples())), ["Score: 4", "Score: 4"])])
    assert [metric.name for metric in task.info.metrics] == ["PF", "CLIP-T ViT-B/32"]
    assert "openai/clip-vit-base-patch32" in scores.missing["CLIP-T ViT-B/32"]
    assert {one.metric.name for one in scores.statistics} == {"PF"}
