"""GenAI-Bench, MJHQ-30K, GenEval's long prompts: files, likelihoods, bad input."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as pil

from evalsuite.errors import DataError, SampleError
from evalsuite.features.inception import MODES
from evalsuite.metrics.alignment_answers import likelihood_value
from tests.tasks.asking import ENTRIES, asked, wording, write_json
from tests.tasks.test_qa_alignment import drawn, judged, numbers, words


def genai(folder: Path, skills: dict[str, Any] | None = None) -> Path:
    prompts = {f"{n:05}": {"prompt": f'a "{n}"', "models": {}} for n in (1, 2, 3)}
    write_json(folder / "genai_image.json", prompts)
    write_json(folder / "genai_skills.json", {"basic": [1], "counting": [1, 2]} if skills is None else skills)
    return folder


def test_genai_bench_asks_for_likelihoods_and_averages_what_is_tagged(tmp_path: Path) -> None:
    task = judged("genai-bench", genai(tmp_path))
    samples = list(task.samples())
    chat = task.question(drawn(samples[0], 1), ())
    assert words(chat) == '<image>Does this figure show "a "1""? Please answer Yes or No.'
    assert chat is not None
    assert chat.choices == ("Yes", " Yes")
    said = [json.dumps({"Yes": math.log(p), " Yes": math.log(p)}) for p in (0.5, 0.25, 0.75)]
    found = numbers(task.score([drawn(s, 1, [text]) for s, text in zip(samples, said, strict=True)]))
    assert found["all"] == pytest.approx(0.375)
    assert found["score"] == pytest.approx(0.5)
    assert found["score skill=counting"] == pytest.approx(0.375)


def test_genai_skills_of_another_release_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no prompt 528"):
        list(judged("genai-bench", genai(tmp_path, {"basic": [528]})).samples())


@given(st.dictionaries(st.sampled_from(["Yes", " Yes", "yes", "No", " no"]), st.floats(-50, 0), min_size=1))
def test_a_likelihood_is_a_probability(values: dict[str, float]) -> None:
    text = json.dumps(values)
    plain, share = likelihood_value(text, "Yes"), likelihood_value(text, "Yes", share=True)
    assert 0 <= plain <= 1
    assert 0 <= share <= 1
    if not any("n" in name.lower() for name in values):
        assert share == pytest.approx(1.0)


@pytest.mark.parametrize(
    "reply", ["", "yes", "[1]", '{"Yes": 1}', '{"Yes": true}', '{"Yes": "a"}', "2", "nan"]
)
def test_what_holds_no_likelihoods_is_a_failure(reply: str) -> None:
    with pytest.raises(SampleError):
        likelihood_value(reply, "Yes")


def test_a_spelling_that_is_the_same_tokens_counts_once() -> None:
    same, other = math.log(0.4), math.log(0.1)
    assert likelihood_value(json.dumps({"two": same, " two": same, "2": other}), "two") == pytest.approx(0.5)
    assert likelihood_value(json.dumps({"two": same, " two": other}), "two") == pytest.approx(0.5)
    assert likelihood_value("0.3", "two") == 0.3


def test_mjhq_names_its_images_by_category(tmp_path: Path) -> None:
    write_json(tmp_path / "meta_data.json", {"ab": {"category": "animals", "prompt": "a cat"}})
    from evalsuite_tasks.image.readers import read_mjhq

    from evalsuite.data.files import Origin
    from evalsuite.task import Located

    files = {"captions": "meta_data.json", "images": "mjhq30k_imgs/{category}/{id}.jpg"}
    source = Located("mjhq-json", tmp_path, files, {}, {}, Origin("mjhq-30k", "", ""))
    (found,) = read_mjhq(source)
    assert found.image.label == "ab.jpg"
    write_json(tmp_path / "meta_data.json", {"ab": {"category": "animals", "prompt": " "}})
    with pytest.raises(DataError, match="the prompt is empty"):
        list(read_mjhq(source))


def test_the_bicubic_mode_crops_a_square_of_256() -> None:
    before = MODES["bicubic-256-torchmetrics"].before
    assert before is not None
    gradient = pil.linear_gradient("L").resize((600, 400)).convert("RGB")
    found = before(gradient)
    assert found.size == (256, 256)
    wanted = gradient.resize((384, 256), pil.Resampling.BICUBIC).crop((64, 0, 320, 256))
    assert found.tobytes() == wanted.tobytes()


def test_genevals_long_prompts_are_a_benchmark_of_their_own(tmp_path: Path) -> None:
    row = {
        "tag": "colors",
        "include": [{"class": "cow", "count": 1, "color": "red"}],
        "prompt": "A cow, red.",
    }
    (tmp_path / "evaluation_metadata_long.jsonl").write_text(json.dumps(row) + "\n")
    from evalsuite.task.entry import TaskOptions

    task = ENTRIES["geneval-long"].build(TaskOptions(data=tmp_path))
    (sample,) = task.samples()
    assert wording(asked(task, sample)) == "A cow, red."
