"""Real COCO photographs, captions and OK-VQA questions (shared/data/coco-mini) through the usual loaders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.data.images import decode
from evalsuite.request import TextResponse
from evalsuite.stats import estimate
from evalsuite.task import Answered
from tests.tasks.asking import build, write_json

MINI = Path(__file__).resolve().parents[3] / "shared" / "data" / "coco-mini"
pytestmark = pytest.mark.skipif(not MINI.is_dir(), reason=f"{MINI} is not here")


def test_real_captions_are_read_asked_and_scored(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "captions_val2017.json").symlink_to(MINI / "captions.json")
    (tmp_path / "val2017").symlink_to(MINI / "images")
    options = {"metrics": "CIDEr,BLEU-4,ROUGE-L"}
    task = build("coco-caption-2017-val", tmp_path, protocol="llava-1.5", options=options)
    samples = list(task.samples())
    file = json.loads((MINI / "captions.json").read_text())
    assert [sample.id for sample in samples] == [str(image["id"]) for image in file["images"]]
    sizes = {str(image["id"]): (image["width"], image["height"]) for image in file["images"]}
    for sample in samples[:5]:
        request = task.request(sample)
        assert request is not None
        assert decode(request.images[0]).size == sizes[sample.id]
    # Each image's first caption, told of the others: a caption scores well among its own, not elsewhere.
    own = task.score([Answered(s, (TextResponse(s.record.captions[0]),)) for s in samples])
    turned = [*samples[1:], samples[0]]
    other = task.score(
        [Answered(s, (TextResponse(o.record.captions[0]),)) for s, o in zip(samples, turned, strict=True)]
    )
    values = [{e.metric.name: e.value for e in estimate(scores, resamples=20)} for scores in (own, other)]
    assert values[0]["BLEU-4"] == pytest.approx(1.0)
    assert values[0]["CIDEr"] > 2 > 0.5 > values[1]["CIDEr"]


def _official(folder: Path) -> int:
    """The questions in OK-VQA's files; a soft label of n / 3 stands for n people, the rest said something
    else."""
    questions: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, asked in json.loads((MINI / "questions.json").read_text())["okvqa"].items():
        for _, question_id, text, labels in asked:
            said = [answer for answer, soft in labels.items() for _ in range(round(3 * soft))]
            ten = (said + [f"other {n}" for n in range(10)])[:10]
            row = {"question_id": question_id, "image_id": int(image_id)}
            questions.append({**row, "question": text})
            annotations.append(
                {**row, "answers": [{"answer": answer, "answer_id": n} for n, answer in enumerate(ten, 1)]}
            )
    write_json(folder / "OpenEnded_mscoco_val2014_questions.json", {"questions": questions})
    write_json(folder / "mscoco_val2014_annotations.json", {"annotations": annotations})
    images = folder / "val2014"
    images.mkdir()
    for path in (MINI / "images").iterdir():
        (images / f"COCO_val2014_{path.stem.rpartition('_')[2]}.jpg").symlink_to(path)
    return len(questions)


def test_real_questions_are_asked_with_their_photograph_and_scored_officially(tmp_path: Path) -> None:
    count = _official(tmp_path)
    task = build("ok-vqa", tmp_path)
    samples = list(task.samples())
    assert len(samples) == count
    for sample in samples:
        request = task.request(sample)
        assert request is not None
        assert min(decode(request.images[0]).size) >= 200
        assert request.messages[-1].text == sample.record.question
    first = task.score([Answered(s, (TextResponse(s.record.answers[0]),)) for s in samples])
    assert {row.values["accuracy"] for row in first.rows} <= {0.6, 0.9, 1.0, 0.8999999999999999}
    assert not any(row.failure for row in first.rows)
