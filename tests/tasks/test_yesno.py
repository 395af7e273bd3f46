"""POPE on its official question files: LLaVA-1.5-7B's table comes out of its stored answers."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import evalsuite_tasks
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.content import Text
from evalsuite.data.images import decode
from evalsuite.errors import DataError
from evalsuite.request import ImageResponse, TextResponse
from evalsuite.task import Answered, Sample, Scores, Task
from evalsuite.task.entry import TaskOptions
from tests.data.image_files import encoded
from tests.goldens import golden_dir

ENTRIES = {entry.name: entry for entry in evalsuite_tasks.tasks()}


def build(name: str, **options: Any) -> Task:
    return ENTRIES[name].build(TaskOptions(**options))


def official(folder: Path, split: str) -> Path:
    """The official question file under its own name, gzipped as it is stored."""
    source = golden_dir("pope") / f"official_coco_pope_{split}.json.gz"
    (folder / f"coco_pope_{split}.json.gz").write_bytes(source.read_bytes())
    return folder


def lines(folder: Path, *rows: dict[str, Any]) -> Path:
    (folder / "coco_pope_random.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


ROW = {"question_id": 1, "image": "COCO_val2014_000000000001.jpg", "text": "Is there a cat?", "label": "yes"}


def numbers(scores: Scores) -> dict[str, float]:
    found = {}
    for statistic in scores.statistics:
        if statistic.function is not None:
            found[statistic.metric.name] = statistic.function(np.arange(len(statistic.rows)))
        else:
            values = [scores.rows[i].values[statistic.metric.name] for i in statistic.rows]
            found[statistic.metric.name] = sum(values) / len(values)
    return found


def answered(samples: list[Sample], *texts: str) -> list[Answered]:
    return [Answered(sample, (TextResponse(text),)) for sample, text in zip(samples, texts, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("split", ["random", "popular", "adversarial"])
def test_the_official_files_have_3000_balanced_questions_on_500_images(tmp_path: Path, split: str) -> None:
    task = build(f"pope-{split}", data=official(tmp_path, split))
    samples = list(task.samples())
    assert len(samples) == 3000
    assert sum(task.target(sample) == "yes" for sample in samples) == 1500
    assert len({sample.cluster for sample in samples}) == 500


def test_llava_1_5_7bs_stored_answers_give_its_logged_table(tmp_path: Path) -> None:
    if not (golden_dir("pope") / "answers_llava-v1.5-7b_partial.jsonl.gz").exists():
        pytest.skip("LLaVA-1.5's answers are not in the repository (golden set pope)")
    task = build("pope-adversarial", data=official(tmp_path, "adversarial"))
    with gzip.open(golden_dir("pope") / "answers_llava-v1.5-7b_partial.jsonl.gz", "rt") as stream:
        texts = [json.loads(line)["text"] for line in stream][:3000]
    scores = numbers(task.score(answered(list(task.samples()), *texts)))
    logged = (golden_dir("pope") / "POPE_results_7b_logged.txt").read_text()
    for name, label in (
        ("accuracy", "Accuracy"), ("precision", "Precision"), ("recall", "Recall"), ("F1", "F1 score"),
        ("yes ratio", "Yes ratio"),
    ):  # fmt: skip
        assert f"{label}: {scores[name]}\n" in logged


def test_the_dreamllm_protocol_samples_with_its_own_wording(tmp_path: Path) -> None:
    (tmp_path / "val2014").mkdir()
    (tmp_path / "val2014" / "COCO_val2014_000000000001.jpg").write_bytes(encoded("JPEG"))
    task = build("pope-random", data=lines(tmp_path, ROW), protocol="dreamllm")
    (sample,) = task.samples()
    request = task.request(sample)
    assert request is not None
    before, image, after = request.messages[0].parts
    assert before == Text(
        "Based on the image, please objectively and accurately indicate whether the object exists."
    )
    assert after == Text("Is there a cat?")
    assert (request.prefill, request.output.temperature) == ("The answer is:", 0.2)  # type: ignore[union-attr]
    assert decode(image).size == (24, 16)  # type: ignore[arg-type]
    assert task.request(sample, (TextResponse("yes"),)) is None


def test_hub_columns_ask_the_same_as_the_official_lines(tmp_path: Path) -> None:
    (tmp_path / "a" / "val2014").mkdir(parents=True)
    (tmp_path / "b" / "Full").mkdir(parents=True)
    (tmp_path / "a" / "val2014" / ROW["image"]).write_bytes(encoded("JPEG"))  # type: ignore[operator]
    row = {
        "id": "0", "question_id": "1", "question": ROW["text"], "answer": "yes", "category": "random",
        "image_source": "COCO_val2014_000000000001",
        "image": {"bytes": encoded("JPEG"), "path": ROW["image"]},
    }  # fmt: skip
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "b" / "Full" / "random-00000-of-00001.parquet")
    one, other = (
        build("pope-random", data=lines(tmp_path / "a", ROW)),
        build("pope-random", data=tmp_path / "b"),
    )
    (ours,), (theirs,) = one.samples(), other.samples()
    assert (ours.id, ours.cluster, ours.labels) == (theirs.id, theirs.cluster, theirs.labels)
    assert one.request(ours).fingerprint() == other.request(theirs).fingerprint()  # type: ignore[union-attr]


def test_rules_differ_on_answers_that_say_neither(tmp_path: Path) -> None:
    rows = [{**ROW, "question_id": n, "label": "yes" if n % 2 else "no"} for n in range(4)]
    said = ("unsure", "Yes, there is.", "no", "yes")
    found = {}
    for rule in ("official", "lmms-eval", "vlmevalkit"):
        task = build("pope-random", data=lines(tmp_path, *rows), rules=rule)
        scores = task.score(answered(list(task.samples()), *said))
        found[rule] = ([row.parsed for row in scores.rows], numbers(scores)["accuracy"])
    assert found == {
        "official": (["yes", "yes", "no", "yes"], 0.75),
        "lmms-eval": (["?", "?", "no", "yes"], 0.5),
        "vlmevalkit": (["?", "yes", "no", "yes"], 0.75),
    }


def test_ratios_are_computed_on_resampled_rows_and_failures_left_out(tmp_path: Path) -> None:
    rows = [{**ROW, "question_id": n} for n in range(3)]
    task = build("pope-random", data=lines(tmp_path, *rows))
    samples = list(task.samples())
    given = [*answered(samples[:2], "yes", "no"), Answered(samples[2], (ImageResponse(()),))]
    scores = task.score(given)
    assert "not text" in scores.rows[2].failure
    recall = next(s for s in scores.statistics if s.metric.name == "recall")
    assert list(recall.rows) == [0, 1]
    assert recall.function is not None
    assert recall.function(np.array([0, 1])) == 0.5
    assert recall.function(np.array([0, 0])) == 1.0
    precision = next(s for s in scores.statistics if s.metric.name == "precision")
    assert precision.function is not None
    assert math.isnan(precision.function(np.array([1, 1])))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "maybe"}, "line 1: the label is 'maybe', neither yes nor no"),
        ({"label": None}, "'label' is NoneType"),
        ({"question_id": "1"}, "'question_id' is str '1', not int"),
        ({"image": "../../etc/passwd"}, "would leave the data folder"),
    ],
)
def test_malformed_lines_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(build("pope-random", data=lines(tmp_path, {**ROW, **change})).samples())


def test_a_question_twice_an_empty_file_and_a_broken_line_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the id '1' occurs twice"):
        list(build("pope-random", data=lines(tmp_path, ROW, ROW)).samples())
    with pytest.raises(DataError, match="holds no samples"):
        list(build("pope-random", data=lines(tmp_path)).samples())
    (tmp_path / "coco_pope_random.json").write_text(json.dumps(ROW) + '\n{"question_id": 2, "ima')
    with pytest.raises(DataError, match=r"coco_pope_random\.json, line 2: not valid JSON"):
        list(build("pope-random", data=tmp_path).samples())


def test_a_model_that_never_says_yes_has_an_accuracy_and_an_f1_that_is_undefined(tmp_path: Path) -> None:
    rows = [{**ROW, "question_id": i, "label": ("yes", "no")[i % 2]} for i in range(4)]
    task = build("pope-random", data=lines(tmp_path, *rows))
    scores = task.score(answered(list(task.samples()), *["no"] * 4))
    found = {statistic.metric.name for statistic in scores.statistics}
    assert "accuracy" in found
    assert "F1" not in found
    assert "undefined (0 / 0)" in scores.missing["F1"]
